"""
One rehearsal: the real stack and an application in an embedded AWS, real proxies, real requests, one scenario.

The harness deploys, starts the execution, drives load and breaks tasks. Everything else is
done by the product: a test asserts that weights change only by calls of its handlers.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from crossfade.journal.dynamodb import DynamoDbJournal
from crossfade.plan.document import MigrationPlan, digest
from rehearsal.acting import play
from rehearsal.application import Application
from rehearsal.aws import EmbeddedAws
from rehearsal.breaking import Breaking
from rehearsal.dataplane import DataPlane, EnvoyMissing, EnvoyRefused, Load
from rehearsal.deploy import Deployer
from rehearsal.deploy.errors import DeployError
from rehearsal.doors import asked_alone, led_in, open_door
from rehearsal.elsewhere import forward_alarms
from rehearsal.encrypting import encrypted
from rehearsal.outcome import summary_of
from rehearsal.pace import Pace, quickened
from rehearsal.permits import stack_parameters
from rehearsal.scene import Progress, Scene, Teller
from rehearsal.summary import Scenario, Summary

STACK = "crossfade"
TEMPLATE = Path(__file__).resolve().parents[1] / "template.yaml"
_REGION = "eu-west-1"
_WARM_UP_REQUESTS = 50
_AFTERMATH_SECONDS = 2.0


class RehearsalFailed(Exception):
    """The rehearsal could not be carried out; the message says at which step and why."""


def rehearse(
    application: Application,
    scenario: Scenario,
    *,
    pace: Pace,
    breaking: Breaking,
    seed: int = 0,
    limit_seconds: float = 300,
    users_wait_seconds: float = 5,
    tell: Callable[[Progress], None] = lambda _: None,
    tamper: Callable[[EmbeddedAws, Deployer], None] = lambda _aws, _deployer: None,
) -> Summary:
    """
    Play one scenario to its end and return what it came to.

    Args:
        application: Its stacks are deployed as blue; its plan is quickened to `pace`.
        scenario: See `Scenario`.
        pace: Load, ladder, bake, and the factor by which time is divided.
        breaking: What fails in `sick`, two seconds after green got its first share.
        seed: Of the load's order and of which task is broken.
        limit_seconds: A scenario that has not ended by then is `held` or `failed`.
        users_wait_seconds: For an answer; a request that has none by then has failed.
        tell: Called with progress about once a second.
        tamper: Called between deployment and start, for tests that take a part of the product away.

    Raises:
        RehearsalFailed: a step before the migration's start failed.
    """
    began = time.monotonic()
    unalarmed = scenario is Scenario.SICK and breaking.unalarmed
    plan = _at_pace(application.plan, pace, unalarmed=unalarmed)
    with ExitStack() as stack, _in_one_sentence():
        say = Teller(tell, began)
        say("starting the embedded AWS and the data plane")
        plane = stack.enter_context(DataPlane(time_scale=pace.time_scale, seed=seed))
        region = plan.region or _REGION
        aws = stack.enter_context(EmbeddedAws(runtime=plane, time_scale=pace.time_scale, region=region))
        stack.callback(plane.close)  # before the AWS it reports to
        plane.attach(aws, _calls(plan))
        deployer = Deployer(aws, period_scale=pace.time_scale)
        for name, template in application.stacks:
            say(f"deploying {_named(template)} as stack {name}: blue")
            deployer.deploy(template, name)
        if application.redrawn is not None:
            drawn = application.redrawn(deployer)
            plan = _at_pace(drawn, pace, unalarmed=unalarmed)
        plan = led_in(plan, application.door, aws, pace)
        if scenario is Scenario.TLS:
            plan = encrypted(plan, aws)
        say("deploying template.yaml as stack crossfade: the product")
        outputs = deployer.deploy_sam(TEMPLATE, STACK, stack_parameters(plan))
        if forward_alarms(aws, plan, STACK):
            say("deployed template-us-east-1.yaml in us-east-1: what leads CloudFront's alarms home")
        tamper(aws, deployer)
        users, slowness = open_door(application.door, plan, plane, pace, seed)
        plan = asked_alone(plan, plane, users)
        load = plane.drive(users, pace.requests_per_second, timeout_seconds=users_wait_seconds)
        stack.callback(load.stop)
        say("warming up on blue")
        _warm_up(load)
        execution = _start(aws, outputs, plan)
        scene = Scene(
            aws=aws,
            plane=plane,
            load=load,
            slowness=slowness,
            journal=DynamoDbJournal(aws.client("dynamodb"), outputs["JournalTable"]),
            plan=plan,
            arns=outputs,
            physical=deployer.describe(STACK),
            execution=execution,
            started=time.time(),
            time_scale=pace.time_scale,
        )
        play(scene, scenario, breaking=breaking, until=began + limit_seconds, say=say)
        time.sleep(_AFTERMATH_SECONDS + slowness.tail)  # what the last clients of the old split still get, counts
        totals = load.stop()
        return summary_of(
            scene,
            scenario,
            pace=pace,
            breaking=breaking,
            seed=seed,
            totals=totals,
            total_seconds=time.monotonic() - began,
        ).model_copy(update={"staging": application.staging})


def _at_pace(plan: MigrationPlan, pace: Pace, *, unalarmed: bool) -> MigrationPlan:
    quick = quickened(plan, pace)
    return quick.model_copy(update={"alarms": ()}) if unalarmed else quick


def _named(template: Path | Mapping[str, Any]) -> str:
    """Return what is deployed, in words; a template made here says itself what it is, or it is stand-ins."""
    return template.name if isinstance(template, Path) else str(template.get("Description", "stand-ins for the plan"))


@contextmanager
def _in_one_sentence() -> Iterator[None]:
    """Say of what stands in the way of a rehearsal what it is, and no more."""
    try:
        yield
    except (DeployError, EnvoyMissing, EnvoyRefused) as error:
        raise RehearsalFailed(str(error)) from error


def _calls(plan: MigrationPlan) -> dict[str, Any]:
    """Return what every task calls, by the name of its ECS service, blue and green alike."""
    return {
        name: service.calls
        for service in plan.services
        for name in (service.blue.service_name, service.green.service_name)
    }


def _warm_up(load: Load) -> None:
    totals = load.wait_for_requests(_WARM_UP_REQUESTS)
    if totals.blue == 0:
        raise RehearsalFailed(f"blue does not answer at its edge: {totals}")


def _start(aws: EmbeddedAws, outputs: Mapping[str, str], plan: MigrationPlan) -> str:
    document = plan.to_json()
    key = f"{plan.migration}/plan.json"
    stored = aws.client("s3").put_object(Bucket=outputs["PlanBucket"], Key=key, Body=document.encode())
    given = {
        "migration": plan.migration,
        "plan": {
            "bucket": outputs["PlanBucket"],
            "key": key,
            "version": stored.get("VersionId"),
            "sha256": digest(document),
        },
    }
    started = aws.client("stepfunctions").start_execution(
        stateMachineArn=outputs["MigrateArn"], name=f"{plan.migration}-1", input=json.dumps(given)
    )
    execution: str = started["executionArn"]
    return execution
