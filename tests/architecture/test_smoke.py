"""The smoke test of built functions sees what would fail on Lambda."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from checks.smoke import interpreter, invoke

HANDLERS = {
    "ImportModuleError": "import a_module_that_is_not_in_the_layer\n",
    "HandlerNotFound": "def another(event, context): ...\n",
    "ValueError": "def handler(event, context):\n    raise ValueError(event)\n",
}


@pytest.mark.parametrize("error", HANDLERS)
def test_a_function_answers_as_lambda_would_report_it(error: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(HANDLERS[error])

    answer = invoke(Path(sys.executable), tmp_path, {"Handler": "app.handler"}, [])

    assert str(answer.get("errorType")).removeprefix("Runtime.") == error


def test_a_function_that_takes_any_event_is_seen(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handler(event, context):\n    return {'took': event}\n")

    answer = invoke(Path(sys.executable), tmp_path, {"Handler": "app.handler"}, [])

    assert answer == {"kind": "response", "answer": {"took": {}}}


def test_an_interpreter_that_does_not_start_is_none() -> None:
    assert interpreter("9.99") is None
