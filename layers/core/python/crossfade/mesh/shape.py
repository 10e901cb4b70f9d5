"""
From the APIs' own shapes to the mesh model.

Pure. Each function takes a resource in the shape its API describes it in (lowerCamel keys);
readers of other formats bring theirs into this shape first. Sources: the API references of
AWS App Mesh, Amazon ECS, Elastic Load Balancing and CloudWatch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from crossfade.errors import BadInput
from crossfade.mesh.model import (
    Alarm,
    Beside,
    Container,
    Distribution,
    DnsRecord,
    EcsService,
    GatewayRoute,
    HealthCheck,
    HostedZone,
    Listener,
    ListenerRule,
    LoadBalancer,
    Mesh,
    OutlierDetection,
    Protocol,
    Route,
    TargetAttachment,
    TargetGroup,
    TaskDefinition,
    Timeouts,
    VirtualGateway,
    VirtualNode,
    VirtualRouter,
    VirtualService,
    WeightedTarget,
)
from crossfade.mesh.tree import Tree

_TARGET_GROUP: Final = re.compile(r"targetgroup/([^/]+)/")
_LOAD_BALANCER: Final = re.compile(r"loadbalancer/((?:app|net|gwy)/([^/]+)/[^/]+)")
_FAMILY: Final = re.compile(r"(?:.*task-definition/)?([^:/]+)(?::\d+)?")
_CLUSTER: Final = re.compile(r"(?:.*:cluster/)?([^:/]+)")
_KINDS: Final = {"application": "app", "network": "net", "gateway": "gwy"}
_MILLISECONDS: Final = 0.001
_LAST_PORT: Final = 65_535


def mesh(name: str, spec: Tree) -> Mesh:
    """Return a mesh; without a spec App Mesh drops whatever no virtual service names."""
    said = spec / "egressFilter" / "type"
    egress = said.word() if said else "DROP_ALL"
    return Mesh(name=name, egress=egress, spec=spec.mapping(), place=spec.place)


def beside(found: Tree, account: str | None = None) -> Beside:
    """Return what is said beside a resource's specification; `account` is the one it is made in, where known."""
    metadata = found / "metadata"
    owner = (metadata / "meshOwner").text_or_none() or (found / "meshOwner").text_or_none()
    own = (metadata / "resourceOwner").text_or_none() or account
    said = {name: value for name, value in found.mapping().items() if name != "spec" and value is not None}
    if metadata:
        said["metadata"] = {name: _moment(value) for name, value in metadata.mapping().items()}
    return Beside(said, owner if owner != own else None)


def _moment(value: object) -> object:
    """Return a time as one value; recorders of answers write it as its parts."""
    return str(value) if isinstance(value, Mapping) and "__class__" in value else value


def virtual_node(name: str, mesh_name: str, spec: Tree) -> VirtualNode:
    """Return a virtual node."""
    cloud_map = spec / "serviceDiscovery" / "awsCloudMap"
    service, namespace = (cloud_map / "serviceName").text_or_none(), (cloud_map / "namespaceName").text_or_none()
    host = (spec / "serviceDiscovery" / "dns" / "hostname").text_or_none()
    if service and namespace:
        host = f"{service}.{namespace}"
    return VirtualNode(
        name=name,
        mesh=mesh_name,
        listeners=tuple(_listener(each) for each in spec / "listeners"),
        backends=tuple(
            (each / "virtualService" / "virtualServiceName").text()
            for each in spec / "backends"
            if each / "virtualService"
        ),
        host=host,
        cloud_map_service=service,
        cloud_map_namespace=namespace,
        spec=spec.mapping(),
        place=spec.place,
    )


def _listener(found: Tree) -> Listener:
    port, protocol = _port_mapping(found / "portMapping")
    return Listener(
        port=port,
        protocol=protocol,
        timeouts=_timeouts(found / "timeout" / protocol.value),
        health_check=_health_check(found / "healthCheck"),
        outlier_detection=_outlier_detection(found / "outlierDetection"),
        pool=(found / "connectionPool").mapping() or None,
        tls=(found / "tls").mapping() or None,
    )


def _port_mapping(found: Tree) -> tuple[int, Protocol]:
    return (found / "port").number_within(1, _LAST_PORT), _protocol(found / "protocol")


def _protocol(found: Tree) -> Protocol:
    try:
        return Protocol(found.word())
    except ValueError as error:
        raise BadInput(f"{found.place}: {found.text()} is no protocol of App Mesh's") from error


def _timeouts(found: Tree) -> Timeouts:
    return Timeouts(
        per_request_seconds=_seconds(found / "perRequest") if found / "perRequest" else None,
        idle_seconds=_seconds(found / "idle") if found / "idle" else None,
    )


def _seconds(found: Tree) -> float:
    value = (found / "value").number_within(0)
    return value * _MILLISECONDS if (found / "unit").word() == "ms" else float(value)


def _health_check(found: Tree) -> HealthCheck | None:
    if not found:
        return None
    return HealthCheck(
        protocol=_protocol(found / "protocol"),
        path=(found / "path").text_or_none(),
        interval_millis=(found / "intervalMillis").number_or_none(),
        timeout_millis=(found / "timeoutMillis").number_or_none(),
        healthy_threshold=(found / "healthyThreshold").number_or_none(),
        unhealthy_threshold=(found / "unhealthyThreshold").number_or_none(),
    )


def _outlier_detection(found: Tree) -> OutlierDetection | None:
    if not found:
        return None
    return OutlierDetection(
        max_server_errors=(found / "maxServerErrors").number(),
        interval_seconds=_seconds(found / "interval"),
        base_ejection_seconds=_seconds(found / "baseEjectionDuration"),
        max_ejection_percent=(found / "maxEjectionPercent").number(),
    )


def virtual_router(name: str, mesh_name: str, spec: Tree) -> VirtualRouter:
    """Return a virtual router."""
    ports = tuple(_port_mapping(each / "portMapping") for each in spec / "listeners")
    return VirtualRouter(name=name, mesh=mesh_name, ports=ports, spec=spec.mapping(), place=spec.place)


def route(name: str, router: str, mesh_name: str, spec: Tree) -> Route:
    """
    Return a route.

    Raises:
        BadInput: its spec holds no route of a known protocol.
    """
    for protocol in Protocol:
        found = spec / f"{protocol.value}Route"
        if found:
            return Route(
                name=name,
                router=router,
                mesh=mesh_name,
                protocol=protocol,
                priority=(spec / "priority").number_or_none(),
                match=(found / "match").mapping(),
                targets=tuple(_weighted_target(each) for each in found / "action" / "weightedTargets"),
                timeouts=_timeouts(found / "timeout"),
                retry=(found / "retryPolicy").mapping() or None,
                spec=spec.mapping(),
                place=spec.place,
            )
    raise BadInput(f"{spec.place}: a route needs one of httpRoute, http2Route, grpcRoute and tcpRoute")


def _weighted_target(found: Tree) -> WeightedTarget:
    return WeightedTarget(
        node=(found / "virtualNode").text(),
        weight=(found / "weight").number_within(0),
        port=(found / "port").number_or_none(),
    )


def virtual_service(name: str, mesh_name: str, spec: Tree) -> VirtualService:
    """Return a virtual service."""
    provider = spec / "provider"
    return VirtualService(
        name=name,
        mesh=mesh_name,
        node=(provider / "virtualNode" / "virtualNodeName").text_or_none(),
        router=(provider / "virtualRouter" / "virtualRouterName").text_or_none(),
        spec=spec.mapping(),
        place=spec.place,
    )


def virtual_gateway(name: str, mesh_name: str, spec: Tree) -> VirtualGateway:
    """Return a virtual gateway."""
    return VirtualGateway(name=name, mesh=mesh_name, spec=spec.mapping(), place=spec.place)


def gateway_route(name: str, gateway: str, mesh_name: str, spec: Tree) -> GatewayRoute:
    """Return a gateway route."""
    target = None
    for kind in ("httpRoute", "http2Route", "grpcRoute"):
        service = spec / kind / "action" / "target" / "virtualService" / "virtualServiceName"
        target = target or service.text_or_none()
    return GatewayRoute(
        name=name, gateway=gateway, mesh=mesh_name, virtual_service=target, spec=spec.mapping(), place=spec.place
    )


def ecs_service(name: str, found: Tree) -> EcsService:
    """Return an ECS service; its cluster is `default` when none is named."""
    grace = found / "healthCheckGracePeriodSeconds"
    return EcsService(
        name=name,
        cluster=cluster_name((found / "cluster").text_or_none() or "default"),
        task_definition=family((found / "taskDefinition").text_or_none() or ""),
        desired_count=_count(found),
        targets=tuple(_attachments(found / "loadBalancers")),
        registries=tuple((each / "registryArn").text() for each in found / "serviceRegistries"),
        grace_seconds=grace.number_within(0) if grace else 0,
        maximum_percent=_or(_known_number(found / "deploymentConfiguration" / "maximumPercent"), 200),
        controller=(found / "deploymentController" / "type").text_or_none() or "ECS",
        launch_type=(found / "launchType").text_or_none(),
        has_service_connect=(found / "serviceConnectConfiguration" / "enabled").truth(default=False),
        place=found.place,
    )


def _count(found: Tree) -> int:
    if (found / "schedulingStrategy").text_or_none() == "DAEMON":
        return 0
    return (found / "desiredCount").number_within(0) if found / "desiredCount" else 1


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _attachments(found: Tree) -> Iterator[TargetAttachment]:
    for each in found:
        if each / "targetGroupArn":
            yield TargetAttachment(
                target_group=target_group_name((each / "targetGroupArn").text()),
                container=(each / "containerName").text_or_none(),
                port=(each / "containerPort").number_or_none(),
            )


def task_definition(name: str, found: Tree) -> TaskDefinition:
    """Return a task definition of the family `name`."""
    proxy = found / "proxyConfiguration"
    mesh_proxy = proxy if proxy and (proxy / "type").text_or_none() in (None, "APPMESH") else None
    said: dict[str, str] = {}
    if mesh_proxy is not None:
        properties = mesh_proxy / ("properties" if mesh_proxy / "properties" else "proxyConfigurationProperties")
        said = {(each / "name").text(): (each / "value").text() if each / "value" else "" for each in properties}
    ports = tuple(int(port) for port in said.get("AppPorts", "").split(",") if port.strip().isdigit())
    return TaskDefinition(
        family=name,
        containers=tuple(_container(each) for each in found / "containerDefinitions"),
        proxy_container=(mesh_proxy / "containerName").text_or_none() if mesh_proxy is not None else None,
        app_ports=ports,
        network_mode=(found / "networkMode").text_or_none(),
        memory=(found / "memory").text_or_none(),
        place=found.place,
        cpu=(found / "cpu").text_or_none(),
        os_family=(found / "runtimePlatform" / "operatingSystemFamily").text_or_none(),
        launch_types=tuple(each.text() for each in found / "requiresCompatibilities"),
        proxy_properties=said,
    )


def _container(found: Tree) -> Container:
    ports: dict[int, str | None] = {}
    for each in found / "portMappings":
        if each / "containerPort":
            ports[(each / "containerPort").number()] = (each / "name").text_or_none()
    return Container(
        name=(found / "name").text(),
        image=(found / "image").text_or_none() or "",
        essential=(found / "essential").truth(default=True),
        ports=tuple(ports),
        port_names={port: name for port, name in ports.items() if name},
        environment={
            (each / "name").text(): (each / "value").text() if each / "value" else "" for each in found / "environment"
        },
        has_health_check=bool(found / "healthCheck"),
        memory_mib=_known_number(found / "memory") or _known_number(found / "memoryReservation"),
        cpu=_known_number(found / "cpu") or 0,
        memory_limit_mib=_known_number(found / "memory"),
        tied_to=(
            *((each / "containerName").text() for each in found / "dependsOn"),
            *(each.text().partition(":")[0] for each in found / "links"),
        ),
    )


def _known_number(found: Tree) -> int | None:
    """Return a number that is only an estimate's input: None too where files cannot know it."""
    try:
        return found.number_or_none()
    except BadInput:
        return None


def target_group(name: str, found: Tree) -> TargetGroup:
    """Return a target group."""
    attributes = {
        (each / "key").text(): (each / "value").text() for each in found / "targetGroupAttributes" if each / "value"
    }
    return TargetGroup(
        name=name,
        arn=None,
        port=_known_number(found / "port"),
        health_path=(found / "healthCheckPath").text_or_none(),
        health_port=(found / "healthCheckPort").text_or_none(),
        sticky=attributes.get("stickiness.enabled") == "true",
        place=found.place,
        protocol=(found / "protocol").text_or_none(),
        speaks=(found / "protocolVersion").text_or_none(),
        leads_to=tuple(leading_to(each / "id" for each in found / "targets")),
    )


def leading_to(targets: Iterable[Tree]) -> Iterator[str]:
    """Yield the name of each of a target group's targets that is a load balancer; tasks and addresses are none."""
    for each in targets:
        if match := _LOAD_BALANCER.search(each.text_or_none() or ""):
            yield match[2]


def load_balancer(name: str, full_name: str, found: Tree, dns_name: str | None = None) -> LoadBalancer:
    """Return a load balancer."""
    return LoadBalancer(
        name=name,
        kind=(found / "type").text_or_none() or "application",
        full_name=full_name,
        place=found.place,
        dns_name=dns_name,
        is_internal=(found / "scheme").text_or_none() == "internal",
    )


def listener_rule(
    load_balancer_name: str, port: int, priority: str, actions: Tree, conditions: Tree | None = None
) -> ListenerRule:
    """Return what a listener's default action or one of its rules forwards to, and what it asks of a request."""
    weights: dict[str, int] = {}
    for action in actions:
        weighted = list(action / "forwardConfig" / "targetGroups")
        for each in weighted:
            name = target_group_name((each / "targetGroupArn").text())
            weights[name] = _or((each / "weight").number_or_none(), 1)
        if not weighted and action / "targetGroupArn":
            weights[target_group_name((action / "targetGroupArn").text())] = 1
    asked: dict[str, list[str]] = {"host-header": [], "path-pattern": []}
    looks, others = [], []
    for condition in conditions if conditions is not None else ():
        field = (condition / "field").text()
        if field in asked:
            asked[field] += [each.text() for each in _values(condition, field)]
        else:
            looks.append(field)
            others.append(_asked(condition, field))
    return ListenerRule(
        load_balancer=load_balancer_name,
        listener_port=port,
        priority=priority,
        target_groups=tuple(weights),
        place=actions.place,
        weights=tuple(weights.items()),
        hosts=tuple(asked["host-header"]),
        paths=tuple(asked["path-pattern"]),
        asks=tuple(looks),
        others=tuple(others),
    )


def _asked(condition: Tree, field: str) -> str:
    """Return in words what a condition asks for besides host and path; several values are one of them."""
    if field == "query-string":
        pairs = condition / "queryStringConfig" / "values" or condition / "values"
        said = [f"{(each / 'key').text_or_none() or '*'}={(each / 'value').text_or_none() or '*'}" for each in pairs]
    else:
        config = condition / {"http-header": "httpHeaderConfig", "http-request-method": "httpRequestMethodConfig"}.get(
            field, "sourceIpConfig"
        )
        name = (config / "httpHeaderName").text_or_none()
        values = "|".join(each.text() for each in config / "values" or condition / "values")
        said = [f"{name} {values}" if name else values]
    return f"{field} {'|'.join(said)}"


def _values(condition: Tree, field: str) -> Iterator[Tree]:
    """Yield the values of a condition, in its old form or its new."""
    config = "hostHeaderConfig" if field == "host-header" else "pathPatternConfig"
    yield from condition / "values" or condition / config / "values"


def dns_record(name: str, found: Tree) -> DnsRecord:
    """Return a record; one that stands for no single name has the empty target."""
    target, kind = (found / "aliasTarget" / "dnsName").text_or_none(), (found / "type").text_or_none()
    said = [each / "value" if isinstance(each.value, Mapping) else each for each in found / "resourceRecords"]
    if target is None and kind == "CNAME" and len(said) == 1:
        target = said[0].text()
    zone = (found / "hostedZoneId").text_or_none()
    return DnsRecord(
        name=plain_host(name),
        target=plain_host(target or ""),
        place=found.place,
        kind=kind or "",
        zone=zone_id(zone) if zone is not None else None,
        identifier=(found / "setIdentifier").text_or_none(),
    )


def zone_id(reference: str) -> str:
    """Return a hosted zone's id from how the API writes it: `/hostedzone/Z123`."""
    return reference.removeprefix("/hostedzone/")


def hosted_zone(identifier: str, found: Tree) -> HostedZone:
    """Return a hosted zone; one that answers in VPCs only is private."""
    private = (found / "config" / "privateZone").truth(default=False) or bool(found / "vpCs")  # CloudFormation: VPCs
    return HostedZone(zone_id(identifier), plain_host((found / "name").text()), private, found.place)


def distribution(identifier: str, found: Tree, domain: str | None) -> Distribution:
    """Return a distribution of its configuration and CloudFront's own name for it; lists are bare or have `items`."""
    names = [each.text() for each in _bare(found / "aliases")]
    origins = [((each / "id").text(), plain_host((each / "domainName").text())) for each in _bare(found / "origins")]
    own = [domain] if domain else []
    return Distribution(identifier, tuple(map(plain_host, [*own, *names])), tuple(origins), found.place)


def _bare(found: Tree) -> Tree:
    return found / "items" if isinstance(found.value, Mapping) else found


def plain_host(name: str) -> str:
    """Return a DNS name as callers write it; what Route 53 puts before a load balancer's own name is left out."""
    return name.rstrip(".").removeprefix("dualstack.")


def alarm(name: str, found: Tree) -> Alarm:
    """Return an alarm with the dimensions of every metric it looks at."""
    dimensions = list(found / "dimensions")
    for metric in found / "metrics":
        dimensions.extend(metric / "metricStat" / "metric" / "dimensions")
    pairs = frozenset(((each / "name").text(), (each / "value").text()) for each in dimensions)
    return Alarm(name=name, dimensions=pairs, place=found.place)


def target_group_name(arn: str) -> str:
    """Return a target group's name from its ARN; what is no ARN is returned as it is."""
    match = _TARGET_GROUP.search(arn)
    return match[1] if match else arn


def load_balancer_name(arn: str) -> str:
    """Return a load balancer's name from its ARN; what is no ARN is returned as it is."""
    match = _LOAD_BALANCER.search(arn)
    return match[2] if match else arn


def load_balancer_full_name(kind: str, name: str, identity: str) -> str:
    """Return the name CloudWatch and ARNs use: `app/NAME/ID`."""
    return f"{_KINDS.get(kind, 'app')}/{name}/{identity}"


def family(reference: str) -> str:
    """Return the family of a task definition named by ARN, by `family:revision` or by family."""
    match = _FAMILY.fullmatch(reference)
    return match[1] if match else reference


def cluster_name(reference: str) -> str:
    """Return a cluster's name from its name or ARN."""
    match = _CLUSTER.fullmatch(reference)
    return match[1] if match else reference
