"""Actors on a cluster: the object stays in the worker process that made it, and calls are tasks that go there."""

from __future__ import annotations

import functools
import threading
import uuid
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dask_runtime import _engine
from dask_runtime.actor import Actor, ActorFuture, Outcome, outcome, running
from dask_runtime.future import fire_and_forget
from dask_runtime.waiting import then

if TYPE_CHECKING:
    from dask_runtime.client import Client
    from dask_runtime.future import Future

__all__ = ["RemoteActor", "place"]


class _Placed:
    """An object that actors of other processes control, for as long as the result lives that it is."""

    def __init__(self, instance: Any) -> None:
        self.instance = instance
        self._lock = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits until no other call runs; meanwhile another thread computes in place of this one."""
        if not self._lock.acquire(blocking=False):
            _engine.secede()
            try:
                self._lock.acquire()
            finally:
                _engine.rejoin()
        try:
            yield
        finally:
            self._lock.release()


# The objects in this process, by their marks.
_placed: weakref.WeakValueDictionary[str, _Placed] = weakref.WeakValueDictionary()


def place(key: str, cls: Callable[..., Any], *args: Any, **kwargs: Any) -> RemoteActor:
    """Makes an actor, in the task that it is the result of.

    Raises
    ------
    RuntimeError
        When it was made before: what it was is lost, and another in its place would be a surprise.

    """
    from dask_runtime.coordination import Event, Unnamed

    made = Event(Unnamed(f"actor-{key}"))
    address = _engine.worker_address() or ""
    if made.is_set():
        raise _lost(key)
    placed = _Placed(cls(*args, **kwargs))
    made.set()
    # Where the process ends instead, it was lost. Not waited for: this may run in any thread.
    weakref.finalize(placed, made._request, "turn", False).atexit = False
    mark = uuid.uuid4().hex
    _placed[mark] = placed
    actor = RemoteActor(cls, key, mark, address)
    actor._placed = placed
    return actor


def _lost(key: str) -> RuntimeError:
    return RuntimeError(f"the actor {key!r} is gone: the worker process that held it ended; submit it again")


class RemoteActor(Actor):
    """Controls an object in a worker process."""

    def __init__(
        self, cls: Callable[..., Any], key: str, mark: str, address: str, future: Future | None = None
    ) -> None:
        self._cls = cls
        self.key = key
        self._mark = mark
        self._address = address
        # Keeps the object where it is; in that process its own result does.
        self._future = future
        self._placed: _Placed | None = None
        self._lock = threading.Lock()
        self._last: Future | None = None

    @property
    def client(self) -> Client:
        """By which its methods are called."""
        from dask_runtime.client import keeper

        return keeper(self.key)[0] if self._future is None else self._future.client

    def __reduce__(self) -> Any:
        return _rebuilt, (self._cls, self.key, self._mark, self._address, self._future)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_last" not in self.__dict__:
            raise AttributeError(name)
        attribute = getattr(self._cls, name, None)
        if callable(attribute):
            return self._method(name, attribute)

        def value(read: Outcome) -> Any:
            found = read.get()
            return self._method(name, getattr) if isinstance(found, _Method) else found

        client = self.client
        read = client._start_call(
            f"{name}-{uuid.uuid4().hex}", _read, self._mark, self.key, name, self._future, workers=[self._address]
        )
        result = read.result()
        return then(result, value) if client.asynchronous else value(result)

    def _method(self, name: str, like: Any) -> Callable[..., ActorFuture]:
        @functools.wraps(like)
        def call(*args: Any, **kwargs: Any) -> ActorFuture:
            if getattr(running, "actor", None) == self._mark:
                # It calls itself: its turn is now.
                return ActorFuture(None, outcome(getattr(_placed[self._mark].instance, name), args, kwargs))
            given = _Given(args, kwargs)
            with self._lock:
                self._last = self.client._start_call(
                    f"{name}-{uuid.uuid4().hex}",
                    _call,
                    self._mark,
                    self.key,
                    name,
                    given,
                    self._last,
                    self._future,
                    workers=[self._address],
                )
                # It is made, though nobody asks what came of it.
                fire_and_forget(self._last)
                return ActorFuture(self._last)

        return call

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *(n for n in dir(self._cls) if not n.startswith("_"))})

    def __dask_tokenize__(self) -> Any:
        return "Actor", self.key, self._mark


def _rebuilt(cls: Callable[..., Any], key: str, mark: str, address: str, future: Future | None) -> RemoteActor:
    from dask_runtime.client import keeper

    return RemoteActor(cls, key, mark, address, future or keeper(key)[1])


class _Given:
    """A call's arguments; futures among them stay futures."""

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs


class _Method:
    """What is read where an attribute can be called."""


def _call(mark: str, key: str, name: str, given: _Given, before: object = None, actor: object = None) -> Outcome:
    placed = _placed.get(mark)
    if placed is None:
        return Outcome(None, _lost(key))
    with placed.turn():
        running.actor = mark
        try:
            return outcome(
                lambda *args, **kwargs: getattr(placed.instance, name)(*args, **kwargs), given.args, given.kwargs
            )
        finally:
            running.actor = None


def _read(mark: str, key: str, name: str, actor: object = None) -> Outcome:
    placed = _placed.get(mark)
    if placed is None:
        return Outcome(None, _lost(key))
    found = outcome(getattr, (placed.instance, name), {})
    return Outcome(_Method(), None) if callable(found._value) else found
