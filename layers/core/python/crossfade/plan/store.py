"""The port to stored plans, and the only way to read one: with its digest checked."""

from __future__ import annotations

from typing import Protocol

from pydantic import ValidationError

from crossfade.errors import BadInput, PlanChanged
from crossfade.frozen import Frozen
from crossfade.plan.document import MigrationPlan, digest


class PlanRef(Frozen):
    """A stored plan: one version of one object, and the digest its bytes must have."""

    bucket: str
    key: str
    version: str | None = None
    sha256: str


class PlanStore(Protocol):
    """
    Where plans are kept.

    Every implementation must pass `tests/contract/test_plan_store.py`.
    """

    def get(self, ref: PlanRef) -> bytes:
        """
        Return the bytes of a stored plan, of the version asked for or the newest.

        Raises:
            BadInput: there is no such object or version.
            JournalBusy: the store is throttled.
        """
        ...


def read_plan(plans: PlanStore, ref: PlanRef) -> MigrationPlan:
    """
    Return a stored plan.

    Raises:
        PlanChanged: its digest is not the one asked for.
        BadInput: it cannot be read, or is none.
    """
    raw = plans.get(ref)
    found = digest(raw)
    if found != ref.sha256:
        raise PlanChanged(
            f"s3://{ref.bucket}/{ref.key} has the digest {found}, and the migration was given {ref.sha256}"
        )
    try:
        return MigrationPlan.from_json(raw)
    except ValidationError as wrong:
        raise BadInput(f"s3://{ref.bucket}/{ref.key} is no plan this version reads: {wrong}") from wrong
