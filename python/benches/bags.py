"""Counting words, in pure Python."""

import pathlib
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import dask
import dask.bag as db
import numpy as np
from compare import CORES, in_turns, worker_processes
from dask_runtime import Client
from table import Row


def make(folder: pathlib.Path, nbytes: int, files: int) -> None:
    """Writes texts whose words are as frequent as Zipf says."""
    numbers = np.random.default_rng(9)
    letters = np.array(list("etaoinshrdlu"))
    words = np.array(["".join(numbers.choice(letters, length)) for length in numbers.integers(2, 12, 20_000)])
    for i in range(files):
        ranks = np.minimum(numbers.zipf(1.3, nbytes // files // 6), len(words)) - 1
        lines = [" ".join(words[ranks[at : at + 12]]) for at in range(0, len(ranks), 12)]
        text = "\n".join(lines)
        (folder / f"{i:02}.txt").write_text(text[: nbytes // files])


def word_count(quick: bool) -> Iterator[Row]:
    """By worker processes, as Dask does by default; in one process Python's lock lets one thread count."""
    nbytes, runs = (10**7, 1) if quick else (5 * 10**8, 3)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        make(pathlib.Path(name), nbytes, 20)
        counted = db.read_text(f"{name}/*.txt").map(str.split).flatten().frequencies()
        # Equally frequent words in one order.
        top = counted.topk(20, key=lambda item: (item[1], item[0]))

        def on(scheduler: Any) -> Any:
            with dask.config.set(num_workers=CORES):
                return top.compute(scheduler=scheduler)

        embedded = stack.enter_context(Client(set_as_default=False))
        ways = {"embedded": lambda: on(embedded), "dask": lambda: on("processes")}
        processes, why = worker_processes(stack)
        if processes is not None:
            ways["processes"] = lambda: on(processes)
        times = in_turns(ways, runs, same)
        beside = f"in one process {times.median('embedded'):.1f} s; dask processes {times.median('dask'):.1f} s"
        value = times.ratio("processes", "dask") if processes is not None else None
        beside = f"{times.median('processes'):.1f} s; {beside}" if processes is not None else f"{beside}; {why}"
        yield Row(
            f"words of {nbytes / 1e6:g} MB of text by 2 worker processes, over dask processes",
            value,
            "×",
            1,
            0.7,
            beside,
        )


def same(a: Any, b: Any) -> None:
    """Refuses other counts."""
    assert list(a) == list(b), f"the most frequent words are {a}, and {b}"
