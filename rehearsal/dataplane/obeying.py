"""
What our own processes have in common: they do what they are told, line by line, until nobody tells them any more.

Run as a script with the name of another beside it, standard library only. Each line on stdin is a command, a JSON
object with a number under `ask`; the other script's `obey` does it, and its answer leaves on stdout with that number
under `answer`. An OSError is an answer, too: it is told under `error`. The process ends with its stdin.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Obey = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]

LONGEST_COMMAND = 1 << 20


def who_obeys(script: str) -> Obey:
    """Return `obey` of a script beside this one."""
    path = Path(__file__).with_name(script)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their own module up there
    spec.loader.exec_module(module)
    obey: Obey = module.obey
    return obey


async def main(script: str) -> None:
    """Obey commands until stdin ends."""
    obey = who_obeys(script)
    commands = asyncio.StreamReader(limit=LONGEST_COMMAND)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        command = json.loads(line)
        try:
            answer = await obey(command)
        except OSError as error:
            answer = {"error": str(error)}
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.write(json.dumps({**answer, "answer": command["ask"]}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
