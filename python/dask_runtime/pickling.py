"""Objects as bytes, for other processes."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import numpy as np
from tblib import Traceback  # type: ignore[import-untyped]

__all__ = ["dumps", "loads", "portable"]


class UnpicklableError(TypeError):
    """An object that cannot be sent to another process."""


def dumps(obj: Any) -> list[np.ndarray[Any, Any]]:
    """An object's parts: its pickle, and the large buffers in it, which are not copied.

    What only the main program defines is pickled whole, everything that can be imported by its name.

    Raises
    ------
    UnpicklableError
        When it cannot be pickled: names its type.

    """
    buffers: list[pickle.PickleBuffer] = []
    try:
        try:
            pickled = pickle.dumps(obj, protocol=5, buffer_callback=buffers.append)
            by_name = b"__main__" in pickled
        except Exception:
            by_name = True
        if by_name:
            buffers.clear()
            pickled = cloudpickle.dumps(obj, protocol=5, buffer_callback=buffers.append)
    except UnpicklableError:
        # Something in it was pickled by this function too.
        raise
    except Exception as error:
        kind = type(obj)
        raise UnpicklableError(
            f"an object of type {kind.__module__}.{kind.__qualname__} cannot be sent to another process: {error}; "
            "make it inside the function that uses it, or run the program by Client() in this process"
        ) from error
    parts = [memoryview(pickled), *(buffer.raw() for buffer in buffers)]
    return [np.frombuffer(part, np.uint8) for part in parts]


def loads(parts: Sequence[Any]) -> Any:
    """The object of its parts."""
    return pickle.loads(parts[0], buffers=parts[1:])


class _Raised:
    """An exception on its way to another process, with where it was raised."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> Any:
        traceback = self.error.__traceback__
        where = None if traceback is None else Traceback(traceback).to_dict()
        cause = self.error.__cause__
        return _raised, (self.error, where, None if cause is None else _Raised(cause))


def _raised(error: BaseException, where: Any, cause: BaseException | None) -> BaseException:
    error.__cause__ = cause
    return error if where is None else error.with_traceback(Traceback.from_dict(where).as_traceback())


def portable(error: BaseException) -> list[np.ndarray[Any, Any]]:
    """The parts of an exception, which comes back as itself with its traceback.

    One that cannot be pickled comes back as a RuntimeError with its words.
    """
    try:
        parts = dumps(_Raised(error))
        # Many exceptions can be pickled, but not made again: those whose __init__ takes other arguments.
        loads(parts)
        return parts
    except Exception:
        stand_in = RuntimeError(f"{type(error).__name__}: {error}")
        return dumps(_Raised(stand_in.with_traceback(error.__traceback__)))
