"""
The processes a rehearsal starts, and the promise that none outlives it.

Every child runs in a session of its own, so that Ctrl-C reaches the rehearsal alone, and ends when its stdin does, so
that it cannot outlive a rehearsal that was killed. Nothing here opens a port.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Event = dict[str, Any]
_STARTED_SECONDS = 60.0  # until a process is there, on however busy a machine


class ChildEnded(Exception):
    """A child of the rehearsal ended although nobody asked it to."""


class Child:
    """
    One of our own scripts, spoken to by lines of JSON on its stdin and stdout.

    `heard` is called, on the reading thread, with every line that is no answer to `ask`; `ended` once at its end. One
    that `obeys` has a function of that name and no more; see `obeying.py`.
    """

    def __init__(
        self,
        script: str,
        *,
        heard: Callable[[Event], None] | None = None,
        arguments: Sequence[str] = (),
        obeys: bool = False,
    ) -> None:
        self.script = script
        run = [str(HERE / "obeying.py"), script] if obeys else [str(HERE / script)]
        self._process = subprocess.Popen(  # noqa: S603 - our own script, our own interpreter
            [sys.executable, "-I", *run, *arguments],  # -I: the standard library and nothing else
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._heard = heard
        self._lock = threading.Lock()
        self._answered = threading.Condition()
        self._answers: dict[int, Event] = {}
        self._asked = 0
        self._over = False
        self._reader = threading.Thread(target=self._read, name=f"read {script}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def tell(self, message: Mapping[str, Any]) -> None:
        """Send one message and wait for nothing. Raises ChildEnded."""
        assert self._process.stdin is not None
        try:
            with self._lock:
                self._process.stdin.write(json.dumps(message).encode() + b"\n")
                self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise ChildEnded(f"{self.script} has ended") from error

    def ask(self, message: Mapping[str, Any], *, timeout_seconds: float = 60) -> Event:
        """Send one message and return its answer. Raises ChildEnded, OSError as told, TimeoutError with no answer."""
        with self._answered:
            self._asked += 1
            number = self._asked
        self.tell({**message, "ask": number})
        with self._answered:
            if not self._answered.wait_for(lambda: number in self._answers or self._over, timeout_seconds):
                raise TimeoutError(f"{self.script} did not answer {message} within {timeout_seconds} s")
            if number not in self._answers:
                raise ChildEnded(f"{self.script} has ended")
            answer = self._answers.pop(number)
        if "error" in answer:
            raise OSError(f"{self.script}: {answer['error']}")
        return answer

    def wait(self, timeout_seconds: float) -> None:
        """Wait until the process has ended and its last line was read. Kills it when the time is over."""
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(timeout_seconds)

    def close(self, *, grace_seconds: float = 5) -> None:
        """End the process: its stdin first, then, when the grace is over, by force. Safe to repeat."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError), self._lock:
            self._process.stdin.close()
        self.wait(grace_seconds)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            if "answer" in event:
                with self._answered:
                    self._answers[event.pop("answer")] = event
                    self._answered.notify_all()
            elif self._heard is not None:
                self._heard(event)
        with self._answered:
            self._over = True
            self._answered.notify_all()


class Proxies:
    """
    The proxies of a rehearsal, all children of one keeper. Safe to use from many threads.

    `folder`, if given, is removed with them, even when it is not we who end them.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._changed = threading.Condition()
        self._pids: dict[str, int] = {}
        self._failed: dict[str, str] = {}
        self._keeper = Child("keeper.py", heard=self._heard, arguments=() if folder is None else (str(folder),))

    def start(self, name: str, argv: Sequence[str], output: Path) -> int:
        """Start a process, its output going to `output`; return its id. Raises ChildEnded with what went wrong."""
        self._keeper.tell({"start": name, "argv": list(argv), "output": str(output)})
        with self._changed:
            if not self._changed.wait_for(lambda: name in self._pids or name in self._failed, _STARTED_SECONDS):
                raise ChildEnded(f"{name} was not started within {_STARTED_SECONDS} s")
            if name in self._failed:
                raise ChildEnded(self._failed.pop(name))
            return self._pids[name]

    def stop(self, name: str, *, grace_seconds: float = 3) -> None:
        """Stop a process and return once it is gone. One that is unknown or gone is left alone."""
        if name not in self._pids:
            return
        with contextlib.suppress(ChildEnded):
            self._keeper.tell({"stop": name, "grace": grace_seconds})
            with self._changed:
                self._changed.wait_for(lambda: name not in self._pids, grace_seconds + 5)

    def running(self, name: str) -> bool:
        """Whether the process was started and has not ended."""
        with self._changed:
            return name in self._pids

    def pids(self) -> tuple[int, ...]:
        """Return the ids of the keeper and of every process it keeps."""
        with self._changed:
            return (self._keeper.pid, *self._pids.values())

    def close(self) -> None:
        """Kill every process and the keeper. Safe to repeat."""
        self._keeper.close()

    def _heard(self, event: Event) -> None:
        with self._changed:
            match event:
                case {"started": name, "pid": pid}:
                    self._pids[name] = pid
                case {"failed": name, "reason": reason}:
                    self._failed[name] = reason
                case {"ended": name}:
                    self._pids.pop(name, None)
            self._changed.notify_all()
