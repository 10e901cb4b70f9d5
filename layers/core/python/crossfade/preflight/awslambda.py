"""AWS Lambda: the account's concurrency."""

from __future__ import annotations

from typing import Any

from crossfade.errors import EcsBusy
from crossfade.throttles import asking


class LambdaConcurrency:
    """`Concurrency` from GetAccountSettings."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def unreserved(self) -> int:
        """See `Concurrency`."""
        with asking("GetAccountSettings", EcsBusy):
            limit = self._client.get_account_settings()["AccountLimit"]
        return int(limit.get("UnreservedConcurrentExecutions", limit["ConcurrentExecutions"]))
