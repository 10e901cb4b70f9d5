"""
CloudWatch in the embedded AWS: metrics by the second, alarms that evaluate, act and are heard on the event bus.

It answers every metric and alarm operation a migration uses in moto's place; dashboards stay moto's. An alarm is
evaluated as on AWS: every ten seconds when its period is shorter than a minute, else every minute, over complete
periods only. Limits that botocore does not check are refused here.
"""

from __future__ import annotations

import json
import logging
import math
import re
import threading
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from moto.awslambda.models import lambda_backends
from moto.sns.models import sns_backends

from rehearsal.aws import alarms
from rehearsal.aws.clock import clock, every, soon
from rehearsal.aws.events import emit
from rehearsal.aws.metric_math import BadExpression, Span, evaluate, names_in
from rehearsal.aws.metric_store import MINUTE, Bucket, MetricKey, MetricStore, Series, StatisticSet, is_statistic
from rehearsal.aws.registry import ACCOUNT, Call, on_reset, operation

HIGH_RESOLUTION_PERIODS: Final = (1, 5, 10, 20, 30)
ALARM_PERIODS: Final = (10, 20, 30)
LOOK_SECONDS: Final = 0.5  # how often it is asked whether an alarm is due
LAG_SECONDS: Final = 2.0  # data of a period may arrive this long after its end
MOST_DATAPOINTS: Final = 100_800
MOST_QUERIES: Final = 500
MOST_METRICS: Final = 1000
MOST_VALUES: Final = 150
MOST_DIMENSIONS: Final = 30
MOST_ALARM_SECONDS: Final = 7 * 24 * 3600
_ACTIONS: Final = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Alarm:
    """One alarm: what was put, and the state it is in. `request` holds the members of the put, in AWS's names."""

    name: str
    arn: str
    request: dict[str, Any]
    state: alarms.State
    reason: str
    reason_data: str
    state_at: datetime
    configured_at: datetime
    tags: dict[str, str]
    due: int = 0  # the boundary it was last evaluated at, epoch seconds

    @property
    def composite(self) -> bool:
        """Whether other alarms decide its state."""
        return "AlarmRule" in self.request

    def describe(self) -> dict[str, Any]:
        """Answer what DescribeAlarms answers."""
        return {
            **{name: value for name, value in self.request.items() if name != "Tags"},
            "AlarmArn": self.arn,
            "ActionsEnabled": self.request.get("ActionsEnabled", True),
            "OKActions": self.request.get("OKActions", []),
            "AlarmActions": self.request.get("AlarmActions", []),
            "InsufficientDataActions": self.request.get("InsufficientDataActions", []),
            "AlarmConfigurationUpdatedTimestamp": self.configured_at,
            "StateValue": self.state,
            "StateReason": self.reason,
            "StateReasonData": self.reason_data,
            "StateUpdatedTimestamp": self.state_at,
            "StateTransitionedTimestamp": self.state_at,
            **({} if self.composite else {"Dimensions": self.request.get("Dimensions", [])}),
        }


@dataclass(slots=True)
class _Region:
    """What CloudWatch knows in one region."""

    name: str
    metrics: MetricStore = field(default_factory=MetricStore)
    alarms: dict[str, Alarm] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)


_regions: dict[str, _Region] = {}
_regions_lock = threading.Lock()


def _region(name: str) -> _Region:
    with _regions_lock:
        return _regions.setdefault(name, _Region(name))


def forget_metrics(namespace: str) -> None:
    """Forget what was counted in a namespace, so that what comes next is judged without it."""
    with _regions_lock:
        regions = list(_regions.values())
    for region in regions:
        region.metrics.forget(namespace)


@on_reset
def forget() -> None:
    """Forget all metrics and alarms."""
    with _regions_lock:
        _regions.clear()


# -- metrics ------------------------------------------------------------------


def put_metric(
    region: str,
    namespace: str,
    name: str,
    values: Mapping[float, float],
    *,
    dimensions: Mapping[str, str],
    at: float,
    unit: str = "None",
    resolution: int = 1,
) -> None:
    """Record values (value to count) measured at `at`, epoch seconds. For what AWS itself publishes: log metrics."""
    _region(region).metrics.put(
        MetricKey.of(namespace, name, dimensions),
        Bucket(Counter(dict(values))),
        at=at,
        unit=unit,
        resolution=resolution,
    )


@operation("cloudwatch", "PutMetricData")
def put_metric_data(call: Call) -> dict[str, Any]:
    """Keep values, values with counts, or statistic sets, by the second where StorageResolution is 1."""
    data = call.params.get("MetricData", [])
    if len(data) > MOST_METRICS:
        raise call.error(
            "InvalidParameterValue", f"The collection MetricData must not have a size greater than {MOST_METRICS}."
        )
    now = clock.time()
    checked = [(_metric_key(call, call.params["Namespace"], datum), _bucket(call, datum), datum) for datum in data]
    for key, bucket, datum in checked:
        _region(call.region).metrics.put(
            key,
            bucket,
            at=_epoch(datum.get("Timestamp", now)),
            unit=datum.get("Unit", "None"),
            resolution=datum.get("StorageResolution", MINUTE),
        )
    return {}


def _metric_key(call: Call, namespace: str, metric: Mapping[str, Any]) -> MetricKey:
    dimensions = metric.get("Dimensions", [])
    if len(dimensions) > MOST_DIMENSIONS:
        raise call.error("InvalidParameterValue", f"A metric has at most {MOST_DIMENSIONS} dimensions.")
    return MetricKey.of(namespace, metric["MetricName"], {each["Name"]: each["Value"] for each in dimensions})


def _bucket(call: Call, datum: Mapping[str, Any]) -> Bucket:
    forms = [form for form in ("Value", "Values", "StatisticValues") if form in datum]
    if len(forms) != 1:
        raise call.error(
            "InvalidParameterCombination",
            "Exactly one of Value, Values and StatisticValues must be given for a metric.",
        )
    if datum.get("StorageResolution", MINUTE) not in (1, MINUTE):
        raise call.error("InvalidParameterValue", "The parameter StorageResolution must be 1 or 60.")
    match forms[0]:
        case "Value":
            bucket = Bucket(Counter([float(datum["Value"])]))
        case "Values":
            values = [float(value) for value in datum["Values"]]
            counts = [float(count) for count in datum.get("Counts", [1] * len(values))]
            if len(values) > MOST_VALUES or len(values) != len(counts):
                raise call.error(
                    "InvalidParameterValue", f"Values and Counts must have the same size, at most {MOST_VALUES}."
                )
            bucket = Bucket()
            for value, count in zip(values, counts, strict=True):
                bucket.values[value] += count  # type: ignore[assignment]  # CloudWatch takes fractional counts
        case _:
            summary = datum["StatisticValues"]
            bucket = Bucket(
                sets=[StatisticSet(summary["SampleCount"], summary["Sum"], summary["Minimum"], summary["Maximum"])]
            )
    if not all(math.isfinite(value) for value in bucket.values):
        raise call.error("InvalidParameterValue", "The value of a metric must be a finite number.")
    return bucket


@operation("cloudwatch", "GetMetricData")
def get_metric_data(call: Call) -> dict[str, Any]:
    """Answer metrics and expressions over aligned periods, newest first unless asked otherwise, in pages."""
    queries = call.params["MetricDataQueries"]
    if len(queries) > MOST_QUERIES:
        raise call.error(
            "ValidationError", f"The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}."
        )
    start, end = _epoch(call.params["StartTime"]), _epoch(call.params["EndTime"])
    if start >= end:
        raise call.error("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
    for query in queries:
        _check_query(call, query, HIGH_RESOLUTION_PERIODS)
    answers = _answer(call, queries, start, end)
    newest_first = call.params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    asked = [query for query in queries if query.get("ReturnData", True)]
    points = [
        (query["Id"], begin, value)
        for query in asked
        for begin, value in sorted(answers[query["Id"]].items(), reverse=newest_first)
    ]
    most = call.params.get("MaxDatapoints", MOST_DATAPOINTS)
    offset = _offset(call, call.params.get("NextToken"))
    page, rest = points[offset : offset + most], points[offset + most :]
    unfinished = {identity for identity, _, _ in rest}
    results = []
    for query in asked:
        mine = [(begin, value) for identity, begin, value in page if identity == query["Id"]]
        results.append(
            {
                "Id": query["Id"],
                "Label": _label(query),
                "Timestamps": [datetime.fromtimestamp(begin, UTC) for begin, _ in mine],
                "Values": [value for _, value in mine],
                "StatusCode": "PartialData" if query["Id"] in unfinished else "Complete",
            }
        )
    return {
        "MetricDataResults": results,
        "Messages": [],
        **({"NextToken": str(offset + most)} if rest else {}),
    }


@operation("cloudwatch", "GetMetricStatistics")
def get_metric_statistics(call: Call) -> dict[str, Any]:
    """Answer the statistics of one metric, oldest first."""
    params = call.params
    simple, extended = params.get("Statistics", []), params.get("ExtendedStatistics", [])
    if bool(simple) == bool(extended):
        raise call.error(
            "InvalidParameterCombination", "Exactly one of Statistics and ExtendedStatistics must be specified."
        )
    datapoints: dict[int, dict[str, Any]] = defaultdict(dict)
    for statistic in [*simple, *extended]:
        query = {
            "Id": "m",
            "MetricStat": {
                "Metric": {name: params[name] for name in ("Namespace", "MetricName", "Dimensions") if name in params},
                "Period": params["Period"],
                "Stat": statistic,
                **({"Unit": params["Unit"]} if "Unit" in params else {}),
            },
        }
        _check_query(call, query, HIGH_RESOLUTION_PERIODS)
        for begin, value in _answer(call, [query], _epoch(params["StartTime"]), _epoch(params["EndTime"]))["m"].items():
            point = datapoints[begin]
            point |= {"Timestamp": datetime.fromtimestamp(begin, UTC), "Unit": params.get("Unit", "None")}
            if extended:
                point.setdefault("ExtendedStatistics", {})[statistic] = value
            else:
                point[statistic] = value
    return {"Label": params["MetricName"], "Datapoints": [datapoints[begin] for begin in sorted(datapoints)]}


@operation("cloudwatch", "ListMetrics")
def list_metrics(call: Call) -> dict[str, Any]:
    """Name the metrics that have data, 500 a page."""
    params = call.params
    wanted = [(each["Name"], each.get("Value")) for each in params.get("Dimensions", [])]
    found = [
        {
            "Namespace": key.namespace,
            "MetricName": key.name,
            "Dimensions": [{"Name": name, "Value": value} for name, value in key.dimensions],
        }
        for key in _region(call.region).metrics.keys()  # noqa: SIM118  (a store is no mapping)
        if params.get("Namespace") in (None, key.namespace)
        and params.get("MetricName") in (None, key.name)
        and all(
            any(name == given and value in (None, held) for given, held in key.dimensions) for name, value in wanted
        )
    ]
    offset = _offset(call, params.get("NextToken"))
    page = found[offset : offset + MOST_QUERIES]
    more = offset + MOST_QUERIES < len(found)
    return {"Metrics": page, **({"NextToken": str(offset + MOST_QUERIES)} if more else {})}


def _check_query(call: Call, query: Mapping[str, Any], fine: Sequence[int]) -> None:
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


def _label(query: Mapping[str, Any]) -> str:
    if "Label" in query:
        return str(query["Label"])
    return str(query["MetricStat"]["Metric"]["MetricName"] if "MetricStat" in query else query["Id"])


def _answer(call: Call, queries: Sequence[Mapping[str, Any]], start: float, end: float) -> dict[str, Series]:
    periods = [query["MetricStat"]["Period"] for query in queries if "MetricStat" in query]
    begin = math.floor(start / min(periods or [MINUTE])) * min(periods or [MINUTE])
    try:
        return _series(_region(call.region).metrics, queries, begin, math.ceil(end), aligned=True)
    except BadExpression as refused:
        raise call.error("ValidationError", str(refused)) from refused


def _series(
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


def _epoch(moment: Any) -> float:
    return moment.timestamp() if isinstance(moment, datetime) else float(moment)


def _offset(call: Call, token: str | None) -> int:
    if token is None:
        return 0
    if not token.isdigit():
        raise call.error("InvalidNextToken", "The next token is not valid.")
    return int(token)


# -- alarms -------------------------------------------------------------------


@operation("cloudwatch", "PutMetricAlarm")
def put_metric_alarm(call: Call) -> dict[str, Any]:
    """Create an alarm in INSUFFICIENT_DATA, or change one and keep its state until it is next evaluated."""
    params = call.params
    _check_alarm(call, params)
    _put_alarm(call, params)
    return {}


@operation("cloudwatch", "PutCompositeAlarm")
def put_composite_alarm(call: Call) -> dict[str, Any]:
    """Create or change an alarm over alarms; its state is decided at once."""
    params = call.params
    region = _region(call.region)
    try:
        children = alarms.named_in(params["AlarmRule"])
    except alarms.BadRule as refused:
        raise call.error("ValidationError", f"AlarmRule is not valid: {refused}") from refused
    with region.lock:
        if unknown := sorted(children - region.alarms.keys()):
            raise call.error(
                "ValidationError",
                f"Could not save the composite alarm as alarms [{', '.join(unknown)}] in the alarm rule do not exist",
            )
        _put_alarm(call, params)
        _evaluate_composites(region)
    return {}


def _check_alarm(call: Call, params: Mapping[str, Any]) -> None:
    if params["ComparisonOperator"] not in alarms.COMPARISONS:
        raise call.error("ValidationError", f"ComparisonOperator {params['ComparisonOperator']} is not supported.")
    if params.get("TreatMissingData", "missing") not in ("missing", "notBreaching", "breaching", "ignore"):
        raise call.error("ValidationError", "Option not supported for TreatMissingData")
    if "Threshold" not in params:
        raise call.error("MissingParameter", "The parameter Threshold is required.")
    periods = params["EvaluationPeriods"]
    if periods < 1 or not 1 <= params.get("DatapointsToAlarm", periods) <= periods:
        raise call.error("ValidationError", "DatapointsToAlarm must be between 1 and EvaluationPeriods.")
    _check_alarm_metric(call, params)
    queries = _alarm_queries(params)
    if sum(query.get("ReturnData", True) for query in queries) != 1:
        raise call.error("ValidationError", "Exactly one element of Metrics must have ReturnData set to true.")
    for query in queries:
        _check_query(call, query, ALARM_PERIODS)
    try:
        _series(MetricStore(), queries, 0, MINUTE, aligned=False)
    except BadExpression as refused:
        raise call.error("ValidationError", str(refused)) from refused
    if _alarm_period(params) * periods > MOST_ALARM_SECONDS:
        raise call.error("ValidationError", "Metrics cannot be checked across more than seven days.")


def _check_alarm_metric(call: Call, params: Mapping[str, Any]) -> None:
    if ("MetricName" in params) == ("Metrics" in params):
        raise call.error("InvalidParameterCombination", "Exactly one of MetricName and Metrics must be given.")
    if "Metrics" in params:
        return
    if ("Statistic" in params) == ("ExtendedStatistic" in params):
        raise call.error("MissingParameter", "Exactly one of Statistic and ExtendedStatistic must be given.")
    if "Namespace" not in params or "Period" not in params:
        raise call.error("MissingParameter", "The parameters Namespace and Period are required.")


def _put_alarm(call: Call, params: Mapping[str, Any]) -> None:
    region = _region(call.region)
    name = params["AlarmName"]
    now = clock.now()
    with region.lock:
        old = region.alarms.get(name)
        tags = {each["Key"]: each["Value"] for each in params.get("Tags", [])}
        region.alarms[name] = Alarm(
            name=name,
            arn=f"arn:aws:cloudwatch:{call.region}:{call.account}:alarm:{name}",
            request=dict(params),
            state=old.state if old else "INSUFFICIENT_DATA",
            reason=old.reason if old else "Unchecked: Initial alarm creation",
            reason_data=old.reason_data if old else "{}",
            state_at=old.state_at if old else now,
            configured_at=now,
            tags=old.tags if old else tags,
        )
        _remember(
            region, region.alarms[name], "ConfigurationUpdate", f'Alarm "{name}" {"updated" if old else "created"}', {}
        )


@operation("cloudwatch", "DescribeAlarms")
def describe_alarms(call: Call) -> dict[str, Any]:
    """Answer alarms by name, prefix, state and type; metric alarms only, unless types are given."""
    params = call.params
    types = params.get("AlarmTypes", ["MetricAlarm"])
    region = _region(call.region)
    with region.lock:
        found = [
            alarm
            for alarm in sorted(region.alarms.values(), key=lambda each: each.name)
            if ("AlarmNames" not in params or alarm.name in params["AlarmNames"])
            and alarm.name.startswith(params.get("AlarmNamePrefix", ""))
            and params.get("StateValue") in (None, alarm.state)
            and ("CompositeAlarm" if alarm.composite else "MetricAlarm") in types
        ]
        offset = _offset(call, params.get("NextToken"))
        most = params.get("MaxRecords", 50 if "AlarmNames" not in params else 100)
        page = found[offset : offset + most]
        return {
            "MetricAlarms": [alarm.describe() for alarm in page if not alarm.composite],
            "CompositeAlarms": [alarm.describe() for alarm in page if alarm.composite],
            **({"NextToken": str(offset + most)} if offset + most < len(found) else {}),
        }


def calling(region: str, action: str) -> list[tuple[str, str]]:
    """Return the names and ARNs of the alarms of a Region that have this action in any state."""
    found = _region(region)
    with found.lock:
        return [
            (alarm.name, alarm.arn)
            for alarm in found.alarms.values()
            if any(action in alarm.request.get(actions, ()) for actions in _ACTIONS.values())
        ]


@operation("cloudwatch", "DescribeAlarmsForMetric")
def describe_alarms_for_metric(call: Call) -> dict[str, Any]:
    """Answer the metric alarms that watch exactly this metric."""
    params = call.params
    wanted = _metric_key(call, params["Namespace"], params)
    region = _region(call.region)
    with region.lock:
        return {
            "MetricAlarms": [
                alarm.describe()
                for alarm in region.alarms.values()
                if "MetricName" in alarm.request
                and _metric_key(call, alarm.request["Namespace"], alarm.request) == wanted
            ]
        }


@operation("cloudwatch", "DeleteAlarms")
def delete_alarms(call: Call) -> dict[str, Any]:
    """Delete alarms; one that a remaining composite alarm depends on is refused."""
    region = _region(call.region)
    going = set(call.params["AlarmNames"])
    with region.lock:
        for alarm in region.alarms.values():
            if (
                alarm.composite
                and alarm.name not in going
                and (used := alarms.named_in(alarm.request["AlarmRule"]) & going)
            ):
                raise call.error(
                    "ValidationError",
                    f"Cannot delete {min(used)} as there are composite alarm(s) that depend on it: {alarm.name}.",
                )
        for name in going:
            region.alarms.pop(name, None)
    return {}


@operation("cloudwatch", "EnableAlarmActions", "DisableAlarmActions")
def switch_alarm_actions(call: Call) -> dict[str, Any]:
    """Switch the actions of alarms on or off; states and events go on."""
    region = _region(call.region)
    with region.lock:
        for name in call.params["AlarmNames"]:
            if name in region.alarms:
                region.alarms[name].request["ActionsEnabled"] = call.action == "EnableAlarmActions"
    return {}


@operation("cloudwatch", "SetAlarmState")
def set_alarm_state(call: Call) -> dict[str, Any]:
    """Put an alarm into a state until its next evaluation says otherwise."""
    region = _region(call.region)
    params = call.params
    with region.lock:
        alarm = region.alarms.get(params["AlarmName"])
        if alarm is None:
            raise call.error("ResourceNotFound", f"Alarm {params['AlarmName']} does not exist")
        if params["StateValue"] not in _ACTIONS:
            raise call.error("ValidationError", "StateValue must be OK, ALARM or INSUFFICIENT_DATA.")
        _enter(region, alarm, params["StateValue"], params["StateReason"], params.get("StateReasonData", "{}"))
        _evaluate_composites(region)
    return {}


@operation("cloudwatch", "DescribeAlarmHistory")
def describe_alarm_history(call: Call) -> dict[str, Any]:
    """Answer what alarms went through, newest first unless asked otherwise."""
    params = call.params
    region = _region(call.region)
    with region.lock:
        items = [
            item
            for item in region.history
            if params.get("AlarmName") in (None, item["AlarmName"])
            and params.get("HistoryItemType") in (None, item["HistoryItemType"])
            and item["AlarmType"] in params.get("AlarmTypes", ["MetricAlarm", "CompositeAlarm"])
            and _epoch(params.get("StartDate", 0)) <= item["Timestamp"].timestamp()
            and item["Timestamp"].timestamp() <= _epoch(params.get("EndDate", math.inf))
        ]
    if params.get("ScanBy", "TimestampDescending") == "TimestampDescending":
        items.reverse()
    offset, most = _offset(call, params.get("NextToken")), params.get("MaxRecords", 100)
    return {
        "AlarmHistoryItems": items[offset : offset + most],
        **({"NextToken": str(offset + most)} if offset + most < len(items) else {}),
    }


@operation("cloudwatch", "ListTagsForResource", "TagResource", "UntagResource")
def tag_alarm(call: Call) -> Any:
    """Keep the tags of alarms; those of anything else are moto's."""
    name = call.params["ResourceARN"].rpartition(":alarm:")[2]
    region = _region(call.region)
    with region.lock:
        alarm = region.alarms.get(name)
        if alarm is None:
            return call.next()
        if call.action == "TagResource":
            alarm.tags |= {each["Key"]: each["Value"] for each in call.params["Tags"]}
        elif call.action == "UntagResource":
            alarm.tags = {key: value for key, value in alarm.tags.items() if key not in call.params["TagKeys"]}
        else:
            return {"Tags": [{"Key": key, "Value": value} for key, value in alarm.tags.items()]}
    return {}


# -- evaluation ---------------------------------------------------------------


def evaluate_alarms(now: float | None = None) -> None:
    """Evaluate every alarm that is due at `now` (epoch seconds; the clock's time when left out)."""
    at = clock.time() - LAG_SECONDS if now is None else now
    with _regions_lock:
        regions = list(_regions.values())
    for region in regions:
        with region.lock:
            for alarm in list(region.alarms.values()):
                if not alarm.composite:
                    _evaluate_if_due(region, alarm, at)
            _evaluate_composites(region)


every(LOOK_SECONDS, evaluate_alarms)


def _evaluate_if_due(region: _Region, alarm: Alarm, now: float) -> None:
    period = _alarm_period(alarm.request)
    step = min(ALARM_PERIODS) if period < MINUTE else MINUTE
    end = math.floor(now / step) * step
    if end <= alarm.due:
        return
    alarm.due = end
    bound = _bound(alarm.request)
    span = bound.periods + alarms.EXTRA_PERIODS
    start = end - span * period
    queries = _alarm_queries(alarm.request)
    series = _series(region.metrics, queries, start, end, aligned=False)
    [watched] = [query["Id"] for query in queries if query.get("ReturnData", True)]
    begins = range(start, end, period)
    values = [series[watched].get(begin) for begin in begins]
    state = alarms.decide(values, bound)
    if state is not None and state != alarm.state:
        seen = [(begin, value) for begin, value in zip(begins, values, strict=True) if value is not None]
        _enter(region, alarm, state, _reason(alarm, state, bound, seen), _reason_data(alarm, bound, seen, start))


def _evaluate_composites(region: _Region) -> None:
    for _ in range(len(region.alarms)):  # a composite over composites settles within as many rounds
        before = [alarm.state for alarm in region.alarms.values()]
        for alarm in region.alarms.values():
            if alarm.composite:
                _evaluate_composite(region, alarm)
        if before == [alarm.state for alarm in region.alarms.values()]:
            return


def _evaluate_composite(region: _Region, alarm: Alarm) -> None:
    spoken: list[Alarm] = []

    def is_in(name: str, state: alarms.State) -> bool:
        child = region.alarms.get(name)
        if child is None or child.state != state:
            return False
        spoken.append(child)
        return True

    state: alarms.State = "ALARM" if alarms.holds(alarm.request["AlarmRule"], is_in) else "OK"
    if state == alarm.state:
        return
    spoken.sort(key=lambda child: child.state_at)
    because = (
        f"{spoken[-1].arn} transitioned to {spoken[-1].state} at {_worded(spoken[-1].state_at)}"
        if spoken
        else f"{alarm.arn} was created and its alarm rule evaluates to {state}"
    )
    triggering = [
        {"arn": child.arn, "state": {"value": child.state, "timestamp": _stamp(child.state_at)}} for child in spoken
    ]
    _enter(region, alarm, state, because, json.dumps({"triggeringAlarms": triggering}))


def _enter(region: _Region, alarm: Alarm, state: alarms.State, reason: str, data: str) -> None:
    """Change an alarm's state, remember it, tell the event bus and act; a state it is already in changes nothing."""
    if state == alarm.state:
        return
    before = {"value": alarm.state, "reason": alarm.reason, "timestamp": _stamp(alarm.state_at)}
    if alarm.reason_data != "{}":
        before["reasonData"] = alarm.reason_data
    alarm.state, alarm.reason, alarm.reason_data, alarm.state_at = state, reason, data, clock.now()
    after = {"value": state, "reason": reason, "timestamp": _stamp(alarm.state_at)}
    if data != "{}":
        after["reasonData"] = data
    _remember(
        region,
        alarm,
        "StateUpdate",
        f"Alarm updated from {before['value']} to {state}",
        {
            "version": "1.0",
            "oldState": {"stateValue": before["value"], "stateReason": before["reason"]},
            "newState": {"stateValue": state, "stateReason": reason},
        },
    )
    detail = {
        "alarmName": alarm.name,
        "configuration": _event_configuration(alarm.request),
        "previousState": before,
        "state": after,
    }
    emit("aws.cloudwatch", "CloudWatch Alarm State Change", detail, [alarm.arn], region=region.name)
    if alarm.request.get("ActionsEnabled", True):
        for target in alarm.request.get(_ACTIONS[state], []):
            _act(region, alarm, target, detail, str(before["value"]))


def _act(region: _Region, alarm: Alarm, target: str, detail: dict[str, Any], old: str) -> None:
    _remember(region, alarm, "Action", f"Successfully executed action {target}", {"actionState": "Succeeded"})
    service = target.split(":")[2]
    if service == "sns":
        message = json.dumps(_notification(region, alarm, old))
        subject = f'{alarm.state}: "{alarm.name}" in {region.name}'
        soon(lambda: sns_backends[ACCOUNT][region.name].publish(message, arn=target, subject=subject[:100]))
    elif service == "lambda":
        payload = json.dumps(
            {
                "source": "aws.cloudwatch",
                "alarmArn": alarm.arn,
                "accountId": ACCOUNT,
                "time": _stamp(alarm.state_at),
                "region": region.name,
                "alarmData": detail,
            }
        )
        soon(lambda: lambda_backends[ACCOUNT][region.name].get_function(target).invoke(payload, {}, {}))
    else:
        logger.warning("an alarm action is not carried out here", extra={"alarm": alarm.name, "action": target})


def _notification(region: _Region, alarm: Alarm, old: str) -> dict[str, Any]:
    request = alarm.request
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": request.get("AlarmDescription"),
        "AWSAccountId": ACCOUNT,
        "AlarmConfigurationUpdatedTimestamp": _stamp(alarm.configured_at),
        "NewStateValue": alarm.state,
        "NewStateReason": alarm.reason,
        "StateChangeTime": _stamp(alarm.state_at),
        "Region": region.name,
        "AlarmArn": alarm.arn,
        "OldStateValue": old,
        **{name: request.get(name, []) for name in ("OKActions", "AlarmActions", "InsufficientDataActions")},
    }


def _remember(region: _Region, alarm: Alarm, kind: str, summary: str, data: Mapping[str, Any]) -> None:
    region.history.append(
        {
            "AlarmName": alarm.name,
            "AlarmType": "CompositeAlarm" if alarm.composite else "MetricAlarm",
            "Timestamp": clock.now(),
            "HistoryItemType": kind,
            "HistorySummary": summary,
            "HistoryData": json.dumps(data),
        }
    )


def _alarm_queries(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    if "Metrics" in request:
        return list(request["Metrics"])
    return [
        {
            "Id": "m1",
            "MetricStat": {
                "Metric": {
                    "Namespace": request["Namespace"],
                    "MetricName": request["MetricName"],
                    "Dimensions": request.get("Dimensions", []),
                },
                "Period": request["Period"],
                "Stat": request.get("Statistic") or request["ExtendedStatistic"],
                **({"Unit": request["Unit"]} if "Unit" in request else {}),
            },
            "ReturnData": True,
        }
    ]


def _alarm_period(request: Mapping[str, Any]) -> int:
    periods = [query["MetricStat"]["Period"] for query in _alarm_queries(request) if "MetricStat" in query]
    periods += [query["Period"] for query in _alarm_queries(request) if "Period" in query]
    return max(periods, default=MINUTE)


def _bound(request: Mapping[str, Any]) -> alarms.Bound:
    return alarms.Bound(
        comparison=request["ComparisonOperator"],
        threshold=float(request["Threshold"]),
        periods=request["EvaluationPeriods"],
        datapoints=request.get("DatapointsToAlarm", request["EvaluationPeriods"]),
        treatment=request.get("TreatMissingData", "missing"),
    )


def _reason(alarm: Alarm, state: alarms.State, bound: alarms.Bound, seen: Sequence[tuple[int, float]]) -> str:
    newest = list(reversed(seen[-bound.periods :]))
    if not newest:
        unknown = f"{bound.periods} datapoint{'s were' if bound.periods > 1 else ' was'} unknown"
        if state == "INSUFFICIENT_DATA":
            return f"Insufficient Data: {unknown}."
        return (
            f"Threshold Crossed: no datapoints were received for {bound.periods} period{'s'[: bound.periods > 1]} "
            f"and {bound.periods} missing datapoint{'s were' if bound.periods > 1 else ' was'} treated as "
            f"[{'Breaching' if state == 'ALARM' else 'NonBreaching'}]."
        )
    against = [(begin, value) for begin, value in newest if bound.breached(value) == (state == "ALARM")] or newest
    listed = ", ".join(f"{value} ({datetime.fromtimestamp(begin, UTC):%d/%m/%y %H:%M:%S})" for begin, value in against)
    was = "were" if len(against) > 1 else "was"
    negation = "" if state == "ALARM" else "not "
    return (
        f"Threshold Crossed: {len(against)} out of the last {bound.periods} datapoints [{listed}] {was} {negation}"
        f"{alarms.WORDS[bound.comparison]} ({bound.threshold}) (minimum {bound.datapoints} "
        f"datapoint{'s'[: bound.datapoints > 1]} for {alarm.state} -> {state} transition)."
    )


def _reason_data(alarm: Alarm, bound: alarms.Bound, seen: Sequence[tuple[int, float]], start: int) -> str:
    request = alarm.request
    statistic = (
        {"statistic": request.get("Statistic") or request["ExtendedStatistic"]} if "MetricName" in request else {}
    )
    return json.dumps(
        {
            "version": "1.0",
            "queryDate": _stamp(clock.now()),
            "startDate": _stamp(datetime.fromtimestamp(seen[0][0] if seen else start, UTC)),
            **statistic,
            "period": _alarm_period(request),
            "recentDatapoints": [value for _, value in seen[-bound.periods :]],
            "threshold": bound.threshold,
            "evaluatedDatapoints": [
                {"timestamp": _stamp(datetime.fromtimestamp(begin, UTC)), "value": value}
                for begin, value in reversed(seen[-bound.periods :])
            ],
        }
    )


def _event_configuration(request: Mapping[str, Any]) -> dict[str, Any]:
    described = {"description": request["AlarmDescription"]} if "AlarmDescription" in request else {}
    if "AlarmRule" in request:
        return {**described, "alarmRule": request["AlarmRule"]}
    return {**described, "metrics": list(_event_metrics(request))}


def _event_metrics(request: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for query in _alarm_queries(request):
        identity = query["Id"] if "Metrics" in request else str(uuid.uuid5(uuid.NAMESPACE_OID, request["AlarmName"]))
        entry: dict[str, Any] = {"id": identity, "returnData": query.get("ReturnData", True)}
        if "Label" in query:
            entry["label"] = query["Label"]
        if "Expression" in query:
            entry["expression"] = query["Expression"]
        else:
            stat = query["MetricStat"]
            entry["metricStat"] = {
                "metric": {
                    "namespace": stat["Metric"]["Namespace"],
                    "name": stat["Metric"]["MetricName"],
                    "dimensions": {each["Name"]: each["Value"] for each in stat["Metric"].get("Dimensions", [])},
                },
                "period": stat["Period"],
                "stat": stat["Stat"],
            }
        yield entry


def _stamp(moment: datetime) -> str:
    """Write a time as CloudWatch does in its events: milliseconds and `+0000`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"


def _worded(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%A %d %B, %Y %H:%M:%S UTC")
