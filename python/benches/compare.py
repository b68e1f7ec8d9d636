"""Runs the same work in several ways, in turns, so that all of them see the same machine."""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from dask_runtime import Client

CORES = len(os.sched_getaffinity(0))


class Times:
    """Seconds of each way, run for run."""

    def __init__(self, seconds: dict[str, list[float]]) -> None:
        """`seconds` has as many runs of each way."""
        self.seconds = seconds

    def median(self, way: str) -> float:
        """Seconds of a way."""
        return statistics.median(self.seconds[way])

    def ratio(self, way: str, other: str) -> float:
        """The median of what a way took over what another took in the same round."""
        return statistics.median(a / b for a, b in zip(self.seconds[way], self.seconds[other], strict=True))


def in_turns(ways: dict[str, Callable[[], Any]], runs: int, check: Callable[[Any, Any], None] | None = None) -> Times:
    """Times every way once in each round, after a round to warm up; `check` compares results with the first way's."""
    names = list(ways)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(runs + 1):
        results = {}
        # Another goes first each time.
        first = number % len(names)
        for name in names[first:] + names[:first]:
            start = time.perf_counter()
            results[name] = ways[name]()
            if number:
                seconds[name].append(time.perf_counter() - start)
        if check is not None:
            for name in names[1:]:
                check(results[names[0]], results[name])
    return Times(seconds)


@contextmanager
def distributed_client() -> Iterator[Any]:
    """A client of distributed with a worker process of one thread for each of two cores."""
    from distributed import Client as Distributed
    from distributed import LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster,
        Distributed(cluster) as client,
    ):
        yield client


def worker_processes(stack: ExitStack) -> tuple[Client | None, str]:
    """A client with two worker processes of one thread, not Dask's default; or why there is none."""
    try:
        return stack.enter_context(Client(n_workers=2, threads_per_worker=1, set_as_default=False)), ""
    except ValueError as error:
        return None, str(error).split(";")[0]
