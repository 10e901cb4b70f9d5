"""Clients of the emulated AWS, with keys of nobody; of one session, since most of a client's cost is its model."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import boto3
import moto  # noqa: F401  # a session must be younger than moto's hooks

os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # a thousand images nobody looks at, at every start

Clients: TypeAlias = Callable[[str], Any]
"""Makes a boto3 client of a service."""


@cache
def _session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="nobody", aws_secret_access_key="nothing", region_name="eu-west-1")  # noqa: S106


def a_client(service: str) -> Any:
    return _session().client(service)  # type: ignore[call-overload]  # one place for every kind
