"""
What a mesh does today that Service Connect cannot carry over by itself: a table.

Each row names the consequence for a caller and what to do about it, and the page that says
so. A row's severity is the usual one; where the consequence is another, the translation
says so. Rows are explained at length in `docs/gaps.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from crossfade.plan.document import Gap, Severity

_ECS: Final = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/"
_ECS_API: Final = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/"
_MESH: Final = "https://docs.aws.amazon.com/app-mesh/latest/userguide/"
_MESH_API: Final = "https://docs.aws.amazon.com/app-mesh/latest/APIReference/"
_ELB: Final = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/"

_SERVICE: Final = _ECS_API + "API_ServiceConnectService.html"
_CONCEPTS: Final = _ECS + "service-connect-concepts-deploy.html"

_BLOCKING, _DEGRADING, _INFORMATIONAL = Severity.BLOCKING, Severity.DEGRADING, Severity.INFORMATIONAL


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of gap. `detail` holds `{fields}` that a finding fills in."""

    id: str
    severity: Severity
    detail: str
    source: str


_ROWS: Final = (
    # ------------------------------------------------------------------ routes
    Row(
        "ROUTE_WEIGHTED",
        _BLOCKING,
        "The route divides requests over {targets}; a Service Connect name belongs to one ECS service, so all of "
        "them would go to {owner}. Decide that {owner} takes them all, or divide them by another means first.",
        _SERVICE,
    ),
    Row(
        "ROUTE_MATCH_PATH",
        _BLOCKING,
        "Requests for {match} go to {target} today; Service Connect does not look at paths, so they would go to "
        "{owner}. Give {target} a name of its own and let callers dial it, or put a load balancer before both.",
        _SERVICE,
    ),
    Row(
        "ROUTE_MATCH_HEADER",
        _BLOCKING,
        "Requests with {match} go to {target} today; Service Connect does not look at headers, so they would go to "
        "{owner}.",
        _SERVICE,
    ),
    Row(
        "ROUTE_MATCH_METHOD",
        _BLOCKING,
        "Requests with {match} go to {target} today; Service Connect does not look at methods, so they would go to "
        "{owner}.",
        _SERVICE,
    ),
    Row(
        "ROUTE_MATCH_QUERY",
        _BLOCKING,
        "Requests with {match} go to {target} today; Service Connect does not look at queries, so they would go to "
        "{owner}.",
        _SERVICE,
    ),
    Row(
        "ROUTE_MATCH_GRPC_METHOD",
        _BLOCKING,
        "Calls of {match} go to {target} today; Service Connect does not look at gRPC services, methods or metadata, "
        "so they would go to {owner}.",
        _SERVICE,
    ),
    Row(
        "ROUTE_NO_DEFAULT",
        _DEGRADING,
        "Requests that match no route of this router are refused with 404 today; Service Connect hands every request "
        "to {owner}.",
        _SERVICE,
    ),
    Row(
        "ROUTE_UNREACHABLE",
        _INFORMATIONAL,
        "The route {shadow} comes first and takes every request, so this route is without effect and is not carried "
        "over.",
        _MESH + "routes.html",
    ),
    Row(
        "ROUTE_ORPHAN",
        _INFORMATIONAL,
        "No virtual service leads here, so it is without effect and is not carried over.",
        _MESH + "virtual_routers.html",
    ),
    # -------------------------------------------------------------- resilience
    Row(
        "RETRY_POLICY",
        _DEGRADING,
        "The route retries up to {retries} times{events}; Service Connect retries twice and cannot be told otherwise. "
        "Calls that need more must be repeated by the caller; calls that must not be repeated may be.",
        _CONCEPTS,
    ),
    Row(
        "OUTLIER_DETECTION",
        _DEGRADING,
        "Callers leave a host alone after {errors} server errors within {interval} for {ejection}, at most {percent} % "
        "of hosts; Service Connect has its own fixed rule (5 failures within 30 s, for 30 to 300 s).",
        _CONCEPTS,
    ),
    Row(
        "HEALTH_CHECK",
        _DEGRADING,
        "Envoy probes port {port}{path} every {interval}; Service Connect does not probe. A failing task leaves only "
        "by the container's own health check or by outlier detection.",
        _CONCEPTS,
    ),
    Row(
        "CONNECTION_POOL",
        _DEGRADING,
        "The listener limits {limits}; Service Connect has no such limit, so an overload reaches the application.",
        _SERVICE,
    ),
    Row(
        "LISTENER_TIMEOUT",
        _DEGRADING,
        "{why} Green answers within {timeout}.",
        _ECS_API + "API_TimeoutConfiguration.html",
    ),
    # ---------------------------------------------------------------- security
    Row(
        "TLS_CERT_SOURCE",
        _BLOCKING,
        "The listener serves TLS ({mode}) with a certificate from {kind}; Service Connect issues its own from AWS "
        "Private CA. {answer}",
        _ECS + "service-connect-tls.html",
    ),
    Row(
        "MTLS",
        _BLOCKING,
        "{what}; Service Connect has server TLS only, so peers are no longer told apart by certificate.",
        _ECS + "service-connect-tls.html",
    ),
    Row(
        "TLS_CLIENT_POLICY",
        _DEGRADING,
        "It {asks} TLS of what it calls{trust}; in Service Connect a caller has no such setting: whether a call is "
        "encrypted is said by the endpoint it goes to.",
        _ECS + "service-connect-tls.html",
    ),
    Row(
        "TLS_ORIGINATION",
        _BLOCKING,
        "Its Envoy speaks TLS to {hosts}, outside ECS, on behalf of an application that may not; green reaches it "
        "directly. Let the application speak TLS itself.",
        _MESH + "tls.html",
    ),
    Row(
        "EGRESS_FILTER",
        _BLOCKING,
        "The mesh drops what is addressed to no virtual service (DROP_ALL); Service Connect lets everything else out. "
        "Restrict egress with security groups or a firewall, or accept that it is open.",
        _MESH_API + "API_EgressFilter.html",
    ),
    # -------------------------------------------------------- outside, borders
    Row(
        "EXTERNAL_NODE",
        _INFORMATIONAL,
        "It stands for {host}, outside ECS; green reaches it directly, without the mesh's timeouts and retries.",
        _CONCEPTS,
    ),
    Row(
        "EXTERNAL_CALLER",
        _DEGRADING,
        "It stands for {host}, outside ECS, and calls {services}; Service Connect's names are known only to ECS tasks "
        "of its namespace. It goes on calling blue, and nobody once blue is retired: move it to ECS, or put a load "
        "balancer before what it calls.",
        _CONCEPTS,
    ),
    Row(
        "EXTERNAL_PORT_REMAP",
        _BLOCKING,
        "Callers dial port {dialled} and the mesh turns it into {port} of {host}; once Envoy is gone nothing listens "
        "on {dialled}. Let callers dial {port}.",
        _CONCEPTS,
    ),
    Row(
        "VIRTUAL_GATEWAY",
        _BLOCKING,
        "The gateway's Envoy lets requests into the mesh ({listeners}); Service Connect has no gateway. Put a load "
        "balancer before the services it leads to; one that stands before the gateway takes its place by itself where "
        "all that comes by a target group of it goes on to a single service.",
        _MESH + "virtual_gateways.html",
    ),
    Row(
        "GATEWAY_TLS",
        _BLOCKING,
        "The gateway ends its callers' TLS ({mode}) with a certificate from {kind}; the load balancer that takes its "
        "place must do so, or what arrives is not encrypted.",
        _MESH + "tls.html",
    ),
    Row(
        "GATEWAY_CLIENT_POLICY",
        _BLOCKING,
        "The gateway {asks} TLS of the services behind it{trust}. A load balancer in its place reaches the application "
        "itself, past Service Connect's proxies and their TLS, so that way is plain text unless the application serves "
        "TLS and the target group speaks HTTPS.",
        _ELB + "load-balancer-target-groups.html",
    ),
    Row(
        "GATEWAY_ROUTE",
        _INFORMATIONAL,
        "Through the gateway, {match} reaches {target}; the Application Load Balancer that takes the gateway's place "
        "needs the same rule: {rule}. A Network Load Balancer tells no requests apart.",
        _MESH + "gateway-routes.html",
    ),
    Row(
        "GATEWAY_ROUTE_NONE",
        _INFORMATIONAL,
        "What comes by {rules} meets no route of the gateway {gateway}, which refuses it with 404. Nothing is shifted "
        "for it; it goes on being refused, by the gateway and then by whatever is left there.",
        _MESH + "gateway-routes.html",
    ),
    Row(
        "GATEWAY_ROUTE_MATCH",
        _BLOCKING,
        "The gateway asks {what} before it lets a request reach {target}; no rule of a load balancer asks that, so let "
        "the application ask it, or do without.",
        _ELB + "listener-rules.html",
    ),
    Row(
        "GATEWAY_ROUTE_REWRITE",
        _BLOCKING,
        "The gateway rewrites {what} of what it hands to {target}; a load balancer's rule hands it on as it is, so "
        "the application would see the original. While users are divided a transform of the rule would reach the "
        "gateway too, which matches the original: let the application take both first, or the gateway rewrite nothing.",
        _MESH + "gateway-routes.html",
    ),
    Row(
        "CROSS_ACCOUNT",
        _BLOCKING,
        "The mesh belongs to account {owner}, so callers and callees may live in several accounts; {answer}",
        _ECS + "service-connect-shared-namespaces.html",
    ),
    Row(
        "BACKEND_NOT_FOUND",
        _BLOCKING,
        "It calls {name}, which no source given defines; nobody knows where green's calls would go. Add the source "
        "that defines it.",
        _MESH_API + "API_VirtualServiceBackend.html",
    ),
    Row(
        "IP_PREFERENCE",
        _DEGRADING,
        "The preference {preference} is not a setting of Service Connect; it follows the tasks' addresses.",
        _MESH_API + "API_AwsCloudMapServiceDiscovery.html",
    ),
    # ------------------------------------------------------------------- names
    Row(
        "NAME_CASE",
        _DEGRADING,
        "{name} has upper-case letters; Service Connect names are lower case. Callers that dial it through a resolver "
        "are not affected, whoever compares the Host header is.",
        _ECS_API + "API_ServiceConnectClientAlias.html",
    ),
    Row(
        "NAME_ILLEGAL",
        _BLOCKING,
        "{name} cannot be a Service Connect name (at most 127 of a-z, 0-9, _ . and -), so callers that dial it would "
        "not reach green.",
        _ECS_API + "API_ServiceConnectClientAlias.html",
    ),
    Row(
        "NAME_TAKEN",
        _BLOCKING,
        "{name} port {port} is already {other}'s; a name and port belong to one ECS service.",
        _ECS_API + "API_ServiceConnectClientAlias.html",
    ),
    Row(
        "NAMESPACE_MERGE",
        _INFORMATIONAL,
        "Services of the Cloud Map namespaces {namespaces} meet in green's one namespace {namespace}, since a service "
        "has one; the names they are dialled by stay.",
        _ECS_API + "API_ServiceConnectConfiguration.html",
    ),
    Row(
        "CLOUDMAP_ATTRIBUTES",
        _INFORMATIONAL,
        "Attributes select the node's instances in a shared Cloud Map service; green needs none, since each ECS "
        "service has an endpoint of its own.",
        _MESH_API + "API_AwsCloudMapServiceDiscovery.html",
    ),
    # ----------------------------------------------------------- observability
    Row(
        "XRAY_TRACING",
        _DEGRADING,
        "Envoy writes X-Ray segments for every call; they end with the sidecar. Instrument the application instead.",
        _MESH + "x-ray.html",
    ),
    Row(
        "XRAY_DAEMON",
        _INFORMATIONAL,
        "The container {container} took Envoy's segments and leaves with it. Where the application sends segments of "
        "its own, keep it.",
        _MESH + "x-ray.html",
    ),
    Row(
        "ENVOY_METRICS",
        _DEGRADING,
        "Metrics come from Envoy ({names}); they end with the sidecar. Service Connect has its own in CloudWatch.",
        _ECS + "available-metrics.html",
    ),
    Row(
        "ACCESS_LOG",
        _INFORMATIONAL,
        "Envoy's access log {path} ends with the sidecar; green's proxies write theirs, in AWS's format, to {group}.",
        _ECS + "service-connect-envoy-access-logs.html",
    ),
    # ---------------------------------------------------------------- ECS side
    Row(
        "ECS_SERVICE_WITHOUT_NODE",
        _DEGRADING,
        "Its Envoy names {node}, which no source given defines; what it calls and serves is known from its "
        "environment only.",
        _MESH + "envoy-config.html",
    ),
    Row(
        "NODE_WITHOUT_ECS_SERVICE",
        _BLOCKING,
        "No ECS service among the sources stands behind the node{consequence} Add the source that holds the service.",
        _MESH + "virtual_nodes.html",
    ),
    Row(
        "NODE_SHARED",
        _BLOCKING,
        "{services} share the node; a Service Connect name belongs to one ECS service, so all requests would go to "
        "{owner}.",
        _SERVICE,
    ),
    Row(
        "OUTSIDE_THE_MESH",
        _INFORMATIONAL,
        "The service {why}; it stays as it is.",
        _CONCEPTS,
    ),
    Row(
        "MESH_REBUILT",
        _BLOCKING,
        "No source describes the mesh, so it was rebuilt from task definitions and Cloud Map: its routes, retries, "
        "timeouts, TLS and egress filter are not known and not carried over. Add what describes it (templates, "
        "Terraform, saved answers of the AWS CLI), or accept that green has none of them.",
        _MESH + "envoy-config.html",
    ),
    Row(
        "VESTIGIAL_MESH",
        _INFORMATIONAL,
        "No ECS service among the sources runs an Envoy of this mesh.",
        _MESH + "envoy.html",
    ),
    Row(
        "TASK_MEMORY",
        _INFORMATIONAL,
        "The task definition sets no task memory, which Service Connect requires; green gets {memory} MiB. Check that "
        "it is enough.",
        _CONCEPTS,
    ),
    Row(
        "TASK_SIZE",
        _INFORMATIONAL,
        "Green's tasks get {cpu} CPU units and {memory} MiB, where blue's have {before}: room for Service Connect's "
        "proxy, in a size that {launch} takes.",
        _ECS + "service-connect-concepts-deploy.html",
    ),
    Row(
        "EGRESS_IGNORED",
        _INFORMATIONAL,
        "Envoy leaves calls to {ignored} alone; Service Connect takes only calls to its own endpoints, so they pass as "
        "before.",
        _MESH + "proxy-authorization.html",
    ),
    Row(
        "NETWORK_MODE",
        _DEGRADING,
        "The tasks run in the network mode {mode}; {consequence}",
        _CONCEPTS,
    ),
    Row(
        "WINDOWS",
        _BLOCKING,
        "The tasks run on {family}; Service Connect runs on Linux only, so this service cannot move.",
        _CONCEPTS,
    ),
    Row(
        "LAUNCH_TYPE",
        _BLOCKING,
        "The service runs on {launch}, where Service Connect does not.",
        _CONCEPTS,
    ),
    Row(
        "STANDALONE_TASK",
        _DEGRADING,
        "Its Envoy is of this mesh and no ECS service among the sources runs it. Tasks started alone (RunTask, a "
        "schedule) get no Service Connect: their calls must reach green by another name. Where a service runs it, add "
        "the source that holds the service.",
        _CONCEPTS,
    ),
    Row(
        "HTTP_1_0",
        _BLOCKING,
        "{variable} says that the container {container} speaks HTTP/1.0, which Service Connect's proxies refuse.",
        _CONCEPTS,
    ),
    Row(
        "IDLE_TIMEOUT",
        _INFORMATIONAL,
        "No idle timeout is set for TCP port {port}; Service Connect ends a connection that is idle for an hour.",
        _ECS_API + "API_TimeoutConfiguration.html",
    ),
    Row(
        "PROXY_IN_BETWEEN",
        _DEGRADING,
        "Callers reach {names} without a proxy today. Service Connect ends a request after 15 s and a connection that "
        "is idle for 5 minutes, and retries twice; set other limits where requests take longer.",
        _CONCEPTS,
    ),
    Row(
        "APPPORTS_MISMATCH",
        _INFORMATIONAL,
        "AppPorts names port {port}, which no container serves; it is not carried over.",
        _MESH_API + "API_VirtualNodeSpec.html",
    ),
    Row(
        "CONTAINER_HEALTH_CHECK",
        _DEGRADING,
        "The container {container} has no health check, and Service Connect sends requests to a task as soon as it "
        "runs. {answer}",
        _ECS_API + "API_HealthCheck.html",
    ),
    Row(
        "LB_HEALTHCHECK_ON_ENVOY_ADMIN",
        _BLOCKING,
        "The target group checks health on Envoy's port {port}, which goes with the sidecar: every green target would "
        "be unhealthy. {answer}",
        _ELB + "target-group-health-checks.html",
    ),
    Row(
        "STICKY_SESSIONS",
        _DEGRADING,
        "The target group binds users to a task, often because sessions live in its memory; users hop between blue and "
        "green from request to request, and those bound to green stay there when traffic has gone back. Keep sessions "
        "outside the tasks.",
        _ELB + "edit-target-group-attributes.html",
    ),
    Row(
        "DEPLOYMENT_CONTROLLER",
        _BLOCKING,
        "The service is deployed by {controller}; Service Connect needs ECS's own controller.",
        _CONCEPTS,
    ),
    Row(
        "SINGLE_TASK",
        _INFORMATIONAL,
        "One task is asked for, as today; a lone task is never left alone by outlier detection, so its errors reach "
        "callers. Where others call it, the move begins only once this is accepted, or with two tasks.",
        _CONCEPTS,
    ),
    Row(
        "BACKGROUND_WORK",
        _DEGRADING,
        "{why}; green works as soon as it runs, beside blue. {answer}",
        _CONCEPTS,
    ),
    Row(
        "CALL_CYCLE",
        _INFORMATIONAL,
        "{services} call each other in a circle, and tasks resolve only names that existed when they started. The "
        "migration creates them together and deploys each once more before green has a share (the plan's `redeploy`); "
        "while it does, up to twice their tasks run.",
        _CONCEPTS,
    ),
    # -------------------------------------------------------------------- edges
    Row(
        "EDGE_MISSING",
        _BLOCKING,
        "No load balancer among the sources leads users straight to this application, so there is nothing to shift. "
        "{why}",
        _ELB + "load-balancer-listeners.html",
    ),
    Row(
        "EDGE_KIND",
        _BLOCKING,
        "{load_balancer} is a {kind} load balancer; {consequence}",
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-listeners.html",
    ),
    Row(
        "EDGE_BYPASSED",
        _DEGRADING,
        "{what} leads to blue's load balancer past {lever} that is shifted; users who come by it stay on blue, and are "
        "cut off when blue is retired. Lead it by way of {lever}, or divide users at the load balancer.",
        _ELB + "load-balancer-listeners.html",
    ),
    # ------------------------------------------------------------- the reading
    Row(
        "FIELD_NOT_READ",
        _DEGRADING,
        "{field} is set to {value}; this version does not know what it means, so it is not carried over.",
        _MESH_API + "API_Types.html",
    ),
)

TABLE: Final[Mapping[str, Row]] = {row.id: row for row in _ROWS}
"""Every kind of gap by its id."""


def gap(row: str, resource: str, *, severity: Severity | None = None, **facts: object) -> Gap:
    """
    Return a finding of the kind `row`.

    Args:
        row: An id of TABLE.
        resource: The place in the source: `route/ROUTER/ROUTE`, `virtualNode/NAME`, `ecsService/NAME` …
        severity: Where the consequence is not the usual one.
        facts: Values for every `{field}` of the row's detail.
    """
    kind = TABLE[row]
    return Gap(
        id=kind.id,
        resource=resource,
        severity=severity or kind.severity,
        detail=kind.detail.format(**facts),
        source=kind.source,
    )


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence has them."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
