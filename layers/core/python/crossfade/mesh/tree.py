"""
Reads plain data from a source, and says where it is wrong.

Pure. A `Tree` is a value with its place; every reader of `mesh` goes through it, so a wrong
type or a missing field is always one sentence with the file and the path.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from crossfade.errors import BadInput
from crossfade.mesh.intrinsics import Unknown
from crossfade.mesh.model import Place


@dataclass(frozen=True, slots=True)
class Tree:
    """A value somewhere in a source; an absent one is `value` None."""

    value: object
    place: Place

    def __bool__(self) -> bool:
        return self.value is not None

    def __truediv__(self, key: str) -> Tree:
        """Return the value under `key`; absent when there is none."""
        if self.value is None:
            return Tree(None, Place(self.place.file, f"{self.place.path}/{key}"))
        if not isinstance(self.value, dict | Mapping):  # dict first: the check against an ABC costs ten times as much
            raise self._wrong("a mapping")
        return Tree(self.value.get(key), Place(self.place.file, f"{self.place.path}/{key}"))

    def __iter__(self) -> Iterator[Tree]:
        if self.value is None:
            return
        if isinstance(self.value, Unknown) or not isinstance(self.value, list):
            raise self._wrong("a list")
        for index, item in enumerate(self.value):
            yield Tree(item, Place(self.place.file, f"{self.place.path}/{index}"))

    def text(self) -> str:
        """
        Return the value as text; numbers and booleans as CloudFormation writes them.

        Raises:
            BadInput: it is absent or no text.
        """
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        if isinstance(self.value, str | int | float):
            return self.value if isinstance(self.value, str) else str(self.value)
        raise self._wrong("a text")

    def text_or_none(self) -> str | None:
        """Return the value as text, None when absent."""
        return self.text() if self else None

    def word(self) -> str:
        """
        Return the value as text that is known whole, for a decision to be made on it.

        Raises:
            BadInput: it is absent, no text, or not known from files alone.
        """
        if isinstance(self.value, Unknown):
            raise self._wrong("a value")
        return self.text()

    def number(self) -> int:
        """
        Return the value as a whole number; templates often write one as text.

        Raises:
            BadInput: it is absent, no number, or not known from files alone.
        """
        if isinstance(self.value, Unknown):
            raise self._wrong("a number")
        value = self.value
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value % 1 == 0:
            return int(value)
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value.strip()):
            return int(value)
        raise self._wrong("a number")

    def number_or_none(self) -> int | None:
        """Return the value as a whole number, None when absent."""
        return self.number() if self else None

    def number_within(self, least: int, most: int | None = None) -> int:
        """
        Return the value as a whole number within bounds that AWS sets.

        Raises:
            BadInput: as `number`, and where it lies outside them.
        """
        found = self.number()
        if found < least or (most is not None and found > most):
            raise BadInput(f"{self.place}: {found} is out of bounds; {least} {f'to {most}' if most else 'or more'}")
        return found

    def truth(self, *, default: bool) -> bool:
        """Return the value as a boolean, `default` when absent."""
        if not self:
            return default
        if isinstance(self.value, bool):
            return self.value
        if self.text().lower() in ("true", "false"):
            return self.text().lower() == "true"
        raise self._wrong("true or false")

    def mapping(self) -> Mapping[str, object]:
        """
        Return the value as a mapping, empty when absent.

        Raises:
            BadInput: it is something else.
        """
        if self.value is None:
            return {}
        if isinstance(self.value, Mapping):
            return {str(key): value for key, value in self.value.items()}
        raise self._wrong("a mapping")

    def _wrong(self, wanted: str) -> BadInput:
        if isinstance(self.value, Unknown):
            return BadInput(f"{self.place}: {wanted} is needed here; {self.value.why}")
        found = "nothing" if self.value is None else type(self.value).__name__
        return BadInput(f"{self.place}: {wanted} is needed here, found {found}")


_ACRONYM: Final = re.compile(r"^[A-Z]+(?=[A-Z][a-z])|^[A-Z]+(?=\d*$)|^[A-Z]")


def lower_camel(value: object) -> object:
    """
    Return a copy of `value` with every key spelled as the service's API spells it.

    CloudFormation writes `AWSCloudMap`, `TLS` and `PortMapping` where the APIs write
    `awsCloudMap`, `tls` and `portMapping`.
    """
    if isinstance(value, dict | Mapping):
        return {_spelled(str(key)): lower_camel(item) for key, item in value.items()}
    if isinstance(value, list):
        return [lower_camel(item) for item in value]
    return value


@lru_cache(maxsize=4_096)
def _spelled(key: str) -> str:
    return _ACRONYM.sub(_lower, key, count=1)


def _lower(match: re.Match[str]) -> str:
    return match[0].lower()
