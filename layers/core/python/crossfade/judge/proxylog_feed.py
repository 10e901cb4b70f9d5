"""The ports to the proxies' log as it is written: having it delivered, reading a stretch whole, publishing counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from crossfade.judge.proxylog_report import Counts

_BLAMES_THE_SERVER: Final = ("Unknown", "DeadlineExceeded", "Unimplemented", "Internal", "Unavailable", "DataLoss")

DELIVERED: Final = " || ".join(
    ['{ ($.action = "EJECT")', "($.response_code >= 500)"]
    + [f'($.grpc_status = "{status}")' for status in _BLAMES_THE_SERVER[:-1]]
    + [f'($.grpc_status = "{_BLAMES_THE_SERVER[-1]}") }}']
)
"""The lines that a subscription delivers: few as long as all is well, and enough to know when to look."""

ENFORCED: Final = '{ ($.action = "EJECT") && ($.enforced IS TRUE) }'
"""The lines that a metric filter counts, and an alarm hears of, without any code."""


SUBSCRIPTION: Final = "crossfade"
"""The name of our subscription and metric filters: put again, they replace themselves."""


def ejection_alarm(migration: str) -> str:
    """Return the name of the alarm on a migration's logged ejections."""
    return f"crossfade-{migration}-ejections"


class StreamsRead(NamedTuple):
    """Every line of a stretch of a log group, by stream. With a fault there are some missing, or all."""

    streams: Mapping[str, tuple[str, ...]]
    faults: tuple[str, ...] = ()


class ProxyFeed(Protocol):
    """
    What brings the proxies' log to us without asking for it.

    Every implementation must pass `tests/contract/test_proxy_feed.py`.
    """

    def subscribe(self, group: str, migration: str) -> str | None:
        """
        Have enforced ejections and failed requests delivered, and an alarm raised on the former.

        Return why it cannot be, in words, and None when it is done: the judge reads the
        log by itself, so nothing depends on it. Idempotent: the filters and the alarm
        have names, and are put again as they are.

        Raises:
            EcsBusy: AWS throttles; ask again.
        """
        ...

    def unsubscribe(self, group: str) -> None:
        """
        Have nothing of the log delivered or counted any more; what others put on it stays. Idempotent.

        The alarm goes with the migration's other alarms.

        Raises:
            EcsBusy: AWS throttles; ask again.
        """
        ...


class ProxyStreams(Protocol):
    """
    The proxies' log, whole.

    Every implementation must pass `tests/contract/test_proxy_feed.py`.
    """

    def read(self, group: str, *, since: datetime, until: datetime) -> StreamsRead:
        """
        Return every line from `since` up to `until`, by stream.

        A group that does not exist, one too large to be read, and a throttled read are
        faults: what is missing is not known.
        """
        ...


class ProxyMeter(Protocol):
    """Where counts of the proxies' log are published."""

    def publish(self, migration: str, counts: Mapping[int, Counts]) -> None:
        """Publish counts by the beginning of their ten seconds, in milliseconds since 1970."""
        ...
