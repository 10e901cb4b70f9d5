"""How AWS says that it is busy, in its many spellings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CODES = frozenset(
    {
        "InternalFailure",
        "InternalServerError",
        "InternalServiceError",
        "InternalServiceFault",
        "OperationAbortedException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "ServerException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
    }
)


def is_busy(response: Mapping[str, Any]) -> bool:
    """
    Return whether an error answer asks for patience: throttled, or AWS's own fault.

    Args:
        response: `ClientError.response`.

    Source:
        Retry behavior, AWS SDKs and Tools Reference Guide; each API's common errors.
    """
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    server_fault = 500
    return response.get("Error", {}).get("Code") in _CODES or status >= server_fault
