"""
From the emulated App Mesh to what the proxy of a virtual node does.

`read_node` asks the API, once, when a task starts; `sidecar` is pure. Hosts of a virtual node are the running tasks
whose proxies carry its ARN, whatever the node's service discovery says: a task is registered when its proxy serves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.aws.runtime import TaskFailed
from rehearsal.dataplane.proxy import (
    DEFAULT_RETRIES,
    Egress,
    Ingress,
    OutlierSettings,
    Retries,
    Route,
    Sidecar,
    Upstream,
)

PER_REQUEST_SECONDS = 15  # App Mesh user guide, Envoy defaults
SERVER_ERRORS = (500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511)  # API reference, HttpRetryPolicy
_PROTOCOLS = ("httpRoute", "http2Route", "grpcRoute", "tcpRoute")


@dataclass(frozen=True, slots=True)
class Backend:
    """A virtual service that a node may call, the ports its provider listens on, and its routes in order."""

    virtual_service: str
    ports: tuple[int, ...]
    routes: tuple[Route, ...]
    is_tcp: bool


@dataclass(frozen=True, slots=True)
class MeshView:
    """What one virtual node's proxy gets to know of its mesh: its own specification, its backends, their nodes."""

    mesh: str
    node: str
    spec: Mapping[str, Any]
    backends: tuple[Backend, ...]
    nodes: Mapping[str, Mapping[str, Any]]


def host_set(mesh: str, node: str) -> str:
    """Return the name of the set of hosts of a virtual node."""
    return f"mesh_{mesh}_{node}"


def read_node(appmesh: Any, mesh: str, node: str) -> MeshView:
    """
    Read a virtual node and all it may call.

    Raises:
        TaskFailed: the mesh does not hold what the node needs: its proxy would never become ready.
    """
    try:
        spec = _node_spec(appmesh, mesh, node)
        backends = tuple(
            _backend(appmesh, mesh, one["virtualService"]["virtualServiceName"])
            for one in spec.get("backends") or ()
            if "virtualService" in one
        )
        called = {name for backend in backends for route in backend.routes for name, _ in route.targets}
        nodes = {name: _node_spec(appmesh, mesh, name) for name in sorted(called)}
    except ClientError as error:
        raise TaskFailed(f"App Mesh has no configuration for virtual node {node} of mesh {mesh}: {error}") from error
    return MeshView(mesh=mesh, node=node, spec=spec, backends=backends, nodes=nodes)


def sidecar(
    view: MeshView,
    application_ports: Mapping[int, int],
    dialled: Mapping[str, str],
    *,
    node_id: str,
    time_scale: float,
    endpoints: Callable[[str], Path],
) -> Sidecar:
    """
    Return what the proxy of a virtual node does.

    Only backends are reachable. App Mesh matches the name and lets any port through, so a listener is made per port
    that is known: those the backend's provider listens on, and those in `dialled`, which maps what the application
    dials (`dns_name:port`) to the name alone.
    """
    backends = {backend.virtual_service: backend for backend in view.backends}
    offered = {f"{one.virtual_service}:{port}": one.virtual_service for one in view.backends for port in one.ports}
    egresses = tuple(
        Egress(name=address, routes=_routed(view.mesh, backends[name].routes), is_tcp=backends[name].is_tcp)
        for address, name in {**offered, **dialled}.items()
        if name in backends
    )
    listeners = {one["portMapping"]["port"]: one for one in view.spec.get("listeners") or ()}
    ingresses = tuple(
        _ingress(port, application, listeners.get(port) or {}) for port, application in application_ports.items()
    )
    upstreams = tuple(
        _upstream(host_set(view.mesh, name), spec, time_scale, endpoints(host_set(view.mesh, name)))
        for name, spec in view.nodes.items()
    )
    path = (((view.spec.get("logging") or {}).get("accessLog") or {}).get("file") or {}).get("path")
    return Sidecar(
        node=node_id,
        colour="blue",
        ingresses=ingresses,
        egresses=egresses,
        upstreams=upstreams,
        logs_access=path == "/dev/stdout",
        merge_seconds=1 / time_scale,
    )


def outlier_settings(spec: Mapping[str, Any], time_scale: float) -> OutlierSettings | None:
    """Return a node's own outlier detection, which every caller applies to it; None where it has none."""
    for one in spec.get("listeners") or ():
        if settings := one.get("outlierDetection"):
            return OutlierSettings(
                consecutive_5xx=int(settings["maxServerErrors"]),
                interval_seconds=seconds(settings["interval"]),
                base_ejection_seconds=seconds(settings["baseEjectionDuration"]),
                max_ejection_percent=int(settings["maxEjectionPercent"]),
            ).faster(time_scale)
    return None


def seconds(duration: Mapping[str, Any]) -> float:
    """Return App Mesh's Duration in seconds."""
    return float(duration["value"]) / (1000 if duration["unit"] == "ms" else 1)


def retries(policy: Mapping[str, Any] | None) -> Retries:
    """Return a route's retry policy in Envoy's terms; App Mesh's default where it has none."""
    if policy is None:
        return DEFAULT_RETRIES
    events = {*(policy.get("httpRetryEvents") or ()), *(policy.get("tcpRetryEvents") or ())}
    meaning = {
        "gateway-error": "gateway-error",
        "stream-error": "refused-stream",
        "connection-error": "connect-failure",
    }
    conditions = [meaning[event] for event in sorted(events) if event in meaning]
    conditions += list(policy.get("grpcRetryEvents") or ())
    codes = (*(SERVER_ERRORS if "server-error" in events else ()), *((409,) if "client-error" in events else ()))
    if codes:
        conditions.append("retriable-status-codes")
    return Retries(
        attempts=int(policy["maxRetries"]),
        conditions=tuple(conditions),
        codes=codes,
        per_try_seconds=seconds(policy["perRetryTimeout"]),
    )


def route(spec: Mapping[str, Any], timeout_of: Callable[[str], Mapping[str, Any] | None]) -> Route:
    """
    Return one App Mesh route, its targets named by virtual node.

    `timeout_of` gives a node's own listener timeout, which App Mesh uses where the route has none.
    """
    protocol = next(name for name in _PROTOCOLS if name in spec)
    body = spec[protocol]
    targets = tuple((one["virtualNode"], int(one["weight"])) for one in body["action"]["weightedTargets"])
    timeout = body.get("timeout") or timeout_of(targets[0][0]) or {}
    return Route(
        targets=targets,
        match=_match(protocol, body.get("match") or {}),
        timeout_seconds=seconds(timeout["perRequest"]) if timeout.get("perRequest") else PER_REQUEST_SECONDS,
        idle_seconds=seconds(timeout["idle"]) if timeout.get("idle") else None,
        retries=None if protocol == "tcpRoute" else retries(body.get("retryPolicy")),
    )


def _match(protocol: str, match: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    path = match.get("path") or {}
    if "exact" in path:
        found["path"] = path["exact"]
    elif "regex" in path:
        found["safe_regex"] = {"regex": path["regex"]}
    elif protocol == "grpcRoute" and match.get("serviceName"):
        found["prefix"] = f"/{match['serviceName']}/{match.get('methodName', '')}"
    else:
        found["prefix"] = match.get("prefix") or "/"
    headers = [_header(one) for one in (*(match.get("headers") or ()), *(match.get("metadata") or ()))]
    if method := match.get("method"):
        headers.append({"name": ":method", "string_match": {"exact": method}})
    if headers:
        found["headers"] = headers
    return found


def _header(header: Mapping[str, Any]) -> dict[str, Any]:
    wanted = header.get("match") or {}
    inverted = {"invert_match": True} if header.get("invert") else {}
    words = {"exact": "exact", "prefix": "prefix", "suffix": "suffix"}
    for word, envoy_word in words.items():
        if word in wanted:
            return {"name": header["name"], "string_match": {envoy_word: wanted[word]}, **inverted}
    if "regex" in wanted:
        return {"name": header["name"], "string_match": {"safe_regex": {"regex": wanted["regex"]}}, **inverted}
    if "range" in wanted:
        return {"name": header["name"], "range_match": dict(wanted["range"]), **inverted}
    return {"name": header["name"], "present_match": True, **inverted}


def _node_spec(appmesh: Any, mesh: str, node: str) -> Mapping[str, Any]:
    spec: Mapping[str, Any] = appmesh.describe_virtual_node(meshName=mesh, virtualNodeName=node)["virtualNode"]["spec"]
    return spec


def _backend(appmesh: Any, mesh: str, name: str) -> Backend:
    answer = appmesh.describe_virtual_service(meshName=mesh, virtualServiceName=name)
    provider = answer["virtualService"]["spec"].get("provider") or {}

    def timeout_of(node: str) -> Mapping[str, Any] | None:
        for one in _node_spec(appmesh, mesh, node).get("listeners") or ():
            for timeout in (one.get("timeout") or {}).values():
                return dict(timeout)
        return None

    if "virtualNode" in provider:
        node = provider["virtualNode"]["virtualNodeName"]
        listeners = _node_spec(appmesh, mesh, node).get("listeners") or [{"portMapping": {"protocol": "http"}}]
        protocol = listeners[0]["portMapping"]["protocol"]
        direct = {f"{protocol}Route": {"action": {"weightedTargets": [{"virtualNode": node, "weight": 1}]}}}
        ports = _ports(listeners)
        return Backend(name, ports, (route(direct, timeout_of),), is_tcp=protocol == "tcp")
    if "virtualRouter" not in provider:
        return Backend(name, (), (), is_tcp=False)
    router = provider["virtualRouter"]["virtualRouterName"]
    described = appmesh.describe_virtual_router(meshName=mesh, virtualRouterName=router)["virtualRouter"]["spec"]
    names = [
        one["routeName"]
        for page in appmesh.get_paginator("list_routes").paginate(meshName=mesh, virtualRouterName=router)
        for one in page["routes"]
    ]
    specs = [
        appmesh.describe_route(meshName=mesh, virtualRouterName=router, routeName=one)["route"]["spec"] for one in names
    ]
    ordered = sorted(specs, key=_precedence)
    return Backend(
        name,
        _ports(described.get("listeners") or ()),
        tuple(route(one, timeout_of) for one in ordered),
        is_tcp=any("tcpRoute" in one for one in specs),
    )


def _ports(listeners: Iterable[Mapping[str, Any]]) -> tuple[int, ...]:
    ports = ((one.get("portMapping") or {}).get("port") for one in listeners)
    return tuple(port for port in ports if port is not None)


def _precedence(spec: Mapping[str, Any]) -> tuple[int, int]:
    """App Mesh takes the lowest priority first, routes without one last, and the longest prefix among equals."""
    protocol = next(name for name in _PROTOCOLS if name in spec)
    prefix = (spec[protocol].get("match") or {}).get("prefix") or ""
    priority = spec.get("priority")
    return (1_001 if priority is None else int(priority), -len(prefix))


def _routed(mesh: str, routes: tuple[Route, ...]) -> tuple[Route, ...]:
    return tuple(
        Route(
            targets=tuple((host_set(mesh, node), weight) for node, weight in one.targets),
            match=one.match,
            timeout_seconds=one.timeout_seconds,
            idle_seconds=one.idle_seconds,
            retries=one.retries,
        )
        for one in routes
    )


def _ingress(port: int, application_port: int, listener: Mapping[str, Any]) -> Ingress:
    protocol = (listener.get("portMapping") or {}).get("protocol", "http")
    timeout = (listener.get("timeout") or {}).get(protocol) or {}
    return Ingress(
        container_port=port,
        application_port=application_port,
        timeout_seconds=seconds(timeout["perRequest"]) if timeout.get("perRequest") else PER_REQUEST_SECONDS,
        idle_seconds=seconds(timeout["idle"]) if timeout.get("idle") else None,
        is_tcp=protocol == "tcp",
    )


def _upstream(name: str, spec: Mapping[str, Any], time_scale: float, endpoints: Path) -> Upstream:
    listeners = spec.get("listeners") or [{}]
    protocol = (listeners[0].get("portMapping") or {}).get("protocol", "http")
    pool = (listeners[0].get("connectionPool") or {}).get(protocol) or {}
    return Upstream(
        name=name,
        endpoints=endpoints,
        http2=protocol in {"http2", "grpc"},
        outlier=outlier_settings(spec, time_scale),
        max_connections=pool.get("maxConnections"),
        max_pending_requests=pool.get("maxPendingRequests"),
    )
