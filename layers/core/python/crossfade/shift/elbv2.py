"""What every edge asks of Elastic Load Balancing: its ends are target groups, whatever divides users before them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from crossfade.connect.services import MIGRATION_TAG
from crossfade.errors import BlueUnhealthy, EdgeBusy, EdgeChanged, EdgeOwned, GreenNotReady, UnknownEdge
from crossfade.journal.edges import FoundEdge
from crossfade.plan.edges import EdgePlan
from crossfade.plan.services import TargetGroupRef
from crossfade.shift.share import ALL, NONE, Share
from crossfade.shift.shifter import OfThePlan
from crossfade.throttles import asking

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_elbv2.type_defs import LoadBalancerTypeDef, TargetGroupTypeDef

_GONE = frozenset({"RuleNotFound", "ListenerNotFound", "LoadBalancerNotFound", "TargetGroupNotFound"})


@contextmanager
def busy(name: str) -> Iterator[None]:
    """Say EdgeBusy for what a later attempt may mend, and EdgeChanged for a rule gone under our hands."""
    try:
        with asking(name, EdgeBusy):
            yield
    except ClientError as refused:
        code = refused.response["Error"]["Code"]
        if code in _GONE:
            raise EdgeChanged(f"{name}: {code}") from refused
        raise


def target_group(client: ElasticLoadBalancingv2Client, wanted: TargetGroupRef) -> TargetGroupTypeDef | None:
    """Return a target group by ARN, or by name where the plan knows no ARN; None when there is none."""
    asked: Any = {"TargetGroupArns": [wanted.arn]} if wanted.arn else {"Names": [wanted.name]}
    try:
        answer = client.describe_target_groups(**asked)
    except client.exceptions.TargetGroupNotFoundException:
        return None
    return answer["TargetGroups"][0]


def healthy_targets(client: ElasticLoadBalancingv2Client, target_group_arn: str) -> int:
    """Return how many targets of a target group answer their health checks; 0 where there is no such group."""
    try:
        answer = client.describe_target_health(TargetGroupArn=target_group_arn)
    except client.exceptions.TargetGroupNotFoundException:
        return 0
    states = [described.get("TargetHealth", {}).get("State") for described in answer["TargetHealthDescriptions"]]
    return states.count("healthy")


def load_balancer(client: ElasticLoadBalancingv2Client, wanted: str) -> LoadBalancerTypeDef | None:
    """Return a load balancer by ARN or name; None when there is none."""
    asked: Any = {"LoadBalancerArns": [wanted]} if wanted.startswith("arn:") else {"Names": [wanted]}
    try:
        answer = client.describe_load_balancers(**asked)
    except client.exceptions.LoadBalancerNotFoundException:
        return None
    return answer["LoadBalancers"][0]


def tags_of(client: ElasticLoadBalancingv2Client, arn: str) -> dict[str, str]:
    """Return the tags of a load balancer or target group."""
    [described] = client.describe_tags(ResourceArns=[arn])["TagDescriptions"]
    return {tag["Key"]: tag.get("Value", "") for tag in described.get("Tags", [])}


def adopted(client: ElasticLoadBalancingv2Client, target_group_arn: str) -> bool:
    """Return whether a migration has taken this target group for its green end."""
    return MIGRATION_TAG in tags_of(client, target_group_arn)


def adopt(client: ElasticLoadBalancingv2Client, target_group_arn: str, tags: Mapping[str, str]) -> bool:
    """
    Take a target group that its owner made for a migration's green end, by tagging it.

    Idempotent. Returns False, and changes nothing, when another migration has it.
    """
    found = tags_of(client, target_group_arn)
    if found.get(MIGRATION_TAG) not in {None, tags.get(MIGRATION_TAG)}:
        return False
    if not tags.items() <= found.items():
        listed: Any = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
        client.add_tags(ResourceArns=[target_group_arn], Tags=listed)
    return True


class TwoBalancerEdges:
    """What is alike in `Edges` whose green has a load balancer of its own, before which `client` divides users."""

    def __init__(self, client: Any, balancers: ElasticLoadBalancingv2Client) -> None:
        self._client = client
        self._balancers = balancers

    def healthy_targets(self, target_group_arn: str) -> int:
        """See `Edges`."""
        with busy(target_group_arn):
            return healthy_targets(self._balancers, target_group_arn)


class TwoBalancerShifter(OfThePlan):
    """What is alike in the `TrafficShifter` of such an edge."""

    def __init__(self, client: Any, balancers: ElasticLoadBalancingv2Client, edge: FoundEdge) -> None:
        self._client = client
        self._balancers = balancers
        self._edge = edge

    def _refuse_unhealthy(self, share: Share) -> None:
        """
        Refuse a share that an end without a healthy target would get or keep.

        Raises:
            GreenNotReady, BlueUnhealthy: as `TrafficShifter.set_green`.
        """
        green = self._edge.resolved.green_arn
        if share > NONE and (green is None or healthy_targets(self._balancers, green) == 0):
            raise GreenNotReady(f"edge {self._edge.name}: green has no healthy target")
        if share < ALL and healthy_targets(self._balancers, self._edge.resolved.blue_arn) == 0:
            raise BlueUnhealthy(f"edge {self._edge.name}: blue has no healthy target")

    def _refuse_without_blue(self) -> None:
        """Refuse to give all to a blue that could not serve it; raises BlueUnhealthy."""
        if healthy_targets(self._balancers, self._edge.resolved.blue_arn) == 0:
            raise BlueUnhealthy(f"edge {self._edge.name}: blue has no healthy target to take green's share")


@dataclass(frozen=True, slots=True)
class TwoBalancers:
    """Blue behind its load balancer and green behind its own; `green_arn` is None until a migration has taken it."""

    blue: LoadBalancerTypeDef
    green: LoadBalancerTypeDef
    blue_arn: str
    green_arn: str | None


def two_balancers(client: ElasticLoadBalancingv2Client, plan: EdgePlan, green_load_balancer: str) -> TwoBalancers:
    """
    Return both ends of an edge whose green has a load balancer of its own, which its owner has made.

    Raises:
        UnknownEdge: one of them is not there, or does not lead to its target group.
    """
    blue, green = target_group(client, plan.blue), target_group(client, plan.green)
    if blue is None or not blue.get("LoadBalancerArns"):
        raise UnknownEdge(f"edge {plan.name}: no load balancer forwards to a target group {plan.blue.name}")
    before_blue = load_balancer(client, blue["LoadBalancerArns"][0])
    before_green = load_balancer(client, green_load_balancer)
    if before_blue is None or before_green is None or green is None:
        raise UnknownEdge(
            f"edge {plan.name}: green's load balancer {green_load_balancer} and target group {plan.green.name} must be "
            "there before users can be led to them"
        )
    if before_green["LoadBalancerArn"] not in green.get("LoadBalancerArns", []):
        raise UnknownEdge(
            f"edge {plan.name}: load balancer {green_load_balancer} does not forward to {plan.green.name}"
        )
    green_arn = green["TargetGroupArn"] if adopted(client, green["TargetGroupArn"]) else None
    return TwoBalancers(before_blue, before_green, blue["TargetGroupArn"], green_arn)


def take(client: ElasticLoadBalancingv2Client, edge: str, name: str, tags: Mapping[str, str]) -> str:
    """
    Take green's target group for a migration, and return its ARN. Idempotent.

    Raises:
        EdgeChanged: it is gone.
        EdgeOwned: another migration has it.
    """
    green = target_group(client, TargetGroupRef(name=name))
    if green is None:
        raise EdgeChanged(f"edge {edge}: green's target group {name} is gone")
    if not adopt(client, green["TargetGroupArn"], tags):
        raise EdgeOwned(f"edge {edge}: target group {name} is another migration's")
    return green["TargetGroupArn"]
