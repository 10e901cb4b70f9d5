"""Whether the stand-in tasks answer their health check: GET /health on the application's own port, answered 200."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

TIMEOUT_SECONDS = 1.0
_REQUEST = b"GET /health HTTP/1.1\r\nhost: health\r\nconnection: close\r\n\r\n"


def probe(ports: Mapping[str, int | None]) -> dict[str, bool]:
    """Ask every task at once and return who answered 200; a task without a port has nothing to ask and is healthy."""
    return asyncio.run(_probe_all(ports))


async def _probe_all(ports: Mapping[str, int | None]) -> dict[str, bool]:
    answers = await asyncio.gather(*(_answers(port) for port in ports.values()))
    return dict(zip(ports, answers, strict=True))


async def _answers(port: int | None) -> bool:
    if port is None:
        return True
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(_REQUEST)
                status = await reader.readuntil(b"\r\n")
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
    return status.split(b" ", 2)[1:2] == [b"200"]
