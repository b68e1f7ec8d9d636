"""Measure the engine against floors and peers on this machine, check every result, print the table.

Each figure is the median of several runs after warming up; what it is compared with ran in the same minute. The
exit status is 1 when a result is wrong.
"""

import argparse
import functools
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator

import peers
from processes import Cluster
from table import Row, show


class Bench:
    """Where the binaries are, and how often to measure."""

    def __init__(self, folder: pathlib.Path, quick: bool) -> None:
        """`folder` is cargo's `release` folder."""
        self.binary = folder / "dask-runtime"
        self.examples = folder / "examples"
        self.runs = 1 if quick else 5
        self.quick = quick

    def example(self, name: str, *args: str) -> str:
        """What an example prints."""
        done = subprocess.run([self.examples / name, *args], check=True, capture_output=True, text=True)
        return done.stdout

    def document(self, folder: pathlib.Path, text: str) -> pathlib.Path:
        """Write a graph document."""
        path = folder / "graph.yaml"
        path.write_text(text)
        return path

    def median(self, measure: Callable[[], float]) -> float:
        """Median after one run to warm up."""
        measure()
        return statistics.median(measure() for _ in range(self.runs))


def number(pattern: str, text: str) -> float:
    """The number that the first group of a pattern finds in what an example printed."""
    found = re.search(pattern, text)
    if not found:
        raise AssertionError(f"no {pattern!r} in:\n{text}")
    return float(found[1])


def overhead(bench: Bench) -> Iterator[Row]:
    """What a task costs that does nothing."""
    own = bench.example("bench_overhead", "100000", str(bench.runs))
    tasks = 300 if bench.quick else 3000
    distributed = peers.distributed_overhead(tasks)
    threads = peers.threads_overhead(tasks * 5)
    floor = peers.loopback_exchange()
    yield Row(
        "overhead per task over TCP, 2 workers, 100,000 tasks",
        number(r"TCP, \d+ tasks.*?([\d.]+) µs", own), "µs", 10, 4,
        f"Dask distributed {distributed:.0f}; a loopback exchange {floor:.1f}",
    )  # fmt: skip
    yield Row(
        "the same, embedded", number(r"embedded, \d+ tasks.*?([\d.]+) µs", own), "µs", 2, 0.5,
        f"dask threads {threads:.0f}",
    )  # fmt: skip
    yield Row("one small task, submit to result over TCP", number(r"TCP, one task.*?([\d.]+) µs", own), "µs", 300, 120)


def core(bench: Bench) -> Iterator[Row]:
    """How the scheduler core grows, and what a task takes of its memory."""
    own = bench.example("overhead")

    def life(tasks: int, workers: int) -> float:
        return number(rf"binary tree +{tasks} +{workers} +[\d.]+ +([\d.]+)", own)

    beside = f"{life(10_000, 2):.0f} ns a task of 10,000"
    yield Row(
        "growth of the core from 10,000 to 1,000,000 tasks", life(1_000_000, 2) / life(10_000, 2), "×", 1.3, 1.1, beside
    )
    beside = f"{life(100_000, 2):.0f} ns a task with 2 workers"
    yield Row("growth of the core from 2 to 1,000 workers", life(100_000, 1000) / life(100_000, 2), "×", 2, 1.3, beside)
    load = bench.example("load_plan")
    yield Row(
        "scheduler memory per task", number(r"memory: ([\d.]+)", load), "B", 512, 100, "Dask 2,500 to 3,900 (quoted)"
    )
    yield Row(
        "loading a plan of 1,000,000 tasks", number(r"loading: ([\d.]+)", load), "s", 2, 0.3, "Dask about 186 (quoted)"
    )


def arrays(bench: Bench) -> Iterator[Row]:
    """`x + x.T` of 10,000² float64 in 1,000² chunks."""
    own = bench.example("bench_arrays", *(["--quick"] if bench.quick else []))
    peer = peers.transpose_sum(bench.runs)
    yield Row(
        "x + x.T, x in memory, 10,000² f64", number(r"add: ([\d.]+)", own), "s", 0.30, 0.20,
        f"dask threads {peer['dask_add']:.2f}, numpy {peer['numpy_add']:.2f}; copying alone {peer['copy']:.3f}",
    )  # fmt: skip
    yield Row(
        "(x + x.T).sum(), x in memory", number(r"\nsum: ([\d.]+)", own), "s", 0.22, 0.14,
        f"dask threads {peer['dask_sum']:.2f}",
    )  # fmt: skip
    yield Row(
        "(x + x.T).sum(), x random", number(r"random_sum: ([\d.]+)", own), "s", 0.6, 0.4,
        f"dask threads {peer['dask_random']:.2f}",
    )  # fmt: skip
    total = number(r"total: ([\d.]+)", own)
    if abs(total / peer["total"] - 1) > 1e-12:
        raise AssertionError(f"the total is {total!r}, Dask says {peer['total']!r}")


SUM = """
version: 1
arrays:
  x: {{random: {{seed: 42, shape: [{n}, {n}], chunks: [1000, 1000]}}}}
  total: (x + x.T).sum()
outputs:
  total: json
"""


def memory(bench: Bench) -> Iterator[Row]:
    """Peak memory of a sum that would need 28.8 GB at once; every block of x is made exactly once."""
    n = 20_000 if bench.quick else 60_000
    blocks = (n // 1000) ** 2
    with tempfile.TemporaryDirectory() as name:
        document = bench.document(pathlib.Path(name), SUM.format(n=n))
        embedded = run_json(bench, "run", document)
        check_made_once(embedded, blocks)
        yield Row(f"(x + x.T).sum(), x random, {n:,}²: peak memory", embedded["bytes_peak"] / 2**30, "GiB", 1, 0.3)
        with Cluster(bench.binary, workers=2) as cluster:
            remote = run_json(bench, "submit", document, "--scheduler", cluster.address)
            check_made_once(remote, blocks)
            if remote["outputs"] != embedded["outputs"]:
                raise AssertionError(f"{remote['outputs']} over TCP, {embedded['outputs']} embedded")
            peak = max(cluster.worker_peaks())
        yield Row("the same, each of 2 workers over TCP", peak / 2**30, "GiB", 1, 0.5)


def check_made_once(report: dict, blocks: int) -> None:
    """Random blocks must not be computed again."""
    made = sum(count for name, count in report["runs"].items() if "random" in name)
    if made != blocks:
        raise AssertionError(f"{made} random blocks were made instead of {blocks}: {report['runs']}")


RECHUNK = """
version: 1
arrays:
  x: {random: {seed: 42, shape: [10000, 10000], chunks: [10000, 500]}}
  y: rechunk(x, (500, 10000))
  total: y.sum()
outputs:
  total: json
"""


def rechunk(bench: Bench) -> Iterator[Row]:
    """Every block needs a piece of every other: 800 MB, half of it over the wire. Making and summing it counts too."""
    with tempfile.TemporaryDirectory() as name, Cluster(bench.binary, workers=2) as cluster:
        folder = pathlib.Path(name)
        plain = bench.document(folder, RECHUNK.replace("rechunk(x, (500, 10000))", "x + 0"))
        total = run_json(bench, "run", plain)["outputs"]["total"]["json"]
        document = bench.document(folder, RECHUNK)

        def measure() -> float:
            report = run_json(bench, "submit", document, "--scheduler", cluster.address)
            got = report["outputs"]["total"]["json"]
            if abs(got / total - 1) > 1e-12:
                raise AssertionError(f"the sum after rechunking is {got!r} instead of {total!r}")
            return report["seconds"]

        seconds = bench.median(measure)
    peer = peers.distributed_rechunk()
    yield Row(
        "rechunk (N,500) → (500,N), 800 MB, 2 workers over TCP", 0.8 / seconds, "GB/s", 1.0, 1.8,
        f"Dask distributed {0.8 / peer:.2f}", higher_is_better=True,
    )  # fmt: skip


def kernels(bench: Bench) -> Iterator[Row]:
    """Elementwise mathematics in cache, in turns with numpy: the speed of a shared processor changes within seconds."""
    labels = {"exp": "exp", "log": "log", "sin": "sin", "tanh": "tanh", "pow": "power"}
    own: dict[str, list[float]] = {name: [] for name in labels}
    theirs: dict[str, list[float]] = {name: [] for name in labels}
    for _ in range(bench.runs):
        printed = bench.example("kernels")
        for name, label in labels.items():
            own[name].append(number(rf"\n +{label} +([\d.]+)", printed))
            theirs[name].append(peers.numpy_kernel(name))
    for name in labels:
        nanos, numpy_nanos = statistics.median(own[name]), statistics.median(theirs[name])
        yield Row(
            f"{name} of f64 in cache, over numpy's", nanos / numpy_nanos, "×", 1.3, 0.8,
            f"{nanos:.2f} ns an element; numpy {numpy_nanos:.2f}",
        )  # fmt: skip


def zarr(bench: Bench) -> Iterator[Row]:
    """Read a Zarr array whole, on one thread."""
    own = bench.example("read_zarr")
    engine = number(r"engine: ([\d.]+)", own)
    direct = min(number(r"by chunk: ([\d.]+)", own), number(r"one call: ([\d.]+)", own))
    yield Row(
        "read a Zarr array whole, over zarrs used directly", engine / direct, "×", 1.5, 1.2,
        f"{engine:.3f} s; zarrs {direct:.3f} s",
    )  # fmt: skip


def run_json(bench: Bench, command: str, document: pathlib.Path, *flags: str) -> dict:
    """Run a document; the report of `--json`."""
    args = [bench.binary, command, document, "--json", *flags]
    done = subprocess.run(args, cwd=document.parent, capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"{args} failed: {done.stderr}")
    return json.loads(done.stdout)


PARTS = {f.__name__: f for f in (overhead, core, arrays, memory, rechunk, kernels, zarr)}


def main() -> int:
    """Measure, print, and say whether every result was right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="cargo's release folder")
    parser.add_argument("--quick", action="store_true", help="one run each, smaller sizes: checks that all of it works")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure these parts only")
    args = parser.parse_args()
    bench = Bench(args.bin, args.quick)
    chosen = args.only or PARTS
    return show({name: functools.partial(PARTS[name], bench) for name in chosen})


if __name__ == "__main__":
    sys.exit(main())
