"""Services that call each other are deployed once more, and know each other's names before green has a share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crossfade.journal.dynamodb import DynamoDbJournal
from crossfade.journal.model import Entry
from crossfade.plan.document import MigrationPlan
from crossfade.plan.services import Call
from rehearsal.aws import EmbeddedAws
from rehearsal.aws.runtime import StillRuntime
from rehearsal.deploy import Deployer
from rehearsal.examples import application
from rehearsal.pace import quickened
from rehearsal.permits import stack_parameters
from rehearsal.rehearsal import STACK, TEMPLATE

from .world import PACE, Meter, World

CIRCLE = ("orders", "payments")


class Circle(World):
    """The shop whose payments call orders back. `runtime` knows what every task was told when it started."""

    runtime: StillRuntime
    told: int

    def names_known(self, service: str) -> list[set[str]]:
        """Return the names that each task of green's twin of a service was told, oldest task first."""
        green = self.plan.service(service).green.service_name
        return [{each.dns_name for each in spec.endpoints} for spec in self.runtime.started if spec.service == green]

    def names_known_now(self, service: str) -> list[set[str]]:
        """Return the names that the tasks which run now were told."""
        green = self.plan.service(service).green.service_name
        return [{each.dns_name for each in spec.endpoints} for spec in self.runtime.running(green)]

    def name_of(self, service: str) -> str:
        [endpoint] = self.plan.service(service).endpoints
        return endpoint.dns_name

    def begin(self) -> None:
        """Begin a test: what the journal holds already does not count."""
        super().begin()
        self.told = len(self.journal.entries("shop"))

    def story(self) -> tuple[Entry, ...]:
        """Return the journal's entries of this test."""
        return self.journal.entries("shop")[self.told :]

    def redeployed(self) -> list[str]:
        """Return the green services that were deployed anew, as the journal's results name them."""
        return [
            each.subject.rpartition("/")[2] for each in self.story() if (each.what, each.kind) == ("redeploy", "result")
        ]

    def is_verified(self) -> bool:
        return any(each.what == "verify" for each in self.story())


def in_a_circle(plan: MigrationPlan) -> MigrationPlan:
    """Let payments call orders back, and create orders first: its tasks start before the name of payments exists."""
    orders = plan.service("orders")
    [endpoint] = orders.endpoints
    back = Call(dns_name=endpoint.dns_name, port=endpoint.port, service="orders")
    services = tuple(
        each.model_copy(update={"calls": (*each.calls, back)}) if each.name == "payments" else each
        for each in plan.services
    )
    waves = (("orders",), ("payments",), ("web",))
    return plan.model_copy(update={"services": services, "waves": waves, "redeploy": CIRCLE})


@pytest.fixture(scope="module")
def laid() -> Iterator[Circle]:
    """Blue, and the product beside it, deployed once; every test opens the same migration anew."""
    shop = application("shop")
    plan = in_a_circle(quickened(shop.plan, PACE))
    runtime = StillRuntime()
    with EmbeddedAws(runtime=runtime) as aws:
        deployer = Deployer(aws, period_scale=PACE.time_scale)
        for name, template in shop.stacks:
            deployer.deploy(template, name)
        outputs = deployer.deploy_sam(TEMPLATE, STACK, stack_parameters(plan))
        meter = Meter(aws, plan)
        meter.start()
        journal = DynamoDbJournal(aws.client("dynamodb"), outputs["JournalTable"])
        world = Circle(aws, plan, outputs, deployer.describe(STACK), meter, journal)
        world.runtime = runtime
        yield world
        meter.stop()


@pytest.fixture
def circle(laid: Circle) -> Iterator[Circle]:
    laid.begin()
    yield laid
    laid.aws.events.clear()
    laid.aws.faults.clear()
    for service in laid.plan.services:
        laid.runtime.heal(service.green.service_name)
    if laid.phase() not in {"planned", "rolled_back"}:
        laid.roll_back_by_hand()
    laid.until(laid.is_quiet, "every execution has ended")


def test_who_could_not_resolve_its_callee_can_before_green_has_a_share(circle: Circle) -> None:
    circle.migrate()

    circle.until(circle.is_verified, "green is verified")

    callee = circle.name_of("payments")
    assert callee not in circle.names_known("orders")[0]
    assert all(callee in names for names in circle.names_known_now("orders"))
    assert all(circle.name_of("orders") in names for names in circle.names_known_now("payments"))
    assert sorted(circle.redeployed()) == [f"{each}-sc" for each in CIRCLE]
    told = [each.what for each in circle.story()]
    assert max(n for n, what in enumerate(told) if what == "redeploy") < told.index("verify")
    assert "shift" not in told[: told.index("verify")]


def test_it_needs_no_event_and_asks_ecs_for_no_second_deployment(circle: Circle) -> None:
    circle.aws.events.lose("ECS Deployment State Change", times=1_000)
    circle.migrate()

    circle.until(circle.is_verified, "green is verified")

    assert sorted(circle.redeployed()) == [f"{each}-sc" for each in CIRCLE]


def test_new_tasks_that_do_not_come_up_end_the_migration_before_green_has_a_share(circle: Circle) -> None:
    def break_it(_call: object) -> None:
        circle.runtime.fail("orders-sc", "no such file")

    circle.aws.faults.before_call("ecs", "UpdateService", break_it, times=None)

    ended = circle.ended(circle.migrate())

    assert ended["error"] == "RolledBack"
    assert "orders" in ended["cause"]
    circle.until_phase("rolled_back")
    assert not any(each.what == "shift" and each.kind == "intent" for each in circle.story())
