"""The real stack on the embedded AWS, with tasks that run nothing and an edge that is counted but not driven."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crossfade.errors import UnknownMigration
from crossfade.journal.dynamodb import DynamoDbJournal
from crossfade.plan.document import MigrationPlan, digest
from rehearsal.aws import EmbeddedAws
from rehearsal.aws.clock import clock
from rehearsal.chaos.application import PACE
from rehearsal.chaos.meter import EverySecond

__all__ = ["PACE", "Meter", "World"]

REQUESTS_PER_SECOND = 400


class Meter:
    """
    Counts, once a second, what an edge with these weights would have counted, and publishes it as AWS would.

    `green_fails` and `blue_fails` are the parts of each side's requests that end in 5xx.
    """

    def __init__(self, aws: EmbeddedAws, plan: MigrationPlan) -> None:
        self._balancing = aws.client("elbv2")
        self._metrics = aws.client("cloudwatch")
        self._plan = plan
        self._seconds = EverySecond(self._count)
        self.green_fails = 0.0
        self.blue_fails = 0.0
        self.counts = True

    def start(self) -> None:
        """Count from the next full second on."""
        self._seconds.start()

    def _count(self, second: datetime) -> None:
        edge = self._plan.edges[0]
        for arn, weight in self.weights().items():
            fails = self.green_fails if arn.split("/")[1] == edge.green.name else self.blue_fails
            if self.counts:
                self._publish(arn, second, round(REQUESTS_PER_SECOND * weight), fails)

    def weights(self) -> dict[str, float]:
        """Return the part of the requests that each target group of the edge gets now."""
        balancer = self._balancing.describe_load_balancers(Names=[self._plan.edges[0].rules[0].load_balancer])
        arn = balancer["LoadBalancers"][0]["LoadBalancerArn"]
        listener = self._balancing.describe_listeners(LoadBalancerArn=arn)["Listeners"][0]
        groups = listener["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]
        total = sum(group.get("Weight", 1) for group in groups)
        return {group["TargetGroupArn"]: group.get("Weight", 1) / total for group in groups}

    def green_percent(self) -> float:
        """Return green's part of the edge, in percent."""
        green = self._plan.edges[0].green.name
        return round(100 * sum(part for arn, part in self.weights().items() if arn.split("/")[1] == green), 1)

    def stop(self) -> None:
        """Count no more."""
        self._seconds.stop()

    def _publish(self, arn: str, at: datetime, requests: int, fails: float) -> None:
        balancer = self._balancing.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0]["LoadBalancerArns"]
        dimensions = [
            {"Name": "TargetGroup", "Value": arn.rsplit(":", 1)[-1]},
            {"Name": "LoadBalancer", "Value": balancer[0].split("loadbalancer/", 1)[-1]},
        ]
        data: list[dict[str, Any]] = [_datum("RequestCount", dimensions, at, requests)]
        if requests:
            answers = {"Values": [0.02], "Counts": [float(requests)], "Unit": "Seconds"}
            data.append({**_datum("TargetResponseTime", dimensions, at), **answers})
        if round(requests * fails):
            data.append(_datum("HTTPCode_Target_5XX_Count", dimensions, at, round(requests * fails)))
        self._metrics.put_metric_data(Namespace="AWS/ApplicationELB", MetricData=data)


def _datum(name: str, dimensions: list[dict[str, str]], at: datetime, value: float | None = None) -> dict[str, Any]:
    alone = {} if value is None else {"Value": value}
    return {
        **alone,
        "MetricName": name,
        "Dimensions": dimensions,
        "Timestamp": at,
        "Unit": "Count",
        "StorageResolution": 1,
    }


@dataclass
class World:
    """What a test holds in its hands."""

    aws: EmbeddedAws
    plan: MigrationPlan
    outputs: Mapping[str, str]
    physical: Mapping[str, str]
    meter: Meter
    journal: DynamoDbJournal
    states: Any = field(init=False)
    attempts: int = 0
    _before: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.states = self.aws.client("stepfunctions")

    def migrate(self, plan: MigrationPlan | None = None) -> str:
        """Store the plan (or another of the same migration), start `migrate`, and return the execution's ARN."""
        self.attempts += 1
        document = (plan or self.plan).to_json()
        stored = self.aws.client("s3").put_object(
            Bucket=self.outputs["PlanBucket"], Key="plan.json", Body=document.encode()
        )
        stored_plan = {
            "bucket": self.outputs["PlanBucket"],
            "key": "plan.json",
            "version": stored["VersionId"],
            "sha256": digest(document),
        }
        started = self.states.start_execution(
            stateMachineArn=self.outputs["MigrateArn"],
            name=f"{self.plan.migration}-{self.attempts}",
            input=json.dumps({"migration": self.plan.migration, "plan": stored_plan}),
        )
        return str(started["executionArn"])

    def roll_back_by_hand(self) -> dict[str, Any]:
        """Start `roll_back` as an operator would in the console, and return its output once it has ended."""
        started = self.states.start_execution(
            stateMachineArn=self.outputs["RollBackArn"], input=json.dumps({"migration": self.plan.migration})
        )
        return self.ended(started["executionArn"])

    def status(self, execution: str) -> str:
        return str(self.states.describe_execution(executionArn=execution)["status"])

    def ended(self, execution: str) -> dict[str, Any]:
        """Wait until an execution has ended; return its output, or its error and cause."""
        self.until(lambda: self.status(execution) != "RUNNING", f"{execution} ends")
        described = self.states.describe_execution(executionArn=execution)
        if described["status"] == "SUCCEEDED":
            output: dict[str, Any] = json.loads(described["output"])
            return output
        return {"status": described["status"], "error": described.get("error"), "cause": described.get("cause")}

    def phase(self) -> str:
        try:
            return str(self.journal.read(self.plan.migration).phase)
        except UnknownMigration:
            return "planned"

    def until(self, holds: Callable[[], bool], what: str, *, looks: int = 600) -> None:
        """Look until something holds; fail, saying what was waited for, after so many looks."""
        for _ in range(looks):
            if holds():
                return
            clock.sleep(0.1)
        last = [
            f"{entry.kind} {entry.what} {entry.subject}: {entry.detail.get('judgement', entry.detail)}"
            for entry in self.journal.entries("shop")[-3:]
        ]
        raise AssertionError("\n".join([f"waited in vain until {what}; the journal ends with", *last]))

    def until_green_has(self, percent: float) -> None:
        self.until(lambda: self.meter.green_percent() >= percent, f"green has {percent} %")

    def until_phase(self, phase: str) -> None:
        self.until(lambda: self.phase() == phase, f"the migration is {phase}")

    def begin(self) -> None:
        """Begin a test: what was rolled back before does not count."""
        self._before = set(self._all_roll_backs())

    def roll_backs(self) -> list[str]:
        """Return the names of this test's executions of `roll_back`, newest first."""
        return [name for name in self._all_roll_backs() if name not in self._before]

    def _all_roll_backs(self) -> list[str]:
        listed = self.states.list_executions(stateMachineArn=self.outputs["RollBackArn"])
        return [execution["name"] for execution in listed["executions"]]

    def is_quiet(self) -> bool:
        """Say whether no execution of any machine runs."""
        return not any(
            self.states.list_executions(stateMachineArn=self.outputs[machine], statusFilter="RUNNING")["executions"]
            for machine in ("MigrateArn", "ClimbArn", "RollBackArn")
        )
