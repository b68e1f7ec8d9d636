"""The main example: a random array and its transpose."""

import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import dask
import dask.array as da
import numpy as np
from compare import CORES, in_turns
from dask_runtime import Client
from table import Row


def example(n: int) -> da.Array:
    """`x + x.T` of random numbers, in blocks of 1000²."""
    x = da.random.default_rng(42).random((n, n), chunks=1000)
    return x + x.T


def transpose(quick: bool) -> Iterator[Row]:
    """Beside Dask's threads, with as many threads."""
    n, runs = (4_000, 1) if quick else (10_000, 7)
    whole, total = example(n), example(n).sum()
    rows = [("(x + x.T).compute(), x random", whole, 0.4), ("(x + x.T).sum().compute()", total, 0.35)]
    with Client(set_as_default=False) as client, dask.config.set(num_workers=CORES):
        for work, array, goal in rows:
            ways = {
                "engine": lambda array=array: array.compute(scheduler=client),
                "threads": lambda array=array: array.compute(scheduler="threads"),
            }
            times = in_turns(ways, runs, lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12))
            yield Row(
                f"{work} {n:,}², over dask threads", times.ratio("engine", "threads"), "×", 0.6, goal,
                f"{times.median('engine'):.3f} s; dask threads {times.median('threads'):.3f} s",
            )  # fmt: skip


def memory(quick: bool) -> Iterator[Row]:
    """Peak memory of processes that do nothing else."""
    n = 20_000 if quick else 60_000

    def run(scheduler: str) -> dict[str, float]:
        command = [sys.executable, str(pathlib.Path(__file__).with_name("peak.py")), scheduler, str(n)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    own, peer = run("engine"), run("threads")
    assert abs(own["total"] / peer["total"] - 1) < 1e-12, f"the total is {own['total']}, Dask says {peer['total']}"
    yield Row(
        f"(x + x.T).sum().compute() {n:,}²: peak memory of the process", own["peak"] / 2**30, "GiB", 1.5, 0.8,
        f"dask threads {peer['peak'] / 2**30:.2f}; {own['seconds']:.1f} s, dask threads {peer['seconds']:.1f} s",
    )  # fmt: skip
