"""What of the product is deployed in us-east-1, where CloudFront's alarms live, so that they are heard at home."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crossfade.plan.document import MigrationPlan
from crossfade.plan.parameters import forwarding_parameters
from rehearsal.aws import EmbeddedAws
from rehearsal.dataplane.dataplane import GLOBAL_REGION
from rehearsal.deploy import Deployer

FORWARDING: Final = Path(__file__).resolve().parents[1] / "template-us-east-1.yaml"


@dataclass(frozen=True, slots=True)
class InRegion:
    """The embedded AWS as seen from another of its Regions."""

    aws: EmbeddedAws
    region: str

    def client(self, service_name: str, /) -> Any:
        """Return a boto3 client of this service in that Region."""
        return self.aws.client(service_name, self.region)


def forward_alarms(aws: EmbeddedAws, plan: MigrationPlan, stack: str) -> bool:
    """Deploy what leads CloudFront's alarms home, where the plan has an edge of CloudFront's; return whether it has."""
    parameters = forwarding_parameters(plan.model_copy(update={"region": plan.region or aws.region}))
    if parameters:
        Deployer(InRegion(aws, GLOBAL_REGION)).deploy(FORWARDING, stack, parameters)
    return bool(parameters)
