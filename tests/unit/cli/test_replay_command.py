"""`crossfade replay` reads a journal wherever it is, and ends with what it found."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from crossfade.journal.dynamodb import DynamoDbJournal
from crossfade.journal.model import Entry
from crossfade.judge.judge import judge
from crossfade.judge.look import EVIDENCE, Look
from crossfade.judge.reading import Readings, Window
from crossfade.judge.replay import evidence_digest
from crossfade.plan.document import Bounds
from crossfade.plan.edges import Rung
from crossfade_cli.app import main
from tests.aws import a_client
from tests.traffic import NOON


def run(arguments: Sequence[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def a_look(number: int, previous: str) -> Entry:
    rung, bounds = Rung(share_bp=2_500, soak_seconds=60), Bounds(slow_ratio=None)
    readings = Readings(window=Window(start=NOON, period_seconds=60, rows=((900, 1, 300, 0),) * number))
    judgement = judge(readings, rung, bounds, tests=1)
    look = Look(
        look=number,
        rung=rung,
        bounds=bounds,
        tests=1,
        readings=readings,
        judgement=judgement,
        answered=judgement.answer,
        previous=previous,
    )
    return Entry(
        migration="shop",
        at=NOON + timedelta(minutes=number),
        kind="evidence",
        what=EVIDENCE,
        subject="web",
        detail=look.model_dump(mode="json"),
        fence=1,
    )


def a_journal() -> Any:
    """A table with three looks in it."""
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
    journal, previous = DynamoDbJournal(client, "journal"), ""
    for number in range(3):
        entry = a_look(number, previous)
        journal.append(entry)
        previous = evidence_digest(entry)
    return client


@pytest.fixture
def items(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    monkeypatch.setenv("COLUMNS", "200")
    with mock_aws():
        found: list[dict[str, Any]] = a_journal().scan(TableName="journal")["Items"]
    return found


def test_a_table_nobody_touched_stands(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a")
    with mock_aws():
        region = a_journal().meta.region_name

        code = run(["replay", "shop", "--table", "journal", "--region", region])

    assert code == 0
    assert "3 looks judged again: 3 stand, 0 do not" in capsys.readouterr().out


FORMS: dict[str, Callable[[list[dict[str, Any]]], str]] = {
    "a query's answer": lambda items: json.dumps({"Items": items, "Count": len(items)}),
    "a list": json.dumps,
    "an export": lambda items: "\n".join(json.dumps({"Item": item}) for item in items),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_items_is_read_in_whatever_form_it_was_written(
    form: str, items: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "journal.json"
    file.write_text(FORMS[form](items[::-1]), encoding="utf-8")

    code = run(["replay", "shop", "--from", str(file), "--json"])

    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert [(look["answer"], look["broken"]) for look in told] == [("hold", None), ("advance", None), ("advance", None)]


def test_tampered_evidence_is_named_and_ends_with_2(
    items: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "journal.json"
    items[1]["detail"]["S"] = items[1]["detail"]["S"].replace("[[900, 1, 300, 0]]", "[[900, 1, 300, 1]]")
    file.write_text(json.dumps(items), encoding="utf-8")

    code = run(["replay", "shop", "--from", str(file)])

    said = capsys.readouterr().out
    assert code == 2
    assert "12:01:00 web: its readings lead to hold" in said
    assert "12:02:00 web: the chain is broken" in said
    assert "1 stand, 2 do not" in said


@pytest.fixture
def files(items: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JOURNAL_TABLE", raising=False)
    for name, text in (("journal.json", json.dumps(items)), ("text.json", "hello\n"), ("foreign.json", '[{"a": 1}]')):
        (tmp_path / name).write_text(text, encoding="utf-8")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["shop"], "say where the journal is"),
        (["shop", "--from", "nowhere.json"], "cannot be read"),
        (["other", "--from", "journal.json"], "the journal holds no look at other"),
        (["shop", "--from", "text.json"], "neither JSON nor lines of JSON"),
        (["shop", "--from", "foreign.json"], "this is no export of a journal"),
    ],
)
def test_what_cannot_be_judged_again_is_refused_in_a_sentence(
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = run(["replay", *arguments])

    assert code == 1
    assert said in capsys.readouterr().err
