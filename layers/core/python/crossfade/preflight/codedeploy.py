"""CodeDeploy: deployment groups that move traffic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crossfade.errors import EcsBusy
from crossfade.preflight.surroundings import DeploymentGroup
from crossfade.throttles import asking

_DESCRIBED_AT_ONCE = 100  # deployment groups that one BatchGetDeploymentGroups takes


class CodeDeployGroups:
    """`DeploymentGroups` from every application's deployment groups."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def that_shift(self) -> tuple[DeploymentGroup, ...]:
        """See `DeploymentGroups`."""
        found = (_group(described) for name in self._applications() for described in self._described(name))
        return tuple(group for group in found if group.target_groups or group.listeners)

    def _applications(self) -> list[str]:
        with asking("ListApplications", EcsBusy):
            pages = self._client.get_paginator("list_applications").paginate()
            return [name for page in pages for name in page["applications"]]

    def _described(self, application: str) -> list[Any]:
        with asking("ListDeploymentGroups", EcsBusy):
            pages = self._client.get_paginator("list_deployment_groups").paginate(applicationName=application)
            names = [name for page in pages for name in page["deploymentGroups"]]
        described: list[Any] = []
        for start in range(0, len(names), _DESCRIBED_AT_ONCE):
            with asking("BatchGetDeploymentGroups", EcsBusy):
                answer = self._client.batch_get_deployment_groups(
                    applicationName=application, deploymentGroupNames=names[start : start + _DESCRIBED_AT_ONCE]
                )
            described += answer["deploymentGroupsInfo"]
        return described


def _group(described: Any) -> DeploymentGroup:
    moved = described.get("loadBalancerInfo") or {}
    pairs = moved.get("targetGroupPairInfoList") or []
    return DeploymentGroup(
        application=described["applicationName"],
        name=described["deploymentGroupName"],
        target_groups=frozenset(_names(moved.get("targetGroupInfoList")))
        | frozenset(name for pair in pairs for name in _names(pair.get("targetGroups"))),
        listeners=frozenset(
            arn for pair in pairs for arn in (pair.get("prodTrafficRoute") or {}).get("listenerArns") or []
        ),
    )


def _names(groups: Any) -> Iterator[str]:
    return (group["name"] for group in groups or [] if group.get("name"))
