"""What tasks and their client coordinate by: locks, semaphores, events, queues and variables, shared by name."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from dask_runtime.client import Client, get_client
from dask_runtime.waiting import Ready, then

__all__ = ["Event", "Lock", "Queue", "Semaphore", "Variable"]


_Own = TypeVar("_Own", bound="_Named")


class _Named:
    """An object by which a state is reached; it can be passed to tasks."""

    _kind = ""

    def __init__(self, name: Any, client: Client | None) -> None:
        self.client = client or get_client()
        self.name = name or f"{self._kind}-{uuid.uuid4().hex}"
        self._state = self.client._shared.of(self.client, self._kind, self.name, bool(name))
        self._waiting = self._state.waiting

    def _until(self, attempt: Callable[[], Any], timeout: Any, finish: Callable[[Any], Any], undo: Any = None) -> Any:
        result = self._waiting.until(attempt, timeout, undo)
        return then(result, finish) if self.client.asynchronous else finish(result)

    def _now(self, value: Any) -> Any:
        return self.client._now(value)

    def __await__(self: _Own) -> Generator[Any, None, _Own]:
        return Ready(self).__await__()

    def __reduce__(self) -> Any:
        return type(self), (self.name,)

    def __dask_tokenize__(self) -> Any:
        return type(self).__name__, self.name, self.client.id

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name}>"


def _or_timeout(what: str) -> Callable[[tuple[Any] | None], Any]:
    def value(result: tuple[Any] | None) -> Any:
        if result is None:
            raise TimeoutError(what)
        return result[0]

    return value


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
        self.max_leases = max_leases
        self._own = 0
        state = self._state
        with self._waiting.lock:
            if state.limit is None:
                state.limit = max_leases
            elif state.limit != max_leases:
                raise ValueError(f"Inconsistent max leases: {max_leases}, expected: {state.limit}")

    def __reduce__(self) -> Any:
        return type(self), (self.max_leases, self.name)

    def acquire(self, timeout: Any = None) -> Any:
        """Takes a lease, once there is one; False when there is none after ``timeout`` seconds."""

        def attempt() -> bool | None:
            if self._state.limit is None or self._state.held >= self._state.limit:
                return None
            self._state.held += 1
            self._own += 1
            return True

        return self._until(attempt, timeout, bool, self._give_back)

    def release(self) -> Any:
        """Gives a lease back that this object has taken."""
        with self._waiting.lock:
            if not self._own:
                raise RuntimeError("Released too often")
            self._give_back()
            self._waiting.changed()
        return self._now(True)

    def _give_back(self, _: Any = None) -> None:
        self._own -= 1
        self._state.held -= 1

    def get_value(self) -> Any:
        """How many hold it."""
        return self._now(self._state.held)

    def close(self) -> Any:
        """Forgets it: the next of this name is another."""
        self.client._shared.forget(self._kind, self.name)
        return self._now(None)

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
        return self._now(self._state.held == 1)


class Event(_Named):
    """A flag to wait for. Events of the same name are one."""

    _kind = "event"

    def __init__(self, name: Any = None, client: Client | None = None) -> None:
        super().__init__(name, client)

    def wait(self, timeout: Any = None) -> Any:
        """Returns when it is set: True; or False when it is not after ``timeout`` seconds."""
        return self._until(lambda: self._state.flag or None, timeout, bool)

    def set(self) -> Any:
        """Sets the flag, and lets all who wait go on."""
        return self._turn(True)

    def clear(self) -> Any:
        """Clears the flag."""
        return self._turn(False)

    def _turn(self, flag: bool) -> Any:
        with self._waiting.lock:
            self._state.flag = flag
            self._waiting.changed()
        return self._now(None)

    def is_set(self) -> Any:
        """Whether it is set."""
        return self._now(self._state.flag)


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
        self.maxsize = maxsize
        with self._waiting.lock:
            if self._state.limit is None:
                self._state.limit = maxsize

    def __reduce__(self) -> Any:
        return type(self), (self.name, None, self.maxsize)

    def put(self, value: Any, timeout: Any = None) -> Any:
        """Appends an object, once there is room.

        Raises
        ------
        TimeoutError
            When there is none after ``timeout`` seconds.

        """

        def attempt() -> tuple[Any] | None:
            if self._state.limit and len(self._state.items) >= self._state.limit:
                return None
            self._state.items.append(value)
            return (None,)

        return self._until(attempt, timeout, _or_timeout(f"no room in the queue {self.name!r} after {timeout} s"))

    def get(self, timeout: Any = None, batch: bool | int = False) -> Any:
        """Takes the first object, once there is one.

        With ``batch=True``, a list of all that are there, maybe none; with a number, of that many.

        Raises
        ------
        TimeoutError
            When there is none after ``timeout`` seconds.

        """
        items = self._state.items
        if batch is True:
            with self._waiting.lock:
                taken = list(items)
                items.clear()
                self._waiting.changed()
            return self._now(taken)
        if batch:
            if timeout is not None:
                raise ValueError(f"timeout is {timeout!r} and batch is {batch}; use one of them")
            return self._several(batch) if self.client.asynchronous else [self.get() for _ in range(batch)]

        def attempt() -> tuple[Any] | None:
            return (items.popleft(),) if items else None

        late = _or_timeout(f"nothing in the queue {self.name!r} after {timeout} s")
        return self._until(attempt, timeout, late, items.extendleft)

    async def _several(self, count: int) -> list[Any]:
        return [await self.get() for _ in range(count)]

    def qsize(self) -> Any:
        """How many objects are in it."""
        return self._now(len(self._state.items))

    def close(self) -> Any:
        """Forgets it: the next of this name is another."""
        self.client._shared.forget(self._kind, self.name)
        return self._now(None)


class Variable(_Named):
    """A value that can be set anew. Variables of the same name are one."""

    _kind = "variable"

    def __init__(self, name: Any = None, client: Client | None = None) -> None:
        super().__init__(name, client)

    def set(self, value: Any, timeout: Any = None) -> Any:
        """Sets its value, which may be a future."""
        with self._waiting.lock:
            self._state.value = (value,)
            self._waiting.changed()
        return self._now(None)

    def get(self, timeout: Any = None) -> Any:
        """Its value, once it was set.

        Raises
        ------
        TimeoutError
            When it was not after ``timeout`` seconds.

        """
        late = _or_timeout(f"the variable {self.name!r} was not set after {timeout} s")
        return self._until(lambda: self._state.value, timeout, late)

    def delete(self) -> Any:
        """Lets its value go: it is as if it was never set."""
        with self._waiting.lock:
            self._state.value = None
        return self._now(None)
