"""The engine's commands in a Python process: ``python -m dask_runtime scheduler``, ``worker`` and the others.

They are those of the binary ``dask-runtime``; a worker also runs Python calls, under a supervisor that starts it again
when its process dies (``--no-supervisor`` does without).
"""

from __future__ import annotations

import os
import sys

# Libraries that make threads of their own would take the cores of other tasks. They read this when they are loaded.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")


def main(arguments: list[str]) -> int:
    """Runs the command; returns the exit status."""
    from dask_runtime.supervisor import ALONE, end_with_parent, supervise

    end_with_parent()
    supervised = ALONE not in arguments
    arguments = [a for a in arguments if a != ALONE]
    if arguments[:1] == ["worker"] and supervised and not {"-h", "--help"} & set(arguments):
        return supervise([sys.executable, "-m", "dask_runtime", *arguments, ALONE])
    from dask_runtime import _engine

    if arguments[:1] != ["worker"]:
        return _engine.command(["dask-runtime", *arguments], {})
    # What tasks need is imported before there are any.
    from dask_runtime import _dask, pickling  # noqa: F401
    from dask_runtime.versions import versions

    return _engine.command(["dask-runtime", *arguments], versions())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
