"""What ships the proxies' lines to their log groups."""

from __future__ import annotations

import threading
from typing import Any

from rehearsal.dataplane.proxy_output import LogShipper
from rehearsal.dataplane.task_shape import LogDestination


class SlowLogs:
    """Takes batches, each so slowly that another who ships comes meanwhile, if nothing keeps him out."""

    def __init__(self) -> None:
        self.asked, self.asked_again = threading.Event(), threading.Event()
        self.kept: list[str] = []

    def create_log_stream(self, **_: str) -> None:
        pass

    def put_log_events(self, *, logEvents: list[dict[str, Any]], **_: str) -> None:  # noqa: N803  boto3's name
        if self.asked.is_set():
            self.asked_again.set()
        self.asked.set()
        self.asked_again.wait(0.3)
        self.kept += [event["message"] for event in logEvents]


def test_two_that_ship_at_once_send_each_line_once() -> None:
    logs = SlowLogs()
    shipper = LogShipper(logs)
    stream = shipper.open(LogDestination(group="proxies", prefix="green", creates_group=False), "envoy", "1")
    for line in ("one", "two"):
        stream.write(line)
    first, second = (threading.Thread(target=shipper.ship) for _ in range(2))
    first.start()
    logs.asked.wait()
    second.start()
    first.join()
    second.join()

    assert logs.kept == ["one", "two"]
    assert not stream.waiting
