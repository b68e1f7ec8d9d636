"""Actors: objects with a state that tasks and clients call, one call at a time."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
import uuid
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from dask_runtime import _dask
from dask_runtime.pickling import dumps, loads, portable
from dask_runtime.waiting import then

if TYPE_CHECKING:
    from dask_runtime.client import Client
    from dask_runtime.future import Future

__all__ = ["Actor", "ActorFuture", "Outcome", "create", "outcome", "running"]

# The actor whose method this thread is running.
running = threading.local()


def create(client: Client, key: str, cls: Callable[..., Any], *args: Any, **kwargs: Any) -> Actor:
    """Makes an actor, in the task that it is the result of."""
    return Actor(cls, key, client, cls(*args, **kwargs))


class Actor:
    """Controls an object of the engine's: the result of ``client.submit(Class, ..., actor=True)``.

    Its methods return an :class:`ActorFuture` at once. Calls run on the engine one at a time, in the order in which
    they were made. Attributes are read as they are. On a cluster the object stays in the worker process that made it,
    and is lost with that: what is asked of it then raises.
    """

    def __init__(self, cls: Callable[..., Any], key: str, client: Client, instance: Any) -> None:
        self._cls = cls
        self._instance = instance
        self._client = client
        self._lock = threading.Lock()
        # The end of the last call, which the next waits for.
        self._last: Future | None = None
        self.key = key

    @property
    def client(self) -> Client:
        """Whose it is."""
        return self._client

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_instance" not in self.__dict__:
            raise AttributeError(name)
        attribute = getattr(self._instance, name)
        if not callable(attribute):
            return attribute

        @functools.wraps(attribute)
        def call(*args: Any, **kwargs: Any) -> ActorFuture:
            return self._call(attribute, args, kwargs)

        return call

    def _call(self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> ActorFuture:
        if getattr(running, "actor", None) is self:
            # It calls itself: its turn is now.
            return ActorFuture(None, outcome(method, args, kwargs))
        run = functools.partial(_run, self, method, args, kwargs)
        key = f"{getattr(method, '__name__', 'call')}-{uuid.uuid4().hex}"
        with self._lock:
            self._last = self._client._start_call(key, run, self._last)
            return ActorFuture(self._last)

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *(n for n in dir(self._instance) if not n.startswith("_"))})

    def __dask_tokenize__(self) -> Any:
        return "Actor", self.key, self._client.id

    def __repr__(self) -> str:
        return f"<Actor: {_dask.funcname(self._cls)}, key={self.key}>"


class Outcome:
    """What a method returned or raised; as a value, so that the next call does not fail with this one."""

    def __init__(self, value: Any, error: BaseException | None) -> None:
        self._value = value
        self._error = error

    def get(self) -> Any:
        """What it returned; raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._value

    def __reduce__(self) -> Any:
        # One that cannot be pickled is named, rather than this around it.
        return _unpacked, (dumps(self._value), None if self._error is None else portable(self._error))


def _unpacked(value: Any, error: Any) -> Outcome:
    return Outcome(loads(value), None if error is None else loads(error))


def outcome(method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Outcome:
    """What a method returns or raises."""
    try:
        value = method(*args, **kwargs)
        return Outcome(asyncio.run(value) if inspect.iscoroutine(value) else value, None)
    except BaseException as error:
        return Outcome(None, error)


def _run(
    actor: Actor, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], before: object = None
) -> Outcome:
    running.actor = actor
    try:
        return outcome(method, args, kwargs)
    finally:
        running.actor = None


class ActorFuture:
    """The result of a method of an actor."""

    def __init__(self, future: Future | None, outcome: Outcome | None = None) -> None:
        self._future = future
        self._outcome = outcome

    def result(self, timeout: Any = None) -> Any:
        """What the method returned, once it has; raises what it raised.

        To be awaited where the client is asynchronous.
        """
        if self._future is None:
            assert self._outcome is not None
            return self._outcome.get()
        outcome = self._future.result(timeout)
        return then(outcome, Outcome.get) if self._future.client.asynchronous else outcome.get()

    def done(self) -> bool:
        """Whether the method has returned or raised."""
        return self._future is None or self._future.done()

    def __await__(self) -> Generator[Any, None, Any]:
        return self._get().__await__()

    async def _get(self) -> Any:
        outcome = self._outcome if self._future is None else await self._future
        assert outcome is not None
        return outcome.get()

    def __repr__(self) -> str:
        return "<ActorFuture>"
