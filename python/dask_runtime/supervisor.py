"""Keeps a worker process: starts it again when it dies, and ends it when it is told to end itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from typing import Any

__all__ = ["end_with_parent", "start", "supervise"]

# The option by which a worker does without a supervisor.
ALONE = "--no-supervisor"

# A process that dies so soon after its start is started again ever more slowly, up to the second number of seconds.
_SOON = 5.0
_LONGEST = 10.0


# Where a child finds the number of the pipe that is closed when its parent dies.
_LIFELINE = "DASK_RUNTIME_LIFELINE"


def start(command: list[str], environment: Mapping[str, str], **options: Any) -> subprocess.Popen[Any]:
    """Starts a process that ends when this one does, however that ends.

    It is in a session of its own, so that Ctrl-C reaches this process alone.
    """
    read, write = os.pipe()
    try:
        process = subprocess.Popen(
            command,
            env={**environment, _LIFELINE: str(read)},
            pass_fds=[read],
            start_new_session=True,
            **options,
        )
    finally:
        os.close(read)
    # The other end stays open for as long as the process is known.
    weakref.finalize(process, os.close, write)
    return process


def end_with_parent() -> None:
    """Ends this process when the parent that started it by :func:`start` does."""
    lifeline = os.environ.pop(_LIFELINE, None)
    if lifeline is None:
        return

    def watch(pipe: int) -> None:
        os.read(pipe, 1)
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=watch, args=(int(lifeline),), name="lifeline", daemon=True).start()


def supervise(command: list[str]) -> int:
    """Runs a command until it ends by itself or a signal ends this process; returns its exit status."""
    told: list[int] = []
    child: subprocess.Popen[Any] | None = None

    def tell(number: int, _: Any) -> None:
        told.append(number)
        if child is not None:
            child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, tell)
    wait = 0.1
    while True:
        started = time.monotonic()
        child = start(command, os.environ)
        if told:
            child.send_signal(told[-1])
        status = child.wait()
        # It says itself what is wrong when it ends by itself; only a signal that nobody sent it means that it died.
        if told or status >= 0:
            return status if status >= 0 else 128 - status
        print(f"the worker process was killed by signal {-status}; starting it again", file=sys.stderr, flush=True)
        wait = 0.1 if time.monotonic() - started > _SOON else min(2 * wait, _LONGEST)
        time.sleep(wait)
