"""How AWS says that it is busy, in its many spellings, and what the state machines hear of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from crossfade.errors import TryAgain

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


@contextmanager
def asking(what: str, busy: type[TryAgain], *, also: Collection[str] = ()) -> Iterator[None]:
    """
    Ask AWS, and say by one error what a later attempt may mend; every other refusal leaves unchanged.

    Args:
        what: who is asked or what for, as people shall read it: the operation, most often.
        busy: the error that the state machines know this service's throttling by.
        also: further codes by which this service asks for patience.

    Raises:
        TryAgain: of the class `busy`: the call was cut off, throttled, or failed by AWS's own fault.
        ClientError: AWS refused, and would again.
    """
    try:
        yield
    except (HTTPClientError, NoConnection) as cut:
        raise busy(f"{what}: no answer: {cut}") from cut
    except ClientError as refused:
        code = refused.response["Error"]["Code"]
        if code in also or is_busy(refused.response):
            raise busy(f"{what}: {code}") from refused
        raise


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
