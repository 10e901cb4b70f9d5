"""
A lane: one application of its own, and one migration of it at a time, watched to its end.

Lanes share an embedded AWS and a deployed stack, and nothing else: a lane's application is the shop under
another name. After each migration the lane is laid anew, as if green had never been.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossfade.errors import UnknownMigration
from crossfade.journal.dynamodb import DynamoDbJournal
from crossfade.journal.model import MigrationRecord
from crossfade.plan.document import MigrationPlan, digest
from crossfade.plan.services import ServicePlan
from crossfade.rollout.watching import DYING_TASKS
from rehearsal.aws import EmbeddedAws
from rehearsal.aws.clock import clock
from rehearsal.aws.ecs_fleets import let_exit
from rehearsal.aws.functions import invocations
from rehearsal.chaos.application import Laid
from rehearsal.chaos.operator import Operator
from rehearsal.chaos.points import Kind, Place, Point, Script
from rehearsal.chaos.sweeper import Sweeper
from rehearsal.chaos.verdict import End, Outcome
from rehearsal.chaos.watcher import LATE_SECONDS, Track, Trap, watcher
from rehearsal.deploy import Deployer
from rehearsal.permits import stack_parameters

AWS_TIME_SCALE = 10.0
"""What AWS's own periods are divided by: less than the plan's, since `watch` looks in each of its minutes."""

_RUNNING = "RUNNING"
_LOOK_SECONDS = 0.25
_A_SHARE = 10  # percent: green is on its way
_SEEN = 3  # looks at a green that is held
_WATCHED_FOR = 120.0  # a guard that failed is run again soon; `watch` finds what nobody was told of
_LONGEST = 240.0
_STALL_AT_MOST = 25.0  # a function may run for thirty seconds
_AFTERMATH = 0.5
_ALARMS_LOOK_BACK = 45.0  # seconds: the period, two more that are looked at where it has no data, and the lag


@dataclass(frozen=True)
class Stack:
    """The product as deployed: its outputs, and what its functions are called."""

    outputs: Mapping[str, str]
    physical: Mapping[str, str]


def deploy_product(deployer: Deployer, template: Path, name: str, plans: Sequence[MigrationPlan]) -> Stack:
    """Deploy the product for these plans, and let the watcher know its functions; all lanes share them."""
    outputs = deployer.deploy_sam(template, name, {"ReservedConcurrency": 0, **stack_parameters(*plans)})
    physical = deployer.describe(name)
    watcher.functions.update({value: logical for logical, value in physical.items()})
    return Stack(outputs, physical)


@dataclass(frozen=True)
class Tried:
    """What became of points: how many of their faults fired, how the migration ended, what was unsafe."""

    outcome: Outcome
    fired: int
    places: tuple[Place, ...]


class Lane:
    """One application beside others, and its migrations, one at a time."""

    def __init__(self, aws: EmbeddedAws, stack: Stack, laid: Laid) -> None:
        self.name = laid.name
        self.edge = laid.edge
        self.green_fails = False
        self.rings = False
        self.last_reason = ""
        self.track: Track | None = None
        self._aws = aws
        self._stack = stack
        self._laid = laid
        self.plan = laid.plan
        self.journal = DynamoDbJournal(aws.client("dynamodb"), stack.outputs["JournalTable"])
        self._sweeper = Sweeper(aws, laid, stack.outputs["JournalTable"])
        self._operator = Operator(aws, stack.outputs, self.journal)
        self._blue = self._blue_services()
        self._tries = 0
        self.migration = self.name

    # -- one migration ------------------------------------------------------

    def try_points(self, script: Script, points: Sequence[Point] = ()) -> Tried:
        """Migrate, with these faults if any are given, until nothing moves any more; then lay the lane anew."""
        traps = tuple(Trap(point) for point in points)
        track = Track(
            script,
            traps=traps,
            stall=self._stall,
            held=self.edge.divider.held,
            restore=self.edge.divider.put_back,
            given=self.edge.divider.given,
            healthy=self.edge.healthy,
        )
        self.track = watcher.tracks[self.name] = track
        self.green_fails = self.rings = False
        try:
            outcome = self._play(track)
            return Tried(outcome, fired=sum(trap.fired for trap in traps), places=tuple(track.places))
        finally:
            self.track = None
            watcher.tracks.pop(self.name, None)
            if self.rings:
                self.rings = False
                clock.sleep(_ALARMS_LOOK_BACK)
            self._sweeper.lay_anew()

    def _play(self, track: Track) -> Outcome:
        deadline = clock.monotonic() + _LONGEST
        migrate = self._start(track.script)
        self._drive(track, migrate, deadline)
        self._wait_until_quiet(track, deadline)
        end = self._end(track, migrate)
        if end is End.COMPLETED and track.script is Script.ALARMED:  # it rings on; what is slow may hear it later
            end = self._end_within(_WATCHED_FOR, track, migrate, lambda now: now is End.ROLLED_BACK)
        if end is End.STUCK:
            end = self._end_within(_WATCHED_FOR, track, migrate, lambda now: now is not End.STUCK)
        if end is End.STUCK:
            end = self._end_by_hand(track, migrate)
        changes = len(track.changes)
        late = any(trap.point.kind in {Kind.EVENT_LATE, Kind.STALLED} for trap in track.traps)
        clock.sleep(LATE_SECONDS if late else _AFTERMATH)
        self._wait_until_quiet(track, clock.monotonic() + _LONGEST / 2)
        if late:
            end = _after_late(end, self._end(track, migrate))
        return self._outcome(track, end, late_changes=0 if late else len(track.changes) - changes)

    def _end_by_hand(self, track: Track, migrate: str) -> End:
        """Do what the runbook says, as often as a fault may still lie in wait for it."""
        end = End.STUCK
        for _ in track.traps or (None,):
            self._by_hand()
            clock.sleep(_LOOK_SECONDS)
            self._wait_until_quiet(track, clock.monotonic() + _LONGEST / 2)
            end = self._end(track, migrate)
            if end is not End.STUCK:
                break
        return End.BY_HAND if end in {End.ROLLED_BACK, End.RETIRED} else end

    def _end_within(self, seconds: float, track: Track, migrate: str, holds: Callable[[End], bool]) -> End:
        until = clock.monotonic() + seconds
        while clock.monotonic() < until and not holds(self._end(track, migrate)):
            clock.sleep(_LOOK_SECONDS)
        self._wait_until_quiet(track, clock.monotonic() + _LONGEST / 2)
        return self._end(track, migrate)

    def _drive(self, track: Track, migrate: str, deadline: float) -> None:
        """Do to the migration what its script says."""

        def is_over() -> bool:
            found = track.executions.get(migrate)
            return found is not None and found.status != _RUNNING

        def until(holds: Callable[[], bool]) -> bool:
            self._until(lambda: holds() or is_over(), max(0.0, deadline - clock.monotonic()))
            return not is_over()

        match track.script:
            case Script.HELD:
                self._hold_for_a_while(until)
            case Script.DYING:
                self._let_green_die(until)
            case Script.LOST:
                if until(lambda: self._green_percent() >= _A_SHARE):
                    let_exit(self._aws.region, self.plan.cluster, self._served().blue.service_name)
            case Script.ALLOWED | Script.REJECTED:
                self._answer(is_over, deadline, second=track.script is Script.ALLOWED)
            case Script.RETIRED:
                until(lambda: False)
                self._wait_until_quiet(track, deadline)
                if self._end(track, migrate) is End.COMPLETED:
                    clock.sleep(self.plan.retirement.parked_seconds + self.plan.retirement.quiet_seconds + 5)
                    self._operator.retire(self.migration)
                    self._until(lambda: self._end(track, migrate) is End.RETIRED and not self._blue_is_left(), 60)
                    clock.sleep(LATE_SECONDS)  # who drained tells of it
            case Script.JUDGED | Script.ALARMED | Script.STOPPED | Script.ABORTED:
                until(lambda: self._green_percent() >= _A_SHARE)
                self._spoil(track.script, migrate)

    def _spoil(self, script: Script, migrate: str) -> None:
        match script:
            case Script.JUDGED:
                self.green_fails = True
            case Script.ALARMED:
                self.rings = True
            case Script.STOPPED:
                self._operator.stop(migrate)
            case _:
                self._operator.abort(self.migration)

    def _hold_for_a_while(self, until: Callable[[Callable[[], bool]], bool]) -> None:
        name = self.migration
        if until(lambda: self._operator.hold(name)):
            until(lambda: self._green_percent() >= _A_SHARE and self._operator.looks(name) >= _SEEN)
            clock.sleep(1)
            self._operator.resume(name)

    def _let_green_die(self, until: Callable[[Callable[[], bool]], bool]) -> None:
        """Hold it, and let tasks of green end of their own, one at a time, until that is no accident."""
        name, green = self.migration, self._served().green.service_name
        if not until(lambda: self._operator.hold(name)):
            return
        if until(lambda: self._green_percent() >= _A_SHARE):
            for _ in range(DYING_TASKS):
                let_exit(self._aws.region, self.plan.cluster, green)
                until(lambda: self._runs_all(green))

    def _served(self) -> ServicePlan:
        """Return the service at the edge."""
        return self.plan.service(self.plan.edges[0].service)

    def _runs_all(self, service: str) -> bool:
        found = self._aws.client("ecs").describe_services(cluster=self.plan.cluster, services=[service])["services"]
        return all(each["runningCount"] == each["desiredCount"] for each in found)

    def _blue_is_left(self) -> bool:
        names = [service.blue.service_name for service in self.plan.services]
        found = self._aws.client("ecs").describe_services(cluster=self.plan.cluster, services=names)["services"]
        return any(each["runningCount"] for each in found)

    def _answer(self, is_over: Callable[[], bool], deadline: float, *, second: bool) -> None:
        answers = [True, second]
        while not is_over() and clock.monotonic() < deadline:
            if self._operator.answer(self.migration, approved=answers[0]) and len(answers) > 1:
                answers.pop(0)
            clock.sleep(_LOOK_SECONDS)

    def _start(self, script: Script) -> str:
        self._tries += 1
        self.migration = f"{self.name}-{self._tries}"
        plan = self._laid.plan_for(script).model_copy(update={"migration": self.migration})
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

    def _by_hand(self) -> None:
        """Do what the runbook says of a migration that nothing moves any more."""
        record = self._record()
        if record is not None and str(record.phase) == "retiring":
            self._operator.retire(self.migration)
        else:
            self._operator.roll_back(self.migration)

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
        if phase == "done":
            return End.RETIRED
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
        blue = self._blue_services()
        is_gone = record is not None and str(record.phase) == "done"
        return Outcome(
            end=end,
            phase=str(record.phase) if record else "none",
            changes=changes,
            late_changes=late_changes,
            healthy=self.edge.healthy(),
            blue=[
                f"{name}: {self._blue[name]} became {now}"
                for name, now in blue.items()
                if now != self._blue[name] and not is_gone
            ],
            running=running,
            intents=intents,
            may_need_hand=any(_may_need_hand(trap.point) for trap in track.traps),
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

    def _stall(self) -> None:
        """Roll the migration back by hand while a call is stalled."""

        def is_back() -> bool:
            record = self._record()
            return record is not None and str(record.phase) == "rolled_back"

        with clock.on_behalf():
            self._operator.roll_back(self.migration)
            self._until(is_back, _STALL_AT_MOST)


def _after_late(end: End, later: End) -> End:
    return end if later is End.ROLLED_BACK and end is End.BY_HAND else later


def _text(invocation: Any) -> str:
    return json.dumps(invocation.event)


def _may_need_hand(point: Point) -> bool:
    """Say whether the runbook's answer to a fault is that an operator starts `roll_back`, or `retire` again."""
    if point.kind is Kind.STOPPED:
        return point.place.phase in {"roll_back", "retire"}  # whoever stops it must start it again
    return point.kind is Kind.STALLED or point.place.script is Script.RETIRED
