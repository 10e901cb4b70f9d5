"""Asks green over HTTP, from where the function runs: outside every VPC, so its entry must be reachable from there."""

from __future__ import annotations

import http.client
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from crossfade.judge.probing import answered
from crossfade.judge.reading import Count
from crossfade.plan.edges import Probe

_AGENT = "crossfade-probe"


class HttpProber:
    """`Prober` by GET, all requests of a look at once; redirections are answers, and not followed."""

    def ask(self, probe: Probe) -> Count:
        """See `Prober`."""
        with ThreadPoolExecutor(max_workers=probe.per_look) as threads:
            codes = list(threads.map(lambda _: _status(probe), range(probe.per_look)))
        return answered([code for code in codes if code is not None])


def _status(probe: Probe) -> int | None:
    url = urlsplit(probe.url)
    dials = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = dials(url.hostname or "", url.port, timeout=probe.timeout_seconds)
    path = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    try:
        connection.request("GET", path, headers={"User-Agent": _AGENT, **probe.headers})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
