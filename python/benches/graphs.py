"""What the client does with a graph that Dask has made: from nodes to bytes that are on their way to a scheduler."""

import json
import pickle
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import dask.array as da
from arrays import example
from compare import in_turns
from dask.order import order
from dask_runtime import Client, _dask
from dask_runtime.cluster import LocalCluster
from table import Row


def chain(n: int) -> da.Array:
    """Elementwise functions, which Dask makes one task a block of."""
    x = da.random.default_rng(42).random((n, n), chunks=1000)
    return (da.sqrt(x * 2 + 1) - 1) ** 2


def started(client: Client, graph: dict[Any, Any], keys: list[Any]) -> Callable[[], list[Any]]:
    """Starts a graph: returns when its plan is handed to the connection."""
    return lambda: list(client._start(graph, keys).values())


def accepted(cluster: LocalCluster, tasks: int) -> None:
    """Waits until the scheduler has a job of as many tasks."""
    until = time.monotonic() + 10
    found: list[int] = []
    while tasks not in found and time.monotonic() < until:
        with urllib.request.urlopen(f"{cluster.dashboard_link}/api/v1/jobs") as answer:
            found = [job["tasks"] for job in json.load(answer)["jobs"]]
    assert tasks in found, f"the scheduler has jobs of {found} tasks, but none of {tasks}"


def lowering(quick: bool) -> Iterator[Row]:
    """On a cluster without workers, so that nothing else runs here than the client and the scheduler's reading."""
    blocks = 20 if quick else 100
    arrays = {"(x + x.T).sum()": example(blocks * 1000).sum(), "(sqrt(x * 2 + 1) - 1) ** 2": chain(blocks * 1000)}
    for name, array in arrays.items():
        expr = (
            _dask.finalized([array], True) if array.ndim == 0 else _dask.collections_to_expr([array], True).optimize()
        )
        graph, keys = _dask.graph_of(expr), list(_dask.flatten(expr.__dask_keys__()))
        tasks = sum(isinstance(node, _dask.Task) for node in graph.values())
        # A cluster each: what is kept of one graph is not to weigh on the next.
        with LocalCluster(0, 1, 0) as cluster, Client(cluster, set_as_default=False) as client:
            ways: dict[str, Callable[[], Any]] = {
                "engine": started(client, graph, keys),
                "order": lambda graph=graph: order(graph),
                "pickle": lambda graph=graph: pickle.dumps(graph, protocol=5),
            }
            times = in_turns(ways, 1 if quick else 5)
            held = ways["engine"]()
            accepted(cluster, tasks)
            del held
        each = {way: times.median(way) / tasks * 1e6 for way in ways}
        yield Row(
            f"client's work for {name} of {tasks:,} tasks, from Dask's graph to bytes sent: a task",
            each["engine"], "µs", 8, 3,
            f"Dask's order {each['order']:.1f}, pickle {each['pickle']:.1f}",
        )  # fmt: skip
