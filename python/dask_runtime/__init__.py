"""Dask on a native engine: in this process, in worker processes, or on a cluster.

>>> from dask_runtime import Client
>>> import dask.array as da
>>> with Client():
...     x = da.ones((1000, 1000), chunks=100)
...     print((x + x.T).sum().compute())
2000000.0
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from dask_runtime._engine import __version__

if TYPE_CHECKING:
    from dask_runtime.actor import Actor, ActorFuture
    from dask_runtime.client import Client, get, get_client
    from dask_runtime.coordination import Event, Lock, Queue, Semaphore, Variable
    from dask_runtime.future import Future, as_completed, fire_and_forget, wait
    from dask_runtime.nested import futures_of
    from dask_runtime.progress_bar import progress
    from dask_runtime.tasks import rejoin, secede, worker_client

__all__ = [
    "Actor",
    "ActorFuture",
    "Client",
    "Event",
    "Future",
    "Lock",
    "Queue",
    "Semaphore",
    "Variable",
    "__version__",
    "as_completed",
    "fire_and_forget",
    "futures_of",
    "get",
    "get_client",
    "progress",
    "rejoin",
    "secede",
    "wait",
    "worker_client",
]

# Where each name is, but for what the extension has. Importing Dask takes longer than a scheduler takes to start, so
# names are imported when they are asked for.
_WHERE = {
    "actor": ("Actor", "ActorFuture"),
    "client": ("Client", "get", "get_client"),
    "coordination": ("Event", "Lock", "Queue", "Semaphore", "Variable"),
    "future": ("Future", "as_completed", "fire_and_forget", "wait"),
    "nested": ("futures_of",),
    "progress_bar": ("progress",),
    "tasks": ("rejoin", "secede", "worker_client"),
}


def __getattr__(name: str) -> Any:
    for module, names in _WHERE.items():
        if name in names:
            if find_spec("joblib") is not None:
                # joblib takes backends from whoever registers them.
                import_module("dask_runtime.joblib")
            value = getattr(import_module(f"dask_runtime.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
