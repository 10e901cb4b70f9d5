"""
Envoy configurations, made of plain data. Pure: nothing here starts, reads or writes anything.

A `Sidecar` says in a rehearsal's words what one task's proxy does; `bootstrap` turns it into Envoy's words. Listeners
ask for port 0, so the kernel gives each a port that no one else holds; the proxy is asked which ones they became.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

Config: TypeAlias = dict[str, Any]

_TYPE = "type.googleapis.com/envoy."
_TLS = _TYPE + "extensions.transport_sockets.tls.v3."
_ONLY_TLS_1_3 = {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"}
_UNBOUNDED = 2_147_483_647

CERTIFICATE = "server"
"""What a proxy's own certificate is called in its file of secrets."""

ACCESS_LOG: Mapping[str, str] = {
    "start_time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "protocol": "%PROTOCOL%",
    "response_code": "%RESPONSE_CODE%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "duration_ms": "%DURATION%",
    "upstream_service_time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
    "forwarded_for": "%REQ(X-FORWARDED-FOR)%",
    "user_agent": "%REQ(USER-AGENT)%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "authority": "%REQ(:AUTHORITY)%",
    "upstream_host": "%UPSTREAM_HOST%",
}
"""The 14 fields of Service Connect's JSON access log for HTTP (ECS developer guide, Service Connect access logs)."""

_HTTP2_LOG: Mapping[str, str] = {
    **{"duration" if name == "duration_ms" else name: value for name, value in ACCESS_LOG.items()},
    "stream_id": "%STREAM_ID%",
}
Protocol: TypeAlias = Literal["http", "http2", "grpc"]
ACCESS_LOGS: Mapping[Protocol, Mapping[str, str]] = {
    "http": ACCESS_LOG,
    "http2": _HTTP2_LOG,
    "grpc": {**_HTTP2_LOG, "grpc_status": "%GRPC_STATUS%"},
}
"""The same for each protocol: HTTP/2 and gRPC spell `duration` otherwise, and gRPC has a status of its own."""

MEASURE = "~"
"""First word of the lines that feed metrics. They share stdout with the log and are never shipped as log."""

INGRESS, EGRESS, GRPC_INGRESS, GRPC_EGRESS = "ingress", "egress", "grpc-ingress", "grpc-egress"
"""Roles of a task's proxy in lines that feed metrics: in front of its application, and where the application calls."""

_MEASURED = (
    "%START_TIME(%s.%3f)% %DURATION% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %RESPONSE_FLAGS% "
    "%UPSTREAM_CLUSTER% %UPSTREAM_HOST% %RESPONSE_DURATION% %BYTES_RECEIVED% %BYTES_SENT%\n"
)


@dataclass(frozen=True, slots=True)
class OutlierSettings:
    """
    When a proxy stops sending to a host, and for how long.

    The defaults are Service Connect's as far as AWS documents them: 5 failures in a row, 30 to 300 seconds away. The
    interval and the largest part that may be away at a time are not documented and stay parameters.

    Source: ECS developer guide, Service Connect concepts, "outlier detection".
    """

    consecutive_5xx: int = 5
    interval_seconds: float = 10
    base_ejection_seconds: float = 30
    max_ejection_seconds: float = 300
    max_ejection_percent: int = 50

    def faster(self, factor: float) -> OutlierSettings:
        """Return the same settings on a clock that runs `factor` times as fast."""
        return replace(
            self,
            interval_seconds=self.interval_seconds / factor,
            base_ejection_seconds=self.base_ejection_seconds / factor,
            max_ejection_seconds=self.max_ejection_seconds / factor,
        )


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a proxy tries again, and on which of Envoy's conditions; never on the host just tried."""

    attempts: int
    conditions: tuple[str, ...]
    codes: tuple[int, ...] = ()
    per_try_seconds: float | None = None


DEFAULT_RETRIES = Retries(
    attempts=2,
    conditions=("connect-failure", "refused-stream", "reset", "unavailable", "retriable-status-codes"),
    codes=(503,),
)
"""
What both meshes do unless told otherwise.

Source: App Mesh user guide, "Envoy defaults"; Service Connect documents the two attempts and the other host.
"""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a proxy believes: the certificate of an authority in a file, and the DNS name a server must prove."""

    authority: Path
    name: str


@dataclass(frozen=True, slots=True)
class Upstream:
    """A set of hosts kept in a file of endpoints, found there under `name`; `trust` is None for plain text."""

    name: str
    endpoints: Path
    http2: bool = False
    outlier: OutlierSettings | None = None
    max_connections: int | None = None
    max_pending_requests: int | None = None
    trust: Trust | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Requests that match go to `targets` (upstream, weight). `match` is Envoy's RouteMatch."""

    targets: tuple[tuple[str, int], ...]
    match: Mapping[str, Any]
    timeout_seconds: float = 15
    idle_seconds: float | None = None
    retries: Retries | None = DEFAULT_RETRIES


@dataclass(frozen=True, slots=True)
class Egress:
    """A listener the application dials instead of a name: `name` is what it dials, as `dns_name:port`."""

    name: str
    routes: tuple[Route, ...]
    is_tcp: bool = False
    protocol: Protocol = "http"


@dataclass(frozen=True, slots=True)
class Ingress:
    """
    A listener in front of one application port. `discovery_names` are the endpoints that lead to it.

    `secret` is the file with its certificate and key; None for plain text.
    """

    container_port: int
    application_port: int
    timeout_seconds: float = 15
    idle_seconds: float | None = None
    discovery_names: tuple[str, ...] = ()
    is_tcp: bool = False
    secret: Path | None = None
    protocol: Protocol = "http"

    @property
    def name(self) -> str:
        """The listener's name."""
        return f"ingress:{self.container_port}"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """All that one task's proxy does. `logs_access` writes the access log; `measures` the lines that feed metrics."""

    node: str
    colour: str
    ingresses: tuple[Ingress, ...] = ()
    egresses: tuple[Egress, ...] = ()
    upstreams: tuple[Upstream, ...] = ()
    logs_access: bool = False
    measures: bool = False
    merge_seconds: float = 1


def bootstrap(sidecar: Sidecar) -> Config:
    """Return the Envoy bootstrap of one task's proxy."""
    listeners = [_ingress(sidecar, one) for one in sidecar.ingresses]
    listeners += [_egress(sidecar, one) for one in sidecar.egresses]
    clusters = [static_cluster(f"local:{one.container_port}", one.application_port) for one in sidecar.ingresses]
    clusters += [eds_cluster(one, merge_seconds=sidecar.merge_seconds) for one in sidecar.upstreams]
    return {
        **_base(sidecar.node),
        "static_resources": {"listeners": listeners, "clusters": clusters},
        # Both of AWS's agents write Envoy's ejections to stdout: agent/envoy_bootstrap, buildClusterManager.
        "cluster_manager": {"outlier_detection": {"event_log_path": "/dev/stdout"}},
    }


def dynamic_bootstrap(node: str, *, listeners: Path, clusters: Path) -> Config:
    """Return the bootstrap of a proxy that takes its listeners and clusters from files."""
    return {
        **_base(node),
        "dynamic_resources": {"lds_config": _from_file(listeners), "cds_config": _from_file(clusters)},
    }


def endpoints_file(name: str, ports: Sequence[int], *, version: int) -> Config:
    """Return the content of a file of endpoints."""
    assignment = {"@type": _TYPE + "config.endpoint.v3.ClusterLoadAssignment", **_assignment(name, ports)}
    return {"version_info": str(version), "resources": [assignment]}


def secret_file(name: str, chain: str, private_key: str, *, version: int) -> Config:
    """Return the content of a file with one certificate and its key, so that both change at once."""
    pair = {"certificate_chain": {"inline_string": chain}, "private_key": {"inline_string": private_key}}
    secret = {"@type": _TLS + "Secret", "name": name, "tls_certificate": pair}
    return {"version_info": str(version), "resources": [secret]}


def resources_file(kind: str, resources: Sequence[Config], *, version: int) -> Config:
    """Return the content of a file of resources; `kind` is such as `config.listener.v3.Listener`."""
    return {"version_info": str(version), "resources": [{"@type": _TYPE + kind, **one} for one in resources]}


def listener(name: str, filters: Sequence[Config]) -> Config:
    """Return a listener on a loopback port of the kernel's choice, never shared with another process."""
    return {
        "name": name,
        "address": _address(0),
        "enable_reuse_port": False,
        "filter_chains": [{"filters": list(filters)}],
    }


def http_filter(
    prefix: str,
    *,
    logs: Sequence[Config] = (),
    route_config: Config | None = None,
    routes_file: Path | None = None,
    idle_seconds: float | None = None,
) -> Config:
    """Return the HTTP connection manager, with its routes inline or from a file that holds the one named `prefix`."""
    manager: Config = {
        "@type": _TYPE + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": prefix,
        "access_log": list(logs),
        "generate_request_id": True,
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": _TYPE + "extensions.filters.http.router.v3.Router"},
            }
        ],
        "common_http_protocol_options": {"idle_timeout": _seconds(300 if idle_seconds is None else idle_seconds)},
    }
    if route_config is not None:
        manager["route_config"] = route_config
    if routes_file is not None:
        manager["rds"] = {"route_config_name": prefix, "config_source": _from_file(routes_file)}
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}


def measured_log(role: str, subject: str) -> Config:
    """Return the log whose lines feed metrics: `role` and `subject` say whose they are, without blanks."""
    assert " " not in role + subject
    return _file_log({"text_format_source": {"inline_string": f"{MEASURE} {role} {subject} {_MEASURED}"}})


def static_cluster(name: str, *ports: int) -> Config:
    """Return a cluster of fixed loopback ports."""
    return {**_cluster(name, http2=False), "type": "STATIC", "load_assignment": _assignment(name, ports)}


def eds_cluster(upstream: Upstream, *, merge_seconds: float = 1) -> Config:
    """
    Return a cluster that follows a file of endpoints.

    Envoy delays a change of the host set when another came within `merge_seconds`: an ejected host may be sent to for
    that long. It is Envoy's default of 1 s on the rehearsal's clock.
    """
    cluster = {
        **_cluster(upstream.name, http2=upstream.http2),
        "type": "EDS",
        "eds_cluster_config": {"service_name": upstream.name, "eds_config": _from_file(upstream.endpoints)},
        "common_lb_config": {"update_merge_window": _seconds(merge_seconds)},
    }
    if upstream.outlier is not None:
        cluster["outlier_detection"] = _outlier(upstream.outlier)
    if upstream.trust is not None:
        cluster["transport_socket"] = _trusting(upstream.trust)
    bounds = {"max_connections": upstream.max_connections, "max_pending_requests": upstream.max_pending_requests}
    cluster["circuit_breakers"]["thresholds"][0].update({k: v for k, v in bounds.items() if v is not None})
    return cluster


def _base(node: str) -> Config:
    return {
        "node": {"id": node, "cluster": node},
        "admin": {"address": _address(0)},
        "layered_runtime": {"layers": [{"name": "admin", "admin_layer": {}}]},
        "overload_manager": {  # says that no limit is meant, so that Envoy does not warn about it
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": _TYPE
                        + "extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                        "max_active_downstream_connections": 100_000,
                    },
                }
            ]
        },
    }


def _ingress(sidecar: Sidecar, ingress: Ingress) -> Config:
    cluster = f"local:{ingress.container_port}"
    if ingress.is_tcp:
        return _encrypted(listener(ingress.name, [_tcp_filter(ingress.name, cluster)]), ingress.secret)
    logs = _logs(sidecar, ingress.protocol)
    if sidecar.measures:
        role = GRPC_INGRESS if ingress.protocol == "grpc" else INGRESS
        logs += [measured_log(role, name) for name in ingress.discovery_names]
    route = Route(
        targets=((cluster, 1),),
        match={"prefix": "/"},
        timeout_seconds=ingress.timeout_seconds,
        idle_seconds=ingress.idle_seconds,
        retries=None,
    )
    # The colour of answers that the proxy makes itself, where the application did not answer.
    coloured = [{"header": {"key": "x-colour", "value": sidecar.colour}, "append_action": "ADD_IF_ABSENT"}]
    routes = {**_route_config(ingress.name, [route]), "response_headers_to_add": coloured}
    http = http_filter(ingress.name, logs=logs, route_config=routes, idle_seconds=ingress.idle_seconds)
    return _encrypted(listener(ingress.name, [http]), ingress.secret)


def _encrypted(plain: Config, secret: Path | None) -> Config:
    """Return a listener that proves who it is by the secret in a file it follows; TLS 1.3, no client certificates."""
    if secret is None:
        return plain
    context = {
        "@type": _TLS + "DownstreamTlsContext",
        "common_tls_context": {
            "tls_params": _ONLY_TLS_1_3,
            "tls_certificate_sds_secret_configs": [{"name": CERTIFICATE, "sds_config": _from_file(secret)}],
        },
    }
    socket = {"name": "envoy.transport_sockets.tls", "typed_config": context}
    return {**plain, "filter_chains": [{**chain, "transport_socket": socket} for chain in plain["filter_chains"]]}


def _trusting(trust: Trust) -> Config:
    context = {
        "@type": _TLS + "UpstreamTlsContext",
        "sni": trust.name,
        "common_tls_context": {
            "tls_params": _ONLY_TLS_1_3,
            "validation_context": {
                "trusted_ca": {"filename": str(trust.authority)},
                "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": trust.name}}],
            },
        },
    }
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _egress(sidecar: Sidecar, egress: Egress) -> Config:
    if egress.is_tcp:
        return listener(egress.name, [_tcp_filter(egress.name, egress.routes[0].targets[0][0])])
    logs = _logs(sidecar, egress.protocol)
    if sidecar.measures:
        logs.append(measured_log(GRPC_EGRESS if egress.protocol == "grpc" else EGRESS, "-"))
    http = http_filter(egress.name, logs=logs, route_config=_route_config(egress.name, egress.routes))
    return listener(egress.name, [http])


def _logs(sidecar: Sidecar, protocol: Protocol) -> list[Config]:
    return [_file_log({"json_format": dict(ACCESS_LOGS[protocol])})] if sidecar.logs_access else []


def _route_config(name: str, routes: Sequence[Route]) -> Config:
    host = {"name": name, "domains": ["*"], "routes": [_route(one) for one in routes]}
    return {"name": name, "virtual_hosts": [host]}


def _route(route: Route) -> Config:
    action: Config = {"timeout": _seconds(route.timeout_seconds)}
    if len(route.targets) == 1:
        action["cluster"] = route.targets[0][0]
    else:
        action["weighted_clusters"] = {"clusters": [{"name": name, "weight": n} for name, n in route.targets]}
    if route.idle_seconds is not None:
        action["idle_timeout"] = _seconds(route.idle_seconds)
    if route.retries is not None:
        action["retry_policy"] = _retry_policy(route.retries)
    return {"match": dict(route.match), "route": action}


def _retry_policy(retries: Retries) -> Config:
    policy: Config = {
        "num_retries": retries.attempts,
        "retry_on": ",".join(retries.conditions),
        "host_selection_retry_max_attempts": "5",
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {
                    "@type": _TYPE + "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
                },
            }
        ],
    }
    if retries.codes:
        policy["retriable_status_codes"] = list(retries.codes)
    if retries.per_try_seconds is not None:
        policy["per_try_timeout"] = _seconds(retries.per_try_seconds)
    return policy


def _outlier(settings: OutlierSettings) -> Config:
    return {
        "consecutive_5xx": settings.consecutive_5xx,
        "interval": _seconds(settings.interval_seconds),
        "base_ejection_time": _seconds(settings.base_ejection_seconds),
        "max_ejection_time": _seconds(max(settings.max_ejection_seconds, settings.base_ejection_seconds)),
        "max_ejection_percent": settings.max_ejection_percent,
        "enforcing_consecutive_5xx": 100,
        "enforcing_success_rate": 0,
        "enforcing_consecutive_gateway_failure": 0,
    }


def _cluster(name: str, *, http2: bool) -> Config:
    protocol: Config = {"http2_protocol_options": {}} if http2 else {"http_protocol_options": {}}
    unbounded = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    return {
        "name": name,
        "connect_timeout": "1s",
        "lb_policy": "ROUND_ROBIN",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": _TYPE + "extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": protocol,
            }
        },
        "circuit_breakers": {"thresholds": [dict.fromkeys(unbounded, _UNBOUNDED)]},
    }


def _tcp_filter(prefix: str, cluster: str) -> Config:
    proxy = {"@type": _TYPE + "extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": prefix}
    return {"name": "envoy.filters.network.tcp_proxy", "typed_config": {**proxy, "cluster": cluster}}


def _file_log(log_format: Config) -> Config:
    sink = {"@type": _TYPE + "extensions.access_loggers.file.v3.FileAccessLog", "path": "/dev/stdout"}
    return {"name": "envoy.access_loggers.file", "typed_config": {**sink, "log_format": log_format}}


def _assignment(name: str, ports: Sequence[int]) -> Config:
    hosts = [{"endpoint": {"address": _address(port)}} for port in ports]
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": hosts}]}


def _from_file(path: Path) -> Config:
    return {"resource_api_version": "V3", "path_config_source": {"path": str(path)}}


def _address(port: int) -> Config:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _seconds(value: float) -> str:
    return f"{value:.3f}s"
