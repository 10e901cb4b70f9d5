"""
Draws plans of many services and prints the figures: `python -m benchmarks.plan [COUNT …]`.

Each size runs in a process of its own, from the template's text to the plan's: reading, translating, ordering,
writing. The time is the processor's, best of three, since nothing waits and other work on the machine shall not count;
the time by the clock stands beside it. The memory is the process's peak. Exit code 1 when a target is missed.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from crossfade.draw.draw import draw
from crossfade.draw.options import DrawOptions
from crossfade.mesh.sources import SourceText, read_sources
from crossfade_cli.drawing import uncollected

SIZES: Final = (250, 1_000, 2_500, 5_000)
LAYERS: Final = 8
CALLEES: Final = 3
TARGET_SERVICES: Final = 1_000
TARGET_SECONDS: Final = 2.0
TARGET_MEBIBYTES: Final = 256
LINEAR: Final = 1.5
"""Near-linear: five times the services may take this times five times as long."""

_RUNS: Final = 3
_PER_FILE: Final = 500
_NOON: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)


def templates(count: int) -> list[SourceText]:
    """Return a mesh of `count` services in layers, each calling some of the layer below, behind one load balancer."""
    sources = []
    for first in range(0, count, _PER_FILE):
        part = range(first, min(count, first + _PER_FILE))
        resources = dict(resource for number in part for resource in _service(number, _callees(number, count)))
        resources.update(_border() if first == 0 else ())
        sources.append(SourceText(f"services-{first:05}.json", json.dumps({"Resources": resources})))
    return sources


def _callees(number: int, count: int) -> list[int]:
    width = max(1, count // LAYERS)
    return [each for each in range(number + width, number + width + CALLEES) if each < count]


def _border() -> Iterator[tuple[str, dict[str, Any]]]:
    elb = "AWS::ElasticLoadBalancingV2::"
    forward = {"Type": "forward", "TargetGroupArn": {"Ref": "Targets"}}
    yield "Mesh", _of("AWS::AppMesh::Mesh", MeshName="big", Spec={"EgressFilter": {"Type": "ALLOW_ALL"}})
    yield "Balancer", _of(f"{elb}LoadBalancer", Name="big")
    yield "Targets", _of(f"{elb}TargetGroup", Name="big", Port=8080)
    listener = {"LoadBalancerArn": {"Ref": "Balancer"}, "Port": 80, "DefaultActions": [forward]}
    yield "Listener", _of(f"{elb}Listener", **listener)


def _of(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def _service(number: int, callees: Sequence[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    name = f"s{number:05}"
    health = {"Protocol": "http", "Path": "/health", "IntervalMillis": 5000, "TimeoutMillis": 2000}
    listener = {
        "PortMapping": {"Port": 8080, "Protocol": "http"},
        "HealthCheck": {**health, "HealthyThreshold": 2, "UnhealthyThreshold": 2},
    }
    spec = {
        "Listeners": [listener],
        "ServiceDiscovery": {"AWSCloudMap": {"NamespaceName": "big.local", "ServiceName": name}},
        "Backends": [{"VirtualService": {"VirtualServiceName": f"s{each:05}.big.local"}} for each in callees],
    }
    yield f"Node{name}", _of("AWS::AppMesh::VirtualNode", MeshName="big", VirtualNodeName=name, Spec=spec)
    route = {
        "HttpRoute": {"Match": {"Prefix": "/"}, "Action": {"WeightedTargets": [{"VirtualNode": name, "Weight": 1}]}}
    }
    router = {"Listeners": [{"PortMapping": {"Port": 80, "Protocol": "http"}}]}
    yield f"Router{name}", _of("AWS::AppMesh::VirtualRouter", MeshName="big", VirtualRouterName=name, Spec=router)
    of_router = {"MeshName": "big", "VirtualRouterName": name}
    yield f"Route{name}", _of("AWS::AppMesh::Route", **of_router, RouteName="all", Spec=route)
    provider = {"Provider": {"VirtualRouter": {"VirtualRouterName": name}}}
    named = {"MeshName": "big", "VirtualServiceName": f"{name}.big.local", "Spec": provider}
    yield f"Name{name}", _of("AWS::AppMesh::VirtualService", **named)
    environment = [{"Name": f"BACKEND_{each}_URL", "Value": f"http://s{each:05}.big.local:80"} for each in callees]
    app = {"Name": "app", "Image": "app:1", "PortMappings": [{"ContainerPort": 8080}], "Environment": environment}
    identity = {"Name": "APPMESH_RESOURCE_ARN", "Value": f"arn:aws:appmesh:eu-west-1:1:mesh/big/virtualNode/{name}"}
    envoy = {"Name": "envoy", "Image": "aws-appmesh-envoy", "Environment": [identity]}
    proxy = {"Type": "APPMESH", "ContainerName": "envoy"}
    task = {"Family": name, "Cpu": "512", "Memory": "1024", "ContainerDefinitions": [app, envoy]}
    yield f"Task{name}", _of("AWS::ECS::TaskDefinition", **task, ProxyConfiguration=proxy)
    balanced = [{"TargetGroupArn": {"Ref": "Targets"}, "ContainerName": "app", "ContainerPort": 8080}]
    service = {"ServiceName": name, "Cluster": "big", "TaskDefinition": {"Ref": f"Task{name}"}, "DesiredCount": 2}
    yield f"Service{name}", _of("AWS::ECS::Service", **service, LoadBalancers=[] if number else balanced)


def measure(count: int) -> dict[str, float]:
    """Draw a plan of `count` services here; return seconds, the peak of memory in MiB, waves and order violations."""
    sources = templates(count)
    best = by_clock = float("inf")
    for _ in range(_RUNS):
        start, clock = time.process_time(), time.perf_counter()
        with uncollected():  # as the command does
            plan = draw(read_sources(sources, {}), DrawOptions(), _NOON, sources=sources)
            said = plan.to_json()
        best, by_clock = min(best, time.process_time() - start), min(by_clock, time.perf_counter() - clock)
    wave_of = {name: number for number, wave in enumerate(plan.waves) for name in wave}
    violations = sum(
        1
        for each in plan.services
        for call in each.calls
        if call.service and wave_of[call.service] >= wave_of[each.name]
    )
    unit = 1 if sys.platform == "darwin" else 1_024  # getrusage counts bytes on one and KiB on the other
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
    return {
        "services": len(plan.services),
        "waves": len(plan.waves),
        "seconds": round(best, 3),
        "by_clock": round(by_clock, 3),
        "mebibytes": round(peak),
        "violations": violations,
        "plan_kib": len(said) // 1_024,
    }


def main(arguments: Sequence[str]) -> int:
    """Measure every size in a process of its own and print the table."""
    if arguments[:1] == ["--one"]:
        print(json.dumps(measure(int(arguments[1]))))  # noqa: T201 — the answer
        return 0
    sizes = [int(each) for each in arguments] or list(SIZES)
    found = []
    print("services  waves  seconds  by the clock  ms per service  peak MiB  order violations  plan KiB")  # noqa: T201
    for size in sizes:
        command = [sys.executable, "-m", "benchmarks.plan", "--one", str(size)]
        answer = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603 — ourselves
        figures = json.loads(answer.stdout)
        found.append(figures)
        each = 1_000 * figures["seconds"] / figures["services"]
        print(  # noqa: T201
            f"{figures['services']:>8}  {figures['waves']:>5}  {figures['seconds']:>7.2f}  "
            f"{figures['by_clock']:>12.2f}  {each:>14.2f}  "
            f"{figures['mebibytes']:>8}  {figures['violations']:>16}  {figures['plan_kib']:>8}"
        )
    missed = list(misses(found))
    print("\n".join(missed) or "every target is met")  # noqa: T201
    return 1 if missed else 0


def misses(found: Sequence[dict[str, float]]) -> Iterator[str]:
    """Yield each target that the figures miss, in a sentence."""
    by_size = {each["services"]: each for each in found}
    target = by_size.get(TARGET_SERVICES)
    if target is not None and target["seconds"] > TARGET_SECONDS:
        yield f"{TARGET_SERVICES} services take {target['seconds']} s; {TARGET_SECONDS} s are the target"
    if target is not None and target["mebibytes"] > TARGET_MEBIBYTES:
        yield f"{TARGET_SERVICES} services take {target['mebibytes']} MiB; {TARGET_MEBIBYTES} are the target"
    largest = by_size[max(by_size)] if by_size else None
    if target is not None and largest is not None and largest is not target:
        times = largest["services"] / target["services"]
        if largest["seconds"] > LINEAR * times * target["seconds"]:
            yield f"{times:g} times the services take {largest['seconds'] / target['seconds']:.1f} times as long"
    yield from (
        f"{each['services']} services: {each['violations']} calls out of order" for each in found if each["violations"]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
