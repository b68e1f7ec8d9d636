"""What tasks and their client coordinate by: locks, semaphores, events, queues and variables, shared by name."""

from __future__ import annotations

import asyncio
import uuid
import weakref
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from dask_runtime import _engine
from dask_runtime.arguments import seconds
from dask_runtime.client import Client, get_client
from dask_runtime.waiting import Ready

__all__ = ["Event", "Lock", "Queue", "Semaphore", "Variable"]


_Own = TypeVar("_Own", bound="_Named")


class Unnamed(str):
    """A name that nobody gave: what is called so may go when nothing is in it."""


class _Life:
    """What all objects of one such name hold in this process: what is in it goes with the last of them."""

    def __init__(self, client: Client, kind: str, name: str) -> None:
        weakref.finalize(self, _forget, weakref.ref(client), kind, name)


def _forget(reference: weakref.ref[Client], kind: str, name: str) -> None:
    client = reference()
    if client is not None and client._is_here():
        client._open().share((kind, name, False, 0), "close")


class _Named:
    """An object by which something is reached that its client's engine has; it can be passed to tasks.

    On a cluster that is the scheduler, so that all its clients and tasks share it; else the engine of this process.
    """

    _kind = ""
    # How many may hold it or be in it.
    _limit = 0

    def __init__(self, name: Any, client: Client | None) -> None:
        self.client = client or get_client()
        self.client._open()
        self.name = name or Unnamed(f"{self._kind}-{uuid.uuid4().hex}")
        # On a cluster others may hold it.
        if isinstance(self.name, Unnamed) and self.client._address is None:
            self._life = self.client._lives.get(self.name) or _Life(self.client, self._kind, self.name)
            self.client._lives[self.name] = self._life

    def _request(self, operation: str, value: Any = None) -> _engine.Request:
        name = str(self.name) if isinstance(self.name, str) else f"{type(self.name).__name__} {self.name!r}"
        of = (self._kind, name, not isinstance(self.name, Unnamed), self._limit)
        if self.client._engine is None:
            raise CancelledError("the client was closed")
        return self.client._engine.share(of, operation, value)

    def _ask(self, operation: str, finish: Callable[[Any], Any], value: Any = None, timeout: Any = None) -> Any:
        """What ``finish`` makes of the answer, or of None where there is none in time."""
        limit = seconds(timeout)
        request = self._request(operation, value)
        if self.client.asynchronous:
            return self._answer_in_loop(request, limit, finish)
        return finish(request.wait(limit))

    async def _answer_in_loop(self, request: _engine.Request, limit: float | None, finish: Callable[[Any], Any]) -> Any:
        if request.answered:
            return finish(request.end())
        loop, there = asyncio.get_running_loop(), asyncio.Event()
        self.client._callbacks().watch(request, lambda: loop.call_soon_threadsafe(there.set), self)
        try:
            await asyncio.wait_for(there.wait(), limit)
        except TimeoutError:
            return finish(request.end())
        except BaseException:
            request.undo()
            raise
        return finish(request.end())

    def __await__(self: _Own) -> Generator[Any, None, _Own]:
        return Ready(self).__await__()

    def __reduce__(self) -> Any:
        return type(self), (self.name,)

    def __dask_tokenize__(self) -> Any:
        return type(self).__name__, self.name, self.client.id

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name}>"


def _nothing(_: Any) -> None:
    return None


def _same(answer: Any) -> Any:
    return answer


def _or_timeout(what: str) -> Callable[[Any], Any]:
    def first(answer: Any) -> Any:
        if answer is None:
            raise TimeoutError(what)
        return answer[0] if isinstance(answer, list) else None

    return first


class Semaphore(_Named):
    """Bounds how many hold something at a time.

    Parameters
    ----------
    max_leases
        How many may hold it at a time.
    name
        Semaphores of the same name are one.

    """

    _kind = "semaphore"

    def __init__(self, max_leases: int = 1, name: Any = None, client: Client | None = None) -> None:
        super().__init__(name, client)
        self.max_leases = self._limit = max_leases
        self._own = 0
        # Not waited for in a coroutine: it comes at once.
        expected = self._request("open").wait()
        if expected != max_leases:
            raise ValueError(f"Inconsistent max leases: {max_leases}, expected: {expected}")

    def __reduce__(self) -> Any:
        return type(self), (self.max_leases, self.name)

    def acquire(self, timeout: Any = None) -> Any:
        """Takes a lease, once there is one; False when there is none after ``timeout`` seconds."""

        def taken(answer: Any) -> bool:
            self._own += bool(answer)
            return bool(answer)

        return self._ask("acquire", taken, timeout=timeout)

    def release(self) -> Any:
        """Gives a lease back that this object has taken."""
        if self._own <= 0:
            raise RuntimeError("Released too often")
        self._own -= 1
        return self._ask("release", lambda _: True)

    def get_value(self) -> Any:
        """How many hold it."""
        return self._ask("count", _same)

    def close(self) -> Any:
        """Forgets it: the next of this name is another."""
        return self._ask("close", _nothing)

    def __enter__(self: _Own) -> _Own:
        self.acquire()  # type: ignore[attr-defined]
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    async def __aenter__(self: _Own) -> _Own:
        await self.acquire()  # type: ignore[attr-defined]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.release()


class Lock(Semaphore):
    """Lets one at a time through. Locks of the same name are one."""

    def __init__(self, name: Any = None, client: Client | None = None) -> None:
        super().__init__(1, name, client)

    def __reduce__(self) -> Any:
        return type(self), (self.name,)

    def acquire(self, blocking: bool = True, timeout: Any = None) -> Any:  # type: ignore[override]
        """Takes the lock, once it is free; False when it is not after ``timeout`` seconds.

        If it is not to be ``blocking``, it returns at once.
        """
        if not blocking:
            if timeout is not None:
                raise ValueError("can't specify a timeout for a non-blocking call")
            timeout = 0
        return super().acquire(timeout)

    def locked(self) -> Any:
        """Whether somebody holds it."""
        return self._ask("count", bool)


class Event(_Named):
    """A flag to wait for. Events of the same name are one."""

    _kind = "event"

    def __init__(self, name: Any = None, client: Client | None = None) -> None:
        super().__init__(name, client)

    def wait(self, timeout: Any = None) -> Any:
        """Returns when it is set: True; or False when it is not after ``timeout`` seconds."""
        return self._ask("wait", bool, timeout=timeout)

    def set(self) -> Any:
        """Sets the flag, and lets all who wait go on."""
        return self._ask("turn", _nothing, True)

    def clear(self) -> Any:
        """Clears the flag."""
        return self._ask("turn", _nothing, False)

    def is_set(self) -> Any:
        """Whether it is set."""
        return self._ask("is_set", bool)


class Queue(_Named):
    """Hands objects and futures on, first in first out. Queues of the same name are one.

    Parameters
    ----------
    name, client
        As of the others.
    maxsize
        How many objects may be in it; 0 for no bound. The first queue of a name says it.

    """

    _kind = "queue"

    def __init__(self, name: Any = None, client: Client | None = None, maxsize: int = 0) -> None:
        super().__init__(name, client)
        self.maxsize = self._limit = maxsize
        # So that the bound holds, whoever puts first.
        self._request("open").wait()

    def __reduce__(self) -> Any:
        return type(self), (self.name, None, self.maxsize)

    def put(self, value: Any, timeout: Any = None) -> Any:
        """Appends an object, once there is room.

        Raises
        ------
        TimeoutError
            When there is none after ``timeout`` seconds.

        """
        return self._ask("put", _or_timeout(f"no room in the queue {self.name!r} after {timeout} s"), value, timeout)

    def get(self, timeout: Any = None, batch: bool | int = False) -> Any:
        """Takes the first object, once there is one.

        With ``batch=True``, a list of all that are there, maybe none; with a number, of that many.

        Raises
        ------
        TimeoutError
            When there is none after ``timeout`` seconds.

        """
        if batch is True:
            return self._ask("take_all", _same)
        if batch:
            if timeout is not None:
                raise ValueError(f"timeout is {timeout!r} and batch is {batch}; use one of them")
            return self._several(batch) if self.client.asynchronous else [self.get() for _ in range(batch)]
        return self._ask("take", _or_timeout(f"nothing in the queue {self.name!r} after {timeout} s"), timeout=timeout)

    async def _several(self, count: int) -> list[Any]:
        return [await self.get() for _ in range(count)]

    def qsize(self) -> Any:
        """How many objects are in it."""
        return self._ask("count", _same)

    def close(self) -> Any:
        """Forgets it: the next of this name is another."""
        return self._ask("close", _nothing)


class Variable(_Named):
    """A value that can be set anew. Variables of the same name are one."""

    _kind = "variable"

    def __init__(self, name: Any = None, client: Client | None = None) -> None:
        super().__init__(name, client)

    def set(self, value: Any, timeout: Any = None) -> Any:
        """Sets its value, which may be a future."""
        return self._ask("set", _nothing, value)

    def get(self, timeout: Any = None) -> Any:
        """Its value, once it was set.

        Raises
        ------
        TimeoutError
            When it was not after ``timeout`` seconds.

        """
        return self._ask(
            "get", _or_timeout(f"the variable {self.name!r} was not set after {timeout} s"), timeout=timeout
        )

    def delete(self) -> Any:
        """Lets its value go: it is as if it was never set."""
        return self._ask("unset", _nothing)
