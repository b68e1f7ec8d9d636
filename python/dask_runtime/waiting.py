"""Waiting in coroutines of asynchronous clients."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any

__all__ = ["Ready", "then"]


class Ready:
    """Something to await that is there already."""

    def __init__(self, value: Any = None) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, None, Any]:
        return self._value
        yield


async def then(awaitable: Awaitable[Any], what: Callable[[Any], Any]) -> Any:
    """What a function makes of a result that is to be awaited."""
    return what(await awaitable)
