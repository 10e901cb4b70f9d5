"""
The Network Load Balancers of a rehearsal, read from the emulated API alone; `flows.py` carries their connections.

New weights reach new connections only. A target that is deregistered gets no new connection, and loses those it has
once the deregistration delay is over, where its target group terminates connections; one that becomes unhealthy beside
healthy ones loses them at once, unless its target group says otherwise.

Source: Network Load Balancer guide, "Target group attributes"; "CloudWatch metrics for your Network Load Balancer":
flows, bytes and resets are counted by load balancer, hosts by target group.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rehearsal.dataplane.children import Child
from rehearsal.dataplane.edge import FoundListener
from rehearsal.dataplane.following import follow
from rehearsal.dataplane.metrics import Meter, Series
from rehearsal.dataplane.routing import TargetHealth, dimension_of, targets_served, weights_of

_COUNTS: Mapping[str, tuple[str, ...]] = {
    "new": ("NewFlowCount", "NewFlowCount_TCP"),
    "bytes": ("ProcessedBytes", "ProcessedBytes_TCP"),
    "target_resets": ("TCP_Target_Reset_Count",),
    "client_resets": ("TCP_Client_Reset_Count",),
    "elb_resets": ("TCP_ELB_Reset_Count",),
}
_TERMINATES = "deregistration_delay.connection_termination.enabled"
_DELAY = "deregistration_delay.timeout_seconds"
_TERMINATES_UNHEALTHY = "target_health_state.unhealthy.connection_termination.enabled"


class NlbEdge:
    """
    Follows the Network Load Balancers. Without one, nothing runs but the looking.

    Args:
        elbv2: A client of the emulated Elastic Load Balancing.
        meter: Counts AWS/NetworkELB's metrics.
        time_scale: Divides deregistration delays.
        clock: Seconds since the epoch.
    """

    def __init__(
        self, elbv2: Any, meter: Meter, *, time_scale: float = 1, clock: Callable[[], float] = time.time
    ) -> None:
        self._elbv2 = elbv2
        self._meter = meter
        self._time_scale = time_scale
        self._clock = clock
        self._lock = threading.RLock()
        self._flows: Child | None = None
        self._ports: dict[FoundListener, int] = {}
        self._followed: dict[FoundListener, Any] = {}
        self._registered: dict[str, frozenset[int]] = {}
        self._ending: dict[tuple[str, int], float] = {}  # a deregistered target, and when its connections end
        self._withdrawn: set[int] = set()
        self._looked = threading.Condition()
        self._begun = self._done = 0

    # -- what others ask ---------------------------------------------------------------------------------------------

    def port(self, load_balancer: str, listener_port: int) -> int | None:
        """Return the loopback port of a listener, by its load balancer's ARN, name or DNS name; None without one."""
        with self._lock:
            found = [
                port for one, port in self._ports.items() if one.port == listener_port and one.is_of(load_balancer)
            ]
        return found[0] if found else None

    def withdraw(self, port: int) -> None:
        """Send no new connection to a target, whatever its health."""
        with self._lock:
            self._withdrawn.add(port)
            listeners = list(self._followed.items())
        for one, groups in listeners:
            left = [(group, weight, [each for each in ports if each != port]) for group, weight, ports in groups]
            self._follow(one, left)

    def admit(self, port: int) -> None:
        """Forget that a port was withdrawn: it belongs to another task now."""
        with self._lock:
            self._withdrawn.discard(port)

    def pids(self) -> tuple[int, ...]:
        """Return the process that carries the connections, if there is one."""
        return () if self._flows is None else (self._flows.pid,)

    def close(self) -> None:
        """End every connection, and the process that carries them. Safe to repeat."""
        if self._flows is not None:
            self._flows.close()

    # -- following ---------------------------------------------------------------------------------------------------

    def run(self, stopped: threading.Event) -> None:
        """Look until stopped; a look that fails is named once and repeated."""
        follow(self.look, "the Network Load Balancers", stopped)

    def catch_up(self, timeout_seconds: float) -> bool:
        """Wait for a look that began after this was called; False when none ended in time."""
        with self._looked:
            wanted = self._begun + 1
            return self._looked.wait_for(lambda: self._done >= wanted, timeout_seconds)

    def look(self) -> None:
        """Read every Network Load Balancer and let its connections follow."""
        with self._looked:
            self._begun += 1
            number = self._begun
        self._follow_all()
        with self._looked:
            self._done = number
            self._looked.notify_all()

    def _follow_all(self) -> None:
        for one, action in self._listeners():
            groups = [(arn, weight, self._served(arn, one)) for arn, weight in weights_of(action)]
            if one not in self._ports:
                port = int(self._child().ask({"do": "listen", "listener": one.arn})["port"])
                self._follow(one, groups)
                with self._lock:  # not before: until it follows, every connection to it is reset
                    self._ports[one] = port
            elif self._followed.get(one) != groups:
                self._follow(one, groups)
        if self._flows is not None:
            self._end_what_is_due()
            self._count(self._flows.ask({"do": "count"})["listeners"])

    def _listeners(self) -> Iterator[tuple[FoundListener, Mapping[str, Any]]]:
        for page in self._elbv2.get_paginator("describe_load_balancers").paginate():
            for balancer in page["LoadBalancers"]:
                if balancer.get("Type") != "network":
                    continue
                arn, name = balancer["LoadBalancerArn"], balancer.get("DNSName", "").lower()
                for answer in self._elbv2.get_paginator("describe_listeners").paginate(LoadBalancerArn=arn):
                    for each in answer["Listeners"]:
                        yield (
                            FoundListener(each["ListenerArn"], dimension_of(arn), each["Port"], name),
                            each["DefaultActions"][-1],
                        )

    def _child(self) -> Child:
        if self._flows is None:
            self._flows = Child("flows.py", obeys=True)
        return self._flows

    def _follow(self, one: FoundListener, groups: list[tuple[str, int, list[int]]]) -> None:
        self._child().ask({"do": "follow", "listener": one.arn, "groups": groups})
        with self._lock:
            self._followed[one] = groups

    def _served(self, group: str, one: FoundListener) -> list[int]:
        """Return the targets that get new connections; note whose connections are to end."""
        answer = self._elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        targets = [TargetHealth(each["Target"]["Port"], each["TargetHealth"]["State"]) for each in answer]
        registered = frozenset(target.port for target in targets if target.state != "draining")
        gone = self._registered.get(group, frozenset()) - registered
        states = [target.state for target in targets]
        ill = [target.port for target in targets if target.state == "unhealthy"] if "healthy" in states else []
        if gone or ill:
            self._note_endings(group, gone, ill)
        self._registered[group] = registered
        self._measure_hosts(group, one, states)
        with self._lock:
            return list(targets_served(targets, frozenset(self._withdrawn)))

    def _note_endings(self, group: str, gone: frozenset[int], ill: list[int]) -> None:
        answer = self._elbv2.describe_target_group_attributes(TargetGroupArn=group)["Attributes"]
        attributes = {each["Key"]: each["Value"] for each in answer}
        now = self._clock()
        if attributes.get(_TERMINATES) == "true":
            delay = float(attributes.get(_DELAY, 0)) / self._time_scale
            self._ending.update({(group, port): now + delay for port in gone})
        if attributes.get(_TERMINATES_UNHEALTHY) == "true":
            self._ending.update({(group, port): now for port in ill})

    def _end_what_is_due(self) -> None:
        now = self._clock()
        due = [where for where, at in self._ending.items() if at <= now]
        for group, port in due:
            self._child().ask({"do": "end", "group": group, "ports": [port]})
            del self._ending[group, port]

    # -- measuring ---------------------------------------------------------------------------------------------------

    def _count(self, listeners: Mapping[str, Mapping[str, int]]) -> None:
        now = self._clock()
        for one in list(self._ports):
            counted = listeners.get(one.arn, {})
            for key, names in _COUNTS.items():
                for name in names:
                    unit = "Bytes" if key == "bytes" else "Count"
                    self._meter.count(_series(name, unit, one.load_balancer), now, counted.get(key, 0))
            for name in ("ActiveFlowCount", "ActiveFlowCount_TCP"):
                self._meter.observe(_series(name, "Count", one.load_balancer), now, counted.get("active", 0))

    def _measure_hosts(self, group: str, one: FoundListener, states: list[str]) -> None:
        now = self._clock()
        for name, state in (("HealthyHostCount", "healthy"), ("UnHealthyHostCount", "unhealthy")):
            series = _series(name, "Count", one.load_balancer, dimension_of(group))
            self._meter.observe(series, now, states.count(state))


def _series(name: str, unit: str, load_balancer: str, target_group: str | None = None) -> Series:
    whole = (("LoadBalancer", load_balancer),)
    dimensions = whole if target_group is None else (("TargetGroup", target_group), *whole)
    return Series("AWS/NetworkELB", name, unit, dimensions)
