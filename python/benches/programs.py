"""Measure typical array programs on the engine against Dask's threads: ``programs.py [--pairs 11] [name ...]``.

It needs ``runtime/benches`` in PYTHONPATH. Both run in this process in turn, so that they see the same machine, and
with one thread for each numpy call, as Dask advises. The ratio is the engine's time over that of Dask's threads; a
program's is the median over the pairs. Every pair's results are compared. The exit status is 1 when one differs.
"""

# Before numpy is loaded.
import one_thread  # noqa: F401

# isort: split
import argparse
import dataclasses
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import dask
import dask.array as da
import numpy as np
from compare import CORES
from dask_runtime import Client
from table import Row

PAIRS = 11
WORST = Row("array programs over dask threads: the slowest", None, "×", 1.1, 1)
MEDIAN = Row("array programs over dask threads: the median", None, "×", 0.67, 0.4)

numbers = np.random.default_rng(0)
A = numbers.random((2400, 2400))
B = numbers.random((2400, 2400)) + 0.5
LINE = numbers.standard_normal(12_000_000)
HOLES = np.where(A < 0.1, np.nan, A)
TALL = numbers.standard_normal((120_000, 40))
SQUARE = (lambda m: m @ m.T + 1800 * np.eye(1800))(numbers.random((1800, 1800)))
CLIMATE = numbers.standard_normal((12 * 60, 80, 90))
SERIES = numbers.random((800, 60, 200))

a, b = da.from_array(A, chunks=600), da.from_array(B, chunks=600)
large = da.from_array(numbers.random((4800, 4800)), chunks=1200)
line = da.from_array(LINE, chunks=1_000_000)
holes = da.from_array(HOLES, chunks=600)
tall = da.from_array(TALL, chunks=(10_000, 40))
climate = da.from_array(CLIMATE, chunks=(120, 80, 90))
series = da.from_array(SERIES, chunks=(100, 60, 50))
picks = numbers.permutation(2400)[:1600]


def stencil(block: np.ndarray) -> np.ndarray:
    """The mean of four neighbours; the edges stay."""
    out = block.copy()
    out[1:-1, 1:-1] = (block[:-2, 1:-1] + block[2:, 1:-1] + block[1:-1, :-2] + block[1:-1, 2:]) / 4
    return out


def climatology() -> da.Array:
    """Deviations from the mean of each month."""
    years = climate.reshape((60, 12, 80, 90))
    return (years - years.mean(axis=0)).std(axis=0)


def cholesky() -> da.Array:
    """A triangular factor, and what solves by it."""
    return da.linalg.cholesky(da.from_array(SQUARE, chunks=600), lower=True)


def monte_carlo() -> da.Array:
    """Pi, by points in a square."""
    points = da.random.default_rng(1).random((4_000_000, 2), chunks=(400_000, 2))
    return ((points**2).sum(axis=1) < 1).mean() * 4


def legacy_random() -> da.Array:
    """The older generator of random numbers, of normal numbers too."""
    state = da.random.RandomState(3)
    return state.random_sample((1500, 1500), chunks=500).sum() + state.normal(2, 3, (1500, 1500), chunks=500).mean()


def regression() -> da.Array:
    """A step of gradient descent for a logistic model."""
    beta = np.linspace(-1, 1, 40)
    p = 1 / (1 + da.exp(-tall.dot(beta)))
    return tall.T.dot(p - (tall[:, 0] > 0))


def zarr_read(path: str) -> Callable[[], da.Array]:
    """Makes a store, and the program that reads it."""
    da.to_zarr(a, path)
    return lambda: da.from_zarr(path).mean(axis=0)


def programs(folder: str) -> dict[str, Callable[[], Any]]:
    """Programs by name; each makes its collections anew."""
    return {
        "arithmetic": lambda: (a * 2 + b / 3 - 1) ** 2 * (a - b),
        "functions": lambda: da.sqrt(da.exp(a) + da.sin(b)) - da.log1p(a),
        "transpose": lambda: (a + a.T).sum(),
        "sums": lambda: (large * large).sum(axis=0),
        "extremes": lambda: large.max(axis=1) - large.min(axis=1),
        "standard deviation": lambda: a.std(axis=0) + b.var(axis=0),
        "normalise": lambda: (a - a.mean(axis=0)) / a.std(axis=0),
        "nan-reductions": lambda: da.nanmean(holes, axis=0) + da.nansum(holes, axis=0) - da.nanmax(holes, axis=0),
        "argmax": lambda: large.argmax(axis=1) + large.argmin(axis=1),
        "matrix product": lambda: a[:1200] @ b[:, :1200],
        "tensordot": lambda: da.tensordot(series, series, axes=([0, 1], [0, 1])),
        "einsum": lambda: da.einsum("ijk,ijk->ik", series, series),
        "svd": lambda: da.linalg.svd(tall)[1],
        "qr": lambda: da.linalg.qr(tall)[1],
        "cholesky": cholesky,
        "covariance": lambda: da.cov(tall.T[:20]),
        "regression": regression,
        "rechunk": lambda: a.rechunk((300, 2400)).rechunk((2400, 300)) + 1,
        "slices": lambda: a[100:2300, ::-1][:, 50:] + b[:2200, 50:],
        "fancy index": lambda: a[picks][:, picks[:800]],
        "boolean index": lambda: line[line > 0].sum(),
        "where": lambda: da.where(a > 0.5, a, -b),
        "concatenate": lambda: da.concatenate([a, b]).sum(axis=1) + da.stack([a, b]).sum(axis=(0, 2)).sum(),
        "overlap": lambda: da.map_overlap(stencil, a, depth=1, boundary="reflect", dtype=float),
        "climatology": climatology,
        "coarsen": lambda: da.coarsen(np.mean, large, {0: 4, 1: 4}),
        "cumsum": lambda: a.cumsum(axis=0)[-1] + da.cumsum(line)[-1],
        "top k": lambda: da.topk(line, 100),
        "histogram": lambda: da.histogram(line, bins=100, range=(-5, 5))[0],
        "percentile": lambda: da.percentile(line, [10, 50, 90]),
        "fft": lambda: abs(da.fft.fft(a.rechunk((300, 2400)))),
        "monte carlo": monte_carlo,
        "legacy random": legacy_random,
        "zarr": zarr_read(folder + "/a.zarr"),
    }


@dataclasses.dataclass
class Measured:
    """What a program took."""

    name: str
    ratio: float
    engine: float
    threads: float


def timed(program: Any, scheduler: Any) -> tuple[float, Any]:
    """Seconds that it takes, and its result."""
    start = time.perf_counter()
    (result,) = dask.compute(program, scheduler=scheduler)
    return time.perf_counter() - start, result


def compared(name: str, make: Callable[[], Any], client: Client, pairs: int) -> Measured:
    """Runs a program in turns with Dask's threads; refuses results that differ."""
    engine, threads = [], []
    for pair in range(pairs + 1):
        program = make()
        ways: list[Any] = [client, "threads"]
        done = {way: timed(program, ways[way]) for way in ([0, 1] if pair % 2 else [1, 0])}
        np.testing.assert_allclose(done[0][1], done[1][1], rtol=1e-8, atol=1e-8, err_msg=name)
        # The first pair warms up.
        if pair:
            engine.append(done[0][0])
            threads.append(done[1][0])
    ratio = statistics.median(x / y for x, y in zip(engine, threads, strict=True))
    return Measured(name, ratio, statistics.median(engine), statistics.median(threads))


def rows(found: list[Measured]) -> list[Row]:
    """The slowest program and the median of all, beside their gates."""
    worst, ratios = max(found, key=lambda m: m.ratio), sorted(m.ratio for m in found)
    slower = f"{worst.name}: {worst.engine:.3f} s, dask threads {worst.threads:.3f} s"
    spread = f"{len(ratios)} programs, from {ratios[0]:.2f} to {ratios[-1]:.2f}; {sum(r > 1 for r in ratios)} above 1"
    return [
        dataclasses.replace(MEDIAN, value=statistics.median(ratios), peer=spread),
        dataclasses.replace(WORST, value=worst.ratio, peer=slower),
    ]


def measure(quick: bool) -> Iterator[Row]:
    """All programs."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Client(set_as_default=False) as client,
        dask.config.set(num_workers=CORES),
    ):
        made = programs(folder).items()
        yield from rows([compared(name, make, client, 1 if quick else PAIRS) for name, make in made])


def main() -> int:
    """Runs the programs; returns the exit status."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("names", nargs="*", help="programs to run; all of them when none is named")
    arguments.add_argument("--pairs", type=int, default=PAIRS)
    arguments.add_argument("--explain", action="store_true", help="say what is in the way of native tasks")
    chosen = arguments.parse_args()
    found, wrong = [], False
    with (
        tempfile.TemporaryDirectory() as folder,
        Client(set_as_default=False) as client,
        dask.config.set(num_workers=CORES),
    ):
        print(f"{'program':<20}{'ratio':>7}{'engine':>9}{'dask':>9}  native")
        for name, make in programs(folder).items():
            if chosen.names and name not in chosen.names:
                continue
            try:
                its = compared(name, make, client, chosen.pairs)
            except AssertionError as error:
                wrong = True
                print(f"{name}: {error}")
                continue
            found.append(its)
            told = client.explain(make()).splitlines()
            native, _, total = told[0].split()[:3]
            share = f"{native} of {total}"
            print(f"{name:<20}{its.ratio:>6.2f}×{its.engine:>7.3f} s{its.threads:>7.3f} s  {share}", flush=True)
            if chosen.explain:
                print("\n".join(line for line in told[1:] if not line.endswith("native")))
    if found:
        print("\n".join(row.line() for row in rows(found)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
