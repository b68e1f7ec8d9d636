"""Waiting for something to hold, in threads, tasks and coroutines alike.

A task occupies a compute thread. Where one has to wait, it waits by the engine, which puts another thread in its place
meanwhile; a plain ``threading.Condition`` would keep the thread, and what is waited for might never run. A coroutine
waits by its event loop.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from dask_runtime import _dask, _engine
from dask_runtime.annotated import NONE
from dask_runtime.arguments import seconds

if TYPE_CHECKING:
    from dask_runtime.client import Client

__all__ = ["Ready", "Waiting", "rung", "then"]


class Ready:
    """Something to await that is there already."""

    def __init__(self, value: Any = None) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, None, Any]:
        return self._value
        yield


class _Bell(Protocol):
    def ring(self) -> None: ...


class _ThreadBell:
    """Wakes a thread that waits by the engine."""

    def __init__(self, rung: _engine.Handle) -> None:
        self._watch = _engine.Watch([])
        self._rung = rung

    def ring(self) -> None:
        # A watch ends when a result is there that it watches: this one always is.
        self._watch.add(self._rung, 0)

    def wait(self, timeout: float | None) -> None:
        self._watch.wait(1, timeout)


class _LoopBell:
    """Wakes a coroutine."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def ring(self) -> None:
        # A loop that was closed has nobody left to wake.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, timeout: float | None) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), timeout)


class _Waiter:
    def __init__(self, attempt: Callable[[], Any], bell: _Bell) -> None:
        self.attempt = attempt
        self.bell = bell
        self.result: Any = None


class Waiting:
    """Those who wait for a state to change, first come first served. The state is touched under ``lock`` alone."""

    def __init__(self, client: Client) -> None:
        self.lock = threading.Lock()
        self._client = client
        self._waiters: dict[_Waiter, None] = {}
        self._closed = False

    def until(
        self,
        attempt: Callable[[], Any],
        timeout: Any = None,
        undo: Callable[[Any], None] | None = None,
    ) -> Any:
        """What ``attempt`` returns as soon as that is not None, or None when the time is up.

        It is called under the lock, by whoever changes the state. ``undo`` takes a success back whose waiter was
        interrupted. In a coroutine of an asynchronous client this is to be awaited.
        """
        limit = seconds(timeout)
        if self._client.asynchronous:
            return self._until_in_loop(attempt, limit, undo)
        with self.lock:
            result, waiter = self._begin(attempt, limit, lambda: _ThreadBell(self._client._rung()))
        if waiter is None:
            return result
        try:
            waiter.bell.wait(limit)  # type: ignore[attr-defined]
        except BaseException:
            self._interrupted(waiter, undo)
            raise
        return self._end(waiter)

    async def _until_in_loop(
        self, attempt: Callable[[], Any], limit: float | None, undo: Callable[[Any], None] | None
    ) -> Any:
        with self.lock:
            result, waiter = self._begin(attempt, limit, _LoopBell)
        if waiter is None:
            return result
        try:
            await waiter.bell.wait(limit)  # type: ignore[attr-defined]
        except BaseException:
            self._interrupted(waiter, undo)
            raise
        return self._end(waiter)

    def changed(self) -> None:
        """Lets those go on for whom the state is right now. To be called under the lock, after each change."""
        for waiter in list(self._waiters):
            waiter.result = waiter.attempt()
            if waiter.result is not None:
                del self._waiters[waiter]
                waiter.bell.ring()

    def close(self) -> None:
        """Ends all waits: the client is closed."""
        with self.lock:
            self._closed = True
            for waiter in self._waiters:
                waiter.bell.ring()
            self._waiters.clear()

    def _begin(
        self, attempt: Callable[[], Any], limit: float | None, bell: Callable[[], _Bell]
    ) -> tuple[Any, _Waiter | None]:
        if self._closed:
            raise CancelledError("the client was closed")
        result = attempt()
        if result is not None:
            self.changed()
        elif limit is None or limit > 0:
            waiter = _Waiter(attempt, bell())
            self._waiters[waiter] = None
            return None, waiter
        return result, None

    def _end(self, waiter: _Waiter) -> Any:
        with self.lock:
            self._waiters.pop(waiter, None)
        if waiter.result is None and self._closed:
            raise CancelledError("the client was closed")
        return waiter.result

    def _interrupted(self, waiter: _Waiter, undo: Callable[[Any], None] | None) -> None:
        with self.lock:
            self._waiters.pop(waiter, None)
            if waiter.result is not None and undo is not None:
                undo(waiter.result)
                self.changed()


def rung(engine: _engine.Engine, known: Any) -> _engine.Handle:
    """A result that is there (soon), for bells."""
    key = f"bell-{uuid.uuid4().hex}"
    (handle,) = engine.start({key: _dask.Task(key, _nothing)}, [key], known, NONE)
    return handle


def _nothing() -> None:
    pass


async def then(awaitable: Awaitable[Any], what: Callable[[Any], Any]) -> Any:
    """What a function makes of a result that is to be awaited."""
    return what(await awaitable)
