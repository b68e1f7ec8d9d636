"""A scheduler and worker processes on this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from dask_runtime.supervisor import ALONE, start

__all__ = ["LocalCluster"]

_PATIENCE = 30.0


class LocalCluster:
    """A scheduler and ``n_workers`` worker processes, which end with this object.

    Parameters
    ----------
    n_workers
        Processes.
    threads_per_worker
        Tasks that each runs at a time; by default the cores are shared out.
    memory_limit
        Bytes that each may use; 0 for no limit.
    resources
        Amounts of named resources that each has.

    A worker process that dies is started again, and what it held and somebody needs is computed again.

    """

    def __init__(
        self,
        n_workers: int,
        threads_per_worker: int,
        memory_limit: int,
        resources: dict[str, float] | None = None,
    ) -> None:
        self._closed = threading.Event()
        # Addresses of workers that a restart has ended.
        self._left: set[str] = set()
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._lock = threading.Lock()
        scheduler = _start(["scheduler", "--port", "0", "--http-port", "0"], stdout=subprocess.PIPE)
        self._processes["scheduler"] = scheduler
        self._finalizer = weakref.finalize(self, _end, self._closed, self._lock, self._processes)
        assert scheduler.stdout is not None
        said = scheduler.stdout.readline()
        found = re.match(r"scheduler listening on (tcp://\S+) (http://\S+)", said)
        if found is None:
            self.close()
            raise RuntimeError(f"the scheduler process did not start; it said {said!r}")
        self.scheduler_address, self.dashboard_link = found[1], found[2]
        self.workers = {f"worker-{n}": threads_per_worker for n in range(n_workers)}
        options = ["--threads", str(threads_per_worker), "--memory-limit", str(memory_limit), "--grace", "1"]
        options += [o for name, amount in (resources or {}).items() for o in ("--resource", f"{name}={amount}")]
        for name in self.workers:
            command = ["worker", self.scheduler_address, "--name", name, *options, ALONE, "--quiet"]
            self._processes[name] = _start(command)
            watch = threading.Thread(
                target=_keep, args=(self._closed, self._lock, self._processes, name, command), daemon=True
            )
            watch.start()

    def wait(self, addresses: Callable[[], list[str]], timeout: float = _PATIENCE) -> None:
        """Returns when ``addresses()`` are as many as the workers, none of them from before a restart.

        Raises
        ------
        TimeoutError
            When they are not there after ``timeout`` seconds.

        """
        until = time.monotonic() + timeout
        while True:
            present = set(addresses())
            came = len(present - self._left)
            if came >= len(self.workers) and not present & self._left:
                return
            if time.monotonic() > until:
                raise TimeoutError(f"{len(self.workers)} worker processes were started; {came} came within {timeout} s")
            time.sleep(0.005)

    def restart(self, addresses: list[str]) -> None:
        """Ends the worker processes, which are at these addresses; others are started in their place."""
        with self._lock:
            self._left.update(addresses)
            running = [process for name, process in self._processes.items() if name in self.workers]
        for process in running:
            process.kill()
        for process in running:
            process.wait()

    def close(self) -> None:
        """Ends the processes."""
        self._finalizer()

    def __enter__(self) -> LocalCluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<LocalCluster: {self.scheduler_address}, {len(self.workers)} worker processes>"


def _start(arguments: list[str], **options: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    # What users set for workers elsewhere means nothing here.
    for name in [n for n in environment if n.startswith("DASK_") and n not in ("DASK_LOG", "DASK_CONFIG")]:
        del environment[name]
    environment.setdefault("DASK_LOG", "warn")
    return start([sys.executable, "-m", "dask_runtime", *arguments], environment, text=True, **options)


def _keep(
    closed: threading.Event,
    lock: threading.Lock,
    processes: dict[str, subprocess.Popen[str]],
    name: str,
    command: list[str],
) -> None:
    """Starts a worker process again whenever it dies."""
    wait = 0.05
    while True:
        started = time.monotonic()
        processes[name].wait()
        wait = 0.05 if time.monotonic() - started > 5 else min(2 * wait, 5.0)
        if closed.wait(wait):
            return
        with lock:
            if closed.is_set():
                return
            processes[name] = _start(command)


def _end(closed: threading.Event, lock: threading.Lock, processes: dict[str, subprocess.Popen[str]]) -> None:
    with lock:
        closed.set()
        running = list(processes.values())
    # Workers first, lest they look for the scheduler; by force, lest they hand over what nobody needs any more.
    for process in reversed(running):
        process.kill()
    for process in running:
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
