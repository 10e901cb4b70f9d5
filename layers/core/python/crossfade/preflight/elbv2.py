"""Elastic Load Balancing: whose tags its things carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from crossfade.errors import EcsBusy
from crossfade.throttles import asking

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

_DESCRIBED_AT_ONCE = 20  # things that one DescribeTags takes
_GONE = frozenset({"ListenerNotFound", "LoadBalancerNotFound", "RuleNotFound", "TargetGroupNotFound"})


class Elbv2Tags:
    """`BalancerTags` from DescribeTags."""

    def __init__(self, client: ElasticLoadBalancingv2Client) -> None:
        self._client = client

    def tags(self, arns: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """See `BalancerTags`."""
        found: dict[str, Mapping[str, str]] = {}
        for start in range(0, len(arns), _DESCRIBED_AT_ONCE):
            found |= self._described(arns[start : start + _DESCRIBED_AT_ONCE])
        return found

    def _described(self, arns: Sequence[str]) -> dict[str, Mapping[str, str]]:
        try:
            with asking("DescribeTags", EcsBusy):
                described = self._client.describe_tags(ResourceArns=arns)["TagDescriptions"]
        except ClientError as refused:
            if refused.response["Error"]["Code"] not in _GONE:
                raise
            if len(arns) == 1:
                return {}
            return {arn: tags for each in arns for arn, tags in self._described([each]).items()}
        return {
            each["ResourceArn"]: {tag["Key"]: tag.get("Value", "") for tag in each.get("Tags", [])}
            for each in described
        }
