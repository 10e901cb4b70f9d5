"""What Elastic Load Balancing answers: load balancers, listeners, rules, target groups and their attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def read_load_balancers(client: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every load balancer of the account in this Region and all that leads through it, as the API says it."""
    for page in client.get_paginator("describe_load_balancers").paginate():
        yield {"LoadBalancers": page["LoadBalancers"]}
        for balancer in page["LoadBalancers"]:
            listeners = client.get_paginator("describe_listeners").paginate(LoadBalancerArn=balancer["LoadBalancerArn"])
            for found in listeners:
                yield {"Listeners": found["Listeners"]}
                for each in found["Listeners"]:
                    for rules in client.get_paginator("describe_rules").paginate(ListenerArn=each["ListenerArn"]):
                        yield {"Rules": rules["Rules"]}
    for page in client.get_paginator("describe_target_groups").paginate():
        groups = []
        for group in page["TargetGroups"]:
            arn = group["TargetGroupArn"]
            attributes = client.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
            groups.append({**group, "TargetGroupAttributes": attributes})
            if group.get("TargetType") == "alb":  # its target is another load balancer, which leads on
                health = client.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
                groups[-1]["Targets"] = [each["Target"] for each in health]
        yield {"TargetGroups": groups}
