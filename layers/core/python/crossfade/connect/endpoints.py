"""Endpoints: the names that callers dial today, each given to the ECS service behind it, to the letter."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from crossfade.connect.choices import Choices
from crossfade.connect.gaps import gap
from crossfade.connect.losses import serves_tls
from crossfade.connect.providers import Provider
from crossfade.connect.seats import Seat
from crossfade.connect.timeouts import effective
from crossfade.errors import BadInput
from crossfade.mesh.dialled import Dialled
from crossfade.mesh.model import Container, Listener, Protocol, TaskDefinition, VirtualNode
from crossfade.plan.document import Gap
from crossfade.plan.services import ClientAlias, Endpoint, PortName, Timeout, Tls

_DNS_NAME: Final = re.compile(r"[a-z0-9_.-]{1,127}")
_NOT_IN_DISCOVERY_NAME: Final = re.compile(r"[^a-z0-9_-]+")
_LONGEST_DISCOVERY_NAME: Final = 64
_LONGEST_PORT_NAME: Final = 64
_SIDECAR: Final = re.compile(r"xray|x-ray|cloudwatch-agent|fluent|firelens|datadog|otel|opentelemetry|adot|statsd")


@dataclass(frozen=True, slots=True)
class _Alias:
    """A name and port that callers dial, and the listener they reach."""

    name: str
    port: int
    listener: Listener
    timeout: Timeout


@dataclass(slots=True)
class Draft:
    """Endpoints under way: names are given once, so all services are drawn together."""

    choices: Choices
    taken_names: set[str]
    tls: Mapping[str, Tls] = field(default_factory=dict)
    aliases: dict[tuple[str, int], str] = field(default_factory=dict)
    ports_of: dict[str, list[int]] = field(default_factory=dict)
    endpoints: dict[str, list[Endpoint]] = field(default_factory=dict)
    ports: dict[str, dict[int, PortName]] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)


def _names_of(provider: Provider, host: str | None, spellings: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the names by which callers reach a virtual service: its own, and its node's host where it is dialled."""
    name = provider.service.name
    seen = [*spellings.get(name.lower(), ()), *spellings.get((host or "").lower(), ())]
    return list(dict.fromkeys([name, *seen]))


def serve(
    provider: Provider,
    by_node: Mapping[str, Seat],
    spellings: Mapping[str, tuple[str, ...]],
    draft: Draft,
) -> None:
    """Give a virtual service's names to the ECS service behind it."""
    seat = by_node.get(provider.owner or "")
    if seat is None or seat.node is None:
        return
    for port, listener in _doors(provider, seat.node):
        ways = [route.timeouts for route in provider.reached if any(t.node == provider.owner for t in route.targets)]
        found = effective(listener.protocol, listener.timeouts, ways)
        if found.differs:
            request, idle = found.timeout.per_request_seconds, found.timeout.idle_seconds
            said = f"{15 if request is None else request} s per request, {300 if idle is None else idle} s idle"
            draft.gaps.append(gap("LISTENER_TIMEOUT", f"virtualNode/{seat.node.name}", why=found.differs, timeout=said))
        for name in _names_of(provider, seat.node.host, spellings):
            _endpoint(_Alias(name, port, listener, found.timeout), seat, draft)


def _doors(provider: Provider, node: VirtualNode) -> Iterator[tuple[int, Listener]]:
    """Yield each port that callers dial and the node's listener behind it."""
    by_port = {listener.port: listener for listener in node.listeners}
    if provider.ports is None:
        yield from by_port.items()
        return
    for port, _protocol in provider.ports:
        listener = by_port.get(provider.target_port or port) or next(iter(node.listeners), None)
        if listener is not None:
            yield port, listener


def serve_hosts(
    seats: Sequence[Seat],
    evidence: Mapping[str, tuple[Dialled, ...]],
    spellings: Mapping[str, tuple[str, ...]],
    draft: Draft,
) -> None:
    """Give an endpoint to what is dialled by its Cloud Map name alone, past every virtual service, on ports dialled."""
    ports: dict[str, set[int | None]] = {}
    for every in evidence.values():
        for each in every:
            ports.setdefault(each.name.lower(), set()).add(each.port)
    for seat in seats:
        host = (seat.node.host or "").lower() if seat.node else ""
        if seat.node is None or host not in spellings:
            continue
        for listener in seat.node.listeners:
            if (host, listener.port) not in draft.aliases and {None, listener.port} & ports[host]:
                found = effective(listener.protocol, listener.timeouts, [])
                _endpoint(_Alias(spellings[host][0], listener.port, listener, found.timeout), seat, draft)


def _endpoint(alias: _Alias, seat: Seat, draft: Draft) -> None:
    service, resource = seat.service.name, f"virtualService/{alias.name}"
    dns_name = alias.name.lower()
    if alias.name != dns_name:
        draft.gaps.append(gap("NAME_CASE", resource, name=alias.name))
    if not _DNS_NAME.fullmatch(dns_name):
        draft.gaps.append(gap("NAME_ILLEGAL", resource, name=alias.name))
        return
    owner = draft.aliases.get((dns_name, alias.port))
    if owner is not None:
        if owner != service:
            draft.gaps.append(gap("NAME_TAKEN", resource, name=dns_name, port=alias.port, other=owner))
        return
    draft.aliases[dns_name, alias.port] = service
    draft.ports_of.setdefault(dns_name, []).append(alias.port)
    named = _named_port(alias.listener, seat, draft)
    draft.endpoints.setdefault(service, []).append(
        Endpoint(
            port_name=named.name,
            container=None if seat.task.is_assumed else named.container,
            container_port=named.container_port,
            discovery_name=_discovery_name(service, alias, draft),
            client_alias=ClientAlias(dns_name=dns_name, port=alias.port),
            app_protocol=named.app_protocol,
            timeout=None if alias.timeout == Timeout() else alias.timeout,
            tls=draft.tls.get(seat.node.name) if seat.node and serves_tls(alias.listener) else None,
        )
    )


def _discovery_name(service: str, alias: _Alias, draft: Draft) -> str:
    """Return a legal name nobody has: of the service first, then of the alias, with its port or a number."""
    room = _LONGEST_DISCOVERY_NAME - len(draft.choices.suffix) - 8
    first = service not in draft.endpoints
    base = _legal(service if first else alias.name.partition(".")[0])[:room]
    numbered = (f"{base}-{number}" for number in itertools.count(2))
    for stem in itertools.chain([base, f"{base}-{alias.port}"], numbered):
        name = f"{stem}{draft.choices.suffix}"
        if name not in draft.taken_names:
            draft.taken_names.add(name)
            return name
    raise AssertionError("numbers do not end")


def _legal(name: str) -> str:
    return _NOT_IN_DISCOVERY_NAME.sub("-", name.lower()).strip("-") or "service"


def _named_port(listener: Listener, seat: Seat, draft: Draft) -> PortName:
    """Return the container port behind a listener, named once for all endpoints that share it."""
    ports = draft.ports.setdefault(seat.service.name, {})
    if listener.port not in ports:
        container = serving_container(listener.port, seat.task)
        protocol = None if listener.protocol is Protocol.TCP else listener.protocol.value
        name = container.port_names.get(listener.port) or f"{listener.protocol.value}-{listener.port}"
        ports[listener.port] = PortName(
            container=container.name,
            container_port=listener.port,
            name=name[:_LONGEST_PORT_NAME],
            app_protocol=protocol,
        )
    return ports[listener.port]


def serving_container(port: int, task: TaskDefinition) -> Container:
    """Return the container that serves a port: the one that maps it, otherwise the application's own."""
    proxies = task.proxies()
    stay = [each for each in task.containers if each.name not in proxies]
    mapped = [each for each in stay if port in each.ports]
    if mapped:
        return mapped[0]
    likely = [each for each in stay if not _SIDECAR.search(f"{each.name} {each.image}".lower())]
    chosen = next((each for each in likely if each.essential), None) or next(iter(likely or stay), None)
    if chosen is None:
        raise BadInput(f"{task.place}: it has no container but Envoy, so nothing serves port {port}")
    return chosen
