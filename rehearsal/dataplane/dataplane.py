"""
The data plane: every task of the emulated ECS as a stand-in application behind a real Envoy, and a real edge.

It is told of tasks by the emulated ECS (`TaskRuntime`) and learns all else through AWS's API, as the real proxies and
load balancers would: the mesh of blue from App Mesh, weights and targets from Elastic Load Balancing. What it knows
leaves the same way, as CloudWatch metrics and log events. Everything listens on 127.0.0.1, on ports the kernel chose.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, Self

from botocore.exceptions import BotoCoreError, ClientError

from crossfade.plan.services import Call
from rehearsal.aws.runtime import TaskFailed, TaskPlacement, TaskSpec
from rehearsal.dataplane import health, mesh_proxy, service_connect
from rehearsal.dataplane.cdn_edge import CdnEdge, Staged
from rehearsal.dataplane.certificates import Certificates
from rehearsal.dataplane.children import Child, ChildEnded, Proxies
from rehearsal.dataplane.dns_edge import DnsEdge, Resolver
from rehearsal.dataplane.edge import Edge, ShareSeen
from rehearsal.dataplane.envoy import EnvoyRefused, find_envoy
from rehearsal.dataplane.launching import Launcher
from rehearsal.dataplane.load import Load, Users
from rehearsal.dataplane.metrics import Meter, count_at_proxy, read_measure
from rehearsal.dataplane.nlb_edge import NlbEdge
from rehearsal.dataplane.plain import Names
from rehearsal.dataplane.presence import Presence
from rehearsal.dataplane.proxy import MEASURE, OutlierSettings, Sidecar, bootstrap, dynamic_bootstrap
from rehearsal.dataplane.proxy_output import LogShipper, LogStream, Spool
from rehearsal.dataplane.publishing import Publisher
from rehearsal.dataplane.resource_files import Endpoints
from rehearsal.dataplane.task import Broken, Fault, Task
from rehearsal.dataplane.task_shape import LogDestination, log_destination, task_shape

CONNECT_CONTAINER = "ecs-service-connect"
EDGE, CDN = "edge", "cdn"
PERIOD_SECONDS = 60  # AWS's metric period
GLOBAL_REGION = "us-east-1"  # where Route 53 and CloudFront publish their metrics
TASK_FLUSH_MS, EDGE_FLUSH_MS = 1_000, 200
TASK_GRACE_SECONDS, EDGE_GRACE_SECONDS = TASK_FLUSH_MS / 1000 + 0.2, EDGE_FLUSH_MS / 1000 + 0.3
PROBE_SECONDS = 0.5
DRAIN_SECONDS, DRAIN_AT_MOST_SECONDS = 0.5, 5.0


class Aws(Protocol):
    """Whoever makes clients of the emulated AWS."""

    def client(self, service_name: str, region: str | None = None) -> Any:
        """Return a boto3 client of a service, such as "elbv2", in the rehearsal's region or in another."""
        ...


class DataPlane:
    """
    Runs tasks, an edge and load for one rehearsal; a `TaskRuntime`. Close it, or use it as a context manager.

    Args:
        time_scale: Divides metric periods and Envoy's outlier intervals; request timeouts stay as they are.
        seed: Chooses which task breaks.
        workdir: Holds the proxies' files; a temporary folder of our own, removed on close, when None.
        outlier: Service Connect's outlier detection, on AWS's clock.
        envoy: The binary; found as `envoy.find_envoy` says when None.

    Raises:
        EnvoyMissing: this machine has no Envoy.
    """

    def __init__(
        self,
        *,
        time_scale: float = 1.0,
        seed: int = 0,
        workdir: Path | None = None,
        outlier: OutlierSettings | None = None,
        envoy: Path | None = None,
    ) -> None:
        self._binary = envoy or find_envoy()
        self._time_scale = time_scale
        self._seed = seed
        self._random = random.Random(seed)
        self._outlier = (outlier or OutlierSettings()).faster(time_scale)
        self._folder = workdir or Path(tempfile.mkdtemp(prefix="crossfade-dataplane-"))
        self._folder.mkdir(parents=True, exist_ok=True)
        period = max(1, round(PERIOD_SECONDS / time_scale))
        self._task_meter, self._edge_meter, self._global_meter = Meter(period), Meter(period), Meter(period)
        self._endpoints = Endpoints(self._folder / "endpoints")
        self._lock = threading.RLock()
        self._tasks: dict[str, Task] = {}
        self._numbers = itertools.count(1)
        self._calls: dict[str, tuple[Call, ...]] = {}
        self._broken_services: dict[str, Broken] = {}
        self._refused_services: set[str] = set()
        self._certificates: Certificates | None = None
        self._loads: list[Load] = []
        self._threads: list[threading.Thread] = []
        self._stopped = threading.Event()
        self._aws: Aws | None = None
        self._names: Names | None = None
        self._edge: Edge | None = None
        self._flows: NlbEdge | None = None
        self._cdn: CdnEdge | None = None
        self._shipper: LogShipper | None = None
        self._presence = Presence(self._task_meter)
        self._proxies = Proxies(self._folder if workdir is None else None)
        self._application = Child("application.py", obeys=True)
        self._spool = Spool()
        self._launcher = Launcher(self._binary, self._folder, self._proxies, self._spool)
        atexit.register(self.close)
        self._run("health", self._watch_health)

    # -- the rehearsal's side ----------------------------------------------------------------------------------------

    def attach(self, aws: Aws, calls: Mapping[str, Sequence[Call]] | None = None) -> None:
        """
        Connect to the emulated AWS and start the edge.

        `calls` says what the tasks of an ECS service call for every request, blue and green services alike.
        """
        self._aws = aws
        self._names = Names(aws)
        self.dial(calls or {})
        self._shipper = LogShipper(aws.client("logs"))
        self._certificates = Certificates(aws.client("acm-pca"), self._folder / "certificates")
        edge = Edge(aws.client("elbv2"), self._folder / EDGE, self._edge_meter)
        config = dynamic_bootstrap(EDGE, listeners=edge.listeners_file, clusters=edge.clusters_file)
        edge.serve_by(self._launcher.start(EDGE, config, EDGE_FLUSH_MS, lambda line: self._heard_at_edge(edge, line)))
        self._edge = edge
        self._flows = NlbEdge(aws.client("elbv2"), self._edge_meter, time_scale=self._time_scale)
        meters = ((self._edge_meter, EDGE_GRACE_SECONDS), (self._task_meter, TASK_GRACE_SECONDS))
        publisher = Publisher(aws.client("cloudwatch"), self._shipper, meters, self._measure_presence)
        everywhere = Publisher(
            aws.client("cloudwatch", GLOBAL_REGION), None, ((self._global_meter, EDGE_GRACE_SECONDS),)
        )
        self._run("edge", edge.run)
        self._run("flows", self._flows.run)
        self._run("publisher", publisher.run)
        self._run("publisher of the global services", everywhere.run)

    def dial(self, calls: Mapping[str, Sequence[Call]]) -> None:
        """Say, or say anew, what services call; running tasks follow at once where their proxy knows the name."""
        with self._lock:
            self._calls.update({service: tuple(each) for service, each in calls.items()})
            tasks = [task for task in self._tasks.values() if task.spec.service in calls]
        for task in tasks:
            self._tell_calls(task)

    def edge_port(self, load_balancer: str, listener_port: int, *, timeout_seconds: float = 60) -> int:
        """
        Return the loopback port of a listener, by its load balancer's ARN or name.

        The edge then follows what the API held when this was called. Raises TimeoutError when it does not in time.
        """
        edge = self._attached_edge()
        end = time.monotonic() + timeout_seconds
        edge.catch_up(timeout_seconds)
        if self._flows is not None and edge.port(load_balancer, listener_port) is None:
            self._flows.catch_up(max(0.0, end - time.monotonic()))
        while time.monotonic() < end:
            if (port := self._port(load_balancer, listener_port)) is not None:
                return port
            time.sleep(0.05)
        raise TimeoutError(f"the edge has no listener {listener_port} of {load_balancer} after {timeout_seconds} s")

    def serve_names(self, *, listener_port: int = 80, propagation_seconds: float = 0) -> int:
        """
        Answer DNS as the emulated Route 53 says, from now on; return the resolver's loopback port.

        A load balancer's address leads to its listener on `listener_port`. A change is PENDING for
        `propagation_seconds`, by our clock.
        """
        names = DnsEdge(
            self._attached_aws().client("route53"),
            lambda name: self._port(name, listener_port),
            time_scale=self._time_scale,
            propagation_seconds=propagation_seconds,
            meter=self._global_meter,
            seed=self._seed,
        )
        names.look()
        resolver = Resolver(names)
        self._run("names", names.run)
        self._run("resolver", resolver.run)
        return resolver.port

    def serve_distributions(self, *, propagation_seconds: float = 0) -> CdnEdge:
        """
        Serve every distribution of the emulated CloudFront at several edge locations, from now on.

        A change is InProgress for `propagation_seconds`, by our clock.
        """
        cdn = CdnEdge(
            self._attached_aws().client("cloudfront"),
            self._origin,
            self._folder / CDN,
            self._global_meter,
            time_scale=self._time_scale,
            propagation_seconds=propagation_seconds,
        )
        cdn.look()
        config = dynamic_bootstrap(CDN, listeners=cdn.listeners_file, clusters=cdn.clusters_file)

        def heard(line: str) -> None:
            if (served := read_measure(line)) is not None:
                cdn.count(served)

        self._cdn = cdn
        cdn.serve_by(self._launcher.start(CDN, config, EDGE_FLUSH_MS, heard))
        self._run("edge locations", cdn.run)
        return cdn

    def busy_cdn(self, *, is_busy: bool) -> None:
        """Let CloudFront send every request to the primary distribution, as when it is busy. Raises LookupError."""
        if self._cdn is None:
            raise LookupError("no distribution is served here")
        self._cdn.is_busy = is_busy

    def staged(self, distribution: str) -> tuple[Staged, ...]:
        """Return the requests to a distribution that its staging answered; none where no distribution is served."""
        return () if self._cdn is None else self._cdn.staged(distribution)

    def _origin(self, host: str, port: int) -> int | None:
        """Return the loopback port of the load balancer that a name leads to, at once or by a record."""
        balancer = self._names.balancer(host) if self._names is not None else None
        return None if balancer is None else self._port(balancer, port)

    def _port(self, load_balancer: str, listener_port: int) -> int | None:
        """Return the loopback port of a listener of any load balancer, by its ARN, name or DNS name."""
        for edge in (self._edge, self._flows):
            if edge is not None and (port := edge.port(load_balancer, listener_port)) is not None:
                return port
        return None

    @property
    def requests_to_nobody(self) -> int:
        """Requests that the edge had chosen a target group for, and found no target in it."""
        return self._attached_edge().requests_to_nobody

    @property
    def shares_seen(self) -> tuple[ShareSeen, ...]:
        """Every change of weights, in the order and at the time the edge applied them."""
        return self._attached_edge().shares_seen()

    def drive(self, users: int | Users, rps: float, *, seconds: float = 600, timeout_seconds: float = 30) -> Load:
        """Send requests at a constant rate, to a port or as users do, until stopped or `seconds` have passed."""
        whom = Users(ports=(users,)) if isinstance(users, int) else users
        load = Load(whom, rps, seconds=seconds, timeout_seconds=timeout_seconds)
        self._loads.append(load)
        return load

    def rotate_certificates(self) -> int:
        """Have the certificates of all encrypted endpoints made anew, as ECS does every five days; return how many."""
        return 0 if self._certificates is None else self._certificates.rotate()

    @property
    def encrypted_tasks(self) -> int:
        """How many running tasks prove who they are to their callers."""
        with self._lock:
            return sum(bool(task.encrypted_ports) for task in self._tasks.values())

    def serving_old_certificates(self) -> tuple[str, ...]:
        """Shake hands with every encrypted task; return those that do not serve the newest certificate."""
        if self._certificates is None:
            return ()
        newest, old = self._certificates.newest(), []
        with self._lock:
            tasks = list(self._tasks.values())
        for task in tasks:
            for discovery_name, port in task.encrypted_ports.items():
                name = service_connect.certified_name(task.spec.namespace, discovery_name)
                if self._certificates.served(port, name) != newest[name]:
                    old.append(f"{task.spec.service} ({name})")
        return tuple(old)

    def refuse_starts(self, service: str) -> None:
        """Let no task of a service start any more, as where the mesh is gone from which its proxies are configured."""
        self._refused_services.add(service)

    def allow_starts(self, service: str) -> None:
        """Let tasks of a service start again."""
        self._refused_services.discard(service)

    def break_tasks(
        self,
        service: str,
        *,
        which: Literal["one", "all"] = "one",
        mode: Fault = "error",
        code: int = 500,
        probability: float = 1.0,
        milliseconds: float = 0.0,
    ) -> tuple[str, ...]:
        """
        Let tasks of a service fail; return the ids of those that do.

        "all" also breaks the tasks that start later, until the service is mended. With `error` a task still answers
        its health check: nothing but its answers to users shows that it is broken.

        Raises:
            LookupError: the service has no running task.
        """
        broken = Broken(mode, code, probability, milliseconds)
        with self._lock:
            running = self._running(service)
            if not running:
                raise LookupError(f"no task of service {service} runs")
            chosen = running if which == "all" else [self._random.choice(running)]
            if which == "all":
                self._broken_services[service] = broken
        for task in chosen:
            self._application.ask(broken.command(task.spec.task_id))
        return tuple(task.spec.task_id for task in chosen)

    def mend_tasks(self, service: str) -> None:
        """Let every task of a service answer again."""
        with self._lock:
            self._broken_services.pop(service, None)
            running = self._running(service)
        for task in running:
            self._application.ask(Broken().command(task.spec.task_id))

    @property
    def folder(self) -> Path:
        """Where the proxies' files are."""
        return self._folder

    def pids(self) -> tuple[int, ...]:
        """Return the ids of every process that the data plane started and that may still run."""
        flows = self._flows.pids() if self._flows is not None else ()
        return (*self._proxies.pids(), self._application.pid, *flows, *(load.pid for load in self._loads))

    def close(self) -> None:
        """Stop everything at once, without draining, and remove what was written. Safe to repeat."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        atexit.unregister(self.close)
        for load in self._loads:
            with contextlib.suppress(ChildEnded):
                load.stop()
        self._proxies.close()
        if self._flows is not None:
            self._flows.close()
        self._application.close()
        for thread in self._threads:
            thread.join()
        self._spool.close()
        with contextlib.suppress(BotoCoreError, ClientError, OSError):
            if self._shipper is not None:
                self._shipper.ship()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the emulated ECS's side -------------------------------------------------------------------------------------

    def start(self, spec: TaskSpec) -> TaskPlacement:
        """Start a task and its proxy; return once both listen and other proxies may know of it. Raises TaskFailed."""
        if spec.service in self._refused_services:
            raise TaskFailed("its proxy got no configuration: the mesh does not answer")
        shape = task_shape(spec)
        number = next(self._numbers)
        colour = "green" if service_connect.is_enabled(spec.service_connect) else "blue"
        try:
            application = self._application.ask(
                {
                    "do": "add",
                    "task": spec.task_id,
                    "service": spec.service,
                    "colour": colour,
                    "ports": list(shape.ports),
                }
            )
            task = Task(
                spec=spec,
                shape=shape,
                number=number,
                colour=colour,
                application_ports={int(port): own for port, own in application["ports"].items()},
            )
            task.ports = dict(task.application_ports)
            self._start_sidecar(task)
            self._tell_calls(task)
            with self._lock:
                broken = self._broken_services.get(spec.service)
            if broken is not None:
                self._application.ask(broken.command(spec.task_id))
        except (ChildEnded, EnvoyRefused, TimeoutError, OSError) as error:
            self._abandon(spec, f"task-{number}")
            raise TaskFailed(f"{type(error).__name__}: {error}") from error
        except TaskFailed:
            self._abandon(spec, f"task-{number}")
            raise
        with self._lock:
            self._tasks[spec.task_arn] = task
        for port, edge in itertools.product(task.ports.values(), (self._edge, self._flows)):
            if edge is not None:
                edge.admit(port)
        for name, port in task.hosts:
            self._endpoints.add(name, port)
        self._tell_plain_tasks()
        return TaskPlacement(ip="127.0.0.1", ports=dict(task.ports))

    def stop(self, task_arn: str) -> None:
        """Take a task out of every proxy and the edge, let it finish what it has begun, and end it."""
        with self._lock:
            task = self._tasks.pop(task_arn, None)
        if task is None or self._stopped.is_set():
            return
        for name, port in task.hosts:
            self._endpoints.remove(name, port)
        if task.names:
            self._tell_plain_tasks()
        for port, edge in itertools.product(task.ports.values(), (self._edge, self._flows)):
            if edge is not None:
                edge.withdraw(port)
        self._drain(task)
        self._proxies.stop(task.proxy)
        with contextlib.suppress(ChildEnded, TimeoutError):
            self._application.ask({"do": "remove", "task": task.spec.task_id})
        shutil.rmtree(self._folder / task.proxy, ignore_errors=True)

    def healthy(self, task_arn: str) -> bool:
        """Whether the task's last health check, at most a second ago, was answered 200 and its proxy runs."""
        with self._lock:
            task = self._tasks.get(task_arn)
            return task is not None and task.healthy and (task.admin is None or self._proxies.running(task.proxy))

    # -- one task ----------------------------------------------------------------------------------------------------

    def _start_sidecar(self, task: Task) -> None:
        spec, shape = task.spec, task.shape
        stream: LogStream | None = None
        if service_connect.is_enabled(spec.service_connect):
            sidecar = service_connect.sidecar(
                spec,
                shape,
                task.application_ports,
                outlier=self._outlier,
                merge_seconds=1 / self._time_scale,
                endpoints=self._endpoints.file,
                certificates=self._certificates,
            )
            assert spec.service_connect is not None
            stream = self._log_stream(
                log_destination(spec.service_connect.get("logConfiguration")), CONNECT_CONTAINER, spec
            )
            task.served = service_connect.endpoints_served(spec, shape)
            task.grpc_served = service_connect.grpc_served(spec, shape)
            task.discovery_names = {
                service_connect.host_set(spec.namespace, one.discovery_name): one.discovery_name
                for one in spec.endpoints
            }
        elif shape.mesh_proxy is not None:
            proxy = shape.mesh_proxy
            view = mesh_proxy.read_node(self._attached_aws().client("appmesh"), proxy.mesh, proxy.node)
            dialled = {f"{call.dns_name}:{call.port}": call.dns_name for call in self._calls.get(spec.service, ())}
            sidecar = mesh_proxy.sidecar(
                view,
                task.application_ports,
                dialled,
                node_id=f"{spec.service}/{spec.task_id}",
                time_scale=self._time_scale,
                endpoints=self._endpoints.file,
            )
            stream = self._log_stream(proxy.logs, proxy.container, spec)
        else:
            task.names = self._names.registered(spec) if self._names is not None else ()
            return
        task.admin = self._launcher.start(
            task.proxy, bootstrap(sidecar), TASK_FLUSH_MS, self._listener_to(task, stream)
        )
        self._read_ports(task, sidecar, task.admin.listeners())

    def _read_ports(self, task: Task, sidecar: Sidecar, listening: Mapping[str, int]) -> None:
        behind = {ingress.container_port: listening[ingress.name] for ingress in sidecar.ingresses}
        for ingress in sidecar.ingresses:
            if ingress.secret is None:  # a load balancer reaches an encrypted task beside its proxy
                task.ports[ingress.container_port] = listening[ingress.name]
            else:
                task.encrypted_ports[ingress.discovery_names[0]] = listening[ingress.name]
        task.egress_ports = {egress.name: listening[egress.name] for egress in sidecar.egresses}
        if task.shape.mesh_proxy is not None:
            name = mesh_proxy.host_set(task.shape.mesh_proxy.mesh, task.shape.mesh_proxy.node)
            task.hosts = tuple((name, listening[one.name]) for one in sidecar.ingresses[:1])
        else:
            task.hosts = tuple(
                (service_connect.host_set(task.spec.namespace, name), behind[port])
                for name, port in task.served.items()
            )

    def _listener_to(self, task: Task, stream: LogStream | None) -> Callable[[str], None]:
        def heard(line: str) -> None:
            if not line.startswith(MEASURE):
                if stream is not None:
                    stream.write(line)
            elif (served := read_measure(line)) is not None:
                count_at_proxy(self._task_meter, served, task.owner, task.discovery_names)

        return heard

    @staticmethod
    def _heard_at_edge(edge: Edge, line: str) -> None:
        if (served := read_measure(line)) is not None:
            edge.count(served)

    def _log_stream(self, destination: LogDestination | None, container: str, spec: TaskSpec) -> LogStream | None:
        if destination is None:
            return None
        self._attached_aws()
        assert self._shipper is not None
        return self._shipper.open(destination, container, spec.task_id)

    def _tell_calls(self, task: Task) -> None:
        with self._lock:
            calls = self._calls.get(task.spec.service, ())
        if task.is_plain:
            dialled = [(f"{call.dns_name}:{call.port}", self._answering(call, task), False) for call in calls]
            task.is_puzzled = any(port is None for _name, port, _is_grpc in dialled)
        else:
            addresses = [f"{call.dns_name}:{call.port}" for call in calls]
            by_grpc = service_connect.grpc_dialled(task.spec)
            dialled = [(address, task.egress_ports.get(address), address in by_grpc) for address in addresses]
        self._application.ask({"do": "dial", "task": task.spec.task_id, "calls": dialled})

    def _tell_plain_tasks(self, *, puzzled_only: bool = False) -> None:
        """Let tasks without a proxy look names up anew: somebody came or went, or a name was not answered yet."""
        with self._lock:
            plain = [task for task in self._tasks.values() if task.is_plain and self._calls.get(task.spec.service)]
            plain = [task for task in plain if task.is_puzzled or not puzzled_only]
        for task in plain:
            with contextlib.suppress(ChildEnded, TimeoutError):
                self._tell_calls(task)

    def _answering(self, call: Call, task: Task) -> int | None:
        """Return the loopback port that answers for what a plain task dials; one of several by turns, None for none."""
        with self._lock:
            others = sorted((one for one in self._tasks.values() if call.dns_name in one.names), key=lambda t: t.number)
        ports = [one.ports[call.port] for one in others if call.port in one.ports]
        if ports:
            return ports[task.number % len(ports)]
        balancer = self._names.balancer(call.dns_name) if self._names is not None else None
        return self._port(balancer, call.port) if balancer is not None else None

    def _abandon(self, spec: TaskSpec, proxy: str) -> None:
        self._proxies.stop(proxy)
        with contextlib.suppress(ChildEnded, TimeoutError):
            self._application.ask({"do": "remove", "task": spec.task_id})

    def _drain(self, task: Task) -> None:
        """Wait until nothing is in flight, at least as long as a proxy takes to read a file, at most five seconds."""
        end = time.monotonic() + DRAIN_AT_MOST_SECONDS
        self._stopped.wait(DRAIN_SECONDS)
        while task.admin is not None and time.monotonic() < end and not self._stopped.is_set():
            with contextlib.suppress(OSError):
                active = task.admin.stats(r"^http\..*downstream_rq_active$")
                if not any(count for name, count in active.items() if not name.startswith("http.admin.")):
                    return
            self._stopped.wait(0.1)

    # -- in the background -------------------------------------------------------------------------------------------

    def _run(self, name: str, work: Callable[[threading.Event], None]) -> None:
        thread = threading.Thread(target=work, args=(self._stopped,), name=f"data plane {name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _watch_health(self, stopped: threading.Event) -> None:
        while not stopped.wait(PROBE_SECONDS):
            with contextlib.suppress(BotoCoreError, ClientError, OSError):
                self._tell_plain_tasks(puzzled_only=True)
            with self._lock:
                ports = {arn: next(iter(t.application_ports.values()), None) for arn, t in self._tasks.items()}
            for arn, answers in health.probe(ports).items():
                with self._lock:
                    if arn in self._tasks:
                        self._tasks[arn].healthy = answers

    def _measure_presence(self) -> None:
        with self._lock:
            tasks = [task for task in self._tasks.values() if task.served]
        self._presence.measure(tasks, time.time())

    def _running(self, service: str) -> list[Task]:
        return sorted((t for t in self._tasks.values() if t.spec.service == service), key=lambda task: task.number)

    def _attached_aws(self) -> Aws:
        if self._aws is None:
            raise TaskFailed("the data plane is not attached to the emulated AWS")
        return self._aws

    def _attached_edge(self) -> Edge:
        if self._edge is None:
            raise LookupError("the data plane is not attached to the emulated AWS")
        return self._edge
