"""What every model of ours has in common; those of AWS's answers are lenient instead."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Ours: immutable, and an unknown field is an error rather than a loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")
