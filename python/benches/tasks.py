"""What a task costs that does nothing: lowering, scheduling, the call, and bringing the result."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import dask
from compare import CORES, distributed_client, in_turns, worker_processes
from dask._task_spec import Task
from dask_runtime import Client
from table import Row


def inc(x: int) -> int:
    """The task."""
    return x + 1


# Numbers that no task had before: the same call again would be the same future.
_begin = itertools.count(0, 10_000_000)


def mapped(client: Any, count: int) -> Callable[[], None]:
    """Maps and gathers."""

    def work() -> None:
        begin = next(_begin)
        results = client.gather(client.map(inc, range(begin, begin + count)))
        assert results == list(range(begin + 1, begin + count + 1)), "map and gather brought other numbers"

    return work


def computed(scheduler: Callable[..., Any], count: int) -> Callable[[], None]:
    """The same tasks as a graph, on a scheduler of Dask's."""

    def work() -> None:
        begin = next(_begin)
        graph = {i: Task(i, inc, i) for i in range(begin, begin + count)}
        results = scheduler(graph, list(graph))
        assert list(results) == list(range(begin + 1, begin + count + 1)), "Dask brought other numbers"

    return work


def overhead(quick: bool) -> Iterator[Row]:
    """In this process."""
    count = 20_000 if quick else 100_000
    fewer = count // 10
    with Client() as client, dask.config.set(num_workers=CORES):
        ways = {
            "engine": mapped(client, count),
            "threads": computed(dask.threaded.get, fewer),
            "sync": computed(dask.get, fewer),
        }
        times = in_turns(ways, 1 if quick else 5)
    yield Row(
        f"client.map(inc, range({count:,})), gather: a task", times.median("engine") / count * 1e6, "µs", 5, 1.5,
        f"dask threads {times.median('threads') / fewer * 1e6:.0f}, sync {times.median('sync') / fewer * 1e6:.1f}",
    )  # fmt: skip


def processes(quick: bool) -> Iterator[Row]:
    """By two worker processes."""
    count = 20_000 if quick else 100_000
    fewer = 500 if quick else 5_000
    with ExitStack() as stack:
        client, why = worker_processes(stack)
        value, peer = None, why
        if client is not None:
            other = stack.enter_context(distributed_client())
            ways = {"engine": mapped(client, count), "distributed": mapped(other, fewer)}
            times = in_turns(ways, 1 if quick else 5)
            value = times.median("engine") / count * 1e6
            peer = f"distributed {times.median('distributed') / fewer * 1e6:.0f}"
    yield Row("the same by 2 worker processes over TCP", value, "µs", 25, 10, peer)
