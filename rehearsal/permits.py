"""The parameters a rehearsal deploys the stack with: what its plans touch, as an operator's `parameters.json` says."""

from __future__ import annotations

from crossfade.plan.document import MigrationPlan
from crossfade.plan.parameters import parameters

_ROLES = "arn:aws:iam::*:role/*"
"""A plan drawn from a template does not know what its roles will be called, so every role may be passed."""

_LEAST_PERIOD_SECONDS = 1
"""A rehearsal's clock is its own."""


def stack_parameters(*plans: MigrationPlan) -> dict[str, object]:
    """Return `template.yaml`'s parameters for a stack that may migrate each of these plans."""
    merged: dict[str, list[str]] = {}
    for plan in plans:
        for name, value in parameters(plan, pass_roles=[_ROLES]).items():
            merged[name] = sorted({*merged.get(name, []), *value.split(",")})
    listed: dict[str, object] = {name: ",".join(values) for name, values in merged.items()}
    return {**listed, "LeastPeriodSeconds": _LEAST_PERIOD_SECONDS}
