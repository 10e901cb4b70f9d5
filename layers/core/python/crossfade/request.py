"""What every request from a state machine has in common."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from crossfade.frozen import Frozen


class Request(Frozen):
    """
    A state's input. `schema` says which version of it the state machine speaks.

    `sam deploy` replaces functions under running executions, so a handler must know
    whom it answers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
