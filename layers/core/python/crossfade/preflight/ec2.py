"""Amazon EC2: free addresses of subnets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from crossfade.errors import EcsBusy
from crossfade.throttles import asking


class Ec2Subnets:
    """`Subnets` from DescribeSubnets."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def free_addresses(self, subnets: Sequence[str]) -> Mapping[str, int]:
        """See `Subnets`."""
        found: dict[str, int] = {}
        for name in subnets:  # one at a time: asked for several, AWS refuses all when one is gone
            try:
                with asking("DescribeSubnets", EcsBusy):
                    described = self._client.describe_subnets(SubnetIds=[name])["Subnets"]
            except ClientError as refused:
                if not refused.response["Error"]["Code"].startswith("InvalidSubnetID"):
                    raise
                continue
            found |= {each["SubnetId"]: int(each["AvailableIpAddressCount"]) for each in described}
        return found
