"""Metric math: what an expression over series answers."""

from __future__ import annotations

import pytest

from rehearsal.aws.metric_math import BadExpression, Span, evaluate, names_in
from rehearsal.aws.metric_store import Bucket, MetricKey, MetricStore, StatisticSet

SPAN = Span(0, 30, 10)
E5, RQ = {0: 1.0, 10: 2.0}, {0: 10.0, 10: 0.0, 20: 4.0}


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("100*e5/rq", {0: 10.0}),
        ("e5 + rq", {0: 11.0, 10: 2.0}),
        ("-e5", {0: -1.0, 10: -2.0}),
        ("e5 ^ 2", {0: 1.0, 10: 4.0}),
        ("FILL(e5, 0) + rq", {0: 11.0, 10: 2.0, 20: 4.0}),
        ("FILL(e5, REPEAT)", {0: 1.0, 10: 2.0, 20: 2.0}),
        ("SUM([e5, rq])", {0: 11.0, 10: 2.0, 20: 4.0}),
        ("MAX(METRICS())", {0: 10.0, 10: 2.0, 20: 4.0}),
        ("IF(rq > 3, e5, 0)", {0: 1.0, 10: 0.0}),
        ("IF(rq > 3 AND e5 < 2, 1, 0)", {0: 1.0, 10: 0.0}),
        ("IF(rq > 3 || e5 == 2, 1, 0)", {0: 1.0, 10: 1.0}),
        ("RATE(rq)", {10: -1.0, 20: 0.4}),
        ("RUNNING_SUM(rq)", {0: 10.0, 10: 10.0, 20: 14.0}),
        ("rq / PERIOD(rq)", {0: 1.0, 10: 0.0, 20: 0.4}),
        ("SUM(rq)", 14.0),
    ],
)
def test_an_expression_answers_as_cloudwatch_does(expression: str, answer: object) -> None:
    assert evaluate(expression, {"e5": E5, "rq": RQ}, SPAN) == pytest.approx(answer)


@pytest.mark.parametrize("expression", ["e5 +", "nobody * 2", "SEARCH('x', 'Sum', 60)", "__import__('os')", "e5.real"])
def test_what_is_no_metric_math_here_is_refused(expression: str) -> None:
    with pytest.raises(BadExpression):
        evaluate(expression, {"e5": E5}, SPAN)


def test_an_expression_names_its_metrics() -> None:
    assert names_in("IF(a > 1, SUM([b, c1]), FILL(d, 0))") == {"a", "b", "c1", "d"}


def test_a_percentile_over_summarised_values_is_unknown() -> None:
    store, key = MetricStore(), MetricKey.of("n", "m", {})
    store.put(key, Bucket(sets=[StatisticSet(3, 6, 1, 3)]), at=5, resolution=1)

    p99 = store.series(key, statistic="p99", period=10, start=0, end=10)

    assert p99 == {}
    assert store.series(key, statistic="Average", period=10, start=0, end=10) == {0: 2.0}
