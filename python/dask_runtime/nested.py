"""Futures and values within lists, tuples, sets and dicts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dask_runtime import _dask
from dask_runtime.future import Future

__all__ = ["apart", "find", "futures_of", "pack", "tuples", "values"]


def find(obj: Any, found: list[Future] | None = None) -> list[Future]:
    """All futures, wherever they stand."""
    found = [] if found is None else found
    if isinstance(obj, Future):
        found.append(obj)
    elif isinstance(obj, (list, tuple, set, frozenset)):
        for item in obj:
            find(item, found)
    elif isinstance(obj, dict):
        for item in obj.values():
            find(item, found)
    return found


def futures_of(o: Any, client: Any = None) -> list[Future]:
    """The futures in containers, and those that persisted collections are made of."""
    found: dict[Any, Future] = {}
    for item in o if isinstance(o, (list, tuple, set, frozenset)) else [o]:
        own = find(item)
        if not own and _dask.is_dask_collection(item):
            own = find(list(dict(item.__dask_graph__()).values()))
        found |= {future.key: future for future in own}
    return list(found.values())


def values(obj: Any, errors: str) -> Any:
    """The same with values in place of futures, which must be there.

    With ``errors="skip"`` lists lack those that failed.
    """
    if isinstance(obj, Future):
        return obj._value()
    if isinstance(obj, (list, tuple, set, frozenset)):
        kept = [o for o in obj if not (errors == "skip" and isinstance(o, Future) and o.status != "finished")]
        return type(obj)(values(o, errors) for o in kept)
    if isinstance(obj, dict):
        return {k: values(v, errors) for k, v in obj.items()}
    return obj


def apart(futures: list[Future], results: list[Any]) -> list[Any]:
    """Results, with copies of arrays for futures that stand there before, so that who edits one edits no other."""
    seen: set[Future] = set()
    found = []
    for future, result in zip(futures, results, strict=True):
        found.append(result.copy() if future in seen and isinstance(result, np.ndarray) else result)
        seen.add(future)
    return found


def pack(keys: Any, flat: Iterator[Any]) -> Any:
    """Values in the form of their keys."""
    if isinstance(keys, list):
        return [pack(key, flat) for key in keys]
    return next(flat)


def tuples(nested: Any, keys: Any) -> Any:
    """The same with tuples for the lists of keys."""
    return tuple(map(tuples, nested, keys)) if isinstance(keys, list) else nested
