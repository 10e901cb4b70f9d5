"""
Finds what a mesh does that Service Connect does not: one function per kind of resource.

Pure. Only what is in force counts: a setting of a node that no ECS service plays, or of a
route that is never reached, is lost already.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from crossfade.connect.fields import leaves
from crossfade.connect.fields import unread as unread_fields
from crossfade.connect.gaps import gap
from crossfade.connect.providers import Provider, main_target
from crossfade.mesh.model import (
    EcsService,
    Found,
    Listener,
    Place,
    Protocol,
    Route,
    Spec,
    TargetGroup,
    TaskDefinition,
    VirtualNode,
)
from crossfade.mesh.tree import Tree
from crossfade.plan.document import Gap

_ENVOY_ADMIN_PORT: Final = "9901"
_METRICS: Final = ("ENABLE_ENVOY_STATS_TAGS", "ENABLE_ENVOY_DOG_STATSD", "APPMESH_METRIC_EXTENSION_VERSION")
_OFF: Final = frozenset({"", "0", "false"})


def mesh_losses(found: Found, *, namespace: str) -> Iterator[Gap]:
    """Yield what is lost of the mesh itself, its gateways and its namespaces."""
    for mesh in found.meshes:
        place = f"mesh/{mesh.name}"
        if mesh.egress == "DROP_ALL":
            yield gap("EGRESS_FILTER", place)
        preference = Tree(mesh.spec, mesh.place) / "serviceDiscovery" / "ipPreference"
        if preference:
            yield gap("IP_PREFERENCE", place, preference=preference.text())
    for gateway in found.gateways:
        yield gap("VIRTUAL_GATEWAY", f"virtualGateway/{gateway.name}")
    for route in found.gateway_routes:
        if _rewrites(route.spec, route.place):
            target = route.virtual_service or "its target"
            yield gap("GATEWAY_ROUTE_REWRITE", f"gatewayRoute/{route.gateway}/{route.name}", target=target)
    namespaces = sorted({node.cloud_map_namespace for node in found.nodes if node.cloud_map_namespace})
    if len(namespaces) > 1:
        place = f"mesh/{found.mesh_names()[0]}"
        yield gap("NAMESPACE_MERGE", place, namespaces=", ".join(namespaces), namespace=namespace)


def _rewrites(spec: Spec, place: Place) -> bool:
    """Whether a gateway route changes what it hands on; App Mesh does unless every default is disabled."""
    for kind in ("httpRoute", "http2Route"):
        action = Tree(spec, place) / kind / "action"
        if not action:
            continue
        rewrite = action / "rewrite"
        prefix = (rewrite / "prefix" / "defaultPrefix").text_or_none() == "DISABLED"
        host = (rewrite / "hostname" / "defaultTargetHostname").text_or_none() == "DISABLED"
        value = (rewrite / "prefix" / "value").text_or_none() or (rewrite / "path" / "exact").text_or_none()
        return not (prefix and host) or value is not None
    return False


def router_losses(found: Found, provided: Mapping[str, Provider], migrating: Collection[str]) -> Iterator[Gap]:
    """Yield what is lost of routers and routes. `migrating` are the nodes that ECS services play."""
    used = {provider.service.router for provider in provided.values() if provider.service.router}
    for router in found.routers:
        if router.name not in used:
            yield gap("ROUTE_ORPHAN", f"virtualRouter/{router.name}")
    for route in found.routes:
        if route.router not in used:
            yield gap("ROUTE_ORPHAN", f"route/{route.router}/{route.name}")
    for provider in provided.values():
        for route in provider.shadowed:
            if provider.default is not None:
                yield gap("ROUTE_UNREACHABLE", _place(route), shadow=provider.default.name)
        nodes = {target.node for route in provider.reached for target in route.targets}
        if nodes & set(migrating):
            for route in provider.reached:
                yield from _route_losses(route, provider)
            if provider.default is not None and not provider.default.catches_all:
                yield gap("ROUTE_NO_DEFAULT", f"virtualRouter/{provider.default.router}", owner=provider.owner)


def _place(route: Route) -> str:
    return f"route/{route.router}/{route.name}"


def _route_losses(route: Route, provider: Provider) -> Iterator[Gap]:
    targets = {target.node: target.weight for target in route.targets if target.weight > 0}
    if len(targets) > 1:
        said = ", ".join(f"{node} ({weight})" for node, weight in targets.items())
        yield gap("ROUTE_WEIGHTED", _place(route), targets=said, owner=provider.owner)
    target = main_target(route)
    if target != provider.owner or (len(targets) > 1 and route is not provider.default):
        for row, match in _matches(route):
            yield gap(row, _place(route), match=match, target=target, owner=provider.owner)
    if route.retry is not None:
        retry = Tree(route.retry, route.place)
        events = sorted({str(value) for field, value in leaves(route.retry) if field.endswith("[]")})
        said = f" (on {', '.join(events)})" if events else ""
        retries = (retry / "maxRetries").text_or_none() or "2"
        yield gap("RETRY_POLICY", _place(route), retries=retries, events=said)


def _matches(route: Route) -> Iterator[tuple[str, str]]:
    """Yield (kind of gap, what it matches) for each thing a route looks at."""
    match = {key: value for key, value in route.match.items() if value not in (None, [], {}, "/")}
    if route.protocol is Protocol.GRPC:
        if match:
            yield "ROUTE_MATCH_GRPC_METHOD", _said(match)
        return
    path: dict[str, object] = {key: match[key] for key in ("prefix", "path", "port", "scheme") if key in match}
    if path:
        yield "ROUTE_MATCH_PATH", _said(path)
    for key, row in (
        ("headers", "ROUTE_MATCH_HEADER"),
        ("method", "ROUTE_MATCH_METHOD"),
        ("queryParameters", "ROUTE_MATCH_QUERY"),
    ):
        if key in match:
            yield row, _said({key: match[key]})


def _said(match: Mapping[str, object]) -> str:
    """Return a match in few words: `prefix /cart`, `headers [...]`."""
    return ", ".join(
        f"{key} {value if isinstance(value, str) else json.dumps(value, sort_keys=True)}"
        for key, value in match.items()
    )


def node_losses(node: VirtualNode, *, log_group: str) -> Iterator[Gap]:
    """Yield what is lost of a node besides its listeners."""
    place, spec = f"virtualNode/{node.name}", Tree(node.spec, node.place)
    path = spec / "logging" / "accessLog" / "file" / "path"
    if path:
        yield gap("ACCESS_LOG", place, path=path.text(), group=log_group)
    for kind in ("awsCloudMap", "dns"):
        preference = spec / "serviceDiscovery" / kind / "ipPreference"
        if preference:
            yield gap("IP_PREFERENCE", place, preference=preference.text())
    if list(spec / "serviceDiscovery" / "awsCloudMap" / "attributes"):
        yield gap("CLOUDMAP_ATTRIBUTES", place)
    policies = [spec / "backendDefaults" / "clientPolicy"]
    policies += [each / "virtualService" / "clientPolicy" for each in spec / "backends"]
    for policy in policies:
        if policy / "tls" / "certificate":
            yield gap("MTLS", place, what="It presents a client certificate to the services it calls")
        elif policy / "tls" / "validation" / "subjectAlternativeNames":
            yield gap("MTLS", place, what="It checks the names in the certificates of the services it calls")


def listener_losses(node: VirtualNode) -> Iterator[Gap]:
    """Yield what is lost of a node's listeners."""
    place = f"virtualNode/{node.name}"
    for listener in node.listeners:
        check = listener.health_check
        if check is not None:
            yield gap(
                "HEALTH_CHECK",
                place,
                port=listener.port,
                path=check.path or "",
                interval=f"{check.interval_millis or 0} ms",
            )
        detection = listener.outlier_detection
        if detection is not None:
            yield gap(
                "OUTLIER_DETECTION",
                place,
                errors=detection.max_server_errors,
                interval=f"{detection.interval_seconds:g} s",
                ejection=f"{detection.base_ejection_seconds:g} s",
                percent=detection.max_ejection_percent,
            )
        if listener.pool is not None:
            limits = ", ".join(f"{field} {value}" for field, value in leaves(listener.pool))
            yield gap("CONNECTION_POOL", place, limits=limits)
        yield from _tls_losses(listener, node)


def _tls_losses(listener: Listener, node: VirtualNode) -> Iterator[Gap]:
    if listener.tls is None:
        return
    place, tls = f"virtualNode/{node.name}", Tree(listener.tls, node.place)
    mode = (tls / "mode").text_or_none() or "STRICT"
    if mode == "DISABLED":
        return
    kinds = {"acm": "AWS Certificate Manager", "file": "files", "sds": "a secret discovery service"}
    kind = next((said for key, said in kinds.items() if tls / "certificate" / key), "nowhere named")
    yield gap("TLS_CERT_SOURCE", place, mode=mode, kind=kind)
    if tls / "validation":
        yield gap("MTLS", place, what="It asks its callers for a client certificate")


def service_losses(service: EcsService, task: TaskDefinition, groups: Sequence[TargetGroup]) -> Iterator[Gap]:
    """Yield what is lost or must be known of an ECS service, its task definition and its target groups."""
    place, definition = f"ecsService/{service.name}", f"taskDefinition/{task.family}"
    if service.controller != "ECS":
        yield gap("DEPLOYMENT_CONTROLLER", place, controller=service.controller)
    if service.desired_count == 1:
        yield gap("SINGLE_TASK", place)
    attached = {each.target_group for each in service.targets}
    for group in groups:
        if group.name in attached:
            if group.health_port == _ENVOY_ADMIN_PORT:
                yield gap("LB_HEALTHCHECK_ON_ENVOY_ADMIN", f"targetgroup/{group.name}", port=group.health_port)
            if group.sticky:
                yield gap("STICKY_SESSIONS", f"targetgroup/{group.name}")
    proxies = task.proxies()
    served = {port for each in task.containers if each.name not in proxies for port in each.ports}
    for port in task.app_ports:
        if served and port not in served:
            yield gap("APPPORTS_MISMATCH", definition, port=port)
    for container in task.containers:
        if container.name in proxies:
            yield from _envoy_losses(container.environment, definition)


def _envoy_losses(environment: Mapping[str, str], place: str) -> Iterator[Gap]:
    if environment.get("ENABLE_ENVOY_XRAY_TRACING", "") not in _OFF:
        yield gap("XRAY_TRACING", place)
    metrics = [name for name in _METRICS if environment.get(name, "") not in _OFF]
    if metrics:
        yield gap("ENVOY_METRICS", place, names=", ".join(metrics))


def unread(found: Found) -> Iterator[Gap]:
    """Yield every field of the mesh's resources that the translation does not know."""
    yield from _unread("mesh", ((f"mesh/{each.name}", each.spec) for each in found.meshes))
    yield from _unread("virtualNode", ((f"virtualNode/{each.name}", each.spec) for each in found.nodes))
    yield from _unread("virtualRouter", ((f"virtualRouter/{each.name}", each.spec) for each in found.routers))
    yield from _unread("route", ((_place(each), each.spec) for each in found.routes))
    yield from _unread(
        "virtualService", ((f"virtualService/{each.name}", each.spec) for each in found.virtual_services)
    )


def _unread(kind: str, specs: Iterable[tuple[str, Spec]]) -> Iterator[Gap]:
    for place, spec in specs:
        for field, value in unread_fields(kind, spec):
            yield gap("FIELD_NOT_READ", place, field=field, value=value)
