"""What functions call that run as tasks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dask_runtime import _engine
from dask_runtime.client import Client, get_client

__all__ = ["rejoin", "secede", "worker_client"]


@contextmanager
def worker_client(timeout: Any = None, separate_thread: bool = True) -> Iterator[Client]:
    """The client, for a task that submits tasks of its own.

    While the task waits for them, another thread computes in its place; ``get_client()`` does as well.
    """
    yield get_client()


def secede() -> None:
    """Has another thread compute in place of this task's, until :func:`rejoin` or the task's end.

    Only for tasks that wait for the world outside: waiting for futures, locks, events and queues does this by itself.
    """
    _engine.secede()


def rejoin() -> None:
    """Takes a thread again after :func:`secede`."""
    _engine.rejoin()
