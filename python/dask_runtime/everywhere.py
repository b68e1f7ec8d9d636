"""One call in each worker process of a cluster."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from dask_runtime import _dask
from dask_runtime.calls import awaited
from dask_runtime.future import Future, wait

if TYPE_CHECKING:
    from dask_runtime.client import Client

__all__ = ["call_everywhere", "named"]

# Before whatever waits there.
_FIRST = 2**31 - 1

# Seconds after which it is looked whether the workers are still there.
_LOOK = 1.0


def named(workers: Any, present: dict[str, dict[str, Any]]) -> list[str]:
    """The addresses of workers by their names or addresses: of all for None.

    Raises
    ------
    ValueError
        When there is none of such a name.

    """
    if workers is None:
        return list(present)
    many = [workers] if isinstance(workers, (str, int)) else workers
    by_name = {worker["name"]: address for address, worker in present.items()}
    found = [by_name.get(str(worker), str(worker)) for worker in many]
    for worker, address in zip(many, found, strict=True):
        if address not in present:
            raise ValueError(f"workers is {workers!r}: {worker!r} is none of {sorted(by_name)}")
    return found


def call_everywhere(
    client: Client, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], addresses: list[str]
) -> dict[str, Future]:
    """Calls a function in a task of each of these workers; their futures, once they are done.

    Raises
    ------
    ConnectionError
        When a worker goes before it has answered.

    """
    name, call = _dask.funcname(function), awaited(function) if inspect.iscoroutinefunction(function) else function
    keys = {address: f"{name}-{uuid.uuid4().hex}" for address in addresses}
    inputs = [_dask.parse_input(a) for a in args]
    keywords: dict[str, Any] = {k: _dask.parse_input(v) for k, v in kwargs.items()}
    graph = {key: _dask.Task(key, call, *inputs, **keywords) for key in keys.values()}
    sets: list[dict[str, Any]] = [{}, *({"workers": [address], "priority": _FIRST} for address in addresses)]
    started = client._start(graph, list(graph), (sets, {key: n for n, key in enumerate(keys.values(), 1)}))
    futures = {address: started[key] for address, key in keys.items()}
    _wait(client, futures)
    return futures


def _wait(client: Client, futures: dict[str, Future]) -> None:
    while True:
        try:
            wait(_pending(futures), _LOOK)
            return
        except TimeoutError:
            gone = [a for a in futures if not futures[a].done() and a not in client._workers()]
            if gone:
                client.cancel(_pending(futures))
                raise ConnectionError(f"the workers at {', '.join(gone)} went before they had answered") from None


def _pending(futures: dict[str, Future]) -> Iterable[Future]:
    return [future for future in futures.values() if not future.done()]
