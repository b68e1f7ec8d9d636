"""Dataframes of 1 GB from Parquet files, beside distributed with as many cores."""

import pathlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from compare import distributed_client, in_turns, worker_processes
from dask_runtime import Client
from table import Row

# Of a row: three integers, two floats, a string.
ROW_BYTES = 55


def make(folder: pathlib.Path, nbytes: int, files: int) -> None:
    """Writes sales of `nbytes` in memory, and what is known of each buyer: a tenth as many rows."""
    rows = nbytes // ROW_BYTES // files
    buyers = rows * files // 10
    numbers = np.random.default_rng(5)
    order = numbers.permutation(rows * files)
    (folder / "sales").mkdir()
    (folder / "buyers").mkdir()
    for i in range(files):
        frame = pd.DataFrame(
            {
                "id": order[i * rows : (i + 1) * rows],
                "buyer": numbers.integers(0, buyers, rows),
                "amount": numbers.integers(1, 100, rows),
                "price": numbers.gamma(2.0, 20.0, rows),
                "weight": numbers.random(rows),
                "shop": np.char.add("shop-", numbers.integers(100, 200, rows).astype(str)),
            }
        )
        frame.to_parquet(folder / "sales" / f"{i:02}.parquet")
    per = buyers // files
    for i in range(files):
        ids = np.arange(i * per, (i + 1) * per)
        frame = pd.DataFrame({"buyer": ids, "region": numbers.integers(0, 20, per)})
        frame.to_parquet(folder / "buyers" / f"{i:02}.parquet")


def programs(folder: pathlib.Path) -> dict[str, Callable[[], Any]]:
    """Programs by name; what each computes is small."""

    def sales() -> Any:
        return dd.read_parquet(folder / "sales")

    def read() -> Any:
        return sales().map_partitions(lambda f: f.memory_usage(deep=False).to_frame().T).sum().compute()

    def groupby() -> Any:
        means = sales().groupby("shop").agg({"price": ["mean", "std"], "amount": "sum", "weight": "max"})
        return means.compute().sort_index()

    def merge() -> Any:
        both = sales()[["buyer", "price"]].merge(dd.read_parquet(folder / "buyers"), on="buyer")
        return both.groupby("region").price.sum().compute().sort_index()

    def set_index() -> Any:
        indexed = sales().set_index("id")
        ordered = indexed.map_partitions(
            lambda f: pd.Series([f.index.is_monotonic_increasing]), meta=pd.Series([], dtype=bool)
        )
        total, increasing, known = dask.compute(indexed.price.sum(), ordered.all(), indexed.known_divisions)
        assert increasing and known, "set_index left rows in another order"
        return pd.Series([total])

    return {"read_parquet": read, "groupby": groupby, "merge": merge, "set_index": set_index}


def same(a: Any, b: Any) -> None:
    """Refuses results that differ by more than the order of a sum."""
    check = pd.testing.assert_frame_equal if isinstance(a, pd.DataFrame) else pd.testing.assert_series_equal
    check(a, b, rtol=1e-9)


def dataframes(quick: bool) -> Iterator[Row]:
    """Each program, in this process and by two worker processes."""
    nbytes, runs = (5 * 10**7, 1) if quick else (10**9, 3)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = pathlib.Path(name)
        make(folder, nbytes, 20)
        processes, why = worker_processes(stack)
        # What computes without a client of ours uses this one.
        stack.enter_context(distributed_client())

        def on(client: Client, program: Callable[[], Any]) -> Any:
            with dask.config.set({"scheduler": client, "dataframe.shuffle.method": "tasks"}):
                return program()

        def embedded(program: Callable[[], Any]) -> Any:
            with Client():
                return program()

        for title, program in programs(folder).items():
            ways = {"engine": lambda p=program: embedded(p), "distributed": program}
            if processes is not None:
                ways["processes"] = lambda p=program: on(processes, p)
            times = in_turns(ways, runs, same)
            beside = f"distributed {times.median('distributed'):.2f} s"
            yield Row(
                f"{title}, {nbytes / 1e9:g} GB, in this process, over distributed's 2 processes",
                times.ratio("engine", "distributed"), "×", 0.8, 0.5, f"{times.median('engine'):.2f} s; {beside}",
            )  # fmt: skip
            value = times.ratio("processes", "distributed") if processes is not None else None
            beside = f"{times.median('processes'):.2f} s; {beside}" if processes is not None else why
            yield Row("the same by 2 worker processes", value, "×", 0.8, 0.5, beside)
