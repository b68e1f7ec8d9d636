"""The client as an executor of :mod:`concurrent.futures`."""

from __future__ import annotations

import concurrent.futures
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from dask_runtime import annotated
from dask_runtime.arguments import check_task, seconds
from dask_runtime.future import Future, wait

if TYPE_CHECKING:
    from dask_runtime.client import Client

__all__ = ["ClientExecutor"]


class ClientExecutor(concurrent.futures.Executor):
    """Calls functions on the engine; made by :meth:`Client.get_executor`.

    As executors do, it calls a function as often as it is submitted, unless it was made with ``pure=True``.
    """

    def __init__(self, client: Client, *, pure: bool = False, retries: int | None = None, **kwargs: Any) -> None:
        self._client = client
        self._options: dict[str, Any] = {"pure": pure, "retries": retries, **annotated.take(kwargs)}
        check_task("get_executor", kwargs)
        self._futures: weakref.WeakSet[Future] = weakref.WeakSet()
        self._closed = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[Any]:
        """Calls ``fn(*args, **kwargs)``; returns a future of concurrent.futures."""
        self._check_open()
        future = self._client.submit(fn, *args, **self._options, **kwargs)
        self._futures.add(future)
        other: concurrent.futures.Future[Any] = concurrent.futures.Future()

        def cancel(cancelled: concurrent.futures.Future[Any]) -> None:
            if cancelled.cancelled():
                future.cancel()

        other.add_done_callback(cancel)
        future.add_done_callback(lambda done: _hand_over(done, other))
        return other

    def map(
        self, fn: Callable[..., Any], *iterables: Iterable[Any], timeout: Any = None, chunksize: int = 1
    ) -> Iterator[Any]:
        """As ``map(fn, *iterables)``, with calls at a time; ``chunksize`` has no effect.

        Raises
        ------
        TimeoutError
            When the next result is not there ``timeout`` seconds after the call of ``map``.

        """
        self._check_open()
        limit = seconds(timeout)
        end = None if limit is None else time.monotonic() + limit
        futures = self._client.map(fn, *iterables, **self._options)
        self._futures.update(futures)
        return self._results(futures, end)

    def _results(self, futures: list[Future], end: float | None) -> Iterator[Any]:
        futures.reverse()
        try:
            while futures:
                yield futures[-1].result(None if end is None else max(0.0, end - time.monotonic()))
                futures.pop()
        finally:
            self._client.cancel(futures)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no more calls. Waits for those that were made, or with ``wait=False`` cancels them."""
        self._closed = True
        futures = list(self._futures)
        if cancel_futures or not wait:
            self._client.cancel(futures)
        else:
            _wait(futures)

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")


def _wait(futures: list[Future]) -> None:
    if futures:
        wait(futures)


def _hand_over(future: Future, other: concurrent.futures.Future[Any]) -> None:
    """Ends a future of concurrent.futures as the engine's has ended."""
    if future.status == "cancelled":
        other.cancel()
    if not other.set_running_or_notify_cancel():
        return
    try:
        error = future.exception()
        if error is None:
            other.set_result(future.result())
        else:
            other.set_exception(error)
    except concurrent.futures.CancelledError as gone:
        other.set_exception(gone)
