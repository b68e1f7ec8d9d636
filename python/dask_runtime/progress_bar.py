"""How far futures are, in a terminal or a notebook."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import time
from typing import Any, TextIO

from dask_runtime.future import Future, as_completed
from dask_runtime.nested import futures_of

__all__ = ["progress"]

_WIDTH = 40
# How often the time that has passed is shown anew.
_EVERY = 0.1


def progress(*futures: Any, notebook: bool | None = None, complete: bool = True, file: TextIO | None = None) -> Any:
    """Shows how many of some futures, or of persisted collections, are done.

    In a terminal it writes a bar until all are done; this is to be awaited where the client is asynchronous. In a
    notebook with ipywidgets it returns a bar at once.

    Parameters
    ----------
    futures
        Futures and collections, also in lists.
    notebook
        Whether this is a notebook; by default what it seems to be.
    complete
        Whether a notebook's bar stays when all are done.
    file
        Where a terminal's bar is written; by default standard output.

    """
    found = futures_of([part for group in futures for part in (group if isinstance(group, (list, tuple)) else [group])])
    if notebook is None:
        notebook = _in_notebook()
    if notebook and importlib.util.find_spec("ipywidgets") is not None:
        return _widget(found, complete)
    bar = _Bar(len(found), file or sys.stdout)
    if found and found[0].client.asynchronous:
        return asyncio.to_thread(bar.follow, found)
    return bar.follow(found)


class _Bar:
    """A line in a terminal that is written again and again."""

    def __init__(self, total: int, file: TextIO) -> None:
        self._total = total
        self._file = file
        self._start = time.monotonic()

    def follow(self, futures: list[Future]) -> None:
        left = as_completed(futures)
        while left.count():
            self._write(self._total - left.count())
            left._wait(_EVERY)
            left.next_batch(block=False)
        self._write(self._total)
        self._file.write("\n")
        self._file.flush()

    def _write(self, done: int) -> None:
        part = done / self._total if self._total else 1.0
        bar = "#" * int(_WIDTH * part)
        elapsed = time.monotonic() - self._start
        self._file.write(f"\r[{bar:<{_WIDTH}}] | {int(100 * part):3d}% Completed | {elapsed:.1f}s")
        self._file.flush()


def _widget(futures: list[Future], complete: bool) -> Any:
    import ipywidgets  # type: ignore[import-not-found, import-untyped, unused-ignore]

    bar = ipywidgets.IntProgress(value=0, max=len(futures), bar_style="info")
    label = ipywidgets.Label(f"0 of {len(futures)}")
    box = ipywidgets.HBox([bar, label])
    failed = 0

    # All callbacks come from one thread.
    def done(future: Future) -> None:
        nonlocal failed
        failed += future.status != "finished"
        bar.value += 1
        label.value = f"{bar.value} of {bar.max}" + (f", {failed} failed" if failed else "")
        if bar.value == bar.max:
            bar.bar_style = "danger" if failed else "success"
            if not complete:
                box.layout.display = "none"

    for future in futures:
        future.add_done_callback(done)
    return box


def _in_notebook() -> bool:
    """Whether this runs in a kernel of Jupyter's."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
