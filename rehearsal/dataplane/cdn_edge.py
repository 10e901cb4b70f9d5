"""
The CloudFront of a rehearsal: one Envoy that stands for several edge locations, read from the emulated API alone.

A viewer meets one edge location, a listener of the proxy. A change reaches the locations one after the other while
CloudFront calls it InProgress, and has reached them all when it says Deployed. Nothing is cached.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rehearsal.dataplane.cdn_routing import (
    Divided,
    Origin,
    clusters,
    count_at_location,
    distribution_of,
    divided,
    origin_of,
    routes,
)
from rehearsal.dataplane.envoy import Admin
from rehearsal.dataplane.following import follow
from rehearsal.dataplane.metrics import Meter, Served
from rehearsal.dataplane.proxy import Config, http_filter, listener, measured_log, resources_file
from rehearsal.dataplane.resource_files import write_whole
from rehearsal.dataplane.routing import CLUSTERS, LISTENERS, ROUTES

LOCATIONS = 3


@dataclass(frozen=True, slots=True)
class Staged:
    """A request that staging answered, and when that ended, in seconds since the epoch."""

    at: float
    code: int


@dataclass(frozen=True, slots=True)
class Seen:
    """How a primary distribution divides its requests, as the API said at a moment; and whether it was Deployed."""

    at: float
    state: Divided
    is_deployed: bool


def location_delays(propagation_seconds: float, locations: int = LOCATIONS) -> tuple[float, ...]:
    """Return how long each edge location takes to learn of a change, all of them less than it takes to be Deployed."""
    return tuple(propagation_seconds * each / (locations + 1) for each in range(1, locations + 1))


class CdnEdge:
    """
    Follows the distributions. `folder` holds the proxy's files; the proxy may start before or after the first look.

    Args:
        cloudfront: A client of the emulated CloudFront.
        port_of: The loopback port behind an origin's name and port; None for one that nobody knows.
        folder: Of the proxy's files.
        meter: Counts AWS/CloudFront's metrics.
        time_scale: Divides how long sessions last.
        propagation_seconds: How long a change is InProgress, by our clock.
        clock: Seconds of a clock that never goes back.

    Attributes:
        is_busy: CloudFront sends every request to the primary, whatever the policy says, as in its peak hours.
    """

    def __init__(
        self,
        cloudfront: Any,
        port_of: Callable[[str, int], int | None],
        folder: Path,
        meter: Meter,
        *,
        time_scale: float = 1,
        propagation_seconds: float = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.is_busy = False
        self.listeners_file, self.clusters_file = folder / "listeners.json", folder / "clusters.json"
        self._folder = folder
        self._cloudfront = cloudfront
        self._port_of = port_of
        self._meter = meter
        self._time_scale = time_scale
        self._delays = location_delays(propagation_seconds)
        self._clock = clock
        self._history: dict[str, list[Seen]] = {}
        self._known: dict[tuple[str, int], Divided] = {}  # by primary and location
        self._ports: dict[Origin, int] = {}
        self._written: dict[Path, list[Config]] = {}
        self._version = 0
        self._admin: Admin | None = None
        self._looking = threading.Lock()
        self._staged: list[tuple[str, Staged]] = []  # by primary
        self._write(self.clusters_file, CLUSTERS, [])
        self._write(self.listeners_file, LISTENERS, [])

    # -- what others ask ---------------------------------------------------------------------------------------------

    def serve_by(self, admin: Admin) -> None:
        """Say by which proxy the locations are served."""
        self._admin = admin

    def ports(self, distribution: str, *, timeout_seconds: float = 60) -> tuple[int, ...]:
        """Return the loopback port of every edge location, for a primary distribution. Raises TimeoutError."""
        end = time.monotonic() + timeout_seconds
        while time.monotonic() < end:
            listening = self._admin.listeners() if self._admin is not None else {}
            found = [listening.get(_name(distribution, each)) for each in range(LOCATIONS)]
            ports = tuple(port for port in found if port is not None)
            if len(ports) == LOCATIONS:
                return ports
            time.sleep(0.05)
        raise TimeoutError(f"no edge location serves distribution {distribution} after {timeout_seconds} s")

    def known(self, distribution: str) -> tuple[Divided, ...]:
        """Return how each edge location divides a distribution's requests now."""
        return tuple(self._known[distribution, each] for each in range(LOCATIONS))

    def count(self, served: Served) -> None:
        """Count one request that ended at an edge location."""
        count_at_location(self._meter, served)
        if distribution_of(served.cluster) not in {None, served.subject}:
            self._staged.append((served.subject, Staged(served.ended_at, served.code)))

    def staged(self, distribution: str) -> tuple[Staged, ...]:
        """Return the requests to a primary distribution that its staging answered, in the order they were told of."""
        return tuple(each for primary, each in list(self._staged) if primary == distribution)

    # -- following ---------------------------------------------------------------------------------------------------

    def run(self, stopped: threading.Event) -> None:
        """Look until stopped; a look that fails is named once and repeated."""
        follow(self.look, "CloudFront", stopped)

    def look(self) -> None:
        """Read every distribution; the edge locations learn of what is new in their own time."""
        with self._looking:  # whoever asks for a look while another goes on has its own after it
            self._look()

    def _look(self) -> None:
        for seen in self._read():
            history = self._history.setdefault(seen.state.primary.distribution, [])
            if not history or history[-1].state != seen.state:
                history.append(seen)
            elif seen.is_deployed:
                history[:] = [replace(history[-1], is_deployed=True)]
        for primary, history in self._history.items():
            for location, delay in enumerate(self._delays):
                self._known[primary, location] = _known_at(history, self._clock(), delay)
        self._apply()

    def _read(self) -> Iterator[Seen]:
        shown = {}
        for page in self._cloudfront.get_paginator("list_distributions").paginate():
            for each in page["DistributionList"].get("Items", ()):
                shown[each["Id"]] = self._cloudfront.get_distribution(Id=each["Id"])["Distribution"]
        at = self._clock()
        for primary in shown.values():
            config = primary["DistributionConfig"]
            if config.get("Staging") or not config["Enabled"]:
                continue
            staging, policy, etag = None, None, ""
            if attached := config.get("ContinuousDeploymentPolicyId"):
                found = self._cloudfront.get_continuous_deployment_policy(Id=attached)
                policy, etag = found["ContinuousDeploymentPolicy"]["ContinuousDeploymentPolicyConfig"], found["ETag"]
                names = policy["StagingDistributionDnsNames"].get("Items", ())
                staging = next((each for each in shown.values() if each["DomainName"] in names), None)
            yield Seen(
                at,
                divided(
                    origin_of(primary["Id"], config),
                    origin_of(staging["Id"], staging["DistributionConfig"]) if staging else None,
                    policy,
                    etag,
                ),
                all(each["Status"] == "Deployed" for each in (primary, staging) if each),
            )

    # -- the proxy ---------------------------------------------------------------------------------------------------

    def _apply(self) -> None:
        for state in self._known.values():
            for origin in state.origins:
                if origin not in self._ports and (port := self._port_of(origin.host, origin.port)) is not None:
                    self._ports[origin] = port
        self._write(self.clusters_file, CLUSTERS, clusters(self._ports))
        for (primary, location), state in self._known.items():
            name = _name(primary, location)
            shown = Divided(state.primary) if self.is_busy else state
            config = routes(name, shown, self._ports.get, time_scale=self._time_scale)
            self._write(self._routes_file(primary, location), ROUTES, [config])
        listeners = [self._listener(primary, location) for primary, location in self._known]
        self._write(self.listeners_file, LISTENERS, listeners)

    def _listener(self, primary: str, location: int) -> Config:
        name = _name(primary, location)
        file = self._routes_file(primary, location)
        return listener(name, [http_filter(name, logs=[measured_log("cdn", primary)], routes_file=file)])

    def _routes_file(self, primary: str, location: int) -> Path:
        return self._folder / f"routes_{primary}_{location}.json"

    def _write(self, path: Path, kind: str, resources: list[Config]) -> None:
        if self._written.get(path) != resources:
            self._version += 1
            write_whole(path, resources_file(kind, resources, version=self._version))
            self._written[path] = resources


def _known_at(history: list[Seen], now: float, delay: float) -> Divided:
    """Return what an edge location that is this late knows; what is Deployed is known everywhere."""
    for seen in reversed(history):
        if seen.is_deployed or seen.at + delay <= now:
            return seen.state
    return history[0].state


def _name(primary: str, location: int) -> str:
    return f"cdn:{primary}:{location}"
