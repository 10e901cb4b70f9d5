"""From a task's Service Connect configuration to what its proxy does. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rehearsal.aws.runtime import NamespaceEndpoint, TaskFailed, TaskSpec
from rehearsal.dataplane.certificates import Certificates
from rehearsal.dataplane.proxy import (
    ACCESS_LOGS,
    Egress,
    Ingress,
    OutlierSettings,
    Protocol,
    Route,
    Sidecar,
    Trust,
    Upstream,
)
from rehearsal.dataplane.task_shape import TaskShape

PER_REQUEST_SECONDS = 15
IDLE_SECONDS = 300
"""Service Connect's own timeouts for HTTP (API reference, TimeoutConfiguration); 0 switches one off."""


def host_set(namespace: str | None, discovery_name: str) -> str:
    """Return the name of the set of hosts behind a discovery name; the same name in two namespaces is two sets."""
    return f"connect_{(namespace or '').rsplit('/', 1)[-1]}_{discovery_name}"


def is_enabled(service_connect: Mapping[str, Any] | None) -> bool:
    """Whether a service's configuration switches Service Connect on."""
    return bool(service_connect) and bool(service_connect.get("enabled"))  # type: ignore[union-attr]


def endpoints_served(spec: TaskSpec, shape: TaskShape) -> dict[str, int]:
    """
    Return the container port behind every discovery name that the task serves.

    Raises:
        TaskFailed: the configuration names a port that the task definition does not.
    """
    served: dict[str, int] = {}
    for one in (spec.service_connect or {}).get("services") or ():
        if one["portName"] not in shape.port_names:
            raise TaskFailed(f"Service Connect names port {one['portName']}, which no port mapping is called")
        served[one.get("discoveryName") or one["portName"]] = shape.port_names[one["portName"]]
    return served


def grpc_served(spec: TaskSpec, shape: TaskShape) -> frozenset[str]:
    """Return the discovery names that the task serves over gRPC; raises as `endpoints_served` does."""
    protocols = _protocols(spec)
    return frozenset(name for name, port in endpoints_served(spec, shape).items() if protocols.get(port) == "grpc")


def grpc_dialled(spec: TaskSpec) -> frozenset[str]:
    """Return what the task dials over gRPC, as `dns_name:port`."""
    return frozenset(f"{one.dns_name}:{one.port}" for one in spec.endpoints if one.app_protocol == "grpc")


def sidecar(
    spec: TaskSpec,
    shape: TaskShape,
    application_ports: Mapping[int, int],
    *,
    outlier: OutlierSettings,
    merge_seconds: float,
    endpoints: Callable[[str], Path],
    certificates: Certificates | None = None,
) -> Sidecar:
    """
    Return what the proxy of a task with Service Connect does.

    Its egress is the namespace as it was when the task started, its ingress the endpoints it serves. A port that no
    endpoint names has no proxy in front of it, as on AWS. `endpoints` gives the file of a set of hosts,
    `certificates` the secrets of endpoints that are encrypted.
    """
    configuration = spec.service_connect or {}
    timeouts = {
        one.get("discoveryName") or one["portName"]: one.get("timeout") or {}
        for one in configuration.get("services") or ()
    }
    served = endpoints_served(spec, shape)
    protocols = _protocols(spec)
    ingresses = []
    for port in dict.fromkeys(served.values()):
        names = tuple(name for name, at in served.items() if at == port)
        ingresses.append(
            Ingress(
                container_port=port,
                application_port=application_ports[port],
                timeout_seconds=_per_request(timeouts[names[0]]),
                idle_seconds=_idle(timeouts[names[0]]),
                discovery_names=names,
                is_tcp=protocols.get(port) is None,
                protocol=protocols.get(port) or "http",
                secret=_secret(configuration, names[0], spec.namespace, certificates),
            )
        )
    upstreams = [
        Upstream(
            name=name,
            endpoints=endpoints(name),
            http2=endpoint.app_protocol in {"http2", "grpc"},
            outlier=outlier,
            trust=_trust(endpoint, spec.namespace, certificates),
        )
        for name, endpoint in {host_set(spec.namespace, e.discovery_name): e for e in spec.endpoints}.items()
    ]
    log_access = (configuration.get("accessLogConfiguration") or {}).get("format") == "JSON"
    return Sidecar(
        node=f"{spec.service}/{spec.task_id}",
        colour="green",
        ingresses=tuple(ingresses),
        egresses=tuple(_egress(spec.namespace, one) for one in spec.endpoints),
        upstreams=tuple(upstreams),
        logs_access=log_access and bool(configuration.get("logConfiguration")),
        measures=True,
        merge_seconds=merge_seconds,
    )


def certified_name(namespace: str | None, discovery_name: str) -> str:
    """Return the DNS name that an endpoint's certificate is for."""
    return f"{discovery_name}.{(namespace or '').rsplit('/', 1)[-1]}"


def _secret(
    configuration: Mapping[str, Any], name: str, namespace: str | None, certificates: Certificates | None
) -> Path | None:
    for one in configuration.get("services") or ():
        authority = one.get("tls", {}).get("issuerCertificateAuthority", {}).get("awsPcaAuthorityArn")
        if authority and (one.get("discoveryName") or one["portName"]) == name:
            assert certificates is not None
            return certificates.secret(authority, certified_name(namespace, name))
    return None


def _trust(endpoint: NamespaceEndpoint, namespace: str | None, certificates: Certificates | None) -> Trust | None:
    if endpoint.authority is None:
        return None
    assert certificates is not None
    return Trust(certificates.trust(endpoint.authority), certified_name(namespace, endpoint.discovery_name))


def _egress(namespace: str | None, endpoint: NamespaceEndpoint) -> Egress:
    route = Route(
        targets=((host_set(namespace, endpoint.discovery_name), 1),),
        match={"prefix": "/"},
        timeout_seconds=_per_request(endpoint.timeout),
        idle_seconds=_idle(endpoint.timeout),
    )
    return Egress(
        name=f"{endpoint.dns_name}:{endpoint.port}",
        routes=(route,),
        is_tcp=endpoint.app_protocol is None,
        protocol=_known(endpoint.app_protocol) or "http",
    )


def _per_request(timeout: Mapping[str, int]) -> float:
    return timeout.get("perRequestTimeoutSeconds", PER_REQUEST_SECONDS)


def _idle(timeout: Mapping[str, int]) -> float:
    return timeout.get("idleTimeoutSeconds", IDLE_SECONDS)


def _known(protocol: str | None) -> Protocol | None:
    """Return a protocol of ECS's `appProtocol`; None is TCP."""
    return next((each for each in ACCESS_LOGS if each == protocol), None)


def _protocols(spec: TaskSpec) -> dict[int, Protocol | None]:
    return {
        int(mapping["containerPort"]): _known(mapping.get("appProtocol"))
        for container in spec.task_definition.get("containerDefinitions", ())
        for mapping in container.get("portMappings") or ()
    }
