"""Results that are being computed, or that the engine keeps."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from dask_runtime import _dask, _engine

if TYPE_CHECKING:
    from dask_runtime.client import Client

__all__ = ["Future", "as_completed", "fire_and_forget", "wait"]

CancelledError = concurrent.futures.CancelledError


class Future(_dask.TaskRef):
    """A result that the engine computes or keeps, for as long as somebody refers to it.

    It may stand in the arguments of other tasks, and in Dask's graphs.
    """

    __slots__ = ("__weakref__", "_client", "_handle")
    __dask_future__ = True

    def __init__(self, key: Any, client: Client, handle: _engine.Handle) -> None:
        super().__init__(key)
        self._client = client
        self._handle: _engine.Handle | None = handle

    @property
    def client(self) -> Client:
        """Whose it is."""
        return self._client

    @property
    def status(self) -> str:
        """One of "pending", "finished", "error", "cancelled" and "lost" (released)."""
        return "lost" if self._handle is None else self._handle.status

    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.status != "pending"

    def cancelled(self) -> bool:
        """Whether it was given up."""
        return self.status == "cancelled"

    def result(self, timeout: float | None = None) -> Any:
        """Its value, once it is there.

        Raises
        ------
        TimeoutError
            When it is not there after ``timeout`` seconds.
        CancelledError
            When it was cancelled.
        Exception
            What the task raised.

        """
        return self._wait(timeout).value()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What the task raised, or None; waits as :meth:`result` does."""
        return self._wait(timeout).exception()

    def traceback(self, timeout: float | None = None) -> Any:
        """Where the task raised, or None; waits as :meth:`result` does."""
        raised = self.exception(timeout)
        return None if raised is None else raised.__traceback__

    def cancel(self, reason: str | None = None, msg: str | None = None, force: bool = False) -> None:
        """Gives it up, and all that was submitted in the same call."""
        if self._handle is not None:
            self._handle.cancel()

    def release(self) -> None:
        """Lets the engine forget it."""
        self._handle = None

    def add_done_callback(self, call: Callable[[Future], Any]) -> None:
        """Calls ``call(self)`` in another thread once it is done."""
        self._client._callbacks().add(self, call)

    def _held(self) -> _engine.Handle:
        if self._handle is None:
            raise CancelledError(f"{self.key!r} was released")
        return self._handle

    def _wait(self, timeout: float | None) -> _engine.Handle:
        handle = self._held()
        if handle.status == "pending" and not _engine.Watch([handle]).wait(1, timeout):
            raise TimeoutError(f"{self.key!r} is not there after {timeout} s")
        if handle.status == "cancelled":
            raise CancelledError(f"{self.key!r} was cancelled")
        return handle

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Future) and self.key == other.key)

    def __repr__(self) -> str:
        return f"<Future: {self.status}, key: {self.key}>"

    def __await__(self) -> Any:
        import asyncio

        return asyncio.get_running_loop().run_in_executor(None, self.result).__await__()


DoneAndNotDone = namedtuple("DoneAndNotDone", ["done", "not_done"])


def wait(
    fs: Future | Iterable[Future], timeout: float | None = None, return_when: str = "ALL_COMPLETED"
) -> DoneAndNotDone:
    """Waits until all futures, or the first of them, are done.

    Raises
    ------
    TimeoutError
        When they are not after ``timeout`` seconds.

    """
    if isinstance(fs, Future):
        fs = [fs]
    fs = list(fs)
    if return_when not in ("ALL_COMPLETED", "FIRST_COMPLETED"):
        raise ValueError(f"return_when is {return_when!r}; use 'ALL_COMPLETED' or 'FIRST_COMPLETED'")
    handles = [f._handle for f in fs if f._handle is not None]
    need = len(handles) if return_when == "ALL_COMPLETED" else min(1, len(handles))
    if need and len(_engine.Watch(handles).wait(need, timeout)) < need:
        raise TimeoutError(f"not done after {timeout} s")
    return DoneAndNotDone({f for f in fs if f.done()}, {f for f in fs if not f.done()})


class as_completed:
    """Futures in the order in which they are done; more can be added meanwhile.

    With ``with_results``, pairs of future and result; a task's exception is raised, unless ``raise_errors`` is false.
    """

    def __init__(
        self,
        futures: Iterable[Future] | None = None,
        loop: Any = None,
        with_results: bool = False,
        raise_errors: bool = True,
        *,
        timeout: float | None = None,
    ) -> None:
        self.with_results = with_results
        self.raise_errors = raise_errors
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._watch = _engine.Watch([])
        self._futures: dict[int, Future] = {}
        self._next = 0
        self._ready: list[int] = []
        self._lock = threading.Lock()
        if futures is not None:
            self.update(futures)

    def add(self, future: Future) -> None:
        """Watches one more."""
        self.update([future])

    def update(self, futures: Iterable[Future]) -> None:
        """Watches more."""
        with self._lock:
            for future in futures:
                if not isinstance(future, Future):
                    raise TypeError(f"Input must be a future, got {type(future).__name__}")
                self._futures[self._next] = future
                self._watch.add(future._held(), self._next)
                self._next += 1

    def count(self) -> int:
        """How many were not returned yet."""
        return len(self._futures)

    def has_ready(self) -> bool:
        """Whether one is done and was not returned."""
        self._ready.extend(self._watch.wait(0, 0))
        return bool(self._ready)

    def is_empty(self) -> bool:
        """Whether all were returned."""
        return not self._futures

    def clear(self) -> None:
        """Forgets all of them."""
        with self._lock:
            self._futures.clear()
            self._ready.clear()
            self._watch = _engine.Watch([])

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if not self._futures:
            raise StopIteration
        while not self._ready:
            left = None if self._deadline is None else self._deadline - time.monotonic()
            self._ready.extend(n for n in self._watch.wait(1, left) if n in self._futures)
            if not self._ready and left is not None and left <= 0:
                raise TimeoutError("not all futures are done in time")
        return self._take(self._ready.pop(0))

    def _take(self, number: int) -> Any:
        future = self._futures.pop(number)
        if not self.with_results:
            return future
        if self.raise_errors or future.status == "finished":
            return future, future.result()
        return future, future.exception()

    def next_batch(self, block: bool = True) -> list[Any]:
        """All that are done, at least one if it may ``block``."""
        if not block and not self.has_ready():
            return []
        batch = [next(self)]
        self.has_ready()
        while self._ready:
            batch.append(self._take(self._ready.pop(0)))
        return batch

    def batches(self) -> Iterator[list[Any]]:
        """Batches of what is done, until all were returned."""
        while self._futures:
            yield self.next_batch()


_forgotten: set[Future] = set()


def fire_and_forget(obj: Any) -> None:
    """Has futures computed, though nobody refers to them any more."""
    for future in [obj] if isinstance(obj, Future) else list(obj):
        _forgotten.add(future)
        future.add_done_callback(_forgotten.discard)


class Callbacks:
    """Calls functions when futures are done, in a thread of their own."""

    def __init__(self) -> None:
        self._watch = _engine.Watch([])
        self._calls: dict[int, tuple[Future, Callable[[Future], Any]]] = {}
        self._next = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, future: Future, call: Callable[[Future], Any]) -> None:
        with self._lock:
            self._calls[self._next] = (future, call)
            self._watch.add(future._held(), self._next)
            self._next += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="dask-runtime-callbacks", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        import logging

        while True:
            done = self._watch.wait(1, 1.0)
            for number in done:
                future, call = self._calls.pop(number)
                try:
                    call(future)
                except Exception:
                    logging.getLogger("dask_runtime").exception("a callback of %s raised", future.key)
            with self._lock:
                if not self._calls:
                    self._thread = None
                    return
