"""
The process that owns every proxy of a rehearsal.

Run as a script, standard library only. Commands arrive on stdin and events leave on stdout, one JSON object per line:

    {"start": name, "argv": [...], "output": path}   ->  {"started": name, "pid": n} or {"failed": name, "reason": s}
    {"stop": name, "grace": seconds}                 ->  {"ended": name, "status": n}, as for one that ends by itself

End of stdin means that whoever asked is gone: every child is killed, the folder named as argument, if any, is removed,
and the keeper ends. A single thread starts them
all, because a parent-death signal is tied to the thread that forked; so even a killed keeper leaves no proxy behind.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent() -> None:
    """Ask Linux to kill this process when the thread that forked it ends; elsewhere the end of stdin has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def tell(event: dict[str, Any]) -> None:
    """Write one event; a reader that is gone shows itself as the end of stdin."""
    try:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        return


class Keeper:
    """The children by name, and the moment at which one that was told to stop is killed."""

    def __init__(self) -> None:
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.deadlines: dict[str, float] = {}

    def start(self, name: str, argv: list[str], output: str) -> None:
        """Start one child in a session of its own, both its streams going to `output`."""
        try:
            with Path(output).open("ab", buffering=0) as stream:
                self.children[name] = subprocess.Popen(  # noqa: S603 - argv comes from our own parent
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=stream,
                    start_new_session=True,
                    preexec_fn=die_with_parent,  # noqa: PLW1509 - this process has one thread
                )
        except OSError as error:
            tell({"failed": name, "reason": str(error)})
        else:
            tell({"started": name, "pid": self.children[name].pid})

    def stop(self, name: str, grace: float) -> None:
        """Ask one child to end; `reap` kills it when it has not within `grace` seconds."""
        child = self.children.get(name)
        if child is None:
            tell({"ended": name, "status": 0})
            return
        child.send_signal(signal.SIGTERM)
        self.deadlines[name] = time.monotonic() + grace

    def reap(self) -> None:
        """Report the children that ended and kill those whose grace is over."""
        for name, child in list(self.children.items()):
            status = child.poll()
            if status is None and time.monotonic() > self.deadlines.get(name, float("inf")):
                child.kill()
                status = child.wait()
            if status is not None:
                del self.children[name]
                self.deadlines.pop(name, None)
                tell({"ended": name, "status": status})

    def end(self) -> None:
        """Kill every child, wait for each, and remove what they wrote."""
        for child in self.children.values():
            child.kill()
        for child in self.children.values():
            child.wait()
        for folder in sys.argv[1:]:
            shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Serve commands until stdin ends or a signal says so."""
    keeper = Keeper()
    wake_read, wake_write = os.pipe()
    for end in (wake_read, wake_write):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: os.close(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    selector.register(wake_read, selectors.EVENT_READ)
    pending = b""
    try:
        while True:
            for key, _ in selector.select(0.2 if keeper.deadlines else None):
                arrived = os.read(key.fd, 65536)
                if key.fd == wake_read:
                    continue
                if not arrived:
                    return
                *lines, pending = (pending + arrived).split(b"\n")
                for line in lines:
                    command = json.loads(line)
                    if "start" in command:
                        keeper.start(command["start"], command["argv"], command["output"])
                    else:
                        keeper.stop(command["stop"], command["grace"])
            keeper.reap()
    except OSError:
        return  # stdin was closed by SIGTERM
    finally:
        keeper.end()


if __name__ == "__main__":
    main()
