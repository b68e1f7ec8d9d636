"""What locks, semaphores, events, queues and variables of one name share."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

from dask_runtime.waiting import Waiting

if TYPE_CHECKING:
    from dask_runtime.client import Client

__all__ = ["Registry", "State"]


class Registry:
    """A client's shared states by kind and name.

    Those that were given no name last as long as somebody refers to them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: weakref.WeakValueDictionary[tuple[str, Any], State] = weakref.WeakValueDictionary()
        self._named: dict[tuple[str, Any], State] = {}

    def of(self, client: Client, kind: str, name: Any, named: bool) -> State:
        """The state of a name, which begins when it is first asked for."""
        client._open()
        with self._lock:
            state = self._states.get((kind, name))
            if state is None:
                state = self._states[kind, name] = State(client)
            if named:
                self._named[kind, name] = state
            return state

    def forget(self, kind: str, name: Any) -> None:
        """Lets the next object of that name begin anew."""
        with self._lock:
            self._states.pop((kind, name), None)
            self._named.pop((kind, name), None)

    def close(self) -> None:
        """Ends all waits."""
        with self._lock:
            states = list(self._states.values())
            self._named.clear()
        for state in states:
            state.waiting.close()


class State:
    """What all objects of one kind and name share."""

    def __init__(self, client: Client) -> None:
        self.waiting = Waiting(client)
        # How many may hold a semaphore or be in a queue, and how many hold a semaphore.
        self.limit: int | None = None
        self.held = 0
        # Of events.
        self.flag = False
        # Of queues.
        self.items: deque[Any] = deque()
        # Of variables: the value in a tuple, or None where it was not set.
        self.value: tuple[Any] | None = None
