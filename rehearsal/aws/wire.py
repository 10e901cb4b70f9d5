"""How the embedded AWS is reached: by its tests, by the handlers it runs and by its own services among themselves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

ACCESS = {"AWS_ACCESS_KEY_ID": "embedded", "AWS_SECRET_ACCESS_KEY": "embedded"}


CALLER_HEADER = "X-Embedded-Caller"
"""On a call that a state of an execution makes: the execution's ARN, a blank, the state's name."""


class _Saying(threading.local):
    """What the calls of this thread say of who makes them."""

    caller = ""


saying = _Saying()


def _say_caller(params: dict[str, Any], **_: Any) -> None:
    if saying.caller:
        params["headers"][CALLER_HEADER] = saying.caller


class Wire:
    """
    Makes clients of the embedded AWS.

    With an endpoint they speak HTTP to it; without one they rely on moto answering in-process.
    Clients are kept, one per service, region and patience; botocore's clients may be shared by threads.
    """

    def __init__(self) -> None:
        self.endpoint: str | None = None
        self.open_door: Callable[[], str] | None = None  # opens an HTTP endpoint for handlers where there is none
        self.region = "eu-west-1"
        self._clients: dict[tuple[str, str, bool], Any] = {}
        self._session: Any = None  # one for good: it keeps AWS's service models, which take long to read
        self._lock = threading.Lock()

    def connect(self, endpoint: str | None, region: str, *, open_door: Callable[[], str] | None = None) -> None:
        """Reach the embedded AWS here from now on; clients made before are forgotten."""
        with self._lock:
            self.endpoint, self.region, self.open_door = endpoint, region, open_door
            self._clients.clear()

    def client(self, service: str, region: str | None = None, *, retries: bool = True) -> Any:
        """Return a client; without `retries` a refused call is refused at once, as Step Functions' own calls are."""
        key = (service, region or self.region, retries)
        with self._lock:
            if key not in self._clients:
                self._session = self._session or boto3.Session()
                config: Any = Config
                self._clients[key] = self._session.client(
                    service,
                    region_name=key[1],
                    endpoint_url=self.endpoint,
                    aws_access_key_id=ACCESS["AWS_ACCESS_KEY_ID"],
                    aws_secret_access_key=ACCESS["AWS_SECRET_ACCESS_KEY"],
                    config=config(
                        retries={"mode": "standard", "total_max_attempts": 3 if retries else 1},
                        max_pool_connections=64,
                        read_timeout=900,  # as long as a Lambda may run
                        inject_host_prefix=False,
                        s3={"addressing_style": "path"},
                        ignore_configured_endpoint_urls=True,
                    ),
                )
                if not retries:  # Step Functions' own
                    self._clients[key].meta.events.register("before-call", _say_caller)
            return self._clients[key]

    def environment(self) -> dict[str, str]:
        """Return the environment variables by which a child process reaches the embedded AWS and nothing else."""
        found = {
            **ACCESS,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }
        endpoint = self.endpoint or (self.open_door() if self.open_door else None)
        if endpoint is not None:
            found["AWS_ENDPOINT_URL"] = endpoint
        return found


wire = Wire()
