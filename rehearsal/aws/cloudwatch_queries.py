"""What is asked of CloudWatch's metrics, alone or by an alarm: checked, and answered as series."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rehearsal.aws.cloudwatch_regions import region_of
from rehearsal.aws.metric_math import BadExpression, Span, evaluate, names_in
from rehearsal.aws.metric_store import MINUTE, MetricKey, MetricStore, Series, is_statistic
from rehearsal.aws.registry import Call

MOST_DIMENSIONS: Final = 30
HIGH_RESOLUTION_PERIODS: Final = (1, 5, 10, 20, 30)


def metric_key(call: Call, namespace: str, metric: Mapping[str, Any]) -> MetricKey:
    """Return what a metric is kept by. Refuses more dimensions than one may have."""
    dimensions = metric.get("Dimensions", [])
    if len(dimensions) > MOST_DIMENSIONS:
        raise call.error("InvalidParameterValue", f"A metric has at most {MOST_DIMENSIONS} dimensions.")
    return MetricKey.of(namespace, metric["MetricName"], {each["Name"]: each["Value"] for each in dimensions})


def check_query(call: Call, query: Mapping[str, Any], fine: Sequence[int]) -> None:
    """Refuse a query as GetMetricData or PutMetricAlarm would; `fine` are the periods it may have below a minute."""
    if not re.fullmatch(r"[a-z][a-zA-Z0-9_]*", query["Id"]):
        raise call.error("ValidationError", f"The id '{query['Id']}' must start with a lowercase letter.")
    if ("MetricStat" in query) == ("Expression" in query):
        raise call.error("ValidationError", f"Query '{query['Id']}' needs exactly one of MetricStat and Expression.")
    if "Expression" in query:
        return
    stat = query["MetricStat"]
    _check_period(call, stat["Period"], fine)
    if not is_statistic(stat["Stat"]):
        raise call.error("ValidationError", f"The statistic '{stat['Stat']}' is not supported.")


def _check_period(call: Call, period: int, fine: Sequence[int]) -> None:
    if period not in fine and (period < MINUTE or period % MINUTE):
        allowed = ", ".join(map(str, fine))
        raise call.error("ValidationError", f"The parameter Period must be one of {allowed} or a multiple of 60.")


def label_of(query: Mapping[str, Any]) -> str:
    """Return the label a query's answer bears."""
    if "Label" in query:
        return str(query["Label"])
    return str(query["MetricStat"]["Metric"]["MetricName"] if "MetricStat" in query else query["Id"])


def answer_all(call: Call, queries: Sequence[Mapping[str, Any]], start: float, end: float) -> dict[str, Series]:
    """Answer every query of a call, its periods aligned."""
    periods = [query["MetricStat"]["Period"] for query in queries if "MetricStat" in query]
    begin = math.floor(start / min(periods or [MINUTE])) * min(periods or [MINUTE])
    try:
        return series_of(region_of(call.region).metrics, queries, begin, math.ceil(end), aligned=True)
    except BadExpression as refused:
        raise call.error("ValidationError", str(refused)) from refused


def series_of(
    store: MetricStore, queries: Sequence[Mapping[str, Any]], start: int, end: int, *, aligned: bool
) -> dict[str, Series]:
    """Answer every query; a number from an expression stands at the start. Raises BadExpression."""
    answers: dict[str, Series] = {}
    for query in queries:
        if "MetricStat" in query:
            stat = query["MetricStat"]
            metric = stat["Metric"]
            period = stat["Period"]
            answers[query["Id"]] = store.series(
                MetricKey.of(
                    metric["Namespace"],
                    metric["MetricName"],
                    {each["Name"]: each["Value"] for each in metric.get("Dimensions", [])},
                ),
                statistic=stat["Stat"],
                period=period,
                start=start // period * period if aligned else start,
                end=end,
                unit=stat.get("Unit"),
            )
    periods = [query["MetricStat"]["Period"] for query in queries if "MetricStat" in query]
    span = Span(start, end, min(periods, default=MINUTE))
    open_queries = {query["Id"]: query["Expression"] for query in queries if "Expression" in query}
    while open_queries:
        ready = [name for name, expression in open_queries.items() if not names_in(expression) & open_queries.keys()]
        if not ready:
            raise BadExpression(f"Expressions refer to each other in a circle: {', '.join(open_queries)}")
        for name in ready:
            value = evaluate(open_queries.pop(name), answers, span)
            if isinstance(value, float):
                value = {start: value}
            if not isinstance(value, dict):
                raise BadExpression(f"Expression '{name}' answers no single series")
            answers[name] = value
    return answers


def epoch_of(moment: Any) -> float:
    """Return a time in seconds since 1970, however it was given."""
    return moment.timestamp() if isinstance(moment, datetime) else float(moment)


def offset_of(call: Call, token: str | None) -> int:
    """Return where the page begins that a token stands for."""
    if token is None:
        return 0
    if not token.isdigit():
        raise call.error("InvalidNextToken", "The next token is not valid.")
    return int(token)
