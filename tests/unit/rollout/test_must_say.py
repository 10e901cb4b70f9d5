"""What an owner's code must say of an edge whose rule it does not hold."""

from __future__ import annotations

import pytest

from crossfade.journal.edges import AlbEdge, AlbRule, CloudFrontEdge, Distribution, Route53Edge, Route53Record
from crossfade.rollout.must_say import must_say
from crossfade.shift.share import ALL, NONE, Share

RULE = AlbRule(arn="arn:rule", is_default=False, found_actions=())
RECORD = Route53Record(
    zone_id="Z1",
    name="shop.example.",
    type="A",
    found={"Weight": 200},
    blue_identifier="blue",
    green={"SetIdentifier": "green", "AliasTarget": {"DNSName": "green.example."}},
)
DISTRIBUTION = Distribution(id="E1", arn="arn:d", found={})
ALB = AlbEdge(load_balancer_arn="lb", blue_arn="b", green_arn="g", rules=(RULE,))
DNS = Route53Edge(
    load_balancer_arn="lb", blue_arn="b", green_arn="g", zone_id="Z1", green_load_balancer_arn="lb2", rules=(RECORD,)
)
CDN = CloudFrontEdge(
    load_balancer_arn="lb",
    blue_arn="b",
    green_arn="g",
    green_load_balancer_arn="lb2",
    origin_id="web",
    green_domain="green.example",
    policy_id="P1",
    rules=(DISTRIBUTION,),
)


@pytest.mark.parametrize(
    ("edge", "held", "said"),
    [
        (ALB, Share(2_500), ["arn:rule: b with weight 75, g with weight 25"]),
        (
            DNS,
            Share(2_500),
            [
                "record shop.example. A 'blue': weight 150",
                "record shop.example. A 'green': weight 50, target green.example.",
            ],
        ),
        (DNS, NONE, ["record shop.example. A 'blue': weight 200"]),
        (CDN, ALL, ["distribution E1, origin 'web': domain green.example"]),
        (
            CDN,
            Share(500),
            ["distribution E1: as it is, with its continuous deployment policy P1, which sends 5 % to staging"],
        ),
    ],
)
def test_the_exact_values_are_said(edge: AlbEdge | Route53Edge | CloudFrontEdge, held: Share, said: list[str]) -> None:
    assert must_say(edge, held).splitlines() == said
