"""
The way of the emulated ECS from what runs to what shall run.

A `Fleet` holds one region. Whatever happens to it ends in `reconcile`, which starts and stops tasks within the
deployment's percentages, trips the circuit breaker, and calls a deployment completed when its tasks run, are healthy
and are the only ones. Tasks are started and stopped by the `TaskRuntime` on background threads.

Source: Amazon ECS developer guide, "Amazon ECS deployment circuit breaker", "Task lifecycle", "Amazon ECS events".
"""

from __future__ import annotations

import itertools
import math
import random
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from rehearsal.aws import elbv2
from rehearsal.aws.clock import clock, later, soon
from rehearsal.aws.ecs_dialled import discovery_name, names_of, port_mapping
from rehearsal.aws.ecs_model import (
    BREAKER_BOUNDS,
    Deployment,
    Namespace,
    Service,
    Task,
    breaker_threshold,
    patience_seconds,
)
from rehearsal.aws.ecs_told import act, roll, tell
from rehearsal.aws.registry import ACCOUNT
from rehearsal.aws.runtime import NamespaceEndpoint, StillRuntime, TaskFailed, TaskPlacement, TaskRuntime, TaskSpec

MOST_DRAIN_SECONDS: Final = 0.5  # however long a target group drains, a rehearsal does not wait longer
MOST_BACKOFF_SECONDS: Final = 5.0
_BY_SERVICE: Final = "ServiceSchedulerInitiated"
_order = itertools.count()


@dataclass(slots=True)
class _Ground:
    runtime: TaskRuntime = field(default_factory=StillRuntime)


_ground = _Ground()


def run_tasks_with(runtime: TaskRuntime) -> None:
    """Let this runtime run the tasks from now on."""
    _ground.runtime = runtime


class Fleet:
    """
    The services of one region. Every method takes the lock itself; `lock` is for those who read several at once.

    A closed fleet (after a reset) starts nothing and stops what still comes up.
    """

    def __init__(self, region: str) -> None:
        self.region = region
        self.lock = threading.RLock()
        self.services: dict[tuple[str, str], Service] = {}
        self.closed = False

    # -- what shall be --------------------------------------------------------

    def deploy(
        self,
        service: Service,
        *,
        task_definition: Mapping[str, Any],
        settings: Mapping[str, Any],
        service_connect: Mapping[str, Any] | None,
        namespace: Namespace | None,
        rollback_of: Deployment | None = None,
    ) -> Deployment:
        """Make a new primary deployment; the one before stays active until its tasks are gone."""
        now = clock.now()
        number = random.randint(10**18, 10**19)
        base = f"arn:aws:ecs:{service.region}:{ACCOUNT}"
        deployment = Deployment(
            id=f"ecs-svc/{number}",
            arn=f"{base}:service-deployment/{service.cluster}/{service.name}/{uuid.uuid4().hex[:21]}",
            revision_arn=f"{base}:service-revision/{service.cluster}/{service.name}/{number}",
            task_definition=task_definition,
            settings=dict(settings),
            service_connect=service_connect,
            namespace=namespace,
            created_at=now,
            updated_at=now,
            rollback_of=rollback_of,
        )
        with self.lock:
            for older in service.deployments:
                older.primary = False
            service.deployments.insert(0, deployment)
            service.past.insert(0, deployment)
            reason = f"ECS deployment {deployment.id} in progress."
            if rollback_of is not None:
                reason = f"ECS deployment circuit breaker: rolling back to deploymentId {deployment.id}."
            roll(service, deployment, "IN_PROGRESS", reason)
            self.reconcile(service)
        return deployment

    def scale(self, service: Service, desired: int) -> None:
        """Change how many tasks shall run; starts no deployment."""
        with self.lock:
            service.desired = desired
            self.reconcile(service)

    def drain(self, service: Service) -> None:
        """Stop a service for good: DRAINING until its last task is gone, then INACTIVE."""
        with self.lock:
            service.status, service.desired = "DRAINING", 0
            self.reconcile(service)

    def stop_task(self, task: Task, reason: str, code: str = "UserInitiated") -> None:
        """Stop one task; the service starts another in its place."""
        with self.lock:
            self._stop(task, reason, code)
            self.reconcile(task.service)

    def close(self) -> None:
        """Stop every task and start no more."""
        with self.lock:
            self.closed = True
            tasks = [task for service in self.services.values() for task in service.tasks if task.status != "STOPPED"]
            self.services.clear()
        for task in tasks:
            _ground.runtime.stop(task.arn)

    # -- the way there --------------------------------------------------------

    def reconcile(self, service: Service) -> None:
        """Bring a service one step nearer to what it shall be; safe to call at any time, any number of times."""
        with self.lock:
            if self.closed or service.status == "INACTIVE":
                return
            if service.status == "DRAINING":
                self._wind_down(service)
                return
            self._stop_surplus(service)
            self._stop_superseded(service)
            self._start_missing(service)
            service.deployments[1:] = [
                older
                for older in service.deployments[1:]
                if any(task.deployment is older and task.status != "STOPPED" for task in service.tasks)
            ]
            self._complete(service)

    def _wind_down(self, service: Service) -> None:
        for task in service.live():
            self._stop(task, f"Service {service.name} was deleted", "ServiceSchedulerInitiated")
        if all(task.status == "STOPPED" for task in service.tasks):
            service.status = "INACTIVE"
            service.deployments.clear()

    def _start_missing(self, service: Service) -> None:
        primary = service.primary
        most = math.floor(service.desired * _percent(service, "maximumPercent") / 100)
        room = max(most, service.desired if len(service.deployments) == 1 else 1) - len(service.live())
        missing = service.desired - len(service.live(primary))
        if primary.halted or clock.monotonic() < primary.not_before:
            return
        for _ in range(min(room, missing)):
            self._launch(service, primary)

    def _stop_surplus(self, service: Service) -> None:
        mine = service.live(service.primary)
        surplus = len(mine) - service.desired
        free = [task for task in mine if not task.protected]
        free.sort(key=lambda task: (task.ready, -task.order))
        for task in free[: max(0, surplus)]:
            self._stop(task, f"Scaling activity initiated by (deployment {task.deployment.id})", _BY_SERVICE)

    def _stop_superseded(self, service: Service) -> None:
        least = math.ceil(service.desired * _percent(service, "minimumHealthyPercent") / 100)
        ready = sum(task.ready for task in service.live())
        old = [task for task in service.live() if task.deployment is not service.primary and not task.protected]
        for task in sorted(old, key=lambda each: (each.ready, each.order)):
            if task.ready and ready <= least:
                return
            ready -= task.ready
            self._stop(task, f"Scaling activity initiated by (deployment {service.primary.id})", _BY_SERVICE)

    def _complete(self, service: Service) -> None:
        primary = service.primary
        mine = service.live(primary)
        if primary.state != "IN_PROGRESS" or len(service.deployments) > 1 or len(mine) != service.desired:
            return
        if all(task.ready for task in mine):
            primary.finished_at = clock.now()
            service.say(f"(deployment {primary.id}) deployment completed.")
            service.say("has reached a steady state.")
            roll(service, primary, "COMPLETED", f"ECS deployment {primary.id} completed.")
            act(service, "INFO", "SERVICE_STEADY_STATE")

    def _fail(self, service: Service, deployment: Deployment, why: str) -> None:
        """Count a task that failed, and trip the circuit breaker when there were too many."""
        deployment.failed_tasks += 1
        deployment.failures += 1
        wait = min(0.1 * 2 ** min(deployment.failures, 10), MOST_BACKOFF_SECONDS)
        deployment.not_before = clock.monotonic() + wait
        later(wait, lambda: self.reconcile(service))
        service.say(f"was unable to keep a task running: {why}")
        breaker = service.settings["deploymentConfiguration"].get("deploymentCircuitBreaker", {})
        if deployment.state != "IN_PROGRESS" or not deployment.primary or not breaker.get("enable"):
            if deployment.failures == BREAKER_BOUNDS[0]:
                act(service, "WARN", "SERVICE_TASK_START_IMPAIRED")
            return
        if deployment.failures < breaker_threshold(service):
            return
        deployment.halted = True
        deployment.finished_at = clock.now()
        service.say(f"(deployment {deployment.id}) deployment failed: tasks failed to start.")
        roll(service, deployment, "FAILED", "ECS deployment circuit breaker: task failed to start.")
        good = next((older for older in service.past if older.state == "COMPLETED"), None)
        if breaker.get("rollback") and good is not None:
            self.deploy(
                service,
                task_definition=good.task_definition,
                settings=good.settings,
                service_connect=good.service_connect,
                namespace=good.namespace,
                rollback_of=deployment,
            )

    # -- tasks ----------------------------------------------------------------

    def _launch(self, service: Service, deployment: Deployment) -> None:
        identity = uuid.uuid4().hex
        namespace = deployment.namespace
        order = next(_order)
        task = Task(
            arn=f"arn:aws:ecs:{service.region}:{ACCOUNT}:task/{service.cluster}/{identity}",
            id=identity,
            service=service,
            deployment=deployment,
            zone=f"{service.region}{'abc'[order % 3]}",
            created_at=clock.now(),
            order=order,
            proxy=f"ecs-service-connect-{identity[:5]}" if namespace else None,
        )
        service.tasks.append(task)
        service.say(f"has started 1 tasks: (task {identity}).")
        tell(task)
        spec = TaskSpec(
            task_arn=task.arn,
            task_id=identity,
            cluster=service.cluster,
            service=service.name,
            task_definition=deployment.task_definition,
            service_connect=deployment.service_connect,
            endpoints=tuple(self.endpoints(namespace.arn)) if namespace else (),
            namespace=namespace.name if namespace else None,
        )
        soon(lambda: self._bring_up(task, spec))

    def _bring_up(self, task: Task, spec: TaskSpec) -> None:
        with self.lock:
            if self.closed or task.unwanted:
                self._gone(task)
                return
            self._become(task, "PENDING")
        try:
            placement = _ground.runtime.start(spec)
        except TaskFailed as failed:
            with self.lock:
                task.stop_code, task.stopped_reason = "TaskFailedToStart", failed.reason
                task.desired = "STOPPED"
                task.stopping_at = clock.now()
                self._gone(task)
                self._fail(task.service, task.deployment, failed.reason)
                self.reconcile(task.service)
            return
        with self.lock:
            unwanted = self.closed or task.unwanted
            task.placement = placement
            if not unwanted:
                task.started_at = clock.now()
                self._register(task, placement)
                self._become(task, "RUNNING")
                self._look_at(task, alive=_ground.runtime.healthy(task.arn))
                self.reconcile(task.service)
        if unwanted:
            _ground.runtime.stop(task.arn)
            with self.lock:
                self._gone(task)

    def _register(self, task: Task, placement: TaskPlacement) -> None:
        for balancer in task.service.settings.get("loadBalancers", []):
            port = placement.ports.get(balancer["containerPort"], balancer["containerPort"])
            arn = balancer["targetGroupArn"]
            task.targets.append((arn, placement.ip, port))
            elbv2.register(arn, placement.ip, port, lambda: _ground.runtime.healthy(task.arn))
            task.service.say(f"registered 1 targets in (target-group {arn})")

    def _stop(self, task: Task, reason: str, code: str) -> None:
        if task.desired == "STOPPED":
            return
        task.desired, task.stopped_reason, task.stop_code = "STOPPED", reason, code
        task.stopping_at = clock.now()
        if task.status != "RUNNING":
            return  # it is on its way up: whoever brings it up takes it down again
        self._become(task, "DEACTIVATING")
        task.service.say(f"has stopped 1 running tasks: (task {task.id}).")
        delay = 0.0
        for arn, ip, port in task.targets:
            elbv2.drain(arn, ip, port)
            delay = max(delay, elbv2.deregistration_delay(arn, self.region))
        later(min(delay, MOST_DRAIN_SECONDS), lambda: self._take_down(task))

    def _take_down(self, task: Task) -> None:
        with self.lock:
            self._become(task, "STOPPING")
        _ground.runtime.stop(task.arn)
        with self.lock:
            self._gone(task)
            self.reconcile(task.service)

    def _gone(self, task: Task) -> None:
        for target in task.targets:
            elbv2.remove(*target)
        task.targets.clear()
        task.stopped_at = clock.now()
        self._become(task, "STOPPED")

    def _become(self, task: Task, status: str) -> None:
        task.status = status
        task.version += 1
        tell(task)

    # -- health ---------------------------------------------------------------

    def look_after(self) -> None:
        """Ask the runtime about every running task, and replace the tasks that stay unhealthy."""
        with self.lock:
            running = [task for each in self.services.values() for task in each.live() if task.status == "RUNNING"]
        answers = [(task, _ground.runtime.healthy(task.arn)) for task in running]
        with self.lock:
            for task, alive in answers:
                if task.status == "RUNNING" and not self.closed:
                    self._look_at(task, alive=alive)
            for service in {task.service.arn: task.service for task in running}.values():
                self.reconcile(service)

    def _look_at(self, task: Task, *, alive: bool) -> None:
        now = clock.monotonic()
        if alive:
            task.sick_since = None
            if task.reports_health and task.health != "HEALTHY":
                task.health = "HEALTHY"
                task.version += 1
                tell(task)
            if task.deployment.failures and task.ready:
                task.deployment.failures = 0
            return
        if task.sick_since is None:
            task.sick_since = now
        if task.reports_health and now - task.sick_since >= patience_seconds(task):
            task.health = "UNHEALTHY"
            task.version += 1
            self._replace(task, "Task failed container health checks")
        elif self._past_grace(task) and any(elbv2.health_of(*target) == "unhealthy" for target in task.targets):
            [group, *_] = [target[0] for target in task.targets]
            self._replace(task, f"Task failed ELB health checks in (target-group {group})")

    def _replace(self, task: Task, why: str) -> None:
        self._stop(task, why, _BY_SERVICE)
        self._fail(task.service, task.deployment, why)

    def _past_grace(self, task: Task) -> bool:
        grace = task.service.settings.get("healthCheckGracePeriodSeconds", 0) / clock.time_scale
        return task.started_at is not None and clock.now() - task.started_at >= timedelta(seconds=grace)

    # -- Service Connect ------------------------------------------------------

    def connected(self, namespace_arn: str) -> Iterator[tuple[Service, Namespace, Mapping[str, Any]]]:
        """Walk the Service Connect entries of a namespace, with the service that declares each."""
        with self.lock:
            for service in self.services.values():
                if service.status != "ACTIVE" or not service.deployments:
                    continue
                primary = service.primary
                if primary.namespace is not None and primary.namespace.arn == namespace_arn:
                    for entry in (primary.service_connect or {}).get("services", []):
                        yield service, primary.namespace, entry

    def endpoints(self, namespace_arn: str) -> Iterator[NamespaceEndpoint]:
        """Answer every name a client in the namespace can dial now."""
        for service, namespace, entry in self.connected(namespace_arn):
            mapping = port_mapping(service.primary.task_definition, entry["portName"])
            for name, port in names_of(entry, namespace.name, mapping) if mapping else ():
                yield NamespaceEndpoint(
                    discovery_name=discovery_name(entry),
                    dns_name=name,
                    port=port,
                    app_protocol=mapping.get("appProtocol") if mapping else None,
                    timeout=dict(entry.get("timeout", {})),
                    service=service.name,
                    port_name=entry["portName"],
                    container_port=mapping["containerPort"] if mapping else port,
                    authority=entry.get("tls", {}).get("issuerCertificateAuthority", {}).get("awsPcaAuthorityArn"),
                )


def _percent(service: Service, member: str) -> float:
    return float(service.settings["deploymentConfiguration"][member])
