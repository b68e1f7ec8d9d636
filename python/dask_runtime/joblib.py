"""The engine as a backend of joblib, and so of scikit-learn: ``joblib.parallel_config("dask_runtime")``."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import joblib  # type: ignore[import-untyped]
from joblib.parallel import AutoBatchingMixin, ParallelBackendBase  # type: ignore[import-untyped]

from dask_runtime.client import Client, get_client
from dask_runtime.future import Future

__all__ = ["Backend"]


class Backend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]
    """Runs joblib's batches as tasks of a client, by default the newest that is open."""

    default_n_jobs = -1
    uses_threads = True
    supports_sharedmem = True
    supports_timeout = True
    # Results are waited for by the engine, not looked for again and again: a task that calls joblib gives its thread
    # away meanwhile.
    supports_retrieve_callback = False

    def __init__(self, client: Client | None = None, nesting_level: int | None = None, **kwargs: Any) -> None:
        super().__init__(nesting_level=nesting_level, **kwargs)
        self.client = client or get_client()
        self._futures: weakref.WeakSet[Future] = weakref.WeakSet()

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """How many batches run at a time: at most as many as the client has threads."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        threads: int = sum(worker["nthreads"] for worker in self.client._workers().values())
        if n_jobs is None:
            return 1
        return max(1, threads + 1 + n_jobs) if n_jobs < 0 else min(n_jobs, threads)

    def submit(self, func: Callable[[], Any], callback: Callable[[Future], Any] | None = None) -> Future:
        """Starts a batch."""
        future = self.client.submit(func, pure=False)
        self._futures.add(future)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result(self, out: Future, timeout: float | None = None) -> Any:
        """Waits for a batch."""
        return out.result(timeout)

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Gives up what has not begun."""
        self.client.cancel(list(self._futures))

    def get_nested_backend(self) -> tuple[Backend, None]:
        """What joblib within a batch uses: the engine again, where it asks for several jobs."""
        return Backend(self.client, (self.nesting_level or 0) + 1), None


joblib.register_parallel_backend("dask_runtime", Backend)
