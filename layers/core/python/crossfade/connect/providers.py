"""
Who answers behind each virtual service: through routers and routes, by priority.

Pure. App Mesh tries a router's routes by priority, the lower number first, and among equals
the longer prefix; after one that takes everything no other is reached. The alias of Service
Connect belongs to one ECS service, so one node is the owner: the one behind the route that
takes everything, and of its targets the one with most of the weight; of equals the one that
an ECS service plays, since nothing else can have an alias.

Source: AWS App Mesh User Guide, "Routes"; API reference, RouteSpec.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from crossfade.mesh.model import Found, Protocol, Route, VirtualRouter, VirtualService

_LAST = 1_000_000


@dataclass(frozen=True, slots=True)
class Provider:
    """
    What a virtual service leads to.

    `ports` are those that callers dial, None where the owner's own listeners are dialled.
    `reached` are the router's routes in the order tried, up to and with the `default`;
    `shadowed` are the ones after it.
    """

    service: VirtualService
    owner: str | None
    ports: tuple[tuple[int, Protocol], ...] | None = None
    reached: tuple[Route, ...] = ()
    shadowed: tuple[Route, ...] = ()
    default: Route | None = None

    @property
    def target_port(self) -> int | None:
        """The owner's port that the default route names."""
        if self.default is None:
            return None
        return next((each.port for each in self.default.targets if each.node == self.owner), None)


def providers(found: Found, played: Collection[str] = ()) -> Mapping[str, Provider]:
    """Return each virtual service's provider, by the service's name; `played` are nodes that ECS services play."""
    routers = {router.name: router for router in found.routers}
    routes: dict[str, list[Route]] = {}
    for route in found.routes:
        routes.setdefault(route.router, []).append(route)
    return {service.name: _provider(service, routers, routes, played) for service in found.virtual_services}


def _provider(
    service: VirtualService,
    routers: Mapping[str, VirtualRouter],
    routes: Mapping[str, list[Route]],
    played: Collection[str],
) -> Provider:
    if service.router is None:
        return Provider(service=service, owner=service.node)
    router = routers.get(service.router)
    tried = sorted(routes.get(service.router, []), key=_rank)
    end = next((at for at, route in enumerate(tried, start=1) if route.catches_all), len(tried))
    reached, shadowed = tuple(tried[:end]), tuple(tried[end:])
    default = reached[-1] if reached else None
    return Provider(
        service=service,
        owner=main_target(default, played) if default else None,
        ports=router.ports if router and router.ports else None,
        reached=reached,
        shadowed=shadowed,
        default=default,
    )


def _rank(route: Route) -> tuple[int, int, str]:
    prefix = route.match.get("prefix")
    length = len(prefix) if isinstance(prefix, str) else _LAST if route.match.get("path") else 0
    return (_LAST if route.priority is None else route.priority, -length, route.name)


def main_target(route: Route, played: Collection[str] = ()) -> str | None:
    """Return the node with most of a route's weight, of equals one of `played`, then the first; None for none."""
    weighted = [each for each in route.targets if each.weight > 0]
    return max(weighted, key=lambda each: (each.weight, each.node in played)).node if weighted else None
