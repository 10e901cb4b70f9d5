"""The application of a lane: the shop under another name, with an edge of some kind, and its plan at chaos's pace."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crossfade.draw.draw import draw
from crossfade.draw.options import DrawOptions
from crossfade.mesh.sources import SourceText, read_sources
from crossfade.plan.document import Approvals, MigrationPlan, Retirement
from crossfade.plan.edges import EdgeKind
from rehearsal.aws import EmbeddedAws
from rehearsal.aws.clock import clock
from rehearsal.chaos.edges import End, LaneEdge
from rehearsal.chaos.points import Script
from rehearsal.deploy import Deployer
from rehearsal.doors import EDGES, led_in, parameters, stacks_before
from rehearsal.pace import Pace, quickened

PACE = Pace(
    time_scale=60,
    climb_shares_bp=(5_000,),
    control_share_bp=9_000,
    climb_soak_seconds=60,
    bake_soak_seconds=60,
    watch_soak_seconds=60,
    settle_seconds=60,
    metric_lag_seconds=0,
    confirm_seconds=60,
    minimum_requests=20,
    cdn_shares_bp=(1_500,),
    cdn_propagation_seconds=60,
    connection_seconds=60,
)
"""One minute of the plan is one second here; nothing counted comes late."""

_SHOP = Path(__file__).resolve().parents[2] / "examples" / "shop"
_EXPIRY_SECONDS = 60
_LOOKS_AT_ONCE = 2
_RETIREMENT = Retirement(parked_seconds=10, quiet_seconds=5)


@dataclass(frozen=True)
class Laid:
    """An application that is deployed. `desired` is how many tasks each of its blue services has."""

    name: str
    plan: MigrationPlan
    edge: LaneEdge
    desired: Mapping[str, int]

    def plan_for(self, script: Script) -> MigrationPlan:
        """Return the plan, with approvals where people are asked, and a climb that hands over where it is held."""
        if script is Script.HELD:
            timings = self.plan.timings.model_copy(update={"looks_at_once": _LOOKS_AT_ONCE})
            return self.plan.model_copy(update={"timings": timings})
        if script not in {Script.ALLOWED, Script.REJECTED, Script.EXPIRED}:
            return self.plan
        last = self.plan.edges[0].ladder[-1].share_bp
        later = () if script is Script.EXPIRED else (last,)
        approvals = Approvals(before_climb=True, before_shares_bp=later, expiry_seconds=_EXPIRY_SECONDS)
        return self.plan.model_copy(update={"approvals": approvals})


def lay(aws: EmbeddedAws, deployer: Deployer, name: str, kind: EdgeKind = "alb") -> Laid:
    """Deploy the shop under another name as blue, with this kind of edge, and draw its plan."""
    texts = []
    given = parameters(kind)
    with tempfile.TemporaryDirectory() as folder:
        files = [
            *(_SHOP / f"{part}.yaml" for part in ("mesh", "services")),
            *(EDGES / f"{each}.yaml" for each in stacks_before(kind)),
        ]
        for file in files:
            path = Path(folder) / file.name
            path.write_text(file.read_text("utf-8").replace("shop", name), "utf-8")
            deployer.deploy(path, f"{name}-{file.stem}", given if file.stem == "services" else None)
            if file.parent == _SHOP:
                texts.append(SourceText(path=path.name, text=path.read_text("utf-8")))
    now = clock.now().replace(microsecond=0)
    drawn = draw(read_sources(texts, given), DrawOptions(), now, sources=texts, drawn_by="chaos")
    quick = quickened(drawn, PACE).model_copy(update={"retirement": _RETIREMENT})
    plan = led_in(quick, kind, aws, PACE, named=name)
    front = drawn.edges[0]
    balancer = front.rules[0].load_balancer
    edge = LaneEdge(
        aws,
        plan.edges[0],
        blue=End(aws, f"{name}-web", balancer),
        green=End(aws, front.green.name, balancer if kind in {"alb", "nlb"} else f"{name}-sc"),
    )
    services = [service.blue.service_name for service in plan.services]
    found = aws.client("ecs").describe_services(cluster=plan.cluster, services=services)["services"]
    return Laid(name, plan, edge, {each["serviceName"]: each["desiredCount"] for each in found})
