"""
The edge of a rehearsal: one Envoy that follows the emulated load balancers, read through their API alone.

Weights reach the proxy by its runtime, within a quarter of a second of their change; listeners, rules and target
groups by files. Weights live in the proxy's memory only, so they are written before every file that names them.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rehearsal.dataplane import routing
from rehearsal.dataplane.envoy import Admin
from rehearsal.dataplane.following import follow
from rehearsal.dataplane.metrics import Meter, Served, alb_series, count_at_edge
from rehearsal.dataplane.proxy import resources_file
from rehearsal.dataplane.resource_files import Endpoints, write_whole
from rehearsal.dataplane.routing import EdgeListener, TargetHealth, cluster_of, dimension_of

TARGETS_EVERY, SHAPE_EVERY = 2, 4  # looks: targets twice a second, load balancers and listeners once
_NOBODY = frozenset({"UH", "NC"})
"""Envoy's response flags of a request whose cluster holds no host, or is none. Source: Envoy, access log formatters."""


@dataclass(frozen=True, slots=True)
class ShareSeen:
    """The weights of one rule as they took effect at the edge; target group ARNs to weights."""

    at: datetime
    rule: str
    weights: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FoundListener:
    """A listener as DescribeListeners tells of it."""

    arn: str
    load_balancer: str
    port: int
    dns_name: str

    def is_of(self, load_balancer: str) -> bool:
        """Whether a load balancer's ARN, name or DNS name means this listener's."""
        name = self.load_balancer.split("/")[1]
        return self.load_balancer == dimension_of(load_balancer) or load_balancer.lower() in {name, self.dns_name}


class Edge:
    """
    Follows the load balancers. `folder` holds the proxy's files; the proxy may start before or after the first look.

    `look` is one step and may be called by tests; `run` looks until `stopped`. `requests_to_nobody` counts the requests
    for which a target group was chosen that held no target.
    """

    def __init__(self, elbv2: Any, folder: Path, meter: Meter, *, clock: Callable[[], float] = time.time) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.listeners_file, self.clusters_file = folder / "listeners.json", folder / "clusters.json"
        self._folder = folder
        self._elbv2 = elbv2
        self._meter = meter
        self._clock = clock
        self._endpoints = Endpoints(folder / "targets")
        self._admin: Admin | None = None
        self._looks = 0
        self._looked = threading.Condition()
        self._begun = self._done = 0
        self._asked_for_all = False
        self._version = 0
        self._found: tuple[FoundListener, ...] = ()
        self._shapes: dict[str, Any] = {}
        self._weights: dict[str, tuple[tuple[str, int], ...]] = {}
        self._groups: dict[str, str] = {}  # target group ARN to load balancer dimension
        self._written: tuple[Any, Any] = (None, None)
        self._withdrawn: set[int] = set()
        self._seen: list[ShareSeen] = []
        self.requests_to_nobody = 0
        self._lock = threading.RLock()
        self._write_resources([])

    # -- what others ask ---------------------------------------------------------------------------------------------

    def serve_by(self, admin: Admin) -> None:
        """Say by which proxy the edge is served; what it has to know follows with the next look."""
        with self._lock:
            self._admin = admin
            self._weights.clear()

    def shares_seen(self) -> tuple[ShareSeen, ...]:
        """Return every change of weights in the order in which the edge applied them."""
        with self._lock:
            return tuple(self._seen)

    def port(self, load_balancer: str, listener_port: int) -> int | None:
        """Return the loopback port of a listener, by its load balancer's ARN, name or DNS name; None without one."""
        with self._lock:
            names = {
                f"{one.load_balancer}:{one.port}"
                for one in self._found
                if one.port == listener_port and one.is_of(load_balancer)
            }
            admin = self._admin
        if admin is None or not names:
            return None
        return next((port for name, port in admin.listeners().items() if name in names), None)

    def withdraw(self, port: int) -> None:
        """Send nothing more to a target, whatever its health; the change is written when this returns."""
        with self._lock:
            self._withdrawn.add(port)
            for arn in self._groups:
                self._endpoints.remove(cluster_of(arn), port)

    def admit(self, port: int) -> None:
        """Forget that a port was withdrawn: it belongs to another task now."""
        with self._lock:
            self._withdrawn.discard(port)

    def count(self, served: Served) -> None:
        """Count one request that ended at the edge."""
        with self._lock:
            groups = {cluster_of(arn): dimension_of(arn) for arn in self._groups}
            self.requests_to_nobody += bool(served.flags & _NOBODY)
        count_at_edge(self._meter, served, groups)

    # -- following ---------------------------------------------------------------------------------------------------

    def run(self, stopped: threading.Event) -> None:
        """Look until stopped; a look that fails is named once and repeated."""
        follow(self.look, "the load balancers", stopped)

    def catch_up(self, timeout_seconds: float) -> bool:
        """Wait for a look at everything that began after this was called; False when none ended in time."""
        with self._looked:
            wanted = self._begun + 1
            self._asked_for_all = True
            return self._looked.wait_for(lambda: self._done >= wanted, timeout_seconds)

    def look(self) -> None:
        """Read what is due and let the proxy follow."""
        with self._looked:
            self._begun += 1
            number, everything = self._begun, self._asked_for_all
            self._asked_for_all = False
        if everything:
            self._looks = 0
        self._follow()
        with self._looked:
            self._done = number
            self._looked.notify_all()

    def _follow(self) -> None:
        if self._looks % SHAPE_EVERY == 0:
            found = self._read_listeners()
            with self._lock:
                self._found = found
        listeners = [self._read_rules(one) for one in self._found]
        with self._lock:
            new = self._adopt(listeners)
        if new or self._looks % TARGETS_EVERY == 0:
            self._read_targets()
        with self._lock:
            self._apply(listeners)
        self._looks += 1

    def _read_listeners(self) -> tuple[FoundListener, ...]:
        found = []
        for page in self._elbv2.get_paginator("describe_load_balancers").paginate():
            for balancer in page["LoadBalancers"]:
                if balancer.get("Type", "application") != "application":
                    continue
                arn = balancer["LoadBalancerArn"]
                for answer in self._elbv2.get_paginator("describe_listeners").paginate(LoadBalancerArn=arn):
                    name = balancer.get("DNSName", "").lower()
                    listeners = answer["Listeners"]
                    found += [
                        FoundListener(one["ListenerArn"], dimension_of(arn), one["Port"], name) for one in listeners
                    ]
        return tuple(found)

    def _read_rules(self, found: FoundListener) -> EdgeListener:
        described = self._elbv2.describe_rules(ListenerArn=found.arn)["Rules"]
        ordered = sorted(described, key=lambda rule: (rule["IsDefault"], _priority(rule)))
        rules = tuple(routing.rule_of(rule) for rule in ordered)
        return EdgeListener(found.arn, found.load_balancer, found.port, rules)

    def _adopt(self, listeners: list[EdgeListener]) -> bool:
        groups = {arn: one.load_balancer for one in listeners for rule in one.rules for arn, _ in rule.weights}
        new = groups.keys() - self._groups.keys()
        self._groups = groups
        return bool(new)

    def _read_targets(self) -> None:
        for arn, load_balancer in list(self._groups.items()):
            answer = self._elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
            targets = [TargetHealth(one["Target"]["Port"], one["TargetHealth"]["State"]) for one in answer]
            with self._lock:
                served = routing.targets_served(targets, frozenset(self._withdrawn))
                self._endpoints.replace(cluster_of(arn), served)
            self._measure(arn, load_balancer, targets)

    def _measure(self, arn: str, load_balancer: str, targets: list[TargetHealth]) -> None:
        states = [target.state for target in targets if target.state in {"healthy", "unhealthy"}]
        if not targets:
            return
        now, group = self._clock(), dimension_of(arn)
        for series in alb_series("RequestCount", "Count", load_balancer, group):
            self._meter.count(series, now, 0)
        for name, state in (("HealthyHostCount", "healthy"), ("UnHealthyHostCount", "unhealthy")):
            series = alb_series(name, "Count", load_balancer, group)[0]
            self._meter.observe(series, now, states.count(state))

    def _apply(self, listeners: list[EdgeListener]) -> None:
        rules = [rule for one in listeners for rule in one.rules if rule.weights]
        changed = [rule for rule in rules if self._weights.get(rule.arn) != rule.weights]
        if self._admin is not None and changed:
            self._admin.modify_runtime({key: value for rule in changed for key, value in rule.runtime().items()})
            now = datetime.now(UTC)
            for rule in changed:
                self._weights[rule.arn] = rule.weights
                self._seen.append(ShareSeen(now, rule.arn, dict(rule.weights)))
        self._write_resources(listeners)

    def _write_resources(self, listeners: list[EdgeListener]) -> None:
        groups = {arn: self._endpoints.file(cluster_of(arn)) for arn in self._groups}
        names = tuple((one.name, one.load_balancer) for one in listeners)
        if self._written[0] != tuple(groups):
            self._write(self.clusters_file, routing.CLUSTERS, routing.edge_clusters(groups))
        for one in listeners:
            if self._shapes.get(one.name) != routing.shape_of(one):
                self._write(self._routes_file(one), routing.ROUTES, [routing.route_config(one)])
                self._shapes[one.name] = routing.shape_of(one)
        if self._written[1] != names:
            configs = [routing.edge_listener(one, self._routes_file(one)) for one in listeners]
            self._write(self.listeners_file, routing.LISTENERS, configs)
        self._written = (tuple(groups), names)

    def _write(self, path: Path, kind: str, resources: list[dict[str, Any]]) -> None:
        self._version += 1
        write_whole(path, resources_file(kind, resources, version=self._version))

    def _routes_file(self, one: EdgeListener) -> Path:
        return self._folder / ("routes_" + re.sub(r"[^A-Za-z0-9_-]", "_", one.name) + ".json")


def _priority(rule: Mapping[str, Any]) -> int:
    return 0 if rule["IsDefault"] else int(rule["Priority"])
