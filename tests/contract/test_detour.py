"""The fast way back where green has a load balancer of its own, before a record and before a distribution."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from crossfade.errors import EdgeBusy, EdgeChanged, EdgeOwned, NotConfirmed
from crossfade.journal.edges import EdgeRecord
from crossfade.plan.edges import DetourRef
from crossfade.plan.services import TargetGroupRef
from crossfade.shift.share import NONE, Share
from crossfade.shift.shifter import Edges, TrafficShifter
from rehearsal.aws import in_process
from rehearsal.aws.elbv2 import check_targets
from tests.aws import a_client
from tests.cdn import Cdn
from tests.load_balancer import LoadBalancer, forward
from tests.zone import Zone

TAGS = {"crossfade:migration": "shop"}
DETOUR = DetourRef(name="web-detour")


class Account:
    """An edge before two load balancers, its plan with a detour, and hands that are not ours."""

    def __init__(self, behind: Zone | Cdn) -> None:
        self.front = behind.front
        self.client = behind.front.client
        self.edges: Edges = behind.edges
        self.plan = behind.plan.model_copy(update={"detour": DETOUR})
        [self.green_listener] = self.listeners("front-green")

    def listeners(self, balancer: str) -> list[str]:
        [found] = self.client.describe_load_balancers(Names=[balancer])["LoadBalancers"]
        listed = self.client.describe_listeners(LoadBalancerArn=found["LoadBalancerArn"])["Listeners"]
        return [each["ListenerArn"] for each in listed]

    def made(self) -> EdgeRecord:
        """Return the edge with its green end, on which green holds a share."""
        edge = self.edges.make_green_end(self.edges.find(self.plan).owned_by("shop"), "web-green", TAGS)
        self.front.set_healthy(str(edge.resolved.green_arn), 2)
        check_targets()
        self.edges.shifter(edge).set_green(Share(500))
        return edge

    def weights(self) -> dict[str, int]:
        """Return what green's load balancer leads to, by the target groups' names."""
        [listener] = self.client.describe_listeners(ListenerArns=[self.green_listener])["Listeners"]
        groups = listener["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]
        return {each["TargetGroupArn"].split("/")[1]: each["Weight"] for each in groups}

    def targets(self, group: str) -> set[str]:
        described = self.client.describe_target_health(TargetGroupArn=self.front.arn_of(group))
        return {
            each["Target"]["Id"]
            for each in described["TargetHealthDescriptions"]
            if each["TargetHealth"]["State"] != "draining"
        }

    def put(self, *actions: dict[str, Any]) -> None:
        """Change green's listener, by other hands."""
        self.client.modify_listener(ListenerArn=self.green_listener, DefaultActions=list(actions))


@pytest.fixture
def account() -> Iterator[Account]:
    with in_process():
        yield Account(Zone())


@pytest.fixture(params=[Zone, Cdn])
def either(request: pytest.FixtureRequest) -> Iterator[Account]:
    with in_process():
        yield Account(request.param())


def test_a_detour_is_made_at_rest_with_blues_targets_and_once(account: Account) -> None:
    edge = account.made()
    again = account.edges.make_green_end(edge, "web-green", TAGS)

    assert account.weights() == {"web-green": 1, "web-detour": 0}
    assert account.targets("web-detour") == account.targets("web-blue")
    assert again == edge
    assert account.edges.tend(edge) == ""


def test_it_leads_to_blue_at_once_and_any_number_of_times_and_the_slower_way_follows(either: Account) -> None:
    edge = either.made()
    shifter = either.edges.shifter(edge)

    assert shifter.detour() is True
    assert either.weights() == {"web-green": 0, "web-detour": 1}
    assert max(shifter.shares()) > NONE  # what lies before still leads to green's load balancer
    assert shifter.detour() is True
    assert shifter.withdraw() == NONE


def test_it_asks_nothing_of_what_lies_before_which_may_be_down(either: Account) -> None:
    edge = either.made()
    nobody = object()

    alone: Any = type(either.edges.shifter(edge))
    shifter: TrafficShifter = alone(nobody, either.client, edge)

    assert shifter.detour() is True


def test_a_blue_that_does_not_answer_there_gets_nothing_and_watch_can_say_so(account: Account) -> None:
    edge = account.made()
    account.front.set_healthy(account.front.arn_of("web-detour"), 0)

    assert account.edges.shifter(edge).detour() is False
    assert account.weights() == {"web-green": 1, "web-detour": 0}
    account.front.set_healthy(account.front.blue, 0)
    assert account.edges.tend(edge).endswith("no target of blue answers in web-detour, its way back is slow")


def test_it_is_kept_filled_with_the_targets_that_blue_has_now(account: Account) -> None:
    edge = account.made()
    targets = [{"Id": "10.0.0.77", "Port": 8080}]
    account.client.deregister_targets(TargetGroupArn=account.front.blue, Targets=[{"Id": "10.0.0.10", "Port": 8080}])
    account.client.register_targets(TargetGroupArn=account.front.blue, Targets=targets)
    check_targets()

    account.edges.tend(edge)

    assert account.targets("web-detour") == {"10.0.0.11", "10.0.0.77"}


def test_a_blue_without_any_target_leaves_the_detour_those_it_had(account: Account) -> None:
    edge = account.made()
    account.front.set_healthy(account.front.blue, 0)

    account.edges.tend(edge)

    assert account.targets("web-detour") == {"10.0.0.10", "10.0.0.11"}


def test_green_gets_no_share_while_its_load_balancer_leads_to_blue(account: Account) -> None:
    edge = account.made()
    shifter = account.edges.shifter(edge)
    shifter.detour()

    with pytest.raises(EdgeChanged, match="by a detour of a rollback"):
        shifter.set_green(Share(1_000))


def test_the_next_attempt_finds_it_leading_to_blue_and_leads_to_green_again(either: Account) -> None:
    shifter = either.edges.shifter(either.made())
    shifter.detour()
    shifter.withdraw()

    edge = either.edges.make_green_end(either.edges.find(either.plan).owned_by("shop"), "web-green", TAGS)

    assert either.weights() == {"web-green": 1, "web-detour": 0}
    assert either.edges.shifter(edge).set_green(Share(1_000)) == Share(1_000)


def test_it_ends_with_nothing_left_and_green_as_it_was_found(either: Account) -> None:
    edge = either.made()
    shifter = either.edges.shifter(edge)
    shifter.detour()
    shifter.withdraw()

    ended = either.edges.end_detour(edge)
    either.edges.end_detour(edge)

    assert either.weights() == {"web-green": 1}
    names = {each["TargetGroupName"] for each in either.client.describe_target_groups()["TargetGroups"]}
    assert "web-detour" not in names
    assert ended.resolved.detour is None
    assert all(request.behind is None for request in ended.way_back)
    assert either.edges.shifter(ended).detour() is False


def test_a_rule_that_leads_to_the_detour_alone_is_left_to_a_person(account: Account) -> None:
    edge = account.made()
    account.put(forward({account.front.arn_of("web-detour"): 1}))

    with pytest.raises(EdgeChanged, match="leads to the detour alone"):
        account.edges.end_detour(edge)


def test_a_target_group_of_somebody_else_does_not_become_a_detour(account: Account) -> None:
    account.front.target_group("web-detour")

    with pytest.raises(EdgeOwned):
        account.made()


def test_the_way_back_without_a_function_takes_it_first_and_names_where_blue_must_answer(either: Account) -> None:
    edge = either.made()

    fast = [request for request in edge.way_back if request.behind]
    assert [request.action for request in fast] == ["modifyListener"]
    assert fast == list(edge.way_back[: len(fast)])
    assert fast[0].behind == either.front.arn_of("web-detour")
    either.client.modify_listener(**fast[0].arguments)
    assert either.weights() == {"web-green": 0, "web-detour": 1}


class Refusing:
    """A client that refuses the next change of a listener."""

    def __init__(self, client: Any, code: str) -> None:
        self._client = client
        self._codes = [code]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def modify_listener(self, **arguments: Any) -> Any:
        for code in self._codes:
            self._codes = []
            raise ClientError({"Error": {"Code": code, "Message": "ordered by a test"}}, "ModifyListener")
        return self._client.modify_listener(**arguments)


@pytest.mark.parametrize(("code", "said"), [("Throttling", EdgeBusy), ("AccessDenied", NotConfirmed)])
def test_a_detour_that_is_refused_is_tried_again(account: Account, code: str, said: type[Exception]) -> None:
    edge = account.made()
    alone: Any = type(account.edges.shifter(edge))
    shifter: TrafficShifter = alone(object(), Refusing(account.client, code), edge)

    with pytest.raises(said):
        shifter.detour()
    assert shifter.detour() is True


def _sticky(account: Account) -> None:
    account.put(forward({account.front.arn_of("web-green"): 1}, sticky=True))


def _full(account: Account) -> None:
    groups = {account.front.arn_of("web-green"): 1}
    groups |= {account.front.target_group(f"other-{number}"): 0 for number in range(4)}
    account.put(forward(groups))


def _elsewhere(account: Account) -> None:
    far = LoadBalancer(a_client, name="far")
    group = far.target_group("web-far")
    far.add_load_balancer("far-green", forwards_to=group)
    lever = {"green_load_balancer": "far-green"}
    dns, cdn = account.plan.dns, account.plan.cdn
    changes = {
        "green": TargetGroupRef(name="web-far"),
        "dns": dns and dns.model_copy(update=lever),
        "cdn": cdn and cdn.model_copy(update=lever),
    }
    account.plan = account.plan.model_copy(update=changes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_sticky, "keeps users on the target group they first met"),
        (_full, "takes no more than 5 groups"),
        (_elsewhere, "is in another VPC than blue's targets"),
    ],
)
def test_what_makes_it_impossible_is_said_and_the_slower_way_is_left(
    account: Account, change: Callable[[Account], None], said: str
) -> None:
    change(account)

    found = account.edges.find(account.plan)
    edge = account.edges.make_green_end(found.owned_by("shop"), account.plan.green.name, TAGS)

    [finding] = [each for each in account.edges.check(found, scaled=False) if each.check.startswith("goes back")]
    assert said in str(finding)
    assert finding.refused == ""
    assert all(request.behind is None for request in edge.way_back)
    assert account.edges.shifter(edge).detour() is False
    assert account.edges.tend(edge) == ""


def test_the_preflight_says_by_which_way_it_goes_back(either: Account) -> None:
    ready = either.edges.find(either.plan)
    without = either.edges.find(either.plan.model_copy(update={"detour": None}))

    said = [
        str(finding)
        for edge in (ready, without)
        for finding in either.edges.check(edge, scaled=False)
        if finding.check.startswith("goes back")
    ]
    assert "1 rules there shall lead to web-detour" in said[0]
    assert said[1].endswith("its plan has no detour")


def test_one_load_balancer_for_both_needs_no_copy() -> None:
    with in_process():
        cdn = Cdn()
        front = cdn.front
        green = front.target_group("web-sc")
        rule = front.add_rule(30, forward({green: 1}))
        ref = cdn.ref.model_copy(update={"green_load_balancer": "front"})
        end = cdn.plan.green.model_copy(update={"name": "web-sc"})
        plan = cdn.plan.model_copy(update={"cdn": ref, "green": end, "detour": DETOUR})

        edge = cdn.edges.make_green_end(cdn.edges.find(plan).owned_by("shop"), "web-sc", TAGS)
        front.set_healthy(green, 2)
        assert front.weights(rule) == {green: 1, front.blue: 0}
        assert cdn.edges.shifter(edge).detour() is True
        assert front.weights(rule) == {green: 0, front.blue: 1}
        cdn.edges.end_detour(edge)

        assert front.weights(rule) == {green: 1}
        assert front.weights(front.listener) == {front.blue: 1}
