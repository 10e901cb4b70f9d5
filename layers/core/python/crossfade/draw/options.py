"""What an operator may choose of a drawing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from crossfade.plan.document import Bounds
from crossfade.plan.edges import Rung, RungKind

_WHOLE_BP: Final = 10_000


@dataclass(frozen=True, slots=True)
class DrawOptions:
    """
    What an operator may choose. None leaves the choice to the drawing.

    `suffix` ends every name made for green; `green_name`, with `{service}` in it, names the green services instead.
    `namespace` is the name of green's, or the ARN of one that is there, such as one another account shares. The
    authority is an AWS Private CA, the role the one ECS has certificates issued with. `background` says, by service,
    what green does with work that no request brings (see BackgroundAnswer; `leave_out` leaves the service as it is).
    `edges` says, by service, where its users are divided before its load balancer (see `levers.Choice`).
    The ladder climbs by `climb_bp`, each share held `climb_soak_seconds` at least; it bakes at `control_share_bp`,
    where blue is still a live control, and is watched at 100 %. The first share is small because what a bad green
    costs is this share times the feed's lag; where so little traffic comes that it would prove nothing for long,
    the judge goes on early, as long as the next share puts no more than `exposure_requests` at risk. Both defaults
    are the ones that `python -m benchmarks.rollout` found best.
    """

    migration: str | None = None
    mesh: str | None = None
    region: str | None = None
    suffix: str = "-sc"
    green_name: str | None = None
    namespace: str | None = None
    tls_authority: str | None = None
    tls_role: str | None = None
    tls_key: str | None = None
    background: Mapping[str, str] = field(default_factory=dict)
    edges: Mapping[str, str] = field(default_factory=dict)
    climb_bp: tuple[int, ...] = (100, 500, 1_500, 5_000)
    exposure_requests: int = 20
    control_share_bp: int = 9_500
    climb_soak_seconds: int = 300
    bake_soak_seconds: int = 900
    watch_soak_seconds: int = 900

    def ladder(self) -> tuple[Rung, ...]:
        """Return the rungs from the first share to 100 %."""
        climb = (Rung(share_bp=share, soak_seconds=self.climb_soak_seconds) for share in self.climb_bp)
        bake = Rung(share_bp=self.control_share_bp, soak_seconds=self.bake_soak_seconds, kind=RungKind.BAKE)
        watch = Rung(share_bp=_WHOLE_BP, soak_seconds=self.watch_soak_seconds, kind=RungKind.WATCH)
        return (*climb, bake, watch)

    def bounds(self) -> Bounds:
        """Return what the judge may conclude from."""
        return Bounds(exposure_requests=self.exposure_requests)
