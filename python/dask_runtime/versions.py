"""Versions of what calls depend on, which client and workers should have in common."""

from __future__ import annotations

import importlib.metadata
import platform
import warnings
from collections.abc import Iterable, Mapping

__all__ = ["compare", "versions"]

_PACKAGES = ("dask-runtime", "dask", "numpy", "cloudpickle", "pandas", "pyarrow", "scikit-learn")


def versions() -> dict[str, str]:
    """Those of this process, by name."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def compare(workers: Iterable[Mapping[str, object]]) -> None:
    """Warns of versions that differ between this process and workers.

    Raises
    ------
    RuntimeError
        When a worker has another Python, by whose pickles functions cannot be sent.

    """
    own = versions()
    rows = []
    for worker in workers:
        theirs = worker["versions"]
        assert isinstance(theirs, Mapping)
        if not theirs:
            continue
        minor = ".".join(str(theirs.get("python", "")).split(".")[:2])
        if minor != ".".join(own["python"].split(".")[:2]):
            raise RuntimeError(
                f"the worker {worker['name']} runs Python {theirs.get('python')}, this process {own['python']}: "
                "functions cannot be sent between them; use the same minor version of Python on both sides"
            )
        for name in own.keys() | theirs.keys():
            if own.get(name) != theirs.get(name):
                rows.append((name, own.get(name, "none"), str(theirs.get(name, "none")), str(worker["name"])))
    if rows:
        lines = [f"  {name}: {mine} here, {theirs} on {worker}" for name, mine, theirs, worker in sorted(rows)]
        warnings.warn("versions differ between client and workers:\n" + "\n".join(lines), stacklevel=4)
