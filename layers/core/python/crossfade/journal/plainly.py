"""
Reasons as people read them. Pure.

A state machine knows why a function failed as Lambda tells it: a JSON object with the message,
the class and the whole stack. It writes that down as it is, since a state that took it apart
could fail over it; here, where it is read, the message alone is left.

Source: AWS Step Functions developer guide, "Handling errors": `Cause` of a function's exception.
"""

from __future__ import annotations

import json
import re

_BEGINS = re.compile(r'\{\s*"errorMessage"\s*:\s*"')
_CUT = re.compile(r'((?:[^"\\]|\\.)*)')


def plainly(reason: str) -> str:
    """
    Return a reason in which each of Lambda's accounts of an error is the error's message.

    One that was cut short, where the reason was too long to be kept, is left as far as it goes.
    """
    begins = _BEGINS.search(reason)
    if begins is None:
        return reason
    before, rest = reason[: begins.start()], reason[begins.start() :]
    try:
        account, end = json.JSONDecoder().raw_decode(rest)
    except json.JSONDecodeError:
        said = _CUT.match(reason, begins.end())
        return before + (_unescaped(said[1]) if said else "")
    return before + str(account["errorMessage"]) + plainly(rest[end:])


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"'))
    except json.JSONDecodeError:
        return text
