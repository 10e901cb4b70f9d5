"""CloudWatch: the alarms that call green's step scaling, copied from blue's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from crossfade.connect.greenscaling import Twin
from crossfade.connect.stepalarms import copied_alarm, family, watches_blue
from crossfade.errors import EcsBusy
from crossfade.throttles import asking

_AT_ONCE = 100  # names that DescribeAlarms and DeleteAlarms take
_REFUSED = frozenset({"InvalidParameterCombination", "InvalidParameterValue", "LimitExceeded", "ValidationError"})


class CloudWatchStepAlarms:
    """Metric alarms that call step scaling policies."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def copy(
        self, names: Sequence[str], twin: Twin, *, policies: Mapping[str, str], tags: Mapping[str, str]
    ) -> tuple[str, ...]:
        """
        Let a copy of each of these alarms call green's policies, and return what people should know of it, in words.

        May be repeated: a copy is put again as it is.

        Args:
            names: Blue's alarms.
            twin: Blue and green.
            policies: Green's scaling policies by blue's, by ARN.
            tags: What the copies carry.

        Raises:
            EcsBusy: CloudWatch throttles.
        """
        wanted = list(dict.fromkeys(names))
        found = {alarm["AlarmName"]: alarm for alarm in self._described(wanted)}
        return tuple(
            said
            for name in wanted
            if (said := self._copy(name, found.get(name), twin, policies=policies, tags=tags)) is not None
        )

    def remove(self, cluster: str, green: str) -> None:
        """
        Delete every alarm that was copied for a green service.

        Raises:
            EcsBusy: CloudWatch throttles.
        """
        with asking("DescribeAlarms", EcsBusy):
            pages = self._client.get_paginator("describe_alarms").paginate(AlarmNamePrefix=family(cluster, green))
            names = [alarm["AlarmName"] for page in pages for alarm in page.get("MetricAlarms", [])]
        for first in range(0, len(names), _AT_ONCE):
            with asking("DeleteAlarms", EcsBusy):
                self._client.delete_alarms(AlarmNames=names[first : first + _AT_ONCE])

    def _copy(
        self, name: str, alarm: Any, twin: Twin, *, policies: Mapping[str, str], tags: Mapping[str, str]
    ) -> str | None:
        if alarm is None:
            return (
                f"alarm {name} calls scaling of {twin.blue} and is not in this account and Region: make one for green"
            )
        wanted = copied_alarm(alarm, twin, policies)
        if isinstance(wanted, str):
            return wanted
        try:
            with asking("PutMetricAlarm", EcsBusy):
                self._client.put_metric_alarm(
                    **wanted, Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
                )
        except ClientError as refused:
            if refused.response["Error"]["Code"] not in _REFUSED:
                raise
            return f"alarm {name} was not copied for {twin.green}: {refused.response['Error'].get('Message', refused)}"
        if watches_blue(alarm, twin):
            return None
        return f"alarm {name} does not name {twin.blue}, so its copy for {twin.green} watches the same"

    def _described(self, names: Sequence[str]) -> list[Any]:
        found: list[Any] = []
        for first in range(0, len(names), _AT_ONCE):
            with asking("DescribeAlarms", EcsBusy):
                pages = self._client.get_paginator("describe_alarms").paginate(
                    AlarmNames=names[first : first + _AT_ONCE]
                )
                found += [alarm for page in pages for alarm in page.get("MetricAlarms", [])]
        return found
