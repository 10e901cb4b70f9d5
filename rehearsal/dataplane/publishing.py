"""What leaves the data plane: metrics at the end of their period, proxy logs about every second."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.dataplane.metrics import Meter
from rehearsal.dataplane.proxy_output import LogShipper

TICK_SECONDS = 0.25
SHIP_EVERY = 4  # ticks
DATA_PER_CALL = 500  # PutMetricData takes 1,000
MOST_KEPT = 20_000

logger = logging.getLogger(__name__)


class Publisher:
    """
    Publishes until stopped, on one thread.

    `meters` are closed `grace_seconds` after the end of a period, when the last line about it has been read. `before`
    is called at every tick, to count what is there without being a request. Logs are shipped where there is a shipper.
    """

    def __init__(
        self,
        cloudwatch: Any,
        shipper: LogShipper | None,
        meters: Sequence[tuple[Meter, float]],
        before: Callable[[], None] = lambda: None,
    ) -> None:
        self._cloudwatch = cloudwatch
        self._shipper = shipper
        self._meters = meters
        self._before = before
        self._waiting: deque[tuple[str, dict[str, Any]]] = deque(maxlen=MOST_KEPT)

    def run(self, stopped: threading.Event) -> None:
        """Publish until stopped; what fails is named once and tried again."""
        complaint, ticks = "", 0
        while not stopped.wait(TICK_SECONDS):
            ticks += 1
            try:
                self._before()
                self.publish(time.time())
                if self._shipper is not None and ticks % SHIP_EVERY == 0:
                    self._shipper.ship()
                complaint = ""
            except (BotoCoreError, ClientError, OSError) as error:
                if not stopped.is_set() and str(error) != complaint:
                    complaint = str(error)
                    logger.warning("the data plane could not publish: %s", complaint)

    def publish(self, now: float) -> None:
        """Put the data of every period that is complete by `now`. Raises what botocore raises; nothing is lost."""
        for meter, grace_seconds in self._meters:
            for namespace, data in meter.close(now - grace_seconds).items():
                self._waiting.extend((namespace, datum) for datum in data)
        while self._waiting:
            namespace = self._waiting[0][0]
            part: list[dict[str, Any]] = []
            for name, datum in self._waiting:
                if name != namespace or len(part) == DATA_PER_CALL:
                    break
                part.append(datum)
            self._cloudwatch.put_metric_data(Namespace=namespace, MetricData=part)
            for _ in part:
                self._waiting.popleft()
