"""Metric data points as CloudWatch keeps them: per exact set of dimensions, in buckets of a second or a minute."""

from __future__ import annotations

import math
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Series: TypeAlias = dict[int, float]
"""Values by the second at which their period begins (UTC epoch)."""

MINUTE = 60
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")
_TRIMMED_COUNT = re.compile(r"TC\(:(\d+(?:\.\d{1,10})?)\)")
_SIMPLE = frozenset({"Sum", "Average", "Minimum", "Maximum", "SampleCount"})


@dataclass(frozen=True, slots=True)
class MetricKey:
    """What makes a metric one metric: the namespace, the name and exactly these dimensions."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str]) -> MetricKey:
        """Make a key; the order of the dimensions does not matter."""
        return cls(namespace, name, tuple(sorted(dimensions.items())))


@dataclass(frozen=True, slots=True)
class StatisticSet:
    """Values that were summarised before they were sent: no percentile can be read from them, as on AWS."""

    samples: float
    total: float
    minimum: float
    maximum: float


@dataclass(slots=True)
class Bucket:
    """All that was put for one metric in one second, or one minute."""

    values: Counter[float] = field(default_factory=Counter)
    sets: list[StatisticSet] = field(default_factory=list)

    def merge(self, other: Bucket) -> None:
        """Add the other's values to this bucket."""
        self.values.update(other.values)
        self.sets.extend(other.sets)

    def samples(self) -> float:
        """Count the values."""
        return sum(self.values.values()) + sum(each.samples for each in self.sets)

    def total(self) -> float:
        """Add the values up."""
        return sum(value * count for value, count in self.values.items()) + sum(each.total for each in self.sets)

    def statistic(self, name: str) -> float | None:
        """Answer one statistic; None for one that needs the values, where they were summarised before they came."""
        match name:
            case "Sum":
                return self.total()
            case "SampleCount":
                return self.samples()
            case "Average":
                return self.total() / self.samples()
            case "Minimum":
                return min([*self.values, *(each.minimum for each in self.sets)])
            case "Maximum":
                return max([*self.values, *(each.maximum for each in self.sets)])
            case _:
                bound = _TRIMMED_COUNT.fullmatch(name)
                return self._count_up_to(float(bound[1])) if bound else self._percentile(float(name.removeprefix("p")))

    def _count_up_to(self, bound: float) -> float | None:
        if any(each.minimum != each.maximum for each in self.sets):
            return None
        alone = sum(count for value, count in self.values.items() if value <= bound)
        return alone + sum(each.samples for each in self.sets if each.maximum <= bound)

    def _percentile(self, percent: float) -> float | None:
        values = Counter(self.values)
        for each in self.sets:
            if each.minimum != each.maximum:
                return None
            values[each.minimum] += each.samples  # type: ignore[assignment]  # CloudWatch takes fractional counts
        rank = percent / 100 * sum(values.values())
        seen = 0.0
        for value in sorted(values):
            seen += values[value]
            if seen >= rank - 1e-9:
                return value
        return None


def is_statistic(name: str) -> bool:
    """
    Whether `name` is a statistic this store answers.

    That is the five simple ones, percentiles (`p99`), and the trimmed count of values up to a bound (`TC(:0.25)`).
    """
    return any((name in _SIMPLE, _PERCENTILE.fullmatch(name), _TRIMMED_COUNT.fullmatch(name)))


class MetricStore:
    """
    The data points of one region. Safe to use from many threads.

    A standard metric is kept by the minute, one put with a storage resolution of 1 by the second.
    """

    def __init__(self) -> None:
        self._data: dict[MetricKey, dict[str, dict[int, Bucket]]] = defaultdict(lambda: defaultdict(dict))
        self._lock = threading.Lock()

    def put(self, key: MetricKey, bucket: Bucket, *, at: float, unit: str = "None", resolution: int = MINUTE) -> None:
        """Add values that were measured at `at` (UTC epoch seconds); `resolution` is 1 or 60."""
        start = math.floor(at) if resolution == 1 else math.floor(at / MINUTE) * MINUTE
        with self._lock:
            self._data[key][unit].setdefault(start, Bucket()).merge(bucket)

    def series(
        self, key: MetricKey, *, statistic: str, period: int, start: int, end: int, unit: str | None = None
    ) -> Series:
        """
        Answer one value per period that has data, from `start` (included) to `end` (excluded).

        Periods are counted from `start`, so callers align it. Without `unit`, data of every unit is taken together.
        """
        periods: dict[int, Bucket] = {}
        with self._lock:
            units = self._data.get(key, {})
            chosen = units.values() if unit is None else [units.get(unit, {})]
            for buckets in chosen:
                for second in _seconds(buckets, start, end):
                    begin = start + (second - start) // period * period
                    periods.setdefault(begin, Bucket()).merge(buckets[second])
        answers = {begin: periods[begin].statistic(statistic) for begin in sorted(periods)}
        return {begin: value for begin, value in answers.items() if value is not None}

    def keys(self) -> list[MetricKey]:
        """Name every metric that has data, in the order they first came."""
        with self._lock:
            return list(self._data)

    def forget(self, namespace: str) -> None:
        """Forget the data of one namespace."""
        with self._lock:
            for key in [key for key in self._data if key.namespace == namespace]:
                del self._data[key]

    def clear(self) -> None:
        """Forget all data."""
        with self._lock:
            self._data.clear()


def _seconds(buckets: Mapping[int, Bucket], start: int, end: int) -> Iterator[int]:
    wanted: Iterable[int] = range(start, end) if end - start < len(buckets) else buckets
    return (second for second in wanted if start <= second < end and second in buckets)
