"""Results that are being computed, or that the engine keeps."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections import namedtuple
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dask_runtime import _dask, _engine
from dask_runtime.arguments import seconds

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
        # What TaskRef does, for less.
        self.key = key
        self._client = client
        self._handle: _engine.Handle | None = handle

    @property
    def client(self) -> Client:
        """Whose it is."""
        return self._client

    @property
    def status(self) -> str:
        """One of "pending", "finished", "error" and "cancelled" (or released)."""
        return "cancelled" if self._handle is None else self._handle.status

    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.status != "pending"

    def cancelled(self) -> bool:
        """Whether it was given up."""
        return self.status == "cancelled"

    def result(self, timeout: float | str | None = None) -> Any:
        """Its value, once it is there; to be awaited where the client is asynchronous.

        Raises
        ------
        TimeoutError
            When it is not there after ``timeout`` seconds.
        CancelledError
            When it was cancelled.
        Exception
            What the task raised.

        """
        return self._then(lambda handle: handle.value(), timeout)

    def exception(self, timeout: float | str | None = None) -> Any:
        """What the task raised, or None; waits as :meth:`result` does."""
        return self._then(lambda handle: handle.exception(), timeout)

    def traceback(self, timeout: float | str | None = None) -> Any:
        """Where the task raised, or None; waits as :meth:`result` does."""
        return self._then(lambda handle: getattr(handle.exception(), "__traceback__", None), timeout)

    def cancel(self, reason: str | None = None, msg: str | None = None, force: bool = False) -> None:
        """Gives it up: if it has not started, it does not start, unless other tasks need it.

        What runs goes on, and its result is dropped. Other futures, also those of tasks that need this one, are not
        affected.
        """
        cancel([self])

    def release(self) -> None:
        """Lets the engine forget it."""
        self._handle = None

    def add_done_callback(self, fn: Callable[[Future], Any]) -> None:
        """Calls ``fn(self)`` in another thread once it is done."""
        self._client._callbacks().add(self, fn)

    def _held(self) -> _engine.Handle:
        if self._handle is None:
            why = "was released" if self._client.status == "running" else "is gone: its client was closed"
            raise CancelledError(f"{self.key!r} {why}")
        return self._handle

    def _then(self, what: Callable[[_engine.Handle], Any], timeout: float | str | None) -> Any:
        if self._client.asynchronous:
            return self._then_in_loop(what, timeout)
        handle = self._held()
        if handle.status == "pending" and not _engine.Watch([handle]).wait(1, seconds(timeout)):
            raise TimeoutError(f"{self.key!r} is not there after {timeout} s")
        return what(self._uncancelled(handle))

    async def _then_in_loop(self, what: Callable[[_engine.Handle], Any], timeout: float | str | None = None) -> Any:
        handle = self._held()
        if not await until_done([self], 1, seconds(timeout)):
            raise TimeoutError(f"{self.key!r} is not there after {timeout} s")
        return what(self._uncancelled(handle))

    def _value(self) -> Any:
        """Its value, which must be there."""
        return self._uncancelled(self._held()).value()

    def _uncancelled(self, handle: _engine.Handle) -> _engine.Handle:
        if handle.status == "cancelled":
            raise CancelledError(f"{self.key!r} was cancelled")
        return handle

    def __reduce__(self) -> Any:
        from dask_runtime.client import again

        return again, (self.key, self._client.id, *self._held().share())

    def __dask_tokenize__(self) -> Any:
        return "Future", self.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Future) and self.key == other.key)

    def __repr__(self) -> str:
        return f"<Future: {self.status}, key: {self.key}>"

    def __await__(self) -> Any:
        return self._then_in_loop(lambda handle: handle.value()).__await__()


def cancel(futures: Iterable[Future]) -> None:
    """Gives futures up, see :meth:`Future.cancel`."""
    _engine.cancel([future._handle for future in futures if future._handle is not None])


async def until_done(futures: Iterable[Future], count: int, timeout: float | None = None) -> bool:
    """Waits in a coroutine until that many futures are done; whether they are in time."""
    loop = asyncio.get_running_loop()
    enough = asyncio.Event()
    left = count

    def one_more() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            enough.set()

    def done(_: Future) -> None:
        # A loop that was closed has nobody left to tell.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(one_more)

    for future in futures:
        if future.done():
            one_more()
        else:
            future.add_done_callback(done)
    if left <= 0:
        return True
    try:
        await asyncio.wait_for(enough.wait(), timeout)
    except TimeoutError:
        return False
    return True


DoneAndNotDone = namedtuple("DoneAndNotDone", ["done", "not_done"])


def wait(fs: Any, timeout: float | str | None = None, return_when: str = "ALL_COMPLETED") -> Any:
    """Waits until all futures, or the first of them, are done; returns those that are, and those that are not.

    A persisted collection stands for the futures that it is made of. To be awaited where the client is asynchronous.

    Raises
    ------
    TimeoutError
        When they are not after ``timeout`` seconds.

    """
    from dask_runtime.nested import futures_of

    fs = futures_of(fs)
    if return_when not in ("ALL_COMPLETED", "FIRST_COMPLETED"):
        raise ValueError(f"return_when is {return_when!r}; use 'ALL_COMPLETED' or 'FIRST_COMPLETED'")
    need = len(fs) if return_when == "ALL_COMPLETED" else min(1, len(fs))
    if fs and fs[0].client.asynchronous:
        return _wait_in_loop(fs, need, timeout)
    handles = [f._handle for f in fs if f._handle is not None]
    # Released ones are done.
    need -= len(fs) - len(handles)
    if need > 0 and len(_engine.Watch(handles).wait(need, seconds(timeout))) < need:
        raise TimeoutError(f"not done after {timeout} s")
    return _done_and_not(fs)


async def _wait_in_loop(fs: list[Future], need: int, timeout: float | str | None) -> DoneAndNotDone:
    if not await until_done(fs, need, seconds(timeout)):
        raise TimeoutError(f"not done after {timeout} s")
    return _done_and_not(fs)


def _done_and_not(fs: list[Future]) -> DoneAndNotDone:
    done = {f for f in fs if f.done()}
    return DoneAndNotDone(done, set(fs) - done)


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
        timeout: float | str | None = None,
    ) -> None:
        self.with_results = with_results
        self.raise_errors = raise_errors
        limit = seconds(timeout)
        self._deadline = None if limit is None else time.monotonic() + limit
        self._watch = _engine.Watch([])
        self._futures: dict[int, Future] = {}
        self._next = 0
        self._ready: list[int] = []
        self._lock = threading.Lock()
        # Where it is iterated in a coroutine: the coroutine's loop, and what wakes it.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._more = asyncio.Event()
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
                if self._loop is not None:
                    future.add_done_callback(self._wake)

    def count(self) -> int:
        """How many were not returned yet."""
        return len(self._futures)

    def has_ready(self) -> bool:
        """Whether one is done and was not returned."""
        self._ready.extend(n for n in self._watch.wait(0, 0) if n in self._futures)
        return bool(self._ready)

    def _wait(self, timeout: float | None) -> bool:
        """Waits until one is done that was not returned, without returning it; whether there is one in time."""
        if not self._ready:
            self._ready.extend(n for n in self._watch.wait(1, timeout) if n in self._futures)
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
            if not self._wait(left) and left is not None and left <= 0:
                raise TimeoutError("not all futures are done in time")
        return self._take(self._ready.pop(0))

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if not self._futures:
            raise StopAsyncIteration
        if self._loop is None:
            with self._lock:
                self._loop = asyncio.get_running_loop()
                for future in self._futures.values():
                    future.add_done_callback(self._wake)
        while not self.has_ready():
            self._more.clear()
            left = None if self._deadline is None else self._deadline - time.monotonic()
            try:
                await asyncio.wait_for(self._more.wait(), left)
            except TimeoutError:
                raise TimeoutError("not all futures are done in time") from None
        return self._take(self._ready.pop(0))

    def _wake(self, _: Future) -> None:
        # A loop that was closed has nobody left to wake.
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._more.set)

    def _take(self, number: int) -> Any:
        future = self._futures.pop(number)
        if not self.with_results:
            return future
        handle = future._uncancelled(future._held()) if self.raise_errors else future._held()
        return future, handle.value() if self.raise_errors or handle.status == "finished" else handle.exception()

    def next(self) -> Any:
        """The next that is done."""
        return self.__next__()

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
        self._calls: dict[int, tuple[Callable[[], Any], Any]] = {}
        self._next = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, future: Future, call: Callable[[Future], Any]) -> None:
        """Calls ``call(future)`` when that is done."""
        self.watch(future._held(), lambda: call(future), future.key)

    def watch(self, awaited: _engine.Handle | _engine.Request, call: Callable[[], Any], of: Any) -> None:
        """Calls ``call()`` when a result or an answer is there; ``of`` says in logs what that is."""
        with self._lock:
            self._calls[self._next] = (call, of)
            self._watch.add(awaited, self._next)
            self._next += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="dask-runtime-callbacks", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        import logging

        while True:
            done = self._watch.wait(1, 1.0)
            for number in done:
                call, of = self._calls.pop(number)
                try:
                    call()
                except Exception:
                    logging.getLogger("dask_runtime").exception("a callback of %s raised", of)
            with self._lock:
                if not self._calls:
                    self._thread = None
                    return
