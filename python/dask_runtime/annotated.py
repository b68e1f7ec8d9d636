"""What tasks are annotated with: what runs first, how often again, and on which workers.

It comes from ``dask.annotate``, and from the same arguments of ``submit``, ``map``, ``compute`` and ``persist``. What
stands in a graph's layers comes before what the call says, and that before the surrounding ``dask.annotate``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from dask_runtime import _dask

__all__ = ["NONE", "Annotated", "given", "of_call", "of_graph", "take"]

# Sets of annotations, and the number of the set of each key that has another than the first.
Annotated = tuple[list[dict[str, Any]], dict[Any, int]]

NONE: Annotated = ([], {})


def given(retries: Any, priority: Any, workers: Any, allow_other_workers: Any, resources: Any) -> dict[str, Any]:
    """The arguments of ``submit`` and ``map`` by which tasks are annotated, by their names."""
    return {
        "retries": retries,
        "priority": priority,
        "workers": workers,
        "allow_other_workers": allow_other_workers,
        "resources": resources,
    }


def take(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Takes the annotations out of a call's arguments."""
    return {name: kwargs.pop(name) for name in _CHECKS if name in kwargs}


def of_call(given: dict[str, Any]) -> dict[str, Any]:
    """What a call's tasks are annotated with: its own arguments, and the surrounding ``dask.annotate``."""
    own = {name: value for name, value in given.items() if value is not None and value is not False and value != 0}
    around = _dask.get_annotations()
    return {name: value for name, value in {**around, **own}.items() if name in _CHECKS}


def of_graph(
    own: dict[str, Any], layers: dict[str, dict[Any, Any]], keys: Iterable[Any], here: list[str] | None
) -> Annotated:
    """What the engine needs to know of the annotations of ``keys``.

    ``own`` are those of :func:`of_call`, ``layers`` those of single keys by what they say, and ``here`` the names of
    the worker, when this process is the only one.

    Raises
    ------
    ValueError
        When a value is none, or names a worker or resources that one process does not have.

    """
    layers = {name: of for name, of in layers.items() if name in _CHECKS and of}
    if not own and not layers:
        return NONE
    called = any(map(callable, own.values()))
    sets = [{}] if called else [_checked(own, here)]
    numbers: dict[str, int] = {repr(sets[0]): 0}
    of: dict[Any, int] = {}
    for key in keys if called else {key for values in layers.values() for key in values}:
        mine = {name: value(key) if callable(value) else value for name, value in own.items()}
        mine |= {name: values[key] for name, values in layers.items() if values.get(key) is not None}
        found = _checked(mine, here)
        number = numbers.setdefault(repr(found), len(sets))
        if number == len(sets):
            sets.append(found)
        if number:
            of[key] = number
    return sets, of


def _checked(given: dict[str, Any], here: list[str] | None) -> dict[str, Any]:
    """Annotations in the form that the engine takes."""
    found = {name: _CHECKS[name](name, given[name]) for name in sorted(given)}
    if here is None:
        return found
    workers, resources = found.pop("workers", []), found.pop("resources", {})
    if workers and not set(here) & set(workers) and not found.get("allow_other_workers"):
        raise ValueError(
            f"workers is {given['workers']!r}: there is one worker, this process, {here[0]!r}; leave it out, "
            "use allow_other_workers=True, or Client(n_workers=…) for more"
        )
    if any(resources.values()):
        raise ValueError(
            f"resources is {resources!r}: this process has none; leave it out, bound calls by a Semaphore, or use "
            "Client(n_workers=…, resources=…)"
        )
    found.pop("allow_other_workers", None)
    return found


def _whole(name: str, value: Any, least: int) -> int:
    # What is no number or without end is in no range.
    if isinstance(value, (int, float)) and least <= value < 2**31 and int(value) == value:
        return int(value)
    raise ValueError(f"{name} is {value!r}; use a whole number" + (" from 0" if least == 0 else ""))


def _workers(name: str, value: Any) -> list[str]:
    many = [value] if isinstance(value, (str, int)) else value
    if not isinstance(many, (list, tuple, set, frozenset)) or not all(isinstance(w, (str, int)) for w in many):
        raise ValueError(f"{name} is {value!r}; use names or addresses of workers, as client.scheduler_info() has them")
    return sorted(map(str, many))


def _flag(name: str, value: Any) -> bool:
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}; use True or False")
    return bool(value)


def _resources(name: str, value: Any) -> dict[str, float]:
    if not isinstance(value, dict) or not all(isinstance(n, (int, float)) and n >= 0 for n in value.values()):
        raise ValueError(f"{name} is {value!r}; use a dict of amounts by names, as {{'GPU': 1}}")
    return {str(resource): float(amount) for resource, amount in sorted(value.items())}


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "priority": lambda name, value: _whole(name, value, -(2**31)),
    "retries": lambda name, value: _whole(name, value, 0),
    "workers": _workers,
    "allow_other_workers": _flag,
    "resources": _resources,
}
