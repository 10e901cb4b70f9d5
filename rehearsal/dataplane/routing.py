"""From what a load balancer's API answers to what the edge's proxy does. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.dataplane.proxy import Config, Upstream, eds_cluster, http_filter, listener, measured_log, static_cluster

NOWHERE = "nowhere"
"""A cluster without hosts. It takes the requests of an action whose weights are all zero: 503, as an ALB answers."""

IDLE_TIMEOUT = "60s"  # an Application Load Balancer's default idle timeout
ROUTES = "config.route.v3.RouteConfiguration"
CLUSTERS = "config.cluster.v3.Cluster"
LISTENERS = "config.listener.v3.Listener"


@dataclass(frozen=True, slots=True)
class EdgeRule:
    """
    A listener's rule or its default action.

    `weights` maps target group ARNs to weights where the action forwards; otherwise `answer` is Envoy's own action.
    """

    arn: str
    match: Mapping[str, Any]
    weights: tuple[tuple[str, int], ...] = ()
    answer: Mapping[str, Any] | None = None

    @property
    def key(self) -> str:
        """The rule's name among Envoy's runtime keys."""
        return "edge." + re.sub(r"[^A-Za-z0-9]", "_", self.arn.rpartition(":")[2])

    def runtime(self) -> dict[str, int]:
        """Return Envoy's runtime keys for the weights; their sum is never zero."""
        if not self.weights:
            return {}
        keys = {f"{self.key}.{cluster_of(arn)}": weight for arn, weight in self.weights}
        return {**keys, f"{self.key}.{NOWHERE}": _nowhere_weight(self.weights)}


@dataclass(frozen=True, slots=True)
class EdgeListener:
    """One listener; its rules in order, the default action last. `load_balancer` is `app/name/id`."""

    arn: str
    load_balancer: str
    port: int
    rules: tuple[EdgeRule, ...]

    @property
    def name(self) -> str:
        """The listener's name in Envoy."""
        return f"{self.load_balancer}:{self.port}"


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """One registered target: its loopback port and what DescribeTargetHealth says of it."""

    port: int
    state: str


def dimension_of(arn: str) -> str:
    """Return the value of CloudWatch's TargetGroup or LoadBalancer dimension for an ARN."""
    last = arn.rpartition(":")[2]
    return last.removeprefix("loadbalancer/")


def cluster_of(target_group_arn: str) -> str:
    """Return the name of a target group's cluster, fit to be a part of a runtime key."""
    return re.sub(r"[^A-Za-z0-9-]", "_", dimension_of(target_group_arn))


def rule_of(described: Mapping[str, Any]) -> EdgeRule:
    """
    Read one rule as DescribeRules answers it.

    Only the last action decides where a request goes; authentication before it is not rehearsed. An action or
    condition that the edge cannot follow is answered with 503 and its name, rather than with a wrong route.
    """
    actions = sorted(described.get("Actions") or (), key=lambda action: action.get("Order") or 0)
    arn = described["RuleArn"]
    match, unknown = _match(described.get("Conditions") or ())
    if unknown is not None:
        return EdgeRule(arn, {"prefix": "/"}, answer=_direct(503, f"the rehearsal knows no rule condition {unknown}"))
    if not actions:
        return EdgeRule(arn, match, answer=_direct(503, "the rule has no action"))
    action = actions[-1]
    if action["Type"] == "forward":
        return EdgeRule(arn, match, weights=weights_of(action))
    if action["Type"] == "fixed-response":
        fixed = action["FixedResponseConfig"]
        return EdgeRule(arn, match, answer=_direct(int(fixed["StatusCode"]), fixed.get("MessageBody") or ""))
    if action["Type"] == "redirect":
        return EdgeRule(arn, match, answer=_redirect(action["RedirectConfig"]))
    return EdgeRule(arn, match, answer=_direct(503, f"the rehearsal knows no action {action['Type']}"))


def weights_of(action: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    """Return the weights of a forward action, in its order; a single target group without one has 1."""
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or ()
    if groups:
        return tuple((one["TargetGroupArn"], int(one.get("Weight", 1))) for one in groups)
    return ((action["TargetGroupArn"], 1),)


def targets_served(targets: Sequence[TargetHealth], withdrawn: frozenset[int]) -> tuple[int, ...]:
    """
    Return the ports that get requests: the healthy targets, or every unhealthy one where none is healthy.

    Source: Elastic Load Balancing user guide, target group health: "If a target group contains only unhealthy
    registered targets, the load balancer routes requests to all those targets".
    """
    for state in ("healthy", "unhealthy"):
        if ports := tuple(t.port for t in targets if t.state == state and t.port not in withdrawn):
            return ports
    return ()


def route_config(edge: EdgeListener) -> Config:
    """Return the routes of a listener, with their weights of now; runtime keys override these later."""
    routes = [{"match": dict(rule.match), **_action(rule)} for rule in edge.rules]
    return {"name": edge.name, "virtual_hosts": [{"name": "edge", "domains": ["*"], "routes": routes}]}


def shape_of(edge: EdgeListener) -> tuple[Any, ...]:
    """Return what of a listener's routes is not a weight: two listeners with the same shape differ by weights alone."""
    return tuple(
        (rule.arn, repr(rule.match), tuple(arn for arn, _ in rule.weights), repr(rule.answer)) for rule in edge.rules
    )


def edge_listener(edge: EdgeListener, routes: Path) -> Config:
    """Return the proxy's listener, which stays the same whatever its rules become."""
    log = measured_log("edge", edge.load_balancer)
    return listener(edge.name, [http_filter(edge.name, logs=[log], routes_file=routes)])


def edge_clusters(target_groups: Mapping[str, Path]) -> list[Config]:
    """Return a cluster per target group ARN that follows its file of endpoints, and the one without hosts."""
    groups = [eds_cluster(Upstream(name=cluster_of(arn), endpoints=path)) for arn, path in target_groups.items()]
    return [static_cluster(NOWHERE), *groups]


def _action(rule: EdgeRule) -> Config:
    if rule.answer is not None:
        return dict(rule.answer)
    clusters = [{"name": cluster_of(arn), "weight": weight} for arn, weight in rule.weights]
    clusters.append({"name": NOWHERE, "weight": _nowhere_weight(rule.weights)})
    return {
        "route": {
            "timeout": IDLE_TIMEOUT,
            "weighted_clusters": {"runtime_key_prefix": rule.key, "clusters": clusters},
        }
    }


def _nowhere_weight(weights: Sequence[tuple[str, int]]) -> int:
    return 0 if any(weight for _, weight in weights) else 1


def _direct(status: int, body: str) -> Config:
    return {"direct_response": {"status": status, "body": {"inline_string": body}}}


def _redirect(config: Mapping[str, Any]) -> Config:
    redirect: Config = {"response_code": "FOUND" if config.get("StatusCode") == "HTTP_302" else "MOVED_PERMANENTLY"}
    for member, field, unchanged in (("Host", "host_redirect", "#{host}"), ("Path", "path_redirect", "/#{path}")):
        if config.get(member, unchanged) != unchanged:
            redirect[field] = config[member]
    if config.get("Protocol", "#{protocol}") != "#{protocol}":
        redirect["scheme_redirect"] = config["Protocol"].lower()
    if config.get("Port", "#{port}") != "#{port}":
        redirect["port_redirect"] = int(config["Port"])
    return {"redirect": redirect}


def _match(conditions: Sequence[Mapping[str, Any]]) -> tuple[Config, str | None]:
    """Return Envoy's match, and the name of a condition that it cannot say."""
    match: Config = {"prefix": "/"}
    headers: list[Config] = []
    for condition in conditions:
        field = condition["Field"]
        if field == "path-pattern":
            match.pop("prefix", None)
            match["safe_regex"] = {"regex": _pattern(_values(condition, "PathPatternConfig"))}
        elif field == "host-header":
            headers.append(_header(":authority", _pattern(_values(condition, "HostHeaderConfig")) + r"(:\d+)?"))
        elif field == "http-request-method":
            headers.append(_header(":method", _pattern(_values(condition, "HttpRequestMethodConfig"))))
        elif field == "http-header":
            name = condition["HttpHeaderConfig"]["HttpHeaderName"]
            headers.append(_header(name, _pattern(_values(condition, "HttpHeaderConfig"))))
        else:
            return {}, field
    if headers:
        match["headers"] = headers
    return match, None


def _values(condition: Mapping[str, Any], config: str) -> Sequence[str]:
    values: Sequence[str] = condition.get("Values") or (condition.get(config) or {}).get("Values") or ()
    return values


def _header(name: str, regex: str) -> Config:
    return {"name": name, "string_match": {"safe_regex": {"regex": regex}}}


def _pattern(values: Sequence[str]) -> str:
    """Return one regular expression for AWS's patterns: `*` is any characters, `?` is one."""
    each = (re.escape(value).replace(r"\*", ".*").replace(r"\?", ".") for value in values)
    return "(" + "|".join(each) + ")"
