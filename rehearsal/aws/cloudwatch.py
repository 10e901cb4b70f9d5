"""
CloudWatch in the embedded AWS: metrics, kept by the second and answered by any period.

It answers every metric operation a migration uses in moto's place; alarms are in `cloudwatch_alarms`, dashboards stay
moto's. Limits that botocore does not check are refused here.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from rehearsal.aws.clock import clock
from rehearsal.aws.cloudwatch_queries import (
    HIGH_RESOLUTION_PERIODS,
    answer_all,
    check_query,
    epoch_of,
    label_of,
    metric_key,
    offset_of,
)
from rehearsal.aws.cloudwatch_regions import region_of
from rehearsal.aws.metric_store import MINUTE, Bucket, MetricKey, StatisticSet
from rehearsal.aws.registry import Call, operation

MOST_DATAPOINTS: Final = 100_800
MOST_QUERIES: Final = 500
MOST_METRICS: Final = 1000
MOST_VALUES: Final = 150


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
    region_of(region).metrics.put(
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
    checked = [(metric_key(call, call.params["Namespace"], datum), _bucket(call, datum), datum) for datum in data]
    for key, bucket, datum in checked:
        region_of(call.region).metrics.put(
            key,
            bucket,
            at=epoch_of(datum.get("Timestamp", now)),
            unit=datum.get("Unit", "None"),
            resolution=datum.get("StorageResolution", MINUTE),
        )
    return {}


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
    start, end = epoch_of(call.params["StartTime"]), epoch_of(call.params["EndTime"])
    if start >= end:
        raise call.error("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
    for query in queries:
        check_query(call, query, HIGH_RESOLUTION_PERIODS)
    answers = answer_all(call, queries, start, end)
    newest_first = call.params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    asked = [query for query in queries if query.get("ReturnData", True)]
    points = [
        (query["Id"], begin, value)
        for query in asked
        for begin, value in sorted(answers[query["Id"]].items(), reverse=newest_first)
    ]
    most = call.params.get("MaxDatapoints", MOST_DATAPOINTS)
    offset = offset_of(call, call.params.get("NextToken"))
    page, rest = points[offset : offset + most], points[offset + most :]
    unfinished = {identity for identity, _, _ in rest}
    results = []
    for query in asked:
        mine = [(begin, value) for identity, begin, value in page if identity == query["Id"]]
        results.append(
            {
                "Id": query["Id"],
                "Label": label_of(query),
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
        check_query(call, query, HIGH_RESOLUTION_PERIODS)
        for begin, value in answer_all(call, [query], epoch_of(params["StartTime"]), epoch_of(params["EndTime"]))[
            "m"
        ].items():
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
        for key in region_of(call.region).metrics.keys()  # noqa: SIM118  (a store is no mapping)
        if params.get("Namespace") in (None, key.namespace)
        and params.get("MetricName") in (None, key.name)
        and all(
            any(name == given and value in (None, held) for given, held in key.dimensions) for name, value in wanted
        )
    ]
    offset = offset_of(call, params.get("NextToken"))
    page = found[offset : offset + MOST_QUERIES]
    more = offset + MOST_QUERIES < len(found)
    return {"Metrics": page, **({"NextToken": str(offset + MOST_QUERIES)} if more else {})}
