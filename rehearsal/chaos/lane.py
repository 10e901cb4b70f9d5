"""
A lane: one application of its own, and one migration of it at a time, watched to its end.

Lanes share an embedded AWS and a deployed stack, and nothing else: a lane's application is the shop under
another name. After each migration the lane is laid anew, as if green had never been.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.ecs.models import ecs_backends

from crossfade.errors import UnknownMigration
from crossfade.journal.dynamodb import DynamoDbJournal
from crossfade.journal.model import MigrationRecord
from crossfade.mesh.sources import SourceText, read_sources
from crossfade.plan.document import MigrationPlan, digest
from crossfade.plan.draw import DrawOptions, draw
from rehearsal.aws import EmbeddedAws
from rehearsal.aws.clock import clock
from rehearsal.aws.elbv2 import healthy_count
from rehearsal.aws.functions import invocations
from rehearsal.aws.registry import ACCOUNT, Call
from rehearsal.chaos.points import Kind, Place, Point, Script
from rehearsal.chaos.verdict import End, Outcome
from rehearsal.chaos.watcher import LATE_SECONDS, Track, Trap, watcher
from rehearsal.deploy import Deployer
from rehearsal.pace import Pace, quickened
from rehearsal.permits import wide_parameters

PACE = Pace(
    time_scale=60,
    climb_shares_bp=(5_000,),
    control_share_bp=9_000,
    climb_soak_seconds=60,
    bake_soak_seconds=60,
    watch_soak_seconds=60,
    settle_seconds=60,
    metric_lag_seconds=0,
    confirm_seconds=60,
    minimum_requests=20,
)
"""One minute of the plan is one second here; nothing counted comes late."""

AWS_TIME_SCALE = 15.0
"""What AWS's own periods are divided by: less, since `watch` looks at every lane in each of its minutes."""

_SHOP = Path(__file__).resolve().parents[2] / "examples" / "shop"
_RUNNING = "RUNNING"
_LOOK_SECONDS = 0.1
_OVERDUE_SECONDS = 60  # a machine that is busy with other things is no fault of the product's
_GUARDS_TRY_FOR = 15.0  # a guard that failed is run again after one second, and after two more
_LONGEST = 240.0
_STALL_AT_MOST = 25.0  # a function may run for thirty seconds
_AFTERMATH = 0.4


@dataclass(frozen=True)
class Stack:
    """The product as deployed: its outputs, and what its functions are called."""

    outputs: Mapping[str, str]
    physical: Mapping[str, str]


def deploy_product(deployer: Deployer, template: Path, name: str) -> Stack:
    """Deploy the product and let the watcher know its functions. All lanes share its functions, so none is reserved."""
    outputs = deployer.deploy_sam(template, name, {"ReservedConcurrency": 0, **wide_parameters()})
    physical = deployer.describe(name)
    watcher.functions.update({value: logical for logical, value in physical.items()})
    return Stack(outputs, physical)


@dataclass(frozen=True)
class Tried:
    """What became of a point: whether its fault fired at all, how the migration ended, what was unsafe."""

    outcome: Outcome
    fired: bool
    places: tuple[Place, ...]


class Lane:
    """One application beside others, and its migrations, one at a time."""

    def __init__(self, aws: EmbeddedAws, deployer: Deployer, stack: Stack, name: str) -> None:
        self.name = name
        self.green_fails = False
        self.rings = False
        self.last_reason = ""
        self.track: Track | None = None
        self._aws = aws
        self._stack = stack
        self.plan = _deploy(deployer, name)
        self.journal = DynamoDbJournal(aws.client("dynamodb"), stack.outputs["JournalTable"])
        rule = self.plan.edges[0].rules[0]
        balancing = aws.client("elbv2")
        balancer = balancing.describe_load_balancers(Names=[rule.load_balancer])["LoadBalancers"][0]
        self.balancer_arn: str = balancer["LoadBalancerArn"]
        listener = balancing.describe_listeners(LoadBalancerArn=self.balancer_arn)["Listeners"][0]
        self._listener_arn: str = listener["ListenerArn"]
        self._found: Any = listener["DefaultActions"]
        self.blue_arn: str = self._found[0]["ForwardConfig"]["TargetGroups"][0]["TargetGroupArn"]
        self._blue = self._blue_services()
        self._tries = 0
        self.migration = name

    # -- one migration ------------------------------------------------------

    def try_point(self, script: Script, point: Point | None) -> Tried:
        """Migrate, with this fault if one is given, until nothing moves any more; then lay the lane anew."""
        trap = Trap(point) if point else None
        track = Track(script, trap=trap, stall=self._stall, held=self._held, restore=self._restore)
        track.arns["blue"] = self.blue_arn
        self.track = watcher.tracks[self.name] = track
        self.green_fails = self.rings = False
        try:
            outcome = self._play(track)
            return Tried(outcome, fired=trap is None or trap.fired, places=tuple(track.places))
        finally:
            self.track = None
            self.rings = False
            watcher.tracks.pop(self.name, None)
            self._lay_anew()

    def _play(self, track: Track) -> Outcome:
        deadline = clock.monotonic() + _LONGEST
        migrate = self._start()
        self._drive(track, migrate, deadline)
        self._wait_until_quiet(track, deadline)
        end = self._end(track, migrate)
        if end is End.COMPLETED and track.script is Script.ALARMED:  # it rings on; what is slow may hear it later
            self._until(lambda: self._end(track, migrate) is End.ROLLED_BACK, _GUARDS_TRY_FOR)
            self._wait_until_quiet(track, deadline)
            end = self._end(track, migrate)
        if end is End.STUCK:
            self._until(
                lambda: not self._is_quiet(track) or self._end(track, migrate) is not End.STUCK, _GUARDS_TRY_FOR
            )
            self._wait_until_quiet(track, deadline)
            end = self._end(track, migrate)
        if end is End.STUCK:
            self._roll_back_by_hand()
            clock.sleep(_LOOK_SECONDS)
            self._wait_until_quiet(track, clock.monotonic() + _LONGEST / 2)
            end = End.BY_HAND if self._end(track, migrate) is End.ROLLED_BACK else End.STUCK
        changes = len(track.changes)
        late = track.trap is not None and track.trap.point.kind in {Kind.EVENT_LATE, Kind.STALLED}
        clock.sleep(LATE_SECONDS if late else _AFTERMATH)
        self._wait_until_quiet(track, clock.monotonic() + _LONGEST / 2)
        if late:
            end = _after_late(end, self._end(track, migrate))
        return self._outcome(track, end, late_changes=0 if late else len(track.changes) - changes)

    def _drive(self, track: Track, migrate: str, deadline: float) -> None:
        """Do to the migration what its script says, once green holds half."""
        if track.script is Script.CLIMB:
            return
        left = max(0.0, deadline - clock.monotonic())
        self._until(lambda: self._green_percent() >= 50 or self._is_over(track, migrate), left)  # noqa: PLR2004
        if track.script is Script.JUDGED:
            self.green_fails = True
        elif track.script is Script.STOPPED:
            self._aws.client("stepfunctions").stop_execution(executionArn=migrate)
        elif track.script is Script.ALARMED:
            self.rings = True

    def _is_over(self, track: Track, migrate: str) -> bool:
        found = track.executions.get(migrate)
        return found is not None and found.status != _RUNNING

    def _start(self) -> str:
        self._tries += 1
        self.migration = f"{self.name}-{self._tries}"
        plan = self.plan.model_copy(update={"migration": self.migration})
        document, bucket = plan.to_json(), self._stack.outputs["PlanBucket"]
        stored = self._aws.client("s3").put_object(Bucket=bucket, Key=f"{self.name}.json", Body=document.encode())
        stored_plan = {
            "bucket": bucket,
            "key": f"{self.name}.json",
            "version": stored["VersionId"],
            "sha256": digest(document),
        }
        started = self._aws.client("stepfunctions").start_execution(
            stateMachineArn=self._stack.outputs["MigrateArn"],
            name=self.migration,
            input=json.dumps({"migration": self.migration, "plan": stored_plan}),
        )
        return str(started["executionArn"])

    def _roll_back_by_hand(self) -> None:
        self._aws.client("stepfunctions").start_execution(
            stateMachineArn=self._stack.outputs["RollBackArn"], input=json.dumps({"migration": self.migration})
        )

    # -- looking ------------------------------------------------------------

    def _record(self) -> MigrationRecord | None:
        try:
            return self.journal.read(self.migration)
        except UnknownMigration:
            return None

    def _end(self, track: Track, migrate: str) -> End:
        record, execution = self._record(), track.executions.get(migrate)
        phase = str(record.phase) if record else "none"
        status = execution.status if execution else _RUNNING
        if phase == "rolled_back":
            return End.ROLLED_BACK
        if phase == "none" and status != "SUCCEEDED":
            return End.REFUSED
        if phase == "watching" and status == "SUCCEEDED":
            return End.COMPLETED
        return End.STUCK

    def _is_quiet(self, track: Track) -> bool:
        with track.lock:
            running = any(execution.status == _RUNNING for execution in track.executions.values())
        return bool(track.executions) and not running and not self._is_served()

    def _is_served(self) -> bool:
        return any(f'{self.name}"' in text or f"{self.name}-" in text for text in map(_text, invocations()))

    def _wait_until_quiet(self, track: Track, deadline: float) -> None:
        still = 0
        while clock.monotonic() < deadline and still < 3:  # noqa: PLR2004  an event may be on its way to a guard
            clock.sleep(_LOOK_SECONDS)
            still = still + 1 if self._is_quiet(track) else 0

    def _until(self, holds: Callable[[], bool], seconds: float) -> None:
        deadline = clock.monotonic() + seconds
        while clock.monotonic() < deadline and not holds():
            clock.sleep(_LOOK_SECONDS)

    def _green_percent(self) -> float:
        changes = self.track.changes if self.track else []
        return 100 * changes[-1].green / (changes[-1].green + changes[-1].blue or 1) if changes else 0.0

    def _outcome(self, track: Track, end: End, *, late_changes: int) -> Outcome:
        record = self._record()
        self.last_reason = (record.reason if record else "") or ""
        entries = self.journal.entries(self.migration)
        intents = [
            entry.detail["asked_bp"] / 100 for entry in entries if entry.kind == "intent" and entry.what == "shift"
        ]
        with track.lock:
            running = [arn for arn, execution in track.executions.items() if execution.status == _RUNNING]
            changes = tuple(track.changes)
        return Outcome(
            end=end,
            phase=str(record.phase) if record else "none",
            changes=changes,
            late_changes=late_changes,
            healthy=(healthy_count(self.blue_arn), healthy_count(track.arns.get("green", ""))),
            blue=[
                f"{name}: {self._blue[name]} became {now}"
                for name, now in self._blue_services().items()
                if now != self._blue[name]
            ],
            running=running,
            intents=intents,
            may_need_hand=_may_need_hand(track.trap.point if track.trap else None),
            troubles=self._aws.troubles,
        )

    def _blue_services(self) -> dict[str, str]:
        names = [service.blue.service_name for service in self.plan.services]
        found = self._aws.client("ecs").describe_services(cluster=self.plan.cluster, services=names)["services"]
        return {
            service[
                "serviceName"
            ]: f"{service['desiredCount']} of {service['taskDefinition']}, {service['runningCount']} "
            f"running in {[deployment['id'] for deployment in service['deployments']]}"
            for service in found
        }

    # -- faults that need a lane ---------------------------------------------

    def _stall(self) -> None:
        """Roll the migration back by hand while a call is stalled."""

        def is_back() -> bool:
            record = self._record()
            return record is not None and str(record.phase) == "rolled_back"

        with clock.on_behalf():
            self._roll_back_by_hand()
            self._until(is_back, _STALL_AT_MOST)

    def _held(self, _: Call) -> Any:
        found = self._aws.client("elbv2").describe_listeners(ListenerArns=[self._listener_arn])
        return found["Listeners"][0]["DefaultActions"]

    def _restore(self, _: Call, actions: Any) -> None:
        self._aws.client("elbv2").modify_listener(ListenerArn=self._listener_arn, DefaultActions=actions)

    # -- laying anew ----------------------------------------------------------

    def _lay_anew(self) -> None:
        """Make the account what it was before the migration: green, its journal and its names are gone."""
        client = self._aws.client
        client("elbv2").modify_listener(ListenerArn=self._listener_arn, DefaultActions=self._found)
        names = [service.green.service_name for service in self.plan.services]
        found = client("ecs").describe_services(cluster=self.plan.cluster, services=names)["services"]
        for service in found:
            if service["status"] == "ACTIVE":
                client("ecs").delete_service(cluster=self.plan.cluster, service=service["serviceName"], force=True)
        self._until(lambda: not self._green_is_left(names), 10)
        for alarm in self.plan.alarms:
            client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="the migration is over")
        for group in client("elbv2").describe_target_groups()["TargetGroups"]:
            if group["TargetGroupName"] in {edge.green.name for edge in self.plan.edges}:
                client("elbv2").delete_target_group(TargetGroupArn=group["TargetGroupArn"])
        for planned in self.plan.services:  # by hand: moto finds a deregistered one by its family, AWS does not
            ecs_backends[ACCOUNT][self._aws.region].task_definitions.pop(planned.green.task_definition.family, None)
        self._remove_namespace()
        groups = client("logs").describe_log_groups(logGroupNamePrefix=self.plan.proxy_logs.group)["logGroups"]
        for group in groups:
            client("logs").delete_log_group(logGroupName=group["logGroupName"])
        self._wipe_journal()

    def _green_is_left(self, names: list[str]) -> bool:
        found = self._aws.client("ecs").describe_services(cluster=self.plan.cluster, services=names)["services"]
        return any(service["status"] != "INACTIVE" for service in found)

    def _remove_namespace(self) -> None:
        names = self._aws.client("servicediscovery")
        for namespace in names.list_namespaces()["Namespaces"]:
            if namespace["Name"] != self.plan.namespace.name:
                continue
            within = [{"Name": "NAMESPACE_ID", "Values": [namespace["Id"]], "Condition": "EQ"}]
            for service in names.list_services(Filters=within)["Services"]:
                for instance in names.list_instances(ServiceId=service["Id"])["Instances"]:
                    names.deregister_instance(ServiceId=service["Id"], InstanceId=instance["Id"])
                names.delete_service(Id=service["Id"])
            names.delete_namespace(Id=namespace["Id"])

    def _wipe_journal(self) -> None:
        table, tables = self._stack.outputs["JournalTable"], self._aws.client("dynamodb")
        for page in tables.get_paginator("scan").paginate(TableName=table):
            for item in page["Items"]:
                text = json.dumps(item, default=str)
                if f"{self.name}/" in text or f'{self.name}"' in text or f"{self.name}-" in text:
                    tables.delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})


def _after_late(end: End, later: End) -> End:
    return end if later is End.ROLLED_BACK and end is End.BY_HAND else later


def _text(invocation: Any) -> str:
    return json.dumps(invocation.event)


def _may_need_hand(point: Point | None) -> bool:
    """Say whether the runbook's answer to a fault is that an operator starts `roll_back`."""
    if point is None:
        return False
    if point.kind is Kind.STOPPED:
        return point.place.phase == "roll_back"  # whoever stops the way back must start it again
    return point.kind in {Kind.EVENT_LOST, Kind.STALLED}


def _deploy(deployer: Deployer, name: str) -> MigrationPlan:
    """Deploy the shop under another name as blue, and return its plan at our pace."""
    texts = []
    with tempfile.TemporaryDirectory() as folder:
        for part in ("mesh", "services"):
            path = Path(folder) / f"{part}.yaml"
            path.write_text((_SHOP / path.name).read_text("utf-8").replace("shop", name), "utf-8")
            texts.append(SourceText(path=path.name, text=path.read_text("utf-8")))
            deployer.deploy(path, f"{name}-{part}")
    now = clock.now().replace(microsecond=0)
    plan = draw(read_sources(texts, {}), DrawOptions(), now, sources=[text.file() for text in texts], drawn_by="chaos")
    quick = quickened(plan, PACE)
    return quick.model_copy(update={"timings": quick.timings.model_copy(update={"overdue_seconds": _OVERDUE_SECONDS})})
