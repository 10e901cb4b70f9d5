"""Task tokens: what waits for one, and its answer."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rehearsal.aws.clock import clock
from rehearsal.aws.execution import RUNNING, Execution
from rehearsal.aws.integrations import TaskError


@dataclass
class Token:
    """What waits for a task token: its answer, once there is one, and when it was last heard of."""

    value: str
    execution: Execution
    heard: float = field(default_factory=clock.monotonic)
    output: Any = None
    failure: TaskError | None = None
    answered: bool = False
    closed: bool = False


class Tokens:
    """Every task token handed out since the last reset; an unknown one is invalid, a used one has timed out."""

    def __init__(self) -> None:
        self._known: dict[str, Token] = {}
        self._lock = threading.Lock()

    def make(self, execution: Execution) -> Token:
        """Hand out a new token."""
        token = Token(f"AQ{uuid.uuid4().hex}{uuid.uuid4().hex}", execution)
        with self._lock:
            self._known[token.value] = token
        return token

    def find(self, value: str) -> Token | None:
        """Return the token of this text, or None if no such token was handed out."""
        return self._known.get(value)

    def clear(self) -> None:
        """Forget every token."""
        with self._lock:
            self._known.clear()


tokens = Tokens()


def answer(token: Token, *, output: Any = None, failure: TaskError | None = None, heartbeat: bool = False) -> bool:
    """Answer a token, or let it be heard of; False if its task is over already."""
    with token.execution.changed:
        if token.closed or token.answered or token.execution.status != RUNNING:
            return False
        token.heard = clock.monotonic()
        if not heartbeat:
            token.answered, token.output, token.failure = True, output, failure
        token.execution.changed.notify_all()
        return True


def heard_again(token: Token) -> Callable[[], bool]:
    """Return what tells whether a token was answered, or heard of since now."""
    heard = token.heard
    return lambda: token.answered or token.heard != heard
