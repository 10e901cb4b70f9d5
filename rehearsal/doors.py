"""
The doors by which users reach an example: an edge of each kind, its stacks, and who knocks there.

The shop itself has a load balancer. Behind a name or a distribution it has one more for green, as its owner would have
made, and the edge is where the two are told apart. Ids that only a live account knows are asked of the emulated one
once blue is deployed, as an operator takes them from the console.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crossfade.mesh.template import load_template
from crossfade.plan.document import MigrationPlan
from crossfade.plan.edges import CdnRef, DnsRef, EdgeKind, EdgePlan, Probe, RecordRef
from rehearsal.application import Application, Described
from rehearsal.aws import EmbeddedAws, route53
from rehearsal.aws.cloudfront import spread_slowly as distributions_spread_slowly
from rehearsal.dataplane import DataPlane, Users
from rehearsal.pace import RECORD_TTL_SECONDS, Pace, paced

EDGES: Final = Path(__file__).resolve().parents[1] / "examples" / "edges"
_STACKS: Final[Mapping[EdgeKind, tuple[str, ...]]] = {
    "alb": (),
    "nlb": (),
    "route53": ("green", "route53"),
    "cloudfront": ("green", "cloudfront"),
}
_IDS: Final[Mapping[EdgeKind, tuple[tuple[str, str], ...]]] = {
    "route53": (("route53", "Zone"),),
    "cloudfront": (("cloudfront", "Distribution"),),
}
_NOBODYS: Final = "UNKNOWN"
DOOR_PARAMETER: Final = "Door"
"""The shop's own parameter that says whether its load balancer divides requests or connections."""
CLIENTS: Final = 40
"""As many as make a share of some percent visible, and few enough for a laptop."""
LINGERING: Final = 0.05
ORIGIN_PORT: Final = 80
"""Where the load balancers behind a name or a distribution listen here: they speak HTTP."""


@dataclass(frozen=True, slots=True)
class Slowness:
    """
    What of an edge's slowness no judge and no judgement can shorten, in seconds of the rehearsal's clock.

    `propagation` is how long AWS takes to bring a change to every place that answers, `ttl` how long users may keep
    what they heard before, `longest_connection` how long one connection lasts; None where the edge knows no such thing.
    By `patience` some users keep what they heard longer than they may.
    """

    propagation: float | None = None
    ttl: float | None = None
    longest_connection: float | None = None
    patience: float = 1.0

    @property
    def tail(self) -> float:
        """Return how long after the last change some users may still follow the one before."""
        return (self.propagation or 0) + (self.ttl or 0) * self.patience + (self.longest_connection or 0)


def parameters(kind: EdgeKind) -> dict[str, str]:
    """Return the shop's parameters for this kind of edge."""
    return {DOOR_PARAMETER: "network"} if kind == "nlb" else {}


def choices(kind: EdgeKind) -> dict[str, str]:
    """Return what is said to `crossfade plan --edge`, by service, to have users divided at this kind of edge."""
    return {"web": f"{kind}:shop-sc"} if _STACKS[kind] else {}


def ids_of(kind: EdgeKind, deployer: Described | None = None) -> dict[str, str]:
    """
    Return the ids a plan needs that only an account knows, as `crossfade plan --param` takes them.

    They are those of what was deployed; before anything is, ids that nobody has.
    """
    found = {}
    for stack, logical in _IDS.get(kind, ()):
        found[f"{stack}.yaml:{logical}"] = deployer.describe(f"shop-{stack}")[logical] if deployer else _NOBODYS
    return found


def with_door(application: Application, kind: EdgeKind) -> Application:
    """Return the shop with this kind of edge: its load balancer's kind set, and the stacks before it added."""
    given = parameters(kind)
    stacks = [(name, _given(template, given)) for name, template in application.stacks]
    before = [(f"shop-{name}", EDGES / f"{name}.yaml") for name in _STACKS[kind]]
    return Application(stacks=(*stacks, *before), plan=application.plan, door=kind)


def _given(template: Path | Mapping[str, Any], values: Mapping[str, str]) -> Path | Mapping[str, Any]:
    """Return a template with other defaults, where it has parameters of these names."""
    if not isinstance(template, Path):
        return template
    document: dict[str, Any] = load_template(template.read_text(encoding="utf-8"), template.name)
    declared: Mapping[str, Any] = document.get("Parameters", {})
    changed = {name: {**declared[name], "Default": value} for name, value in values.items() if name in declared}
    return {**document, "Parameters": {**declared, **changed}} if changed else template


def stacks_before(kind: EdgeKind) -> tuple[str, ...]:
    """Return the templates in `EDGES` that make this kind of edge, in the order they are deployed."""
    return _STACKS[kind]


def led_in(plan: MigrationPlan, kind: EdgeKind, aws: EmbeddedAws, pace: Pace, *, named: str = "shop") -> MigrationPlan:
    """
    Return a plan drawn without its edge with it, by the ids that the account has given, at this pace.

    `named` is what the shop is called here.
    """
    edge = plan.edges[0]
    if edge.kind == kind or kind in {"alb", "nlb"}:
        return plan
    fields: dict[str, Any] = {"kind": kind, "rules": ()}
    if kind == "route53":
        zones = aws.client("route53").list_hosted_zones_by_name(DNSName=f"{named}.example")["HostedZones"]
        fields["dns"] = DnsRef(
            zone_id=zones[0]["Id"].rpartition("/")[2],
            records=(RecordRef(name=f"{named}.example", type="A"),),
            green_load_balancer=f"{named}-sc",
        )
    else:
        listed = aws.client("cloudfront").list_distributions()["DistributionList"]["Items"]
        [shop] = [each for each in listed if each["Comment"] == named]
        fields["cdn"] = CdnRef(
            distribution_id=shop["Id"],
            origin_id="app",
            green_domain=f"green-origin.{named}.example",
            green_load_balancer=f"{named}-sc",
        )
    return plan.model_copy(update={"edges": (paced(edge.model_copy(update=fields), pace),)})


def open_door(kind: EdgeKind, plan: MigrationPlan, plane: DataPlane, pace: Pace, seed: int) -> tuple[Users, Slowness]:
    """Serve the edge as slowly as AWS does, on the rehearsal's clock; return who knocks, and how slow it is."""
    edge = plan.edges[0]
    if kind == "route53":
        return _named(edge, plane, pace, seed)
    if kind == "cloudfront":
        return _distributed(edge, plane, pace, seed)
    rule = edge.rules[0]
    port = plane.edge_port(rule.load_balancer, rule.listener_port)
    if kind == "nlb":
        longest = pace.connection_seconds / pace.time_scale
        users = Users(ports=(port,), clients=CLIENTS, connection_seconds=longest, seed=seed)
        return users, Slowness(longest_connection=longest)
    return Users(ports=(port,)), Slowness()


def asked_alone(plan: MigrationPlan, plane: DataPlane, users: Users) -> MigrationPlan:
    """
    Return the plan with requests of the product's own led to this machine, as many as were planned.

    At a distribution green is tried before its first share even where nobody planned it: staging is asked where users
    knock, green alone by its own load balancer. Where green has no load balancer of its own, none are sent.
    """
    edge = plan.edges[0]
    ends = edge.dns or edge.cdn
    probe = edge.probe
    if ends is None or (edge.cdn is None and probe is None):
        probe = None
    else:
        url = _at(plane.edge_port(ends.green_load_balancer, ORIGIN_PORT))
        staging_url = _at(users.ports[0]) if edge.cdn is not None else None
        planned = Probe(url=url) if probe is None else probe
        probe = planned.model_copy(update={"url": url, "headers": {}, "staging_url": staging_url})
    return plan.model_copy(update={"edges": (edge.model_copy(update={"probe": probe}), *plan.edges[1:])})


def _at(port: int) -> str:
    return f"http://127.0.0.1:{port}/"


def nature(kind: EdgeKind, pace: Pace) -> str:
    """Return in a sentence what is assumed of AWS at this kind of edge, on AWS's clock; empty where nothing is."""
    shares = ", ".join(f"{share / 100:g} %" for share in pace.cdn_shares_bp)
    natures: dict[EdgeKind, str] = {
        "nlb": f"Connections last {pace.connection_seconds} s at most.",
        "route53": f"Route 53 spreads a change in {pace.dns_propagation_seconds} s, its answers are kept for "
        f"{RECORD_TTL_SECONDS} s, by {LINGERING:.0%} of the clients {pace.patience:g} times as long.",
        "cloudfront": f"At CloudFront green climbs {shares} and is promoted; a change spreads in "
        f"{pace.cdn_propagation_seconds} s.",
    }
    return natures.get(kind, "")


def _named(edge: EdgePlan, plane: DataPlane, pace: Pace, seed: int) -> tuple[Users, Slowness]:
    assert edge.dns is not None
    route53.spread_slowly(pace.dns_propagation_seconds)
    propagation = pace.dns_propagation_seconds / pace.time_scale
    users = Users(
        name=next(record.name for record in edge.dns.records if record.type != "AAAA"),
        resolver=plane.serve_names(propagation_seconds=propagation),
        clients=CLIENTS,
        lingering=LINGERING,
        patience=pace.patience,
        seed=seed,
    )
    ttl = RECORD_TTL_SECONDS / pace.time_scale
    return users, Slowness(propagation=propagation, ttl=ttl, patience=pace.patience)


def _distributed(edge: EdgePlan, plane: DataPlane, pace: Pace, seed: int) -> tuple[Users, Slowness]:
    assert edge.cdn is not None
    distributions_spread_slowly(pace.cdn_propagation_seconds)
    propagation = pace.cdn_propagation_seconds / pace.time_scale
    ports = plane.serve_distributions(propagation_seconds=propagation).ports(edge.cdn.distribution_id)
    return Users(ports=ports, clients=CLIENTS, seed=seed), Slowness(propagation=propagation)
