"""What the state machines, AWS's limits and AWS's bad days need of the table, beyond what every journal promises."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from moto import mock_aws

from crossfade.errors import BadInput, EdgeOwned, Fenced, JournalBusy
from crossfade.journal.dynamodb import DynamoDbJournal
from crossfade.journal.edges import StoredRequest
from crossfade.journal.model import Entry, Token
from crossfade.phases import Phase
from tests.aws import a_client
from tests.traffic import CLIMB, MIGRATE, NOON, a_record, an_edge

TABLE = "journal"


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        made = a_client("dynamodb")
        made.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        yield made


def item(client: Any, pk: str, sk: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get_item(TableName=TABLE, Key={"pk": {"S": pk}, "sk": {"S": sk}})["Item"]
    return found


def an_entry(kind: str = "intent") -> Entry:
    return Entry.model_validate({"migration": "shop", "at": NOON, "kind": kind, "what": "shift", "subject": "web"})


# -- how long it is kept -----------------------------------------------------------------


def test_every_entry_of_a_migration_expires_when_it_shall_and_nothing_else_of_it(client: Any) -> None:
    journal = DynamoDbJournal(client, TABLE)
    journal.open(a_record(), [an_edge()])
    for _ in range(120):  # more than one transaction holds
        journal.append(an_entry())
    journal.append(an_entry().model_copy(update={"migration": "other"}))
    journal.expire_entries("shop", at=NOON)
    journal.append(an_entry())
    journal.expire_entries("shop", at=NOON + timedelta(days=1))

    kept = client.scan(TableName=TABLE)["Items"]
    entries = [each for each in kept if each["pk"]["S"] == "migration#shop" and each["sk"]["S"].startswith("entry#")]
    first, second = ({"N": str(int((NOON + timedelta(days=days)).timestamp()))} for days in (0, 1))
    assert sorted(each["expires"]["N"] for each in entries) == [first["N"]] * (len(entries) - 1) + [second["N"]]
    assert len(entries) == 122
    assert not any("expires" in each for each in kept if each not in entries)


# -- the interface to the state machines ------------------------------------------------


def test_a_record_has_the_attributes_that_roll_back_reads(client: Any) -> None:
    DynamoDbJournal(client, TABLE).open(a_record(confirm_seconds=7, restore_retry_seconds=3), [an_edge()])

    record = item(client, "migration#shop", "record")

    assert record["phase"] == {"S": "creating"}
    assert record["fence"] == {"N": "1"}
    assert record["execution"] == {"S": MIGRATE}
    assert record["settle_seconds"] == {"N": "30"}
    assert (record["confirm_seconds"], record["restore_retry_seconds"]) == ({"N": "7"}, {"N": "3"})
    assert record["opened_at"] == {"S": "2026-11-22T12:00:00.123456+00:00"}
    assert record["plan"] == {"M": {"bucket": {"S": "plans"}, "key": {"S": "shop.json"}, "sha256": {"S": "0" * 64}}}
    assert "climb" not in record
    assert "reason" not in record


def test_an_edge_carries_its_way_back_as_the_calls_to_send(client: Any) -> None:
    DynamoDbJournal(client, TABLE).open(a_record(), [an_edge()])

    edge = item(client, "migration#shop", "edge#web")

    assert edge["name"] == {"S": "web"}
    [request] = json.loads(edge["way_back"]["S"])
    assert StoredRequest.model_validate(request) == an_edge().way_back[0]
    assert set(request) == {"service", "action", "arguments"}


def test_a_fence_that_a_state_machine_raised_shuts_executors_out(client: Any) -> None:
    journal = DynamoDbJournal(client, TABLE)
    journal.open(a_record(), [an_edge()])
    client.update_item(
        TableName=TABLE,
        Key={"pk": {"S": "migration#shop"}, "sk": {"S": "record"}},
        UpdateExpression="SET fence = fence + :one, phase = :back, reason = :why",
        ExpressionAttributeValues={":one": {"N": "1"}, ":back": {"S": "rolling_back"}, ":why": {"S": "by hand"}},
    )

    record = journal.read("shop")

    assert (record.fence, record.phase, record.reason) == (2, Phase.ROLLING_BACK, "by hand")
    with pytest.raises(Fenced):
        journal.append(an_entry(), fence=1)
    assert journal.raise_fence("shop", seen=1, reason="alarm", at=NOON) == record


def test_keys_are_those_of_the_table_in_the_docstring(client: Any) -> None:
    journal = DynamoDbJournal(client, TABLE)
    journal.open(a_record(), [an_edge()])
    journal.index("alarm:errors", "shop")
    journal.keep_token(Token(migration="shop", resource="service:shop/web", token="t", at=NOON))  # noqa: S106

    assert item(client, "edge#rule-1", "owner")["migration"] == {"S": "shop"}
    assert item(client, "resource#alarm:errors", "migration#shop")["migration"] == {"S": "shop"}
    assert item(client, "resource#service:shop/web", "token")["token"] == {"S": "t"}


def test_an_entry_is_found_by_its_time(client: Any) -> None:
    journal = DynamoDbJournal(client, TABLE)

    written = journal.append(an_entry())

    time, _, unique = written.partition("#")
    assert datetime.fromisoformat(time) == NOON
    assert len(unique) == 36
    assert item(client, "migration#shop", f"entry#{written}")["what"] == {"S": "shift"}


# -- limits -----------------------------------------------------------------------------


def test_edges_of_more_rules_than_a_transaction_holds_are_refused_whole(client: Any) -> None:
    journal = DynamoDbJournal(client, TABLE)

    with pytest.raises(BadInput, match="one transaction holds 100"):
        journal.open(a_record(), [an_edge(rules=tuple(f"rule-{place}" for place in range(100)))])

    assert client.scan(TableName=TABLE)["Count"] == 0


# -- others at the same time ------------------------------------------------------------


class Meddling:
    """A client before whose next call of one name somebody else acts, so many times."""

    def __init__(self, client: Any, name: str, act: Callable[[], object], times: int = 1) -> None:
        self._client, self._name, self._act, self._left = client, name, act, times

    def __getattr__(self, name: str) -> Any:
        if name == self._name and self._left:
            self._left -= 1
            self._act()
        return getattr(self._client, name)


def test_of_two_openings_at_once_one_takes_the_edge(client: Any) -> None:
    def other() -> None:
        DynamoDbJournal(client, TABLE).open(a_record("other"), [an_edge("other")])

    journal = DynamoDbJournal(Meddling(client, "transact_write_items", other), TABLE)  # type: ignore[arg-type]

    with pytest.raises(EdgeOwned, match="other"):
        journal.open(a_record(), [an_edge()])

    assert journal.edges("shop") == ()
    assert item(client, "edge#rule-1", "owner")["migration"] == {"S": "other"}


def test_an_owner_that_opens_again_while_its_edge_is_taken_keeps_it(client: Any) -> None:
    plain = DynamoDbJournal(client, TABLE)
    plain.open(a_record("other", phase=Phase.ROLLED_BACK), [an_edge("other")])

    def again() -> None:
        plain.open(a_record("other", execution="second"), [an_edge("other")])

    journal = DynamoDbJournal(Meddling(client, "transact_write_items", again), TABLE)  # type: ignore[arg-type]

    with pytest.raises(EdgeOwned, match="other"):
        journal.open(a_record(), [an_edge()])


def test_of_two_executions_that_open_again_at_once_one_does(client: Any) -> None:
    plain = DynamoDbJournal(client, TABLE)
    plain.open(a_record(phase=Phase.ROLLED_BACK), [an_edge()])

    def second() -> None:
        plain.open(a_record(execution="second"), [an_edge()])

    journal = DynamoDbJournal(Meddling(client, "transact_write_items", second), TABLE)  # type: ignore[arg-type]

    with pytest.raises(EdgeOwned, match="opened by second"):
        journal.open(a_record(execution="third"), [an_edge()])

    assert (plain.read("shop").execution, plain.read("shop").fence) == ("second", 2)


def test_a_phase_that_moves_in_between_is_read_again(client: Any) -> None:
    plain = DynamoDbJournal(client, TABLE)
    plain.open(a_record(phase=Phase.READY), [an_edge()])

    def climb() -> None:
        plain.enter("shop", Phase.CLIMBING, fence=1, at=NOON)

    journal = DynamoDbJournal(Meddling(client, "transact_write_items", climb), TABLE)  # type: ignore[arg-type]

    entered = journal.enter("shop", Phase.BAKING, fence=1, at=NOON)

    assert entered.phase is Phase.BAKING
    moves = [entry.detail["from"] for entry in plain.entries("shop") if entry.what == "entered"]
    assert moves == ["ready", "climbing"]


def test_a_fence_raised_in_between_is_seen(client: Any) -> None:
    plain = DynamoDbJournal(client, TABLE)
    plain.open(a_record(), [an_edge()])

    def overtake() -> None:
        plain.raise_fence("shop", seen=1, reason="alarm", at=NOON)

    calls: list[Callable[[DynamoDbJournal], object]] = [
        lambda journal: journal.raise_fence("shop", seen=1, reason="mine", at=NOON),
        lambda journal: journal.enter("shop", Phase.READY, fence=2, at=NOON),
    ]
    raised = calls[0](DynamoDbJournal(Meddling(client, "transact_write_items", overtake), TABLE))  # type: ignore[arg-type]

    assert raised == plain.read("shop")
    assert plain.read("shop").reason == "alarm"


# -- bad days ---------------------------------------------------------------------------


class Refusing:
    """A client whose every call fails in one way."""

    def __init__(self, client: Any, failure: Exception) -> None:
        self._client, self._failure = client, failure

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*_: object, **__: object) -> Any:
            raise self._failure

        return call


def refused(code: str, *reasons: str) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": code},
        "CancellationReasons": [{"Code": reason} for reason in reasons],
    }
    return ClientError(response, "Operation")


BUSY = [
    refused("ThrottlingException"),
    refused("ProvisionedThroughputExceededException"),
    refused("TransactionCanceledException", "None", "TransactionConflict"),
    refused("TransactionCanceledException", "ThrottlingError"),
    ConnectTimeoutError(endpoint_url="dynamodb"),
]

CALLS: dict[str, Callable[[DynamoDbJournal], object]] = {
    "open": lambda journal: journal.open(a_record(), [an_edge()]),
    "read": lambda journal: journal.read("shop"),
    "edges": lambda journal: journal.edges("shop"),
    "edge": lambda journal: journal.edge("shop", "web"),
    "put_edge": lambda journal: journal.put_edge(an_edge(), fence=1),
    "enter": lambda journal: journal.enter("shop", Phase.READY, fence=1, at=NOON),
    "append": lambda journal: journal.append(an_entry(), fence=1),
    "entries": lambda journal: journal.entries("shop"),
    "raise_fence": lambda journal: journal.raise_fence("shop", seen=1, reason="sick", at=NOON),
    "set_climb": lambda journal: journal.set_climb("shop", CLIMB, fence=1),
    "expect_look": lambda journal: journal.expect_look("shop", NOON, fence=1, edge="web"),
    "forget_look": lambda journal: journal.forget_look("shop", "web", fence=1),
    "look_due": lambda journal: journal.look_due("shop"),
    "index": lambda journal: journal.index("alarm:errors", "shop"),
    "migrations_of": lambda journal: journal.migrations_of("alarm:errors"),
    "token": lambda journal: journal.token("service:shop/web"),
    "drop_token": lambda journal: journal.drop_token("service:shop/web", "t"),
}


@pytest.mark.parametrize("failure", BUSY, ids=str)
@pytest.mark.parametrize("name", CALLS)
def test_a_table_on_a_bad_day_is_asked_again(client: Any, name: str, failure: Exception) -> None:
    journal = DynamoDbJournal(Refusing(client, failure), TABLE)  # type: ignore[arg-type]

    with pytest.raises(JournalBusy):
        CALLS[name](journal)


def test_what_is_not_allowed_is_not_called_busy(client: Any) -> None:
    journal = DynamoDbJournal(Refusing(client, refused("AccessDeniedException")), TABLE)  # type: ignore[arg-type]

    with pytest.raises(ClientError):
        journal.read("shop")
