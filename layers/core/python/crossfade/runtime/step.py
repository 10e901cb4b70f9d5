"""What makes a Lambda handler of a function from one model to another."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeAlias, TypeVar

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from pydantic import BaseModel, ValidationError

from crossfade.errors import BadInput, CrossfadeError

Asked = TypeVar("Asked", bound=BaseModel)
Handler: TypeAlias = Callable[[dict[str, Any], Any], dict[str, Any]]

_log = Logger()
_metrics = Metrics()


def step(asked: type[Asked]) -> Callable[[Callable[[Asked], BaseModel]], Handler]:
    """
    Make a Lambda handler of a function from one model to another.

    The event is parsed into `asked` before the function runs, and its answer is dumped
    to JSON after. What it raises leaves unchanged: Step Functions retries and catches
    by the exception's class name. One line is logged for every call, with the
    migration's name; one metric counts every refusal and failure by its class.
    """

    def decorate(function: Callable[[Asked], BaseModel]) -> Handler:
        @wraps(function)
        @_log.inject_lambda_context(clear_state=True)
        def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
            request = _parse(asked, event)
            _log.append_keys(migration=getattr(request, "migration", None))
            try:
                answer = function(request)
            except CrossfadeError as error:
                _log.warning("refused", extra={"error": type(error).__name__, "reason": str(error)})
                _count(type(error).__name__)
                raise
            _log.info("answered", extra={"answer": answer.model_dump(mode="json")})
            return answer.model_dump(mode="json")

        return handler

    return decorate


def _parse(asked: type[Asked], event: dict[str, Any]) -> Asked:
    """Parse an event; BadInput names the first field that is wrong and what it should be."""
    try:
        return asked.model_validate(event)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the event"
        raise BadInput(f"{asked.__name__}: {place}: {first['msg']}; see events/ for a sample") from wrong


def _count(name: str) -> None:
    _metrics.add_dimension(name="error", value=name)
    _metrics.add_metric(name="Refusals", unit=MetricUnit.Count, value=1)
    _metrics.flush_metrics()
