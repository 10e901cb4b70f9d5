"""AWS KMS: the key under which Service Connect keeps its private keys."""

from __future__ import annotations

from typing import Any

from crossfade.errors import EcsBusy
from crossfade.preflight.surroundings import Key
from crossfade.throttles import asking


class KmsKeys:
    """`Keys` from DescribeKey."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def key(self, name: str) -> Key | None:
        """See `Keys`."""
        gone = (self._client.exceptions.NotFoundException, self._client.exceptions.InvalidArnException)
        try:
            with asking("DescribeKey", EcsBusy):
                found = self._client.describe_key(KeyId=name)["KeyMetadata"]
        except gone:
            return None
        return Key(state=found.get("KeyState", "Enabled"), spec=found.get("KeySpec", "SYMMETRIC_DEFAULT"))
