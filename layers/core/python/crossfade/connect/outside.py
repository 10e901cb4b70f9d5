"""What stands behind the mesh's names, or calls them, and is no ECS service of the sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from crossfade.connect.gaps import gap, listed
from crossfade.connect.providers import Provider
from crossfade.connect.seats import Seat
from crossfade.mesh.model import Found
from crossfade.mesh.tree import Tree
from crossfade.plan.document import Gap


def originations(found: Found, provided: Mapping[str, Provider], by_node: Mapping[str, Seat]) -> Iterator[Gap]:
    """Yield each node whose Envoy speaks TLS to something outside ECS."""
    hosts = {node.name: node.host or node.name for node in found.nodes}
    for seat in by_node.values():
        if seat.node is None:
            continue
        spec = Tree(seat.node.spec, seat.node.place)
        default = spec / "backendDefaults" / "clientPolicy" / "tls"
        outside: set[str] = set()
        for backend in spec / "backends":
            service = backend / "virtualService"
            policy = service / "clientPolicy" / "tls" or default
            provider = provided.get((service / "virtualServiceName").text_or_none() or "")
            owner = provider.owner if provider else None
            if policy and owner in hosts and owner not in by_node and (policy / "enforce").truth(default=True):
                outside.add(hosts[owner])
        if outside:
            yield gap("TLS_ORIGINATION", f"virtualNode/{seat.node.name}", hosts=listed(sorted(outside)))


def _owner(provided: Mapping[str, Provider], name: str) -> str:
    """Return the node that owns a virtual service's name, "" for none."""
    return (provided[name].owner or "") if name in provided else ""


def outsiders(
    found: Found,
    provided: Mapping[str, Provider],
    by_node: Mapping[str, Seat],
    seats: Sequence[Seat],
    callers: set[str],
) -> Iterator[Gap]:
    """Yield what stands behind names but is no ECS service of the sources."""
    nodes = {node.name: node for node in found.nodes}
    for node in found.nodes:
        if node.name in by_node:
            continue
        names = [name for name, provider in provided.items() if provider.owner == node.name]
        calling = [
            seat.service.name
            for seat in seats
            if (seat.node and set(seat.node.backends) & set(names)) or (node.host or "").lower() in callers
        ]
        owners = (_owner(provided, each) for each in node.backends)
        called = [by_node[each].service.name for each in owners if each in by_node]
        if called:
            host = node.host or "nothing named"
            yield gap("EXTERNAL_CALLER", f"virtualNode/{node.name}", host=host, services=listed(called))
        if not calling:
            continue
        if node.cloud_map_service:
            said = f", and {listed(calling)} call it; green's calls would go to whatever its name resolves to."
            yield gap("NODE_WITHOUT_ECS_SERVICE", f"virtualNode/{node.name}", consequence=said)
        else:
            yield gap("EXTERNAL_NODE", f"virtualNode/{node.name}", host=node.host or "nothing named")
    for name, provider in provided.items():
        owner = nodes.get(provider.owner or "")
        if owner is None or owner.name in by_node or not owner.listeners:
            continue
        real = provider.target_port or owner.listeners[0].port
        for port, _protocol in provider.ports or ():
            if port != real:
                yield gap(
                    "EXTERNAL_PORT_REMAP",
                    f"virtualService/{name}",
                    dialled=port,
                    port=real,
                    host=owner.host or owner.name,
                )
