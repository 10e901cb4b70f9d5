"""
The file that `crossfade export` writes and `crossfade plan` accepts: what AWS answered, and what it did not.

Pure. Environment variables that look like secrets are left out before anything is written; a plan does not need them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from crossfade.mesh.answers import EXPORT

HIDDEN: Final = "(left out)"
_SECRET: Final = re.compile(r"PASS|SECRET|TOKEN|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY|AUTH|SALT", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"https?://|[A-Za-z0-9_.-]+:\d{1,5}(/|$)", re.IGNORECASE)
"""Who is called must stay, even where it is called AUTH_URL."""

_USER: Final = re.compile(r"(?<=://)[^/@\s]+@")


def export_document(
    answers: Iterable[Mapping[str, Any]], *, region: str | None, now: datetime, notes: Sequence[str]
) -> str:
    """
    Return the file's text.

    Args:
        answers: As the APIs gave them.
        region: Where they were given.
        now: When; aware.
        notes: What could not be read, and why.
    """
    document = {
        EXPORT: 1,
        "region": region,
        "read_at": now.isoformat(),
        "notes": list(notes),
        "answers": [_without_secrets(answer) for answer in answers],
    }
    return json.dumps(document, indent=1, default=_plain) + "\n"


def _plain(value: object) -> object:
    """Return what JSON has no word for: times as ISO texts, anything else as text."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _without_secrets(value: object) -> object:
    if isinstance(value, Mapping):
        return {
            key: [_hidden(each) for each in item] if key == "environment" and isinstance(item, list) else item
            for key, item in ((key, _without_secrets(item)) for key, item in value.items())
        }
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return value


def _hidden(variable: object) -> object:
    if not isinstance(variable, Mapping) or "value" not in variable:
        return variable
    if _SECRET.search(str(variable.get("name", ""))) and not _ADDRESS.match(str(variable["value"])):
        return {**variable, "value": HIDDEN}
    return {**variable, "value": _USER.sub("", str(variable["value"]))}
