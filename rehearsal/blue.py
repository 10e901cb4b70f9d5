"""
Blue made of a plan: the CloudFormation template of stand-ins that answer and call as the plan says blue does.

Pure. A plan names blue's services, ports, names and calls, and no more: images are stand-ins, a name leads to the
service that will own it, and what a mesh's routes did besides is not played again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from crossfade.errors import BadInput
from crossfade.plan.document import MigrationPlan
from crossfade.plan.services import ServicePlan
from rehearsal.blue_edges import add_edge
from rehearsal.template_parts import Resources, Template, alias, attribute, balancer, forward, ref, target_group

_IMAGE: Final = "stand-in"
_PROXY: Final = {"ProxyIngressPort": "15000", "ProxyEgressPort": "15001", "IgnoredUID": "1337"}
_EXECUTION_POLICY: Final = "arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
_BALANCED_AT_MOST: Final = 5  # target groups of one ECS service


def blue_template(plan: MigrationPlan) -> Template:
    """
    Return a template that makes blue as a plan describes it: its cluster, load balancers, names and services.

    Args:
        plan: A plan with one edge, as `staging.stage` leaves it.

    Raises:
        BadInput: a name that callers or users dial cannot be answered; the message says which.
    """
    resources = Resources()
    _network(resources)
    resources.add("Cluster", "AWS::ECS::Cluster", ClusterName=plan.cluster)
    if plan.mesh is not None:
        _mesh(resources, plan)
    edge = plan.edges[0]
    add_edge(resources, edge, plan.service(edge.service))
    for service in plan.services:
        _service(resources, plan, service)
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources.made}


def _network(resources: Resources) -> None:
    resources.add("Vpc", "AWS::EC2::VPC", CidrBlock="10.40.0.0/16")
    for number, label in enumerate(("SubnetA", "SubnetB")):
        zone = {"Fn::Select": [number, {"Fn::GetAZs": ""}]}
        resources.add(
            label, "AWS::EC2::Subnet", VpcId=ref("Vpc"), AvailabilityZone=zone, CidrBlock=f"10.40.{number}.0/24"
        )
    resources.add("Access", "AWS::EC2::SecurityGroup", GroupDescription="Stand-ins", VpcId=ref("Vpc"))
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    resources.add(
        "ExecutionRole",
        "AWS::IAM::Role",
        AssumeRolePolicyDocument={"Version": "2012-10-17", "Statement": [trust]},
        ManagedPolicyArns=[{"Fn::Sub": _EXECUTION_POLICY}],
    )


# ------------------------------------------------------------------------------- the mesh


def _node_of(service: ServicePlan) -> str:
    return service.blue.virtual_node or service.name


def _mesh(resources: Resources, plan: MigrationPlan) -> None:
    spec = {"EgressFilter": {"Type": "ALLOW_ALL"}}
    resources.add("Mesh", "AWS::AppMesh::Mesh", MeshName=plan.mesh, Spec=spec)
    mesh = attribute("Mesh", "MeshName")
    by_node: dict[str, list[ServicePlan]] = {}
    for service in plan.services:
        by_node.setdefault(_node_of(service), []).append(service)
    for node, services in by_node.items():
        label = resources.add(
            "Node", "AWS::AppMesh::VirtualNode", MeshName=mesh, VirtualNodeName=node, Spec=_node_spec(services)
        )
        for name in dict.fromkeys(each.dns_name for service in services for each in service.endpoints):
            provider = {"VirtualNode": {"VirtualNodeName": attribute(label, "VirtualNodeName")}}
            resources.once(
                ("name", name),
                "Name",
                "AWS::AppMesh::VirtualService",
                MeshName=mesh,
                VirtualServiceName=name,
                Spec={"Provider": provider},
            )


def _node_spec(services: Sequence[ServicePlan]) -> Template:
    """Return what one virtual node serves and calls; a cycle of names is none of definitions, so names are plain."""
    listeners = {
        each.container_port: {"PortMapping": {"Port": each.container_port, "Protocol": each.app_protocol or "tcp"}}
        for service in services
        for each in service.endpoints
    }
    host = f"{services[0].name}.stand-in"
    names = dict.fromkeys(call.dns_name for service in services for call in service.calls)
    return {
        "Listeners": list(listeners.values())[:1],  # the stand-in answers alike on every port
        "ServiceDiscovery": {"DNS": {"Hostname": host}},
        "Backends": [{"VirtualService": {"VirtualServiceName": name}} for name in names],
    }


# ---------------------------------------------------------------------------- the services


def _service(resources: Resources, plan: MigrationPlan, service: ServicePlan) -> None:
    behind: list[Template] = []
    waits = list(_edge_parts(resources, plan, service))
    if service.green.target_group is not None:
        behind.append(_attachment(service, "EdgeTargets", service.green.container_port))
    registries: list[Template] = []
    if plan.mesh is None:
        for name, port, container_port in _dialled(service):
            if port == container_port and not registries:
                registries.append({"RegistryArn": attribute(_registered(resources, name), "Arn")})
            else:
                group, listener = _internally(resources, name, port, container_port)
                behind.append(_attachment(service, group, container_port))
                waits.append(listener)
    if len(behind) > _BALANCED_AT_MOST:
        raise BadInput(f"{service.name} is dialled by more names than an ECS service can have target groups")
    task = resources.add("Task", "AWS::ECS::TaskDefinition", **_task(plan, service))
    within = {"AssignPublicIp": "ENABLED", "Subnets": [ref("SubnetA"), ref("SubnetB")]}
    resources.add(
        "Service",
        "AWS::ECS::Service",
        after=waits,
        ServiceName=service.blue.service_name,
        Cluster=ref("Cluster"),
        TaskDefinition=ref(task),
        LaunchType="FARGATE",
        DesiredCount=service.blue.desired_count,
        NetworkConfiguration={
            "AwsvpcConfiguration": {**within, "SecurityGroups": [attribute("Access", "GroupId")]},
        },
        **({"LoadBalancers": behind} if behind else {}),
        **({"ServiceRegistries": registries} if registries else {}),
    )


def _edge_parts(resources: Resources, plan: MigrationPlan, service: ServicePlan) -> Iterator[str]:
    """Yield what must stand before the service at the edge, and before any task of the mesh."""
    wanted = ("AWS::AppMesh::",) if plan.mesh is not None else ()
    if service.green.target_group is not None:
        wanted = (*wanted, "AWS::ElasticLoadBalancingV2::Listener")
    yield from (name for name, resource in resources.made.items() if resource["Type"].startswith(wanted))


def _attachment(service: ServicePlan, group: str, port: int | None) -> Template:
    return {"ContainerName": _container_at(service, port), "ContainerPort": port, "TargetGroupArn": ref(group)}


def _dialled(service: ServicePlan) -> Iterator[tuple[str, int, int]]:
    """Yield each name and port that callers dial, and the container's port behind it, each once."""
    yield from dict.fromkeys((each.dns_name, each.port, each.container_port) for each in service.endpoints)


def _halves(name: str) -> tuple[str, str]:
    first, dot, rest = name.partition(".")
    if not dot:
        raise BadInput(
            f"callers dial {name}, which has no domain: without a mesh no DNS answers it, so the stand-ins could not "
            "call it either"
        )
    return first, rest


def _registered(resources: Resources, name: str) -> str:
    first, domain = _halves(name)
    namespace = resources.once(
        ("domain", domain),
        "Namespace",
        "AWS::ServiceDiscovery::PrivateDnsNamespace",
        Name=domain,
        Vpc=ref("Vpc"),
    )
    records = {"NamespaceId": ref(namespace), "DnsRecords": [{"Type": "A", "TTL": 10}]}
    return resources.once(
        ("registry", name), "Registry", "AWS::ServiceDiscovery::Service", Name=first, DnsConfig=records
    )


def _internally(resources: Resources, name: str, port: int, container_port: int) -> tuple[str, str]:
    """Make an internal load balancer behind a name; return its target group and its listener."""
    _, domain = _halves(name)
    zone = resources.once(
        ("zone", domain),
        "Zone",
        "AWS::Route53::HostedZone",
        Name=domain,
        VPCs=[{"VPCId": ref("Vpc"), "VPCRegion": ref("AWS::Region")}],
    )
    before = balancer(resources, f"stand-in-{len(resources.made)}", scheme="internal")
    group = target_group(resources, "Targets", container_port)
    listener = resources.add(
        "Listener",
        "AWS::ElasticLoadBalancingV2::Listener",
        LoadBalancerArn=ref(before),
        Port=port,
        Protocol="HTTP",
        DefaultActions=forward(group),
    )
    alias(resources, zone, name, "A", before)
    return group, listener


# ------------------------------------------------------------------------ task definitions


def _task(plan: MigrationPlan, service: ServicePlan) -> Template:
    change = service.green.task_definition
    ports = _ports(service)
    containers: list[Template] = [
        {
            "Name": name,
            "Image": _IMAGE,
            "Essential": True,
            **({"PortMappings": [{"ContainerPort": port, "Protocol": "tcp"} for port in own]} if own else {}),
        }
        for name, own in ports.items()
    ]
    proxy = next((name for name in change.remove_containers if "envoy" in name), None)
    proxy = proxy or next(iter(change.remove_containers), None)
    for name in change.remove_containers:
        environment = {"Environment": [_plays(plan, service)]} if name == proxy and plan.mesh is not None else {}
        containers.append({"Name": name, "Image": _IMAGE, "Essential": name == proxy, **environment})
    properties: Template = {
        "Family": service.blue.task_definition,
        "RequiresCompatibilities": ["FARGATE"],
        "NetworkMode": "awsvpc",
        "Cpu": "256",
        "Memory": "512",
        "ExecutionRoleArn": attribute("ExecutionRole", "Arn"),
        "ContainerDefinitions": containers,
    }
    if change.remove_proxy_configuration:
        served = ",".join(str(port) for own in ports.values() for port in own)
        settings = {"AppPorts": served, **_PROXY}
        properties["ProxyConfiguration"] = {
            "Type": "APPMESH",
            "ContainerName": proxy,
            "ProxyConfigurationProperties": [{"Name": key, "Value": value} for key, value in settings.items()],
        }
    return properties


def _plays(plan: MigrationPlan, service: ServicePlan) -> Mapping[str, str]:
    return {"Name": "APPMESH_RESOURCE_ARN", "Value": f"mesh/{plan.mesh}/virtualNode/{_node_of(service)}"}


def _ports(service: ServicePlan) -> dict[str, list[int]]:
    """Return the ports of each of blue's own containers; a service always has one container, and an entry a port."""
    change = service.green.task_definition
    found: dict[str, list[int]] = {name: [] for name in change.health_checks}
    named = [(each.container, each.container_port) for each in change.name_ports]
    served = [(each.container, each.container_port) for each in service.endpoints if each.container]
    edge = [(service.green.container_name, service.green.container_port)] if service.green.container_port else []
    for container, port in (*named, *served, *edge):
        if container is not None and port is not None and port not in itertools.chain(*found.values()):
            found.setdefault(container, []).append(port)
    return found or {"app": []}


def _container_at(service: ServicePlan, port: int | None) -> str:
    return next((name for name, own in _ports(service).items() if port in own), "app")
