"""
Elastic Load Balancing in the embedded AWS: weights with their limits, targets with real health, and an audit.

moto keeps load balancers, listeners and rules. This module refuses what AWS refuses (weights, unknown or foreign
target groups, the default rule), answers actions in AWS's normal form, keeps targets by address *and port*, asks
whoever registered a target how it is, and writes down every change of weights with its caller.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from moto.elbv2.models import elbv2_backends

from rehearsal.aws.clock import clock, every
from rehearsal.aws.registry import ACCOUNT, Call, on_reset, operation, turn

MOST_WEIGHT: Final = 999
MOST_TARGET_GROUPS: Final = 5  # per action
CHECK_SECONDS: Final = 0.25  # how often every target is asked
Health: TypeAlias = Literal["initial", "healthy", "unhealthy", "draining", "unused"]

_WHY: Final[Mapping[str, tuple[str, str]]] = {
    "initial": ("Elb.RegistrationInProgress", "Target registration is in progress"),
    "unhealthy": ("Target.FailedHealthChecks", "Health checks failed"),
    "draining": ("Target.DeregistrationInProgress", "Target deregistration is in progress"),
    "unused": ("Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"),
}
_GROUP_DEFAULTS: Final[Mapping[str, str]] = {
    "deregistration_delay.timeout_seconds": "300",
    "stickiness.enabled": "false",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
}
_HTTP_DEFAULTS: Final[Mapping[str, str]] = {
    "stickiness.type": "lb_cookie",
    "stickiness.lb_cookie.duration_seconds": "86400",
    "stickiness.app_cookie.cookie_name": "",
    "stickiness.app_cookie.duration_seconds": "86400",
    "slow_start.duration_seconds": "0",
    "load_balancing.algorithm.type": "round_robin",
    "load_balancing.algorithm.anomaly_mitigation": "off",
}
_FLOW_DEFAULTS: Final[Mapping[str, str]] = {
    "stickiness.type": "source_ip",
    "deregistration_delay.connection_termination.enabled": "false",
    "preserve_client_ip.enabled": "true",
    "proxy_protocol_v2.enabled": "false",
    "target_health_state.unhealthy.connection_termination.enabled": "true",
    "target_health_state.unhealthy.draining_interval_seconds": "0",
}


@dataclass(frozen=True, slots=True)
class WeightChange:
    """
    One write of the weights of a rule or listener, as it was accepted.

    Attributes:
        at: when it was accepted.
        operation: ModifyRule, ModifyListener, CreateRule or CreateListener.
        resource: the ARN of the rule or listener.
        weights: target group ARN to weight, of the forward action.
        caller: the User-Agent of the request; a Lambda function's names its execution environment.
        access_key: the access key id that signed it.
    """

    at: datetime
    operation: str
    resource: str
    weights: Mapping[str, int]
    caller: str
    access_key: str


@dataclass(slots=True)
class Target:
    """One address and port in a target group. `answers` says whether it passes a health check now."""

    ip: str
    port: int
    answers: Callable[[], bool]
    health: Health = "initial"
    against_since: float | None = None  # monotonic seconds: since when its answers speak against `health`


@dataclass(slots=True)
class _Balancing:
    targets: dict[str, dict[tuple[str, int], Target]] = field(default_factory=dict)
    changes: list[WeightChange] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)


_state = _Balancing()


@on_reset
def forget() -> None:
    """Forget targets and audit."""
    with _state.lock:
        _state.targets.clear()
        _state.changes.clear()


# -- for the emulated ECS and for tests ---------------------------------------


def weight_changes() -> tuple[WeightChange, ...]:
    """Answer every accepted change of weights since the start, oldest first."""
    with _state.lock:
        return tuple(_state.changes)


def register(target_group_arn: str, ip: str, port: int, answers: Callable[[], bool]) -> None:
    """Add a target, whose health is what `answers` says; registering one again changes nothing."""
    with _state.lock:
        group = _state.targets.setdefault(target_group_arn, {})
        known = group.get((ip, port))
        if known is None or known.health == "draining":
            group[ip, port] = Target(ip, port, answers)


def drain(target_group_arn: str, ip: str, port: int) -> None:
    """Take a target out of service; it stays visible as draining until it is removed."""
    with _state.lock:
        target = _state.targets.get(target_group_arn, {}).get((ip, port))
        if target is not None:
            target.health = "draining"


def remove(target_group_arn: str, ip: str, port: int) -> None:
    """Remove a target; one that is not there is left alone."""
    with _state.lock:
        _state.targets.get(target_group_arn, {}).pop((ip, port), None)


def health_of(target_group_arn: str, ip: str, port: int) -> Health | None:
    """Answer a target's health, None when it is not registered."""
    with _state.lock:
        target = _state.targets.get(target_group_arn, {}).get((ip, port))
        return None if target is None else target.health


def target_group_arn(name: str, region: str) -> str:
    """Answer the ARN of the target group of this name; empty while there is none."""
    with turn("elbv2", "DescribeTargetGroups"):
        found = [group.arn for group in elbv2_backends[ACCOUNT][region].target_groups.values() if group.name == name]
    return str(found[0]) if found else ""


def healthy_count(target_group_arn: str) -> int:
    """Answer how many targets of a group are healthy now."""
    with _state.lock:
        return sum(target.health == "healthy" for target in _state.targets.get(target_group_arn, {}).values())


def in_use(target_group_arn: str, region: str) -> bool:
    """Whether a listener or rule of a load balancer forwards to the target group."""
    return bool(_balancers_using(region).get(target_group_arn))


def deregistration_delay(target_group_arn: str, region: str) -> float:
    """Answer how long a target drains here: the configured delay, in seconds divided by the time scale."""
    group = elbv2_backends[ACCOUNT][region].target_groups.get(target_group_arn)
    if group is None:
        return 0.0
    return float(group.attributes["deregistration_delay.timeout_seconds"]) / clock.time_scale


def tags_of(region: str, arn: str) -> dict[str, str]:
    """Answer the tags of a target group or load balancer; none of one that is not there."""
    return dict(elbv2_backends[ACCOUNT][region].tagging_service.get_tag_dict_for_resource(arn))


def check_targets() -> None:
    """
    Ask every target once how it is.

    A new target needs one good answer, as on AWS; a change between healthy and unhealthy needs the answers of as many
    intervals as the target group's threshold says, divided by the time scale.
    """
    with _state.lock:
        groups = {arn: list(targets.values()) for arn, targets in _state.targets.items()}
    now = clock.monotonic()
    for arn, targets in groups.items():
        healthy_after, unhealthy_after = _seconds_to_change(arn)
        for target in targets:
            if target.health != "draining":
                _check(target, now, good=target.answers(), healthy_after=healthy_after, unhealthy_after=unhealthy_after)


every(CHECK_SECONDS, check_targets)


def _check(target: Target, now: float, *, good: bool, healthy_after: float, unhealthy_after: float) -> None:
    with _state.lock:
        if target.health == "draining":
            return
        if good == (target.health == "healthy"):
            target.against_since = None
            return
        since = target.against_since
        target.against_since = now if since is None else since
        needed = {"initial": 0.0 if good else unhealthy_after, "unhealthy": healthy_after}
        if now - target.against_since >= needed.get(target.health, unhealthy_after):
            target.health, target.against_since = ("healthy" if good else "unhealthy"), None


def _seconds_to_change(target_group_arn: str) -> tuple[float, float]:
    group = elbv2_backends[ACCOUNT][target_group_arn.split(":")[3]].target_groups.get(target_group_arn)
    if group is None:
        return 0.0, 0.0
    interval = float(group.health_check_interval_seconds) / clock.time_scale
    return int(group.healthy_threshold_count) * interval, int(group.unhealthy_threshold_count) * interval


# -- targets ------------------------------------------------------------------


@operation("elbv2", "RegisterTargets", "DeregisterTargets")
def change_targets(call: Call) -> dict[str, Any]:
    """Register or deregister targets by address and port; what is registered by hand answers as it does elsewhere."""
    arn = call.params["TargetGroupArn"]
    group = _group(call, arn)
    for target in call.params["Targets"]:
        port = int(target.get("Port", group.port))
        if call.action == "RegisterTargets":
            register(arn, target["Id"], port, _answers(target["Id"], port))
        elif health_of(arn, target["Id"], port) is None:
            raise call.error("InvalidTarget", f"The following targets are not registered: '{target['Id']}:{port}'")
        else:
            remove(arn, target["Id"], port)
    return {}


def _answers(ip: str, port: int) -> Callable[[], bool]:
    """Return how an address answers in the target groups that hold it already; one that none holds always does."""
    with _state.lock:
        held = [group[ip, port] for group in _state.targets.values() if (ip, port) in group]
    return held[0].answers if held else lambda: True


@operation("elbv2", "DescribeTargetHealth")
def describe_target_health(call: Call) -> dict[str, Any]:
    """Answer the health of the targets asked for, or of all; unused while no load balancer forwards to the group."""
    arn = call.params["TargetGroupArn"]
    group = _group(call, arn)
    used = in_use(arn, call.region)
    with _state.lock:
        known = dict(_state.targets.get(arn, {}))
    wanted = [(each["Id"], int(each.get("Port", group.port))) for each in call.params.get("Targets", [])] or list(known)
    return {
        "TargetHealthDescriptions": [_description(ip, port, known.get((ip, port)), used=used) for ip, port in wanted]
    }


def _description(ip: str, port: int, target: Target | None, *, used: bool) -> dict[str, Any]:
    described: dict[str, Any] = {"Target": {"Id": ip, "Port": port}, "HealthCheckPort": str(port)}
    if target is None:
        health = {
            "State": "unused",
            "Reason": "Target.NotRegistered",
            "Description": "Target is not registered to the target group",
        }
    else:
        state = target.health if used or target.health == "draining" else "unused"
        health = {"State": state}
        if state in _WHY:
            health |= dict(zip(("Reason", "Description"), _WHY[state], strict=True))
    return {**described, "TargetHealth": health}


# -- load balancers -----------------------------------------------------------


@operation("elbv2", "CreateLoadBalancer")
def create_load_balancer(call: Call) -> Any:
    """Create a load balancer; the ARN of one for flows says `net`, where moto says `app` of all."""
    created = call.next()
    if call.params.get("Type") != "network":
        return created
    backend = elbv2_backends[call.account][call.region]
    for balancer in created["LoadBalancers"]:
        tags = backend.tagging_service.list_tags_for_resource(balancer.arn)["Tags"]
        del backend.load_balancers[balancer.arn]
        balancer.arn = balancer.arn.replace(":loadbalancer/app/", ":loadbalancer/net/")
        backend.load_balancers[balancer.arn] = balancer
        backend.tagging_service.tag_resource(balancer.arn, tags)
    return created


# -- target groups ------------------------------------------------------------


@operation("elbv2", "CreateTargetGroup")
def create_target_group(call: Call) -> Any:
    """Create a target group with AWS's full set of attributes; the same name and settings again answer the same one."""
    backend = elbv2_backends[call.account][call.region]
    name = call.params["Name"]
    if re.fullmatch("[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?", name) is None or name.startswith("internal-"):
        raise call.error(
            "ValidationError",
            f"Target group name '{name}' must have 1 to 32 letters, digits or hyphens, must not begin or end with a "
            "hyphen, and must not begin with 'internal-'",
        )
    for group in backend.target_groups.values():
        if group.name == name:
            if all(_held(group, member) == value for member, value in call.params.items() if member != "Tags"):
                return {"TargetGroups": [group]}
            raise call.error(
                "DuplicateTargetGroupName",
                f"A target group with the same name '{name}' exists, but with different settings",
            )
    created = call.next()
    for group in created["TargetGroups"]:
        http = group.protocol in ("HTTP", "HTTPS")
        group.attributes = {**_GROUP_DEFAULTS, **(_HTTP_DEFAULTS if http else _FLOW_DEFAULTS)}
        if group.target_type == "lambda":
            group.attributes["lambda.multi_value_headers.enabled"] = "false"
    return created


def _held(group: Any, member: str) -> Any:
    named = {
        "HealthCheckIntervalSeconds": "health_check_interval_seconds",
        "HealthCheckTimeoutSeconds": "health_check_timeout_seconds",
        "HealthCheckProtocol": "health_check_protocol",
        "HealthCheckPort": "health_check_port",
        "HealthCheckPath": "health_check_path",
        "HealthCheckEnabled": "health_check_enabled",
        "HealthyThresholdCount": "healthy_threshold_count",
        "UnhealthyThresholdCount": "unhealthy_threshold_count",
        "ProtocolVersion": "protocol_version",
        "TargetType": "target_type",
        "VpcId": "vpc_id",
        "IpAddressType": "ip_address_type",
    }
    return getattr(group, named.get(member, member.lower()), None)


@operation("elbv2", "ModifyTargetGroupAttributes")
def modify_target_group_attributes(call: Call) -> dict[str, Any]:
    """Change attributes the target group has; answer all of them, as AWS does."""
    group = _group(call, call.params["TargetGroupArn"])
    given = {each["Key"]: each.get("Value", "") for each in call.params["Attributes"]}
    if unknown := sorted(given.keys() - group.attributes.keys()):
        raise call.error("InvalidConfigurationRequest", f"Target group attribute key '{unknown[0]}' is not recognized")
    delay = given.get("deregistration_delay.timeout_seconds", "0")
    if not delay.isdigit() or int(delay) > 3600:  # noqa: PLR2004  (AWS: 0 to 3600)
        raise call.error(
            "InvalidConfigurationRequest", "deregistration_delay.timeout_seconds must be between 0 and 3600"
        )
    group.attributes.update(given)
    return {"Attributes": dict(group.attributes)}  # moto makes the list of Key and Value


@operation("elbv2", "DescribeTargetGroupAttributes")
def describe_target_group_attributes(call: Call) -> dict[str, Any]:
    """Answer every attribute of a target group."""
    group = _group(call, call.params["TargetGroupArn"])
    return {"Attributes": {key: str(value) for key, value in group.attributes.items()}}  # moto makes the list


@operation("elbv2", "DescribeTargetGroups")
def describe_target_groups(call: Call) -> Any:
    """Answer target groups with the load balancers that forward to them now."""
    _attach(call.region)
    return call.next()


@operation("elbv2", "DeleteTargetGroup")
def delete_target_group(call: Call) -> Any:
    """Delete a target group that no listener or rule uses, and its targets."""
    answer = call.next()
    with _state.lock:
        _state.targets.pop(call.params["TargetGroupArn"], None)
    return answer or {}  # as delete_rule


def _group(call: Call, arn: str) -> Any:
    group = elbv2_backends[call.account][call.region].target_groups.get(arn)
    if group is None:
        raise call.error("TargetGroupNotFound", "One or more target groups not found")
    return group


def _balancers_using(region: str) -> dict[str, list[str]]:
    using: dict[str, list[str]] = {}
    for balancer in list(elbv2_backends[ACCOUNT][region].load_balancers.values()):
        for listener in list(balancer.listeners.values()):
            for rule in list(listener.rules.values()):
                for action in rule.actions:
                    for arn in _weights(action.data):
                        owners = using.setdefault(arn, [])
                        if balancer.arn not in owners:
                            owners.append(balancer.arn)
    return using


def _attach(region: str) -> None:
    using = _balancers_using(region)
    for group in list(elbv2_backends[ACCOUNT][region].target_groups.values()):
        group.load_balancer_arns = using.get(group.arn, [])


# -- listeners and rules ------------------------------------------------------


@operation("elbv2", "CreateListener", "CreateRule", "ModifyListener", "ModifyRule")
def change_actions(call: Call) -> Any:
    """Check and normalise the actions as AWS does, let moto keep them, and write the weights down."""
    member = "DefaultActions" if call.action.endswith("Listener") else "Actions"
    actions = call.params.get(member, [])
    if call.action == "CreateListener":
        _check_port(call)
    if call.action == "ModifyRule":
        _check_not_default(call, "modified")
    balancer = _balancer_of(call)
    for action in actions:
        _check_action(call, action, balancer)
    answer = call.next()
    [changed] = answer["Listeners" if call.action.endswith("Listener") else "Rules"]
    kept = changed.default_actions if call.action.endswith("Listener") else changed.actions
    for action in kept:
        _normalise(action)
    if call.action.endswith("Listener") and changed.protocol == "HTTP":
        changed.ssl_policy, changed.alpn_policy = None, None
    _attach(call.region)
    weights = {arn: weight for action in actions for arn, weight in _weights(action).items()}
    if weights:
        headers = call.headers
        signed = headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
        change = WeightChange(clock.now(), call.action, changed.arn, weights, headers.get("User-Agent", ""), signed)
        with _state.lock:
            _state.changes.append(change)
    return answer


@operation("elbv2", "DescribeRules")
def describe_rules(call: Call) -> Any:
    """Answer rules by priority, the default rule last."""
    answer = call.next()
    answer["Rules"].sort(key=lambda rule: (rule.is_default, 0 if rule.is_default else int(rule.priority)))
    return answer


@operation("elbv2", "DeleteRule")
def delete_rule(call: Call) -> Any:
    """Delete a rule; the default rule goes with its listener only."""
    _check_not_default(call, "deleted")
    return call.next() or {}  # moto's empty answer is None; AWS's has a body


def _check_port(call: Call) -> None:
    balancer = elbv2_backends[call.account][call.region].load_balancers.get(call.params["LoadBalancerArn"])
    if balancer is not None and any(
        str(each.port) == str(call.params.get("Port")) for each in balancer.listeners.values()
    ):
        raise call.error("DuplicateListener", "A listener already exists on this port for this load balancer")


def _check_not_default(call: Call, what: str) -> None:
    arn = call.params["RuleArn"]
    for balancer in elbv2_backends[call.account][call.region].load_balancers.values():
        for listener in list(balancer.listeners.values()):
            if any(rule.arn == arn and rule.is_default for rule in listener.rules.values()):
                raise call.error("OperationNotPermitted", f"Default rule '{arn}' cannot be {what}")


def _balancer_of(call: Call) -> str:
    """Answer the load balancer's ARN; a listener's and a rule's ARN begin with its parts."""
    params = call.params
    if "LoadBalancerArn" in params:
        return str(params["LoadBalancerArn"])
    arn: str = params.get("ListenerArn") or params["RuleArn"]
    head, _, path = arn.partition("/")
    return f"{head.rpartition(':')[0]}:loadbalancer/{'/'.join(path.split('/')[:3])}"


def _check_action(call: Call, action: Mapping[str, Any], balancer: str) -> None:
    if action["Type"] != "forward":
        return
    weighted = action.get("ForwardConfig", {}).get("TargetGroups", [])
    arns = [each["TargetGroupArn"] for each in weighted]
    if "TargetGroupArn" in action and arns not in ([], [action["TargetGroupArn"]]):
        raise call.error(
            "InvalidLoadBalancerAction",
            "A forward action with both TargetGroupArn and ForwardConfig names one target group, the same in both",
        )
    if len(arns) > MOST_TARGET_GROUPS:
        raise call.error("TooManyTargetGroups", f"An action forwards to at most {MOST_TARGET_GROUPS} target groups")
    if len(set(arns)) < len(arns):
        raise call.error("ValidationError", "A target group is named twice in an action")
    for each in weighted:
        if not 0 <= each.get("Weight", 1) <= MOST_WEIGHT:
            raise call.error("ValidationError", f"Weight '{each['Weight']}' must be between 0 and {MOST_WEIGHT}")
    _check_stickiness(call, action.get("ForwardConfig", {}).get("TargetGroupStickinessConfig", {}))
    using = _balancers_using(call.region)
    for arn in _weights(action):
        _group(call, arn)
        if any(other != balancer for other in using.get(arn, [])):
            raise call.error(
                "TargetGroupAssociationLimit",
                "The following target groups cannot be associated with more than one load balancer: " + arn,
            )


def _check_stickiness(call: Call, stickiness: Mapping[str, Any]) -> None:
    seconds = stickiness.get("DurationSeconds", 1)
    if stickiness.get("Enabled") and "DurationSeconds" not in stickiness:
        raise call.error("ValidationError", "Stickiness duration must be specified when stickiness is enabled")
    if not 1 <= seconds <= 604_800:  # noqa: PLR2004  (AWS: a second to seven days)
        raise call.error("ValidationError", "Stickiness duration must be between 1 and 604800 seconds")


def _weights(action: Mapping[str, Any]) -> dict[str, int]:
    weighted: Sequence[Mapping[str, Any]] = action.get("ForwardConfig", {}).get("TargetGroups", [])
    if weighted:
        return {each["TargetGroupArn"]: int(each.get("Weight", 1)) for each in weighted}
    return {action["TargetGroupArn"]: 1} if "TargetGroupArn" in action else {}


def _normalise(action: Any) -> None:
    """Write a forward action as AWS answers it: always ForwardConfig, and TargetGroupArn when there is one only."""
    data = action.data
    if data.get("Type") != "forward":
        return
    weights = _weights(data)
    stickiness = data.get("ForwardConfig", {}).get("TargetGroupStickinessConfig") or {"Enabled": False}
    data["ForwardConfig"] = {
        "TargetGroups": [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()],
        "TargetGroupStickinessConfig": stickiness,
    }
    if len(weights) == 1:
        data["TargetGroupArn"] = next(iter(weights))
    action.__dict__.update(data)
