"""A distribution whose origin leads to one of two load balancers, in the embedded AWS."""

from __future__ import annotations

from typing import Any

from crossfade.journal.edges import CloudFrontEdge, FoundEdge
from crossfade.plan.edges import CdnRef, Rung
from crossfade.shift.cloudfront import CloudFrontEdges
from tests.aws import Clients, a_client
from tests.load_balancer import LoadBalancer
from tests.traffic import an_edge_plan

GREEN_DOMAIN = "green.shop.example"


class Cdn:
    """
    Origin `app` leads to blue's load balancer; green's stands beside it.

    `front` is the load balancers, another edge's where it is given; `client` the hands that are not ours.
    """

    def __init__(self, client: Clients = a_client, *, front: LoadBalancer | None = None, **members: Any) -> None:
        self.front = front or LoadBalancer(client)
        if front is None:
            self.front.target_group("web-green")
            self.front.add_load_balancer("front-green", forwards_to=self.front.arn_of("web-green"))
        self.client = client("cloudfront")
        self.config = {
            "CallerReference": "shop",
            "Comment": "the shop",
            "Enabled": True,
            "Aliases": {"Quantity": 1, "Items": ["shop.example"]},
            "Origins": {"Quantity": 2, "Items": [_origin("app", "blue.shop.example"), _origin("files", "s.example")]},
            "DefaultCacheBehavior": {
                "TargetOriginId": "app",
                "ViewerProtocolPolicy": "redirect-to-https",
                "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
            },
            **members,
        }
        self.id = self.client.create_distribution(DistributionConfig=self.config)["Distribution"]["Id"]
        self.edges = CloudFrontEdges(self.client, self.front.client)
        self.ref = CdnRef(
            distribution_id=self.id,
            origin_id="app",
            green_domain=GREEN_DOMAIN,
            green_load_balancer="front-green",
        )
        ladder = (Rung(share_bp=500, soak_seconds=60), Rung(share_bp=10_000, soak_seconds=60))
        self.plan = an_edge_plan(kind="cloudfront", rules=(), cdn=self.ref, ladder=ladder)

    def primary(self) -> dict[str, Any]:
        return dict(self.client.get_distribution_config(Id=self.id)["DistributionConfig"])

    def policy(self, edge: FoundEdge) -> dict[str, Any]:
        assert isinstance(edge.resolved, CloudFrontEdge)
        answer = self.client.get_continuous_deployment_policy(Id=edge.resolved.policy_id)
        return dict(answer["ContinuousDeploymentPolicy"]["ContinuousDeploymentPolicyConfig"])

    def change(self, **members: Any) -> None:
        found = self.client.get_distribution_config(Id=self.id)
        config = {**found["DistributionConfig"], **members}
        self.client.update_distribution(Id=self.id, IfMatch=found["ETag"], DistributionConfig=config)

    def detach(self) -> None:
        self.change(ContinuousDeploymentPolicyId="")

    def give(self, edge: FoundEdge, weight: float) -> None:
        assert isinstance(edge.resolved, CloudFrontEdge)
        found = self.client.get_continuous_deployment_policy(Id=edge.resolved.policy_id)
        config = found["ContinuousDeploymentPolicy"]["ContinuousDeploymentPolicyConfig"]
        traffic = {"Type": "SingleWeight", "SingleWeightConfig": {"Weight": weight}}
        self.client.update_continuous_deployment_policy(
            Id=edge.resolved.policy_id,
            IfMatch=found["ETag"],
            ContinuousDeploymentPolicyConfig={**config, "TrafficConfig": traffic, "Enabled": True},
        )


def _origin(name: str, domain: str) -> dict[str, Any]:
    custom = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}
    return {"Id": name, "DomainName": domain, "CustomOriginConfig": custom}
