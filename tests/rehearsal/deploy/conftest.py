from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from rehearsal.deploy import Deployer

REGION = "eu-west-1"


class InProcess:
    def client(self, service_name: str) -> Any:
        return boto3.client(service_name, region_name=REGION)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws(config={"iam": {"load_aws_managed_policies": True}}):
        yield InProcess()


@pytest.fixture
def deploy(aws: InProcess, tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Deploy a template given as text; stacks of one test see each other's exports."""
    deployer = Deployer(aws)

    def deploy_text(text: str, stack: str = "test", **parameters: object) -> dict[str, str]:
        path = tmp_path / f"{stack}.yaml"
        path.write_text(text)
        return deployer.deploy(path, stack, parameters)

    return deploy_text


@pytest.fixture
def never_steady(aws: InProcess) -> InProcess:
    """An AWS whose ECS starts no task."""
    return aws
