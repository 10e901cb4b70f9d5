"""
Finds what a mesh does that Service Connect does not: one function per kind of resource.

Pure. Only what is in force counts: a setting of a node that no ECS service plays, or of a
route that is never reached, is lost already.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from crossfade.connect.entrances import entrance
from crossfade.connect.fields import leaves
from crossfade.connect.gaps import gap
from crossfade.connect.providers import Provider, main_target
from crossfade.connect.taskdef import envoys_daemons
from crossfade.mesh.model import (
    EcsService,
    Found,
    GatewayRoute,
    Listener,
    Protocol,
    Route,
    Spec,
    TargetGroup,
    TaskDefinition,
    VirtualGateway,
    VirtualNode,
)
from crossfade.mesh.tree import Tree
from crossfade.plan.document import Gap, Severity
from crossfade.plan.services import Tls

_ENVOY_ADMIN_PORT: Final = "9901"
_ENVOY_PORTS: Final = frozenset({"15000", "15001"})
"""Where Envoy takes what comes in and goes out, unless proxyConfiguration says otherwise."""
_METADATA: Final = ("169.254.170.2,169.254.169.254", "169.254.169.254,169.254.170.2")
"""ECS's and EC2's metadata addresses, which every App Mesh example leaves alone."""
_HTTP_1_0: Final = re.compile(r"\bHTTP/1\.0\b|--http1\.0\b", re.IGNORECASE)
_METRICS: Final = ("ENABLE_ENVOY_STATS_TAGS", "ENABLE_ENVOY_DOG_STATSD", "APPMESH_METRIC_EXTENSION_VERSION")
_OFF: Final = frozenset({"", "0", "false"})


def mesh_losses(found: Found, *, namespace: str, log_group: str) -> Iterator[Gap]:
    """Yield what is lost of the mesh itself, its gateways and its namespaces."""
    for mesh in found.meshes:
        place = f"mesh/{mesh.name}"
        if mesh.egress == "DROP_ALL":
            yield gap("EGRESS_FILTER", place)
        preference = Tree(mesh.spec, mesh.place) / "serviceDiscovery" / "ipPreference"
        if preference:
            yield gap("IP_PREFERENCE", place, preference=preference.text())
    for gateway in found.gateways:
        yield from _gateway_losses(gateway, log_group)
    for route in found.gateway_routes:
        yield from _gateway_route_losses(route)
    namespaces = sorted({node.cloud_map_namespace for node in found.nodes if node.cloud_map_namespace})
    if len(namespaces) > 1:
        place = f"mesh/{found.mesh_names()[0]}"
        yield gap("NAMESPACE_MERGE", place, namespaces=", ".join(namespaces), namespace=namespace)


def _gateway_losses(gateway: VirtualGateway, log_group: str) -> Iterator[Gap]:
    place, spec = f"virtualGateway/{gateway.name}", Tree(gateway.spec, gateway.place)
    listeners = list(spec / "listeners")
    said = [
        f"{(each / 'portMapping' / 'port').text()} {(each / 'portMapping' / 'protocol').text()}"
        f"{' with a health check' if each / 'healthCheck' else ''}"
        for each in listeners
        if each / "portMapping"
    ]
    yield gap("VIRTUAL_GATEWAY", place, listeners=", ".join(said) or "no listener")
    for listener in listeners:
        if listener / "connectionPool":
            pool = (listener / "connectionPool").mapping()
            yield gap("CONNECTION_POOL", place, limits=_limits(pool))
        tls = listener / "tls"
        mode = (tls / "mode").text_or_none() or "STRICT"
        if tls and mode != "DISABLED":
            yield gap("GATEWAY_TLS", place, mode=mode, kind=_certificate_kind(tls))
            if tls / "validation":
                yield gap("MTLS", place, what="It asks its callers for a client certificate")
    policy = spec / "backendDefaults" / "clientPolicy" / "tls"
    if policy:
        yield from _own_identity(policy, place)
        enforced = (policy / "enforce").truth(default=True)
        severity, asks = (None, "demands") if enforced else (Severity.DEGRADING, "would take")
        yield gap("GATEWAY_CLIENT_POLICY", place, severity=severity, asks=asks, trust=_trust(policy))
    path = spec / "logging" / "accessLog" / "file" / "path"
    if path:
        yield gap("ACCESS_LOG", place, path=path.text(), group=log_group)


def _gateway_route_losses(route: GatewayRoute) -> Iterator[Gap]:
    """Yield what a gateway route does; App Mesh rewrites prefix and host unless every default is disabled."""
    place, target = f"gatewayRoute/{route.gateway}/{route.name}", route.virtual_service or "its target"
    for kind in ("httpRoute", "http2Route", "grpcRoute"):
        found = Tree(route.spec, route.place) / kind
        if not found:
            continue
        match = (found / "match").mapping()
        here = entrance(route)
        said = _said(match) or "every request"
        yield gap("GATEWAY_ROUTE", place, match=said, target=target, rule=here.in_words())
        for what in here.cannot_ask:
            yield gap("GATEWAY_ROUTE_MATCH", place, what=what, target=target)
        rewrite = found / "action" / "rewrite"
        prefix = match.get("prefix")
        default = (rewrite / "prefix" / "defaultPrefix").text_or_none() != "DISABLED"
        stripped = isinstance(prefix, str) and prefix != "/" and default
        value = (rewrite / "prefix" / "value").text_or_none() or (rewrite / "path" / "exact").text_or_none()
        if stripped or value is not None:
            yield gap("GATEWAY_ROUTE_REWRITE", place, what="the path", target=target)
        if (rewrite / "hostname" / "defaultTargetHostname").text_or_none() != "DISABLED":
            # Few applications look at the host, and those that do see what their user wrote.
            yield gap("GATEWAY_ROUTE_REWRITE", place, severity=Severity.DEGRADING, what="the host", target=target)


def router_losses(found: Found, provided: Mapping[str, Provider], migrating: Collection[str]) -> Iterator[Gap]:
    """Yield what is lost of routers and routes. `migrating` are the nodes that ECS services play."""
    used = {provider.service.router for provider in provided.values() if provider.service.router}
    moving = frozenset(migrating)
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
        if not nodes.isdisjoint(moving):
            for route in provider.reached:
                yield from _route_losses(route, provider, moving)
            if provider.default is not None and not provider.default.catches_all:
                yield gap("ROUTE_NO_DEFAULT", f"virtualRouter/{provider.default.router}", owner=provider.owner)


def _place(route: Route) -> str:
    return f"route/{route.router}/{route.name}"


def _route_losses(route: Route, provider: Provider, moving: Collection[str]) -> Iterator[Gap]:
    targets = {target.node: target.weight for target in route.targets if target.weight > 0}
    if len(targets) > 1:
        said = ", ".join(f"{node} ({weight})" for node, weight in targets.items())
        yield gap("ROUTE_WEIGHTED", _place(route), targets=said, owner=provider.owner)
    target = main_target(route, moving)
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


def node_losses(node: VirtualNode, *, log_group: str, is_encrypted: bool) -> Iterator[Gap]:
    """Yield what is lost of a node besides its listeners; `is_encrypted` when all it calls serves TLS in green too."""
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
    for policy in client_policies(node):
        yield from _own_identity(policy, place)
        enforced = (policy / "enforce").truth(default=True)
        severity = Severity.INFORMATIONAL if is_encrypted or not enforced else None
        asks = "demands" if enforced else "would take"
        yield gap("TLS_CLIENT_POLICY", place, severity=severity, asks=asks, trust=_trust(policy))


def client_policies(node: VirtualNode) -> Iterator[Tree]:
    """Yield what a node says about TLS towards those it calls: for all of them, then for one."""
    spec = Tree(node.spec, node.place)
    policies = [spec / "backendDefaults" / "clientPolicy" / "tls"]
    policies += [each / "virtualService" / "clientPolicy" / "tls" for each in spec / "backends"]
    yield from (each for each in policies if each)


def _trust(policy: Tree) -> str:
    trusted = [str(value) for _name, value in leaves((policy / "validation" / "trust").mapping())]
    return f" (trusting {', '.join(trusted)})" if trusted else ""


def _own_identity(policy: Tree, place: str) -> Iterator[Gap]:
    if policy / "certificate":
        yield gap("MTLS", place, what="It presents a client certificate to the services it calls")
    elif policy / "validation" / "subjectAlternativeNames":
        yield gap("MTLS", place, what="It checks the names in the certificates of the services it calls")


def listener_losses(node: VirtualNode, tls: Tls | None) -> Iterator[Gap]:
    """Yield what is lost of a node's listeners; `tls` is what green's endpoints have of encryption."""
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
            yield gap("CONNECTION_POOL", place, limits=_limits(listener.pool))
        yield from _tls_losses(listener, node, tls)


def _limits(pool: Spec) -> str:
    return ", ".join(f"{field} {value}" for field, value in leaves(pool))


def _tls_losses(listener: Listener, node: VirtualNode, carried: Tls | None) -> Iterator[Gap]:
    if listener.tls is None:
        return
    place, tls = f"virtualNode/{node.name}", Tree(listener.tls, node.place)
    if not serves_tls(listener):
        return
    mode = (tls / "mode").text_or_none() or "STRICT"
    severity = None
    if carried is None:
        answer = "Give the authority and the role (--tls-authority, --tls-role), or traffic is no longer encrypted."
    elif carried.role_arn is None:
        answer = f"Green's are issued by {carried.authority_arn}; give the role ECS may do so with (--tls-role)."
    else:
        severity = Severity.DEGRADING
        answer = f"Green's are issued by {carried.authority_arn}, which needs the tag AmazonECSManaged = true."
    yield gap("TLS_CERT_SOURCE", place, severity=severity, mode=mode, kind=_certificate_kind(tls), answer=answer)
    if tls / "validation":
        yield gap("MTLS", place, what="It asks its callers for a client certificate")


def serves_tls(listener: Listener) -> bool:
    """Whether a listener encrypts; a mode that is not said is STRICT, and PERMISSIVE serves both."""
    return listener.tls is not None and listener.tls.get("mode", "STRICT") != "DISABLED"


def _certificate_kind(tls: Tree) -> str:
    kinds = {"acm": "AWS Certificate Manager", "file": "files", "sds": "a secret discovery service"}
    return next((said for key, said in kinds.items() if tls / "certificate" / key), "nowhere named")


def service_losses(
    service: EcsService, task: TaskDefinition, groups: Sequence[TargetGroup], health_path: str | None
) -> Iterator[Gap]:
    """Yield what is lost or must be known of an ECS service, its task definition and its target groups."""
    place, definition = f"ecsService/{service.name}", f"taskDefinition/{task.family}"
    if service.controller != "ECS":
        yield gap("DEPLOYMENT_CONTROLLER", place, controller=service.controller)
    if service.launch_type == "EXTERNAL":
        yield gap("LAUNCH_TYPE", place, launch="ECS Anywhere (EXTERNAL)")
    if service.desired_count == 1:
        yield gap("SINGLE_TASK", place)
    attached = {each.target_group for each in service.targets}
    for group in groups:
        if group.name in attached:
            if checks_envoy(group, task):
                mended = f"Green's own asks the application for {health_path} instead, as the mesh did."
                yield gap(
                    "LB_HEALTHCHECK_ON_ENVOY_ADMIN",
                    f"targetgroup/{group.name}",
                    severity=Severity.DEGRADING if health_path else None,
                    port=group.health_port,
                    answer=mended if health_path else "Let it check the application.",
                )
            if group.sticky:
                yield gap("STICKY_SESSIONS", f"targetgroup/{group.name}")
    yield from task_losses(task, definition)


def checks_envoy(group: TargetGroup, task: TaskDefinition) -> bool:
    """Whether a target group asks Envoy, and not the application, for its health."""
    if group.health_port is None or not group.health_port.isdigit():
        return False
    proxies = [each for each in task.containers if each.name in task.proxies()]
    if not proxies:
        return False
    admin = {each.environment.get("ENVOY_ADMIN_ACCESS_PORT", "") or _ENVOY_ADMIN_PORT for each in proxies}
    own = {str(port) for each in proxies for port in each.ports}
    served = {str(port) for each in task.containers if each not in proxies for port in each.ports}
    return group.health_port in (admin | own | _ENVOY_PORTS) - served


def task_losses(task: TaskDefinition, place: str) -> Iterator[Gap]:
    """Yield what is lost or must be known of a task definition."""
    if task.os_family and task.os_family.upper().startswith("WINDOWS"):
        yield gap("WINDOWS", place, family=task.os_family)
    if task.network_mode in ("host", "none"):
        consequence = "Service Connect needs awsvpc or bridge."
        yield gap("NETWORK_MODE", place, severity=Severity.BLOCKING, mode=task.network_mode, consequence=consequence)
    elif task.network_mode == "bridge":
        consequence = "Service Connect cannot encrypt there, and its port range must be open between the hosts."
        yield gap("NETWORK_MODE", place, mode=task.network_mode, consequence=consequence)
    proxies = task.proxies()
    served = {port for each in task.containers if each.name not in proxies for port in each.ports}
    for port in task.app_ports:
        if served and port not in served:
            yield gap("APPPORTS_MISMATCH", place, port=port)
    ignored = [
        f"{what} {task.proxy_properties[key]}"
        for key, what in (("EgressIgnoredPorts", "ports"), ("EgressIgnoredIPs", "addresses"))
        if task.proxy_properties.get(key, "") not in ("", *_METADATA)
    ]
    if ignored:
        yield gap("EGRESS_IGNORED", place, ignored=" and ".join(ignored))
    for container in task.containers:
        if container.name in proxies:
            yield from _envoy_losses(container.environment, place)
        else:
            for variable, value in container.environment.items():
                if _HTTP_1_0.search(value) or (variable.upper().endswith("HTTP_VERSION") and value.strip() == "1.0"):
                    yield gap("HTTP_1_0", place, variable=variable, container=container.name)
    for name in envoys_daemons(task):
        yield gap("XRAY_DAEMON", place, container=name)


def _envoy_losses(environment: Mapping[str, str], place: str) -> Iterator[Gap]:
    if environment.get("ENABLE_ENVOY_XRAY_TRACING", "") not in _OFF:
        yield gap("XRAY_TRACING", place)
    metrics = [name for name in _METRICS if environment.get(name, "") not in _OFF]
    if metrics:
        yield gap("ENVOY_METRICS", place, names=", ".join(metrics))


def standalone_losses(found: Found, mesh: str, running: Collection[str]) -> Iterator[Gap]:
    """Yield each task definition of the mesh that no service runs; `running` are the families that services do."""
    for task in found.task_definitions:
        if task.family not in running and f"mesh/{mesh}/virtualNode/" in f"{task.mesh_resource or ''}/":
            yield gap("STANDALONE_TASK", f"taskDefinition/{task.family}")
