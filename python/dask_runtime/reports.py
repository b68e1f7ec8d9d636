"""What a client tells about itself and what it keeps."""

from __future__ import annotations

import html
import importlib
import os
import sys
import zipimport
from typing import TYPE_CHECKING, Any

from dask_runtime import _dask
from dask_runtime.nested import futures_of

if TYPE_CHECKING:
    from dask_runtime._engine import Engine
    from dask_runtime.client import _Known

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

        def _open(self) -> Engine: ...

        def _now(self, value: Any) -> Any: ...

    def nthreads(self) -> Any:
        """Tasks that each worker runs at a time."""
        return self._now({ADDRESS: self._open().threads})

    ncores = nthreads

    @property
    def dashboard_link(self) -> None:
        """None: an engine in this process has no dashboard. :func:`progress` shows how far futures are."""
        return None

    def scheduler_info(self, **kwargs: Any) -> dict[str, Any]:
        """What distributed's has of the scheduler and its one worker, this process."""
        threads, limit = self._settings
        running = {} if self._engine is None else {ADDRESS: _worker(self.id, threads, limit)}
        return {"type": "Scheduler", "id": self.id, "address": ADDRESS, "services": {}, "workers": running}

    def who_has(self, futures: Any = None, **kwargs: Any) -> Any:
        """The workers that hold each result, by its key: none, or this process."""
        self._open()
        if futures is None:
            return self._now({key: (ADDRESS,) for key in self._held()})
        return self._now({f.key: (ADDRESS,) if f.status == "finished" else () for f in futures_of(futures)})

    def has_what(self, workers: Any = None, **kwargs: Any) -> Any:
        """The keys of the results that each worker holds: here, this process."""
        self._open()
        return self._now({ADDRESS: tuple(self._held())})

    def wait_for_workers(self, n_workers: int = 1, timeout: Any = None) -> Any:
        """Returns when there are that many workers; in this process there is one."""
        self._open()
        if n_workers > 1:
            raise TimeoutError(f"n_workers is {n_workers}: a client in its own process has one worker; use 1")
        return self._now(None)

    def upload_file(self, filename: str, load: bool = True) -> Any:
        """Has a Python file, or an archive of such, be found by ``import``, and reads it anew if it was imported."""
        self._open()
        path = os.path.abspath(filename)
        if not os.path.exists(path):
            raise FileNotFoundError(f"filename is {filename!r}: there is no such file")
        name, kind = os.path.splitext(os.path.basename(path))
        if kind not in (".py", ".zip", ".egg"):
            raise ValueError(f"filename is {filename!r}; use a .py, .zip or .egg file: others are read where they are")
        place = os.path.dirname(path) if kind == ".py" else path
        if place not in sys.path:
            sys.path.insert(0, place)
        importlib.invalidate_caches()
        if load:
            for module in [name] if kind == ".py" else _modules_of(path):
                if module in sys.modules:
                    importlib.reload(sys.modules[module])
                else:
                    importlib.import_module(module)
        return self._now({ADDRESS: {"status": "OK"}})

    def __repr__(self) -> str:
        threads = 0 if self._engine is None else self._engine.threads
        return f"<Client: {self.status}, in this process, {threads} threads>"

    def _repr_html_(self) -> str:
        threads, limit = self._settings
        rows = {
            "Status": self.status,
            "Workers": "this process",
            "Threads": str(threads),
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


def _worker(name: str, threads: int, limit: int) -> dict[str, Any]:
    return {
        "type": "Worker",
        "id": name,
        "name": 0,
        "host": "",
        "nthreads": threads,
        "memory_limit": limit,
        "services": {},
    }


def _modules_of(archive: str) -> list[str]:
    """Modules and packages at an archive's top."""
    files = zipimport.zipimporter(archive)._files  # type: ignore[attr-defined]
    tops = (name.split(os.sep) for name in files)
    return sorted({top[0].removesuffix(".py") for top in tops if top[-1] == "__init__.py" or top[0].endswith(".py")})
