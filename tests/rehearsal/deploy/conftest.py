from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rehearsal.aws import EmbeddedAws, in_process
from rehearsal.aws.runtime import StillRuntime
from rehearsal.deploy import Deployer


@pytest.fixture
def tasks() -> StillRuntime:
    return StillRuntime()


@pytest.fixture
def aws(tasks: StillRuntime) -> Iterator[EmbeddedAws]:
    with in_process(runtime=tasks, time_scale=20) as embedded:
        yield embedded


@pytest.fixture
def deploy(aws: EmbeddedAws, tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Deploy a template given as text; stacks of one test see each other's exports."""
    deployer = Deployer(aws)

    def deploy_text(text: str, stack: str = "test", **parameters: object) -> dict[str, str]:
        path = tmp_path / f"{stack}.yaml"
        path.write_text(text)
        return deployer.deploy(path, stack, parameters)

    return deploy_text
