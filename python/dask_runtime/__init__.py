"""Dask on a native engine: in this process, in worker processes, or on a cluster.

>>> from dask_runtime import Client
>>> import dask.array as da
>>> with Client():
...     x = da.ones((1000, 1000), chunks=100)
...     print((x + x.T).sum().compute())
2000000.0
"""

from importlib.util import find_spec

from dask_runtime._engine import __version__
from dask_runtime.actor import Actor, ActorFuture
from dask_runtime.client import Client, get, get_client
from dask_runtime.coordination import Event, Lock, Queue, Semaphore, Variable
from dask_runtime.future import Future, as_completed, fire_and_forget, wait
from dask_runtime.nested import futures_of
from dask_runtime.progress import progress
from dask_runtime.tasks import rejoin, secede, worker_client

if find_spec("joblib") is not None:
    # joblib takes backends from whoever registers them.
    from dask_runtime import joblib as _joblib  # noqa: F401

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
