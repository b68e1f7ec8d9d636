"""What a client tells about itself and what it keeps."""

from __future__ import annotations

import html
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dask_runtime import _dask, uploads
from dask_runtime.arguments import seconds
from dask_runtime.everywhere import named
from dask_runtime.nested import futures_of

if TYPE_CHECKING:
    from dask_runtime._engine import Engine
    from dask_runtime.client import _Known
    from dask_runtime.cluster import LocalCluster

__all__ = ["ADDRESS", "Reports"]

# What stands where distributed has a worker's address.
ADDRESS = "inproc://embedded"


class Reports:
    """Methods of the client by which people look at it."""

    if TYPE_CHECKING:
        id: str
        status: Any
        _known: _Known
        _engine: Engine | None
        _settings: tuple[int, int]
        _address: str | None
        cluster: LocalCluster | None

        run: Callable[..., Any]

        def _open(self) -> Engine: ...

        def _now(self, value: Any) -> Any: ...

    def _workers(self) -> dict[str, dict[str, Any]]:
        """The workers by their addresses; in this process there is one."""
        engine = self._open()
        if self._address is not None:
            return {worker["address"]: worker for worker in engine.workers()}
        threads, limit = self._settings
        return {ADDRESS: {"name": self.id, "address": ADDRESS, "nthreads": threads, "memory_limit": limit}}

    def nthreads(self, workers: Any = None) -> Any:
        """Tasks that each worker runs at a time, or each of those that ``workers`` names."""
        present = self._workers()
        return self._now({address: present[address]["nthreads"] for address in named(workers, present)})

    ncores = nthreads

    @property
    def dashboard_link(self) -> str | None:
        """The scheduler's page; None for an engine in this process, which has none (:func:`progress` shows futures)."""
        if self.cluster is not None:
            return self.cluster.dashboard_link
        if self._address is None:
            return None
        host = self._address.removeprefix("tcp://").rsplit(":", 1)[0]
        return f"http://{host}:8787"

    def scheduler_info(self, **kwargs: Any) -> dict[str, Any]:
        """What distributed's has of the scheduler and its workers."""
        running = {} if self._engine is None else self._workers()
        workers = {address: _worker(worker) for address, worker in running.items()}
        return {
            "type": "Scheduler",
            "id": self.id,
            "address": self._address or ADDRESS,
            "services": {},
            "workers": workers,
        }

    def who_has(self, futures: Any = None, **kwargs: Any) -> Any:
        """The addresses of the workers that hold each result, by its key."""
        engine = self._open()
        wanted = self._known.live() if futures is None else futures_of(futures)
        held = [future for future in wanted if future.status == "finished"]
        if self._address is None:
            found: list[tuple[str, ...]] = [(ADDRESS,)] * len(held)
        else:
            found = [tuple(holders) for holders in engine.holders([future._held() for future in held])]
        everywhere = {} if futures is None else {future.key: () for future in wanted}
        return self._now(everywhere | {future.key: holders for future, holders in zip(held, found, strict=True)})

    def has_what(self, workers: Any = None, **kwargs: Any) -> Any:
        """The keys of the results that each worker holds."""
        held: dict[str, list[Any]] = {address: [] for address in self._workers()}
        engine = self._open()
        futures = [future for future in self._known.live() if future.status == "finished"]
        if self._address is None:
            held[ADDRESS] = [future.key for future in futures]
        else:
            for future, holders in zip(futures, engine.holders([f._held() for f in futures]), strict=True):
                for address in holders:
                    held.setdefault(address, []).append(future.key)
        return self._now({address: tuple(keys) for address, keys in held.items()})

    def wait_for_workers(self, n_workers: int = 1, timeout: Any = None) -> Any:
        """Returns when there are that many workers.

        Raises
        ------
        TimeoutError
            When there are fewer after ``timeout`` seconds, or in this process, which is one.

        """
        limit = seconds(timeout)
        until = None if limit is None else time.monotonic() + limit
        while len(self._workers()) < n_workers:
            if self._address is None:
                raise TimeoutError(f"n_workers is {n_workers}: a client in its own process has one worker; use 1")
            if until is not None and time.monotonic() > until:
                raise TimeoutError(f"n_workers is {n_workers}: there are {len(self._workers())} after {timeout} s")
            time.sleep(0.05)
        return self._now(None)

    def upload_file(self, filename: str, load: bool = True) -> Any:
        """Has a Python file, or an archive of such, be found by ``import``, and reads it anew if it was imported.

        On a cluster each worker process gets a copy; those that come later do not, so upload it again for them.
        """
        self._open()
        path = uploads.check(filename)
        if self._address is None:
            uploads.use(path, load)
            return self._now({ADDRESS: {"status": "OK"}})
        with open(path, "rb") as file:
            return self.run(uploads.receive, os.path.basename(path), file.read(), load)

    def _where(self) -> str:
        return "in this process" if self._address is None else self._address

    def __repr__(self) -> str:
        workers = [] if self._engine is None or self._engine.lost else list(self._workers().values())
        threads = sum(worker["nthreads"] for worker in workers)
        return f"<Client: {self.status}, {self._where()}, {len(workers)} workers, {threads} threads>"

    def _repr_html_(self) -> str:
        workers = [] if self._engine is None or self._engine.lost else list(self._workers().values())
        limit = sum(worker["memory_limit"] for worker in workers)
        rows = {
            "Status": self.status,
            "Scheduler": self._where(),
            "Workers": str(len(workers)),
            "Threads": str(sum(worker["nthreads"] for worker in workers)),
            "Memory limit": _dask.format_bytes(limit) if limit else "none",
            "Results kept": str(len(self._held())),
        }
        cells = "".join(
            f'<tr><td style="text-align: left">{name}</td><td style="text-align: left">{html.escape(value)}</td></tr>'
            for name, value in rows.items()
        )
        return f"<h4>{html.escape(self.id)}</h4><table>{cells}</table>"

    def _held(self) -> list[Any]:
        return [future.key for future in self._known.live() if future.status == "finished"]


def _worker(worker: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "Worker",
        "id": worker["name"],
        "name": worker["name"],
        "host": worker["address"].removeprefix("tcp://").rsplit(":", 1)[0],
        "nthreads": worker["nthreads"],
        "memory_limit": worker["memory_limit"],
        "resources": worker.get("resources", {}),
        "versions": worker.get("versions", {}),
        "metrics": {"memory": worker.get("memory", 0), "managed_bytes": worker.get("managed", 0)},
        "services": {},
    }
