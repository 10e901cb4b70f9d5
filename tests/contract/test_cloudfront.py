"""What a distribution needs beyond what every edge promises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pydantic import ValidationError

from crossfade.errors import (
    EdgeBusy,
    EdgeChanged,
    EdgeSpreading,
    NotConfirmed,
    PreflightRefused,
    UnknownEdge,
    UnreachableGoal,
)
from crossfade.journal.edges import CloudFrontEdge, EdgeRecord, FoundEdge
from crossfade.plan.edges import Rung, Session
from crossfade.shift.cloudfront import CloudFrontEdges, CloudFrontShifter
from crossfade.shift.share import ALL, NONE, Share
from rehearsal.aws import in_process
from rehearsal.aws.cloudfront import spread_slowly
from tests.cdn import GREEN_DOMAIN, Cdn

TAGS = {"crossfade:migration": "shop"}


@pytest.fixture
def cdn() -> Iterator[Cdn]:
    with in_process():
        yield Cdn()


def an_edge(cdn: Cdn, **changes: Any) -> EdgeRecord:
    plan = cdn.plan.model_copy(update={"cdn": cdn.ref.model_copy(update=changes)})
    made = cdn.edges.make_green_end(cdn.edges.find(plan).owned_by("shop"), "web-green", TAGS)
    cdn.front.set_healthy(str(made.resolved.green_arn), 2)
    return made


def resolved(edge: FoundEdge) -> CloudFrontEdge:
    assert isinstance(edge.resolved, CloudFrontEdge)
    return edge.resolved


class Meddling:
    """A client with somebody else's hands before one of its operations, or an error instead of it."""

    def __init__(self, client: Any, name: str, *, before: Any = None, code: str = "") -> None:
        self._client, self._name, self._before, self._code = client, name, before, code

    def __getattr__(self, name: str) -> Any:
        if name != self._name:
            return getattr(self._client, name)
        if self._code:
            raise ClientError({"Error": {"Code": self._code, "Message": ""}}, name)
        self._before()
        return getattr(self._client, name)


# -- green's end -------------------------------------------------------------------------


def test_green_is_reached_by_a_test_header_before_it_holds_a_share(cdn: Cdn) -> None:
    edge = an_edge(cdn)

    policy = cdn.policy(edge)

    header = {"Header": "aws-cf-cd-crossfade", "Value": "web"}
    assert policy["TrafficConfig"] == {"Type": "SingleHeader", "SingleHeaderConfig": header}
    assert policy["Enabled"] is True
    assert cdn.primary()["ContinuousDeploymentPolicyId"] == resolved(edge).policy_id


def test_staging_is_the_primarys_copy_but_for_the_origin(cdn: Cdn) -> None:
    edge = an_edge(cdn)

    staging = cdn.client.get_distribution_config(Id=resolved(edge).staging_id)["DistributionConfig"]

    origins = {origin["Id"]: origin["DomainName"] for origin in staging["Origins"]["Items"]}
    assert origins == {"app": GREEN_DOMAIN, "files": "s.example"}
    assert staging["DefaultCacheBehavior"] == cdn.primary()["DefaultCacheBehavior"]


def test_staging_carries_its_migration(cdn: Cdn) -> None:
    staging = resolved(an_edge(cdn)).staging_id

    arn = cdn.client.get_distribution(Id=staging)["Distribution"]["ARN"]
    assert cdn.client.list_tags_for_resource(Resource=arn)["Tags"]["Items"] == [
        {"Key": "crossfade:migration", "Value": "shop"}
    ]


@pytest.mark.parametrize("operation", ["tag_resource", "create_continuous_deployment_policy", "update_distribution"])
def test_a_green_end_half_made_is_finished(cdn: Cdn, operation: str) -> None:
    found = cdn.edges.find(cdn.plan).owned_by("shop")
    with pytest.raises(EdgeBusy):
        CloudFrontEdges(Meddling(cdn.client, operation, code="Throttling"), cdn.front.client).make_green_end(
            found, "web-green", TAGS
        )

    made = cdn.edges.make_green_end(found, "web-green", TAGS)

    assert cdn.edges.shifter(made).green() == NONE
    assert cdn.client.list_distributions()["DistributionList"]["Quantity"] == 2


# -- shares ------------------------------------------------------------------------------


def test_the_weight_is_the_share_and_sessions_are_the_plans(cdn: Cdn) -> None:
    edge = an_edge(cdn, session=Session(idle_seconds=300, longest_seconds=900))

    held = cdn.edges.shifter(edge).set_green(Share(700))

    assert held == Share(700)
    assert cdn.policy(edge)["TrafficConfig"]["SingleWeightConfig"] == {
        "Weight": 0.07,
        "SessionStickinessConfig": {"IdleTTL": 300, "MaximumTTL": 900},
    }


@pytest.mark.parametrize("bp", [1_600, 5_000, 9_900, 150])
def test_what_cloudfront_cannot_hold_is_said_so_before_anything_is_written(cdn: Cdn, bp: int) -> None:
    edge = an_edge(cdn)
    before = cdn.policy(edge)

    with pytest.raises(UnreachableGoal):
        cdn.edges.shifter(edge).set_green(Share(bp))

    assert cdn.policy(edge) == before


def test_all_is_a_promotion_and_the_way_back_restores_what_was_found(cdn: Cdn) -> None:
    before = cdn.primary()
    edge = an_edge(cdn)
    shifter = cdn.edges.shifter(edge)
    shifter.set_green(Share(1_500))

    assert shifter.set_green(ALL) == ALL
    promoted = cdn.primary()
    assert promoted["Origins"]["Items"][0]["DomainName"] == GREEN_DOMAIN
    assert promoted["Aliases"] == before["Aliases"]
    with pytest.raises(UnreachableGoal, match="promoted"):
        shifter.set_green(Share(500))
    assert shifter.withdraw() == NONE

    assert {**cdn.primary(), "ContinuousDeploymentPolicyId": ""} == before
    assert cdn.policy(edge)["TrafficConfig"]["Type"] == "SingleHeader"


def test_a_step_forward_waits_until_the_one_before_has_spread_and_the_way_back_does_not(cdn: Cdn) -> None:
    edge = an_edge(cdn)
    shifter = cdn.edges.shifter(edge)
    spread_slowly(3_600)
    assert shifter.set_green(Share(500)) == Share(500)

    with pytest.raises(EdgeSpreading, match="InProgress"):
        shifter.set_green(Share(1_000))

    assert shifter.green() == Share(500)
    assert shifter.withdraw() == NONE


def test_a_distribution_spreads_until_every_edge_location_has_it(cdn: Cdn) -> None:
    edge = an_edge(cdn)
    shifter = cdn.edges.shifter(edge)
    assert shifter.spreading() == ""
    spread_slowly(3_600)

    shifter.set_green(Share(500))

    assert shifter.spreading() == f"edge web: distribution {cdn.id} is InProgress"


def test_a_staging_distribution_that_is_new_spreads_before_green_can_have_a_share(cdn: Cdn) -> None:
    spread_slowly(3_600)
    edge = an_edge(cdn)

    assert f"distribution {resolved(edge).staging_id} is InProgress" in cdn.edges.shifter(edge).spreading()
    with pytest.raises(EdgeSpreading):
        cdn.edges.shifter(edge).set_green(Share(100))


def test_the_way_back_without_a_function_is_the_origin_and_the_policy(cdn: Cdn) -> None:
    edge = an_edge(cdn)

    assert [(call.service, call.action, call.arguments) for call in edge.way_back] == [
        (
            "cloudfront",
            "updateDistribution",
            {"Id": cdn.id, "OriginId": "app", "DomainName": "blue.shop.example"},
        ),
        ("cloudfront", "updateContinuousDeploymentPolicy", {"Id": resolved(edge).policy_id}),
    ]


# -- clearing away -----------------------------------------------------------------------


def left(cdn: Cdn) -> tuple[list[str], int]:
    """Return which distributions are there, and how many policies."""
    distributions = cdn.client.list_distributions()["DistributionList"].get("Items", [])
    policies = cdn.client.list_continuous_deployment_policies()["ContinuousDeploymentPolicyList"]
    return [each["Id"] for each in distributions], policies["Quantity"]


def test_nothing_of_ours_is_left_beside_the_primary_after_a_rollback(cdn: Cdn) -> None:
    before = cdn.primary()
    edge = an_edge(cdn)
    cdn.edges.shifter(edge).set_green(Share(500))
    cdn.edges.shifter(edge).withdraw()

    cleared = cdn.edges.clear_away(edge)

    assert left(cdn) == ([cdn.id], 0)
    assert cdn.primary() == before
    assert (resolved(cleared).staging_id, resolved(cleared).policy_id) == (None, None)
    assert cdn.edges.clear_away(edge) == cdn.edges.clear_away(cleared) == cleared


def test_after_completion_green_keeps_everything_and_the_way_back_works_still(cdn: Cdn) -> None:
    before = cdn.primary()
    edge = an_edge(cdn)
    cdn.edges.shifter(edge).set_green(ALL)

    cleared = cdn.edges.clear_away(edge)

    assert left(cdn) == ([cdn.id], 0)
    assert cdn.edges.shifter(cleared).shares() == (ALL,)
    assert cdn.edges.shifter(cleared).withdraw() == NONE
    assert cdn.primary() == before


def test_what_was_made_before_the_journal_knew_of_it_is_cleared_away_too(cdn: Cdn) -> None:
    found = cdn.edges.find(cdn.plan).owned_by("shop")
    cdn.edges.make_green_end(found, "web-green", TAGS)

    cdn.edges.clear_away(found)

    assert left(cdn) == ([cdn.id], 0)


def test_each_step_of_clearing_waits_until_the_one_before_has_spread(cdn: Cdn) -> None:
    edge = an_edge(cdn)
    spread_slowly(3_600)

    with pytest.raises(EdgeSpreading, match=cdn.id):
        cdn.edges.clear_away(edge)
    assert (len(left(cdn)[0]), left(cdn)[1]) == (2, 1)
    assert cdn.primary()["ContinuousDeploymentPolicyId"] == ""

    spread_slowly(0)
    cdn.change(Comment="the shop")  # anything; this is deployed at once
    spread_slowly(3_600)
    with pytest.raises(EdgeSpreading, match=str(resolved(edge).staging_id)):
        cdn.edges.clear_away(edge)
    assert (len(left(cdn)[0]), left(cdn)[1]) == (2, 0)


def test_a_staging_distribution_through_which_green_is_reached_stays(cdn: Cdn) -> None:
    edge = an_edge(cdn)
    cdn.edges.shifter(edge).set_green(Share(500))

    with pytest.raises(EdgeChanged, match="green still holds 5 %"):
        cdn.edges.clear_away(edge)

    assert (len(left(cdn)[0]), left(cdn)[1]) == (2, 1)


def test_another_edges_staging_distribution_stays(cdn: Cdn) -> None:
    edge = an_edge(cdn)

    cdn.edges.clear_away(edge.model_copy(update={"migration": "shop-two"}))
    cdn.edges.clear_away(edge.model_copy(update={"name": "we"}))

    assert (len(left(cdn)[0]), left(cdn)[1]) == (2, 1)


def test_after_clearing_the_next_attempt_makes_its_own(cdn: Cdn) -> None:
    cleared = cdn.edges.clear_away(an_edge(cdn))

    edge = an_edge(cdn)

    assert resolved(edge).staging_id != resolved(cleared).staging_id
    assert cdn.edges.shifter(edge).set_green(Share(500)) == Share(500)


# -- found out before the start ----------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"HttpVersion": "http2and3"}, "HTTP/3"),
        ({"Enabled": False}, "disabled"),
        ({"ConnectionMode": "tenant-only"}, "multi-tenant"),
        ({"Staging": True}, "staging"),
    ],
)
def test_what_continuous_deployment_does_not_take_is_refused(members: dict[str, Any], said: str) -> None:
    with in_process():
        cdn = Cdn(**members)

        with pytest.raises(PreflightRefused, match=said):
            cdn.edges.find(cdn.plan)


def test_somebody_elses_continuous_deployment_is_refused(cdn: Cdn) -> None:
    found = cdn.client.get_distribution_config(Id=cdn.id)
    staging = cdn.client.copy_distribution(
        PrimaryDistributionId=cdn.id, Staging=True, IfMatch=found["ETag"], CallerReference="theirs", Enabled=True
    )["Distribution"]
    policy = cdn.client.create_continuous_deployment_policy(
        ContinuousDeploymentPolicyConfig={
            "StagingDistributionDnsNames": {"Quantity": 1, "Items": [staging["DomainName"]]},
            "Enabled": False,
        }
    )["ContinuousDeploymentPolicy"]
    cdn.change(ContinuousDeploymentPolicyId=policy["Id"])

    with pytest.raises(PreflightRefused, match="somebody else"):
        cdn.edges.find(cdn.plan)


def test_a_distribution_that_is_not_there_is_unknown(cdn: Cdn) -> None:
    ref = cdn.ref.model_copy(update={"distribution_id": "ENOBODY"})

    with pytest.raises(UnknownEdge, match="ENOBODY"):
        cdn.edges.find(cdn.plan.model_copy(update={"cdn": ref}))


def test_a_plan_with_rungs_cloudfront_cannot_hold_is_no_plan(cdn: Cdn) -> None:
    ladder = (Rung(share_bp=5_000, soak_seconds=60), Rung(share_bp=10_000, soak_seconds=60))

    with pytest.raises(ValidationError, match="up to 15, then all"):
        type(cdn.plan).model_validate({**cdn.plan.model_dump(), "ladder": ladder})


@pytest.mark.parametrize(("idle", "longest"), [(299, 600), (300, 3_601), (900, 600)])
def test_a_session_that_cloudfront_does_not_take_is_no_session(idle: int, longest: int) -> None:
    with pytest.raises(ValidationError):
        Session(idle_seconds=idle, longest_seconds=longest)


def test_an_account_with_no_room_for_a_staging_distribution_is_refused_before_the_start(cdn: Cdn) -> None:
    etag = cdn.client.get_distribution_config(Id=cdn.id)["ETag"]
    for number in range(20):
        cdn.client.copy_distribution(
            PrimaryDistributionId=cdn.id, Staging=True, IfMatch=etag, Enabled=True, CallerReference=f"copy-{number}"
        )

    finding, _ = cdn.edges.check(cdn.edges.find(cdn.plan), scaled=False)

    assert "20 staging distributions" in finding.refused
    assert "delete one" in finding.mend


def test_an_edge_that_has_its_staging_distribution_needs_no_room(cdn: Cdn) -> None:
    finding, _ = cdn.edges.check(an_edge(cdn), scaled=False)

    assert finding.refused == ""


# -- other hands -------------------------------------------------------------------------


def test_a_policy_changed_between_reading_and_writing_is_not_overwritten(cdn: Cdn) -> None:
    edge = an_edge(cdn)
    meddled = Meddling(cdn.client, "update_continuous_deployment_policy", before=lambda: cdn.give(edge, 0.03))

    with pytest.raises(EdgeChanged, match="PreconditionFailed"):
        CloudFrontShifter(meddled, cdn.front.client, edge).set_green(Share(500))

    assert cdn.edges.shifter(edge).green() == Share(300)


def test_a_policy_changed_under_the_way_back_is_read_again(cdn: Cdn) -> None:
    edge = an_edge(cdn)
    cdn.edges.shifter(edge).set_green(Share(500))
    meddled = Meddling(cdn.client, "update_continuous_deployment_policy", before=lambda: cdn.give(edge, 0.03))

    with pytest.raises(NotConfirmed):
        CloudFrontShifter(meddled, cdn.front.client, edge).withdraw()
    assert cdn.edges.shifter(edge).withdraw() == NONE


def test_a_distribution_that_came_to_serve_otherwise_stops_the_climb(cdn: Cdn) -> None:
    edge = an_edge(cdn)
    cdn.change(Comment="changed by hand")
    shifter = cdn.edges.shifter(edge)

    for onward in (shifter.green, shifter.way_back, lambda: shifter.set_green(Share(500))):
        with pytest.raises(EdgeChanged, match="not as it was found"):
            onward()
