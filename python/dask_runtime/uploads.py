"""Modules that clients bring: found by ``import``, and read anew when they were imported before."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import tempfile
import threading
import zipimport

from dask_runtime import _engine

__all__ = ["check", "receive", "use"]


def check(filename: str) -> str:
    """The path of a file that can be used.

    Raises
    ------
    FileNotFoundError
        When there is none.
    ValueError
        When it is neither a module nor an archive of such.

    """
    path = os.path.abspath(filename)
    if not os.path.exists(path):
        raise FileNotFoundError(f"filename is {filename!r}: there is no such file")
    if os.path.splitext(path)[1] not in (".py", ".zip", ".egg"):
        raise ValueError(f"filename is {filename!r}; use a .py, .zip or .egg file: others are read where they are")
    return path


def use(path: str, load: bool) -> None:
    """Has a file be found, and its modules be read (anew)."""
    name, kind = os.path.splitext(os.path.basename(path))
    place = os.path.dirname(path) if kind == ".py" else path
    if place not in sys.path:
        sys.path.insert(0, place)
    importlib.invalidate_caches()
    if load:
        for module in [name] if kind == ".py" else _modules_of(path):
            if module in sys.modules:
                importlib.reload(sys.modules[module])
            else:
                importlib.import_module(module)


_directory: tempfile.TemporaryDirectory[str] | None = None
_lock = threading.Lock()


def receive(name: str, content: bytes, load: bool) -> dict[str, str]:
    """Takes a file in, in a worker process."""
    global _directory
    with _lock:
        if _directory is None:
            _directory = tempfile.TemporaryDirectory(prefix="dask-runtime-uploads-")
        path = os.path.join(_directory.name, name)
        with open(path, "wb") as file:
            file.write(content)
        if name.endswith(".py"):
            # It is valid for sources of this size and second, which the one before may have had.
            cached = importlib.util.cache_from_source(path)
            if os.path.exists(cached):
                os.remove(cached)
        use(path, load)
        # They may call what the module had before.
        _engine.forget_calls()
    return {"status": "OK"}


def _modules_of(archive: str) -> list[str]:
    """Modules and packages at an archive's top."""
    files = zipimport.zipimporter(archive)._files  # type: ignore[attr-defined]
    tops = (name.split(os.sep) for name in files)
    return sorted({top[0].removesuffix(".py") for top in tops if top[-1] == "__init__.py" or top[0].endswith(".py")})
