"""
Events that AWS sends: only what is relied on, everything else ignored.

An event is a hint. It may come twice, late, out of order or never, so each model says
whom the news concern and what is claimed; guards read the truth from AWS.

Source: "ECS service deployment state change events" (Amazon ECS developer guide),
"Alarm events and EventBridge" (CloudWatch user guide), "Automating Step Functions event
delivery" (Step Functions developer guide), "Real-time processing of log data with
subscriptions" (CloudWatch Logs user guide).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from crossfade.resources import alarm_resource, log_group_resource, service_resource

_MOST_LOG_BYTES: Final = 64 * 1024 * 1024
_GZIP: Final = 31


class _FromAws(BaseModel):
    """AWS's: immutable, and what we do not know is left aside."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class _Envelope(_FromAws):
    id: str
    time: AwareDatetime
    source: str
    detail_type: str = Field(alias="detail-type")


class AlarmState(_FromAws):
    """A state of an alarm; `timestamp` is all there is to order events by."""

    value: str = Field(default="", description="OK, ALARM or INSUFFICIENT_DATA; empty where an event leaves it out")
    timestamp: AwareDatetime | None = None
    reason: str = ""
    suppressed_by: str | None = Field(default=None, alias="actionsSuppressedBy", description="Of a composite alarm")


class AlarmMute(_FromAws):
    """The mute rule in whose window the alarm changed."""

    muted_by: str = Field(default="a mute rule", alias="mutedByArn")


class AlarmDetail(_FromAws):
    """What changed; composite and contributor alarms have the same two members."""

    alarm_name: str = Field(alias="alarmName")
    state: AlarmState
    mute: AlarmMute | None = Field(default=None, alias="muteDetail")

    @property
    def silenced_by(self) -> str | None:
        """Return what a person set so that this alarm acts on nothing now; None where nobody did."""
        return self.mute.muted_by if self.mute is not None else self.state.suppressed_by


class AlarmStateChanged(_Envelope):
    """CloudWatch Alarm State Change, and CloudWatch Alarm Contributor State Change, of metric and composite alarms."""

    detail: AlarmDetail

    @property
    def resource(self) -> str:
        """Return the journal's key of the alarm."""
        return alarm_resource(self.detail.alarm_name)


class DeploymentDetail(_FromAws):
    """`event_name` is SERVICE_DEPLOYMENT_IN_PROGRESS, _COMPLETED or _FAILED; the last needs a circuit breaker."""

    event_name: str = Field(alias="eventName")
    deployment_id: str = Field(alias="deploymentId")
    reason: str = ""


class DeploymentStateChanged(_Envelope):
    """
    ECS Deployment State Change.

    Which service is said only by the first of `resources`; there is no version to
    order by, and a completed rollback is called COMPLETED as well.
    """

    resources: Annotated[tuple[str, ...], Field(min_length=1)]
    detail: DeploymentDetail

    @property
    def cluster(self) -> str | None:
        """Return the cluster's name; None where the ARN is of the old form without one."""
        path = self._path
        return path[1] if len(path) == 3 else None  # noqa: PLR2004  # service/<cluster>/<name>

    @property
    def service(self) -> str:
        """Return the service's name."""
        return self._path[-1]

    @property
    def resource(self) -> str | None:
        """Return the journal's key of the service; None where the cluster is unknown."""
        cluster = self.cluster
        return None if cluster is None else service_resource(cluster, self.service)

    @property
    def _path(self) -> list[str]:
        return self.resources[0].rsplit(":", 1)[-1].split("/")


class TaskDetail(_FromAws):
    """`group` is `service:<name>` for a service's task; `stop_code` says who ended it."""

    task_arn: str = Field(alias="taskArn")
    cluster_arn: str = Field(alias="clusterArn")
    last_status: str = Field(alias="lastStatus")
    group: str = ""
    stop_code: str = Field(default="", alias="stopCode")
    stopped_reason: str = Field(default="", alias="stoppedReason")


class TaskStateChanged(_Envelope):
    """ECS Task State Change."""

    detail: TaskDetail

    @property
    def cluster(self) -> str:
        """Return the cluster's name."""
        return self.detail.cluster_arn.rsplit("/", 1)[-1]

    @property
    def service(self) -> str | None:
        """Return the service's name; None for a task that is no service's."""
        kind, _, name = self.detail.group.partition(":")
        return name if kind == "service" and name else None

    @property
    def resource(self) -> str | None:
        """Return the journal's key of the service; None for a task that is no service's."""
        return None if self.service is None else service_resource(self.cluster, self.service)


class Tick(_Envelope):
    """Scheduled Event: a minute has passed."""


class ExecutionDetail(_FromAws):
    """`status` is an execution's, in Step Functions' words; `error` is there when it failed or was stopped with one."""

    execution_arn: str = Field(alias="executionArn")
    status: str
    error: str | None = None
    cause: str | None = None


class ExecutionStatusChanged(_Envelope):
    """Step Functions Execution Status Change; best effort, possibly out of order."""

    detail: ExecutionDetail


class LogEvent(_FromAws):
    """One line of a log stream; `timestamp` in milliseconds since 1970."""

    id: str
    timestamp: int
    message: str


class ProxyLogDelivered(_FromAws):
    """
    What a subscription delivers: lines of one log stream, packed. It may come twice, and streams in any order.

    A CONTROL_MESSAGE only asks whether anybody is there.
    """

    message_type: str = Field(alias="messageType")
    log_group: str = Field(alias="logGroup")
    log_stream: str = Field(alias="logStream")
    log_events: tuple[LogEvent, ...] = Field(alias="logEvents")

    @model_validator(mode="before")
    @classmethod
    def _unpack(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "awslogs" not in given:
            return given
        try:
            packed = base64.b64decode(given["awslogs"]["data"], validate=True)
            return json.loads(zlib.decompressobj(_GZIP).decompress(packed, _MOST_LOG_BYTES))
        except (KeyError, TypeError, binascii.Error, zlib.error) as broken:
            raise ValueError(f"awslogs.data is no packed JSON: {broken}") from broken

    @property
    def resource(self) -> str:
        """Return the journal's key of the log group."""
        return log_group_resource(self.log_group)

    @property
    def fingerprint(self) -> str:
        """Return what tells this delivery from others, and is the same when it comes again."""
        ids = ",".join((self.log_group, self.log_stream, *sorted(event.id for event in self.log_events)))
        return hashlib.sha256(ids.encode()).hexdigest()

    @property
    def is_data(self) -> bool:
        """Return whether it holds lines."""
        return self.message_type == "DATA_MESSAGE"
