"""What every journal promises, asked of the table and of the one in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from moto import mock_aws

from crossfade.errors import BlueIsGone, EdgeOwned, Fenced, InvalidTransition, UnknownEdge, UnknownMigration
from crossfade.journal.blue import BlueFound, ScalingFound
from crossfade.journal.dynamodb import DynamoDbJournal
from crossfade.journal.hold import Hold
from crossfade.journal.journal import Journal
from crossfade.journal.memory import MemoryJournal
from crossfade.journal.model import Entry, Token
from crossfade.journal.untold import Told
from crossfade.phases import BEYOND_RETURN, Phase
from crossfade.resources import OPEN
from tests.aws import a_client
from tests.traffic import CLIMB, MIGRATE, NOON, a_record, an_edge


def a_table() -> DynamoDbJournal:
    client = a_client("dynamodb")
    client.create_table(
        TableName="journal",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return DynamoDbJournal(client, "journal")


JOURNALS: dict[str, Callable[[], Journal]] = {"memory": MemoryJournal, "dynamodb": a_table}


@pytest.fixture(params=JOURNALS)
def journal(request: pytest.FixtureRequest) -> Iterator[Journal]:
    with mock_aws():
        yield JOURNALS[request.param]()


def an_entry(kind: str = "intent", **changes: object) -> Entry:
    return Entry.model_validate(
        {"migration": "shop", "at": NOON, "kind": kind, "what": "shift", "subject": "web", **changes}
    )


def test_the_story_backwards_is_the_story_backwards(journal: Journal) -> None:
    journal.open(a_record(), [an_edge()])
    for second in range(25):
        journal.append(an_entry(at=NOON + timedelta(seconds=second), detail={"second": second}))

    assert list(journal.newest_first("shop")) == list(reversed(journal.entries("shop")))


# -- what people are to be told ---------------------------------------------------


def test_every_move_leaves_word_in_its_own_order(journal: Journal) -> None:
    journal.open(a_record(), [])
    for second, phase in enumerate((Phase.READY, Phase.HELD, Phase.CLIMBING, Phase.BAKING, Phase.WATCHING), 1):
        journal.enter("shop", phase, fence=1, at=NOON + timedelta(seconds=second))
    journal.keep_hold(Hold(migration="shop", by="blue:web", why="lost", at=NOON + timedelta(seconds=9), fence=1))

    words = journal.untold("shop")

    assert [(word.what, word.phase) for word in words] == [
        ("opened", Phase.CREATING),
        ("ready", Phase.READY),
        ("climbing", Phase.CLIMBING),
        ("baking", Phase.BAKING),
        ("watching", Phase.WATCHING),
        ("held", Phase.WATCHING),
    ]
    assert words[-1].reason == "blue:web: lost"


def test_why_a_phase_was_entered_is_told_with_it(journal: Journal) -> None:
    journal.open(a_record(phase=Phase.WATCHING), [])

    journal.enter("shop", Phase.RETIRING, fence=1, at=NOON, why="ordered by ann")

    assert journal.untold("shop")[-1].reason.endswith("; ordered by ann")


def test_a_word_that_was_handed_on_is_forgotten_and_others_stay(journal: Journal) -> None:
    journal.open(a_record(), [])
    journal.open(a_record("other"), [])
    journal.enter("shop", Phase.READY, fence=1, at=NOON + timedelta(seconds=1))
    first = journal.untold("shop")[0]

    journal.drop_untold(first)
    journal.drop_untold(first)

    assert [word.what for word in journal.untold("shop")] == ["ready"]
    assert [word.what for word in journal.untold("other")] == ["opened"]


def test_a_phase_that_could_not_be_entered_leaves_no_word(journal: Journal) -> None:
    journal.open(a_record(), [])
    journal.raise_fence("shop", seen=1, reason="an alarm", at=NOON)

    with pytest.raises(Fenced):
        journal.enter("shop", Phase.READY, fence=1, at=NOON)

    assert [word.what for word in journal.untold("shop")] == ["opened"]


def test_what_was_told_last_is_remembered(journal: Journal) -> None:
    told = Told(migration="shop", fence=3, phase=Phase.ROLLING_BACK, edges={"web": 500})

    nothing = journal.told("shop")
    journal.keep_told(told)

    assert (nothing, journal.told("shop")) == (Told(migration="shop"), told)


# -- opening and ownership ------------------------------------------------------


def test_what_was_opened_is_read_back_whole(journal: Journal) -> None:
    record = a_record(climb=CLIMB, reason="because")

    opened = journal.open(record, [an_edge(), an_edge(name="admin", rules=("rule-2",))])

    assert opened == record
    assert journal.read("shop") == record
    assert journal.edges("shop") == (an_edge(name="admin", rules=("rule-2",)), an_edge())
    assert journal.edge("shop", "web") == an_edge()


def test_an_unknown_migration_is_said_so(journal: Journal) -> None:
    with pytest.raises(UnknownMigration):
        journal.read("shop")
    with pytest.raises(UnknownMigration):
        journal.enter("shop", Phase.READY, fence=1, at=NOON)
    with pytest.raises(UnknownMigration):
        journal.raise_fence("shop", seen=1, reason="none", at=NOON)
    with pytest.raises(UnknownMigration):
        journal.append(an_entry(), fence=1)
    with pytest.raises(UnknownMigration):
        journal.put_edge(an_edge(), fence=1)
    assert journal.edges("shop") == ()


def test_an_unknown_edge_is_said_so(journal: Journal) -> None:
    journal.open(a_record(), [an_edge()])

    with pytest.raises(UnknownEdge):
        journal.edge("shop", "admin")
    with pytest.raises(UnknownEdge):
        journal.put_edge(an_edge(name="admin"), fence=1)
    assert [edge.name for edge in journal.edges("shop")] == ["web"]


def test_opening_again_by_the_same_execution_keeps_the_first_way_back(journal: Journal) -> None:
    journal.open(a_record(), [an_edge()])
    journal.enter("shop", Phase.READY, fence=1, at=NOON)
    later = an_edge().model_copy(update={"way_back": ()})

    again = journal.open(a_record(), [later])

    assert again.phase is Phase.READY
    assert journal.edges("shop") == (an_edge(),)


def test_an_open_migration_is_not_opened_by_another_execution(journal: Journal) -> None:
    journal.open(a_record(), [an_edge()])

    with pytest.raises(EdgeOwned, match=MIGRATE):
        journal.open(a_record(execution="another"), [an_edge()])

    assert journal.read("shop") == a_record()


def test_a_guard_finds_a_migration_from_the_moment_it_is_opened(journal: Journal) -> None:
    journal.open(a_record(), [an_edge()])

    with pytest.raises(EdgeOwned):
        journal.open(a_record("other", execution="another"), [an_edge("other", "front")])

    assert journal.migrations_of(OPEN) == journal.migrations_of(MIGRATE) == ("shop",)
    assert journal.migrations_of("another") == ()


def test_an_edge_has_one_owner_and_the_second_is_told_its_name(journal: Journal) -> None:
    journal.open(a_record(), [an_edge()])

    with pytest.raises(EdgeOwned, match="edge front is owned by migration shop, which is creating"):
        journal.open(a_record("other"), [an_edge("other", "front")])

    with pytest.raises(UnknownMigration):
        journal.read("other")
    assert journal.edges("other") == ()


def test_edges_with_one_rule_in_common_are_one_too_many(journal: Journal) -> None:
    journal.open(a_record(), [an_edge(rules=("rule-1", "rule-2"))])

    with pytest.raises(EdgeOwned):
        journal.open(a_record("other"), [an_edge("other", rules=("rule-2", "rule-3"))])


@pytest.mark.parametrize("closed", [Phase.ROLLED_BACK, Phase.DONE])
def test_an_edge_is_free_once_its_owner_is_closed(journal: Journal, closed: Phase) -> None:
    journal.open(a_record(phase=closed), [an_edge()])

    journal.open(a_record("other"), [an_edge("other")])

    assert journal.read("other").phase is Phase.CREATING
    with pytest.raises((EdgeOwned, InvalidTransition)):
        journal.open(a_record(execution="again"), [an_edge()])


def test_a_migration_rolled_back_is_opened_again_above_its_old_fence(journal: Journal) -> None:
    journal.open(a_record(), [an_edge(), an_edge(name="old", rules=("rule-2",))])
    journal.raise_fence("shop", seen=1, reason="sick", at=NOON)
    journal.enter("shop", Phase.ROLLED_BACK, fence=2, at=NOON)

    again = journal.open(a_record(execution="second"), [an_edge()])

    assert (again.phase, again.fence, again.reason, again.climb) == (Phase.CREATING, 3, None, None)
    assert journal.read("shop") == again
    assert journal.edges("shop") == (an_edge(),)
    journal.open(a_record("other"), [an_edge("other", rules=("rule-2",))])  # what it let go is free


@pytest.mark.parametrize("ended", [Phase.ROLLING_BACK, Phase.ROLLED_BACK])
def test_a_late_repetition_of_an_opening_does_not_outlive_its_rollback(journal: Journal, ended: Phase) -> None:
    journal.open(a_record(), [an_edge()])
    journal.raise_fence("shop", seen=1, reason="sick", at=NOON)
    journal.enter("shop", ended, fence=2, at=NOON)

    with pytest.raises(Fenced):
        journal.open(a_record(), [an_edge()])


def test_what_is_done_is_not_opened_again(journal: Journal) -> None:
    journal.open(a_record(phase=Phase.DONE), [an_edge()])

    with pytest.raises(InvalidTransition):
        journal.open(a_record(execution="second"), [an_edge()])


# -- phases and the fence ----------------------------------------------------------


def test_entering_a_phase_is_noted_and_may_be_repeated(journal: Journal) -> None:
    journal.open(a_record(), [an_edge()])

    first = journal.enter("shop", Phase.READY, fence=1, at=NOON)
    second = journal.enter("shop", Phase.READY, fence=1, at=NOON)

    assert first == second == journal.read("shop")
    assert [entry.what for entry in journal.entries("shop")] == ["opened", "entered"]
    assert journal.entries("shop")[1].detail == {"from": "creating", "to": "ready"}


def test_the_phase_table_is_asked(journal: Journal) -> None:
    journal.open(a_record(), [an_edge()])

    with pytest.raises(InvalidTransition):
        journal.enter("shop", Phase.RETIRING, fence=1, at=NOON)

    assert journal.read("shop").phase is Phase.CREATING


def test_after_the_fence_was_raised_nothing_older_writes(journal: Journal) -> None:
    journal.open(a_record(), [an_edge()])
    changed = an_edge().model_copy(update={"held_bp": 500})

    raised = journal.raise_fence("shop", seen=1, reason="sick", at=NOON)

    assert (raised.phase, raised.fence, raised.reason) == (Phase.ROLLING_BACK, 2, "sick")
    assert journal.read("shop") == raised
    story = journal.entries("shop")
    for write in (
        lambda: journal.enter("shop", Phase.READY, fence=1, at=NOON),
        lambda: journal.append(an_entry(), fence=1),
        lambda: journal.put_edge(changed, fence=1),
        lambda: journal.set_climb("shop", CLIMB, fence=1),
    ):
        with pytest.raises(Fenced):
            write()
    assert journal.entries("shop") == story
    assert journal.edges("shop") == (an_edge(),)
    assert journal.read("shop") == raised


def test_a_fence_from_the_future_is_as_wrong_as_one_from_the_past(journal: Journal) -> None:
    journal.open(a_record(), [an_edge()])

    with pytest.raises(Fenced):
        journal.append(an_entry(), fence=2)


def test_of_two_that_raise_the_fence_one_does_and_the_other_learns_of_it(journal: Journal) -> None:
    journal.open(a_record(), [an_edge()])

    first = journal.raise_fence("shop", seen=1, reason="alarm", at=NOON)
    second = journal.raise_fence("shop", seen=1, reason="deployment", at=NOON)

    assert first == second
    assert first.reason == "alarm"


@pytest.mark.parametrize("beyond", sorted(BEYOND_RETURN))
def test_beyond_the_point_of_no_return_the_fence_stays(journal: Journal, beyond: Phase) -> None:
    journal.open(a_record(phase=beyond), [an_edge()])

    with pytest.raises(BlueIsGone):
        journal.raise_fence("shop", seen=1, reason="sick", at=NOON)

    assert journal.read("shop").fence == 1


def test_a_reason_of_any_length_raises_the_fence(journal: Journal) -> None:
    journal.open(a_record(), [an_edge()])

    raised = journal.raise_fence("shop", seen=1, reason="x" * 500_000, at=NOON)

    assert len(raised.reason or "") == 1_000


def test_the_climb_in_flight_is_remembered(journal: Journal) -> None:
    journal.open(a_record(), [an_edge()])

    journal.set_climb("shop", CLIMB, fence=1)

    assert journal.read("shop").climb == CLIMB


def test_an_edge_is_replaced_whole(journal: Journal) -> None:
    journal.open(a_record(), [an_edge()])
    changed = an_edge().model_copy(update={"asked_bp": 500, "held_bp": 499, "way_back": ()})

    journal.put_edge(changed, fence=1)

    assert journal.edge("shop", "web") == changed


# -- the story --------------------------------------------------------------------


def test_the_story_is_told_in_the_order_it_was_written(journal: Journal) -> None:
    journal.open(a_record(), [])
    for place in range(30):
        journal.append(an_entry(detail={"place": place}), fence=1)
    journal.append(an_entry(detail={"place": 99}, at=NOON - timedelta(seconds=1)))

    story = journal.entries("shop")

    assert story[0].detail == {"place": 99}
    assert [entry.detail["place"] for entry in story[2:]] == list(range(30))


def test_a_result_names_its_intent(journal: Journal) -> None:
    journal.open(a_record(), [])
    intent = journal.append(an_entry(detail={"before": [0, 500], "rate": 0.25, "none": None}), fence=1)
    other = journal.append(an_entry(), fence=1)

    journal.append(an_entry("result", of=intent, fence=1))

    result = journal.entries("shop")[-1]
    assert (result.kind, result.of, result.fence, result.at) == ("result", intent, 1, NOON)
    assert intent != other
    assert journal.entries("shop")[1].detail == {"before": [0, 500], "rate": 0.25, "none": None}


def test_stories_are_kept_apart(journal: Journal) -> None:
    journal.append(an_entry())
    journal.append(an_entry(migration="shop-2"))

    assert len(journal.entries("shop")) == 1


def test_a_detail_too_large_for_an_entry_is_cut_and_says_so(journal: Journal) -> None:
    journal.append(an_entry(detail={"text": "x" * 500_000}))

    [entry] = journal.entries("shop")

    assert entry.detail["too_large_bytes"] > 500_000
    assert entry.detail["begins"].startswith('{"text": "xxx')


def test_a_long_story_is_told_to_its_end(journal: Journal) -> None:
    for _ in range(30):
        journal.append(an_entry(detail={"text": "x" * 50_000}))  # a page of a query is 1 MB

    assert len(journal.entries("shop")) == 30


# -- whom news concern, and who waits --------------------------------------------


def test_news_find_every_migration_they_concern(journal: Journal) -> None:
    journal.index("alarm:errors", "shop")
    journal.index("alarm:errors", "other")
    journal.index("alarm:errors", "shop")

    assert journal.migrations_of("alarm:errors") == ("other", "shop")
    assert journal.migrations_of("alarm:error") == ()


def test_a_token_waits_until_it_is_dropped(journal: Journal) -> None:
    token = Token(
        migration="shop",
        resource="service:shop/web",
        token="t" * 1_000,
        at=NOON,
        deployment="ecs-svc/2",
        replaces="ecs-svc/1",
    )

    journal.keep_token(token)

    assert journal.token("service:shop/web") == token
    assert journal.token("service:shop/we") is None
    journal.drop_token("service:shop/web", token.token)
    journal.drop_token("service:shop/web", token.token)
    assert journal.token("service:shop/web") is None


def a_token(text: str) -> Token:
    return Token(migration="shop", resource="service:shop/web", token=text, at=NOON)


def test_a_newer_token_survives_the_answer_to_an_older_one(journal: Journal) -> None:
    old, new = a_token("old"), a_token("new")
    journal.keep_token(old)
    journal.keep_token(new)

    journal.drop_token("service:shop/web", "old")

    assert journal.token("service:shop/web") == new


def test_tokens_and_index_of_one_resource_do_not_mix(journal: Journal) -> None:
    journal.keep_token(a_token("t"))
    journal.index("service:shop/web", "shop")

    assert journal.migrations_of("service:shop/web") == ("shop",)


def test_news_are_forgotten_for_one_migration_and_not_for_the_other(journal: Journal) -> None:
    journal.index("open", "shop")
    journal.index("open", "other")

    journal.unindex("open", "shop")
    journal.unindex("open", "shop")

    assert journal.migrations_of("open") == ("other",)


# -- what is promised, found and held ---------------------------------------------


def test_a_look_is_due_when_it_was_promised_and_only_under_the_fence_that_stands(journal: Journal) -> None:
    journal.open(a_record(), [an_edge()])
    journal.expect_look("shop", NOON, fence=1)

    assert journal.look_due("shop") == NOON
    journal.raise_fence("shop", seen=1, reason="ordered", at=NOON)
    assert journal.look_due("shop") is None
    with pytest.raises(Fenced):
        journal.expect_look("shop", NOON, fence=1)


def test_each_edge_has_its_own_look_and_the_first_of_them_is_due(journal: Journal) -> None:
    journal.open(a_record(), [an_edge(), an_edge(name="admin", rules=("rule-2",))])
    journal.expect_look("shop", NOON + timedelta(minutes=2), fence=1, edge="web")
    journal.expect_look("shop", NOON + timedelta(minutes=1), fence=1, edge="admin")

    assert journal.look_due("shop") == NOON + timedelta(minutes=1)
    journal.expect_look("shop", NOON + timedelta(minutes=3), fence=1, edge="admin")
    assert journal.look_due("shop") == NOON + timedelta(minutes=2)


def test_an_edge_that_is_looked_at_no_more_is_not_waited_for(journal: Journal) -> None:
    journal.open(a_record(), [an_edge()])
    journal.expect_look("shop", NOON, fence=1, edge="web")

    journal.forget_look("shop", "web", fence=1)
    journal.forget_look("shop", "web", fence=1)

    assert journal.look_due("shop") is None
    journal.raise_fence("shop", seen=1, reason="ordered", at=NOON)
    with pytest.raises(Fenced):
        journal.forget_look("shop", "web", fence=1)


@pytest.mark.parametrize("after", ["a look", "the last look"])
def test_an_answer_that_was_waited_for_is_not_when_an_edge_climbs_on(journal: Journal, after: str) -> None:
    journal.open(a_record(), [an_edge()])
    journal.expect_look("shop", NOON, fence=1)

    if after == "a look":
        journal.expect_look("shop", NOON + timedelta(minutes=1), fence=1, edge="web")
        assert journal.look_due("shop") == NOON + timedelta(minutes=1)
    else:
        journal.forget_look("shop", "web", fence=1)
        assert journal.look_due("shop") is None


def a_blue(service: str = "web") -> BlueFound:
    scaling = ScalingFound(resource_id=f"service/shop/{service}", dimension="ecs:service:DesiredCount", scheduled=True)
    return BlueFound(migration="shop", cluster="shop", service=service, scaling=(scaling,), rebalancing="ENABLED")


def test_what_was_found_first_on_blue_stays_until_it_is_dropped(journal: Journal) -> None:
    journal.open(a_record(), [an_edge()])
    journal.keep_blue(a_blue("web"), fence=1)
    journal.keep_blue(a_blue("orders"), fence=1)

    kept = journal.keep_blue(a_blue("web").model_copy(update={"rebalancing": "DISABLED"}), fence=1)

    assert kept == a_blue("web")
    assert journal.blues("shop") == (a_blue("orders"), a_blue("web"))
    journal.drop_blue("shop", "web")
    journal.drop_blue("shop", "web")
    assert journal.blues("shop") == (a_blue("orders"),)


def test_nothing_found_on_blue_is_kept_for_a_stale_executor(journal: Journal) -> None:
    journal.open(a_record(), [an_edge()])
    journal.raise_fence("shop", seen=1, reason="ordered", at=NOON)

    with pytest.raises(Fenced):
        journal.keep_blue(a_blue(), fence=1)

    assert journal.blues("shop") == ()


def a_hold(by: str = "operator", fence: int = 1) -> Hold:
    return Hold(migration="shop", by=by, why="a release is under way", at=NOON, fence=fence)


def test_a_hold_stands_until_it_is_dropped_or_the_fence_rises(journal: Journal) -> None:
    journal.open(a_record(), [an_edge()])
    journal.keep_hold(a_hold())
    journal.keep_hold(a_hold("blue:web"))
    journal.keep_hold(a_hold("blue:web"))

    assert [hold.by for hold in journal.holds("shop")] == ["blue:web", "operator"]
    journal.drop_hold("shop", "blue:web")
    journal.drop_hold("shop", "blue:web")
    assert journal.holds("shop") == (a_hold(),)
    journal.raise_fence("shop", seen=1, reason="ordered", at=NOON)
    assert journal.holds("shop") == ()


def test_what_shall_be_done_once_is_for_the_first_who_asks(journal: Journal) -> None:
    asked = [journal.once(*of, until=NOON) for of in (("shop", "a"), ("shop", "a"), ("shop", "b"), ("other", "a"))]

    assert asked == [True, False, True, True]


def test_entries_that_shall_expire_are_there_until_then(journal: Journal) -> None:
    journal.open(a_record(), [an_edge()])
    before = journal.entries("shop")
    for _ in range(2):
        journal.expire_entries("shop", at=NOON + timedelta(days=400))

    assert before
    assert journal.entries("shop") == before
    assert journal.read("shop").phase is Phase.CREATING


def test_an_unknown_migration_is_not_held(journal: Journal) -> None:
    with pytest.raises(UnknownMigration):
        journal.keep_hold(a_hold())
