"""Reads `--probe`, `--probe-header` and `--probe-staging` of a command line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import ValidationError

from crossfade.errors import BadInput
from crossfade.plan.edges import Probe

_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e]*)")  # RFC 9110: a token, and what can be seen


def probes_of(addresses: Sequence[str], headers: Sequence[str], staging: Sequence[str]) -> dict[str, Probe]:
    """
    Return the probes by the edge or service they are for.

    Args:
        addresses: EDGE=URL each.
        headers: EDGE=NAME:VALUE each, of one that has an address.
        staging: EDGE=URL each, of one that has an address.

    Raises:
        BadInput: one is not of that form, twice the same, or without an address; the message names it.
    """
    urls = _by_edge("--probe", addresses, "URL")
    for option, pairs in (("--probe-header", headers), ("--probe-staging", staging)):
        for pair in pairs:
            if pair.partition("=")[0] not in urls:
                raise BadInput(
                    f"{option} {pair}: it belongs to a --probe {pair.partition('=')[0]}=URL, which is not given"
                )
    staged = _by_edge("--probe-staging", staging, "URL")
    return {
        edge: _probe(edge, url, staged.get(edge), [each.partition("=")[2] for each in headers if _edge(each) == edge])
        for edge, url in urls.items()
    }


def _probe(edge: str, url: str, staging: str | None, headers: Sequence[str]) -> Probe:
    found = {}
    for header in headers:
        read = _HEADER.fullmatch(header)
        if read is None:
            raise BadInput(f"--probe-header {edge}={header}: write EDGE=NAME:VALUE")
        if read[1] in found:
            raise BadInput(f"--probe-header {edge}={header}: {read[1]} is given twice")
        found[read[1]] = read[2]
    try:
        return Probe(url=url, headers=found, staging_url=staging)
    except ValidationError as wrong:
        option = "--probe-staging" if wrong.errors()[0]["loc"] == ("staging_url",) else "--probe"
        given = staging if option == "--probe-staging" else url
        raise BadInput(f"{option} {edge}={given}: write an address as http://host/path or https://host/path") from None


def _by_edge(option: str, pairs: Sequence[str], form: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        edge, equals, value = pair.partition("=")
        if not edge or not equals or not value:
            raise BadInput(f"{option} {pair}: write EDGE={form}")
        if edge in found:
            raise BadInput(f"{option} {pair}: {edge} has one already")
        found[edge] = value
    return found


def _edge(pair: str) -> str:
    return pair.partition("=")[0]
