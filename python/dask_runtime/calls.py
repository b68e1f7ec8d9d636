"""Calls that clients submit: their names, and what is done around them."""

from __future__ import annotations

import asyncio
import functools
import uuid
import weakref
from collections.abc import Callable
from typing import Any

from dask_runtime import _dask

__all__ = ["awaited", "same", "token"]


def same(value: Any) -> Any:
    """What it is given."""
    return value


_functions: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


def token(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], pure: bool) -> str:
    """A name for a call: the same for the same call when it is pure."""
    if not pure:
        return uuid.uuid4().hex
    try:
        name = _functions.get(func)
        if name is None:
            name = _functions[func] = _dask.tokenize(func)
    except TypeError:
        name = _dask.tokenize(func)
    return _dask.tokenize(name, kwargs, *args)


def awaited(func: Callable[..., Any]) -> Callable[..., Any]:
    """A coroutine function as a function that returns when the coroutine does."""

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> Any:
        return asyncio.run(func(*args, **kwargs))

    return call
