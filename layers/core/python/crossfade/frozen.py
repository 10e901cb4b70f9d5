"""What every model of ours has in common; those of AWS's answers are lenient instead."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

BasisPoints = Annotated[int, Field(ge=0, le=10_000)]
Seconds = Annotated[int, Field(ge=0)]


class Frozen(BaseModel):
    """Ours: immutable, and an unknown field is an error rather than a loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")
