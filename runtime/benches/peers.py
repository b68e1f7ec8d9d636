"""What others need for the same work on the same machine: numpy, Dask, and the machine itself."""

import socket
import statistics
import threading
import time
from collections.abc import Callable

import dask
import dask.array as da
import numpy as np


def timed(work: Callable[[], object], runs: int = 3) -> float:
    """Median seconds after one run to warm up."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def graph(tasks: int) -> tuple[dict, str]:
    """Half the tasks without input, the other half a binary tree over them."""
    dsk: dict = {}
    level = []
    for i in range(tasks // 2):
        dsk[f"leaf-{i}"] = (int, 1)
        level.append(f"leaf-{i}")
    depth = 0
    while len(level) > 1:
        above = []
        for i in range(0, len(level) - 1, 2):
            key = f"node-{depth}-{i // 2}"
            dsk[key] = (max, level[i], level[i + 1])
            above.append(key)
        if len(level) % 2:
            above.append(level[-1])
        level = above
        depth += 1
    return dsk, level[0]


def distributed_overhead(tasks: int) -> float:
    """Microseconds a task of `dask.distributed` with two worker processes."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        dsk, last = graph(tasks)
        client.get(*graph(100))
        start = time.perf_counter()
        client.get(dsk, last)
        return (time.perf_counter() - start) / len(dsk) * 1e6


def threads_overhead(tasks: int) -> float:
    """Microseconds a task of Dask's threaded scheduler with two threads."""
    dsk, last = graph(tasks)
    with dask.config.set(num_workers=2):
        return timed(lambda: dask.threaded.get(dsk, last), 1) / len(dsk) * 1e6


def loopback_exchange() -> float:
    """Microseconds for a byte there and back over TCP on this machine."""
    server = socket.create_server(("127.0.0.1", 0))

    def echo() -> None:
        peer, _ = server.accept()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := peer.recv(1):
            peer.sendall(data)

    threading.Thread(target=echo, daemon=True).start()
    with socket.create_connection(server.getsockname()) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def exchange() -> None:
            for _ in range(2000):
                client.sendall(b"x")
                client.recv(1)

        return timed(exchange) / 2000 * 1e6


def transpose_sum(runs: int) -> dict[str, float]:
    """Seconds for `x + x.T` and its sum with numpy and Dask's threads, and for copying as much memory."""
    n, chunk = 10_000, 1_000
    x = np.random.default_rng(0).random((n, n))
    out = np.empty_like(x)
    half = n // 2

    def copy() -> None:
        other = threading.Thread(target=np.copyto, args=(out[:half], x[:half]))
        other.start()
        np.copyto(out[half:], x[half:])
        other.join()

    result = {"copy": timed(copy, runs)}
    result["numpy_add"] = timed(lambda: x + x.T, runs)
    with dask.config.set(scheduler="threads", num_workers=2):
        blocks = da.from_array(x, chunks=(chunk, chunk)).persist()
        result["dask_add"] = timed(lambda: (blocks + blocks.T).persist(), runs)
        result["dask_sum"] = timed(lambda: (blocks + blocks.T).sum().compute(), runs)
        random = da.random.default_rng(42).random((n, n), chunks=(chunk, chunk))
        result["dask_random"] = timed(lambda: (random + random.T).sum().compute(), runs)
        result["total"] = float((random + random.T).sum().compute())
    return result


def distributed_rechunk() -> float:
    """Seconds of `dask.distributed` to make, rechunk and sum 800 MB with two worker processes."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster,
        Client(cluster),
    ):
        x = da.random.default_rng(42).random((10_000, 10_000), chunks=(10_000, 500))
        return timed(lambda: x.rechunk((500, 10_000)).sum().compute(), 1)


def numpy_kernel(name: str) -> float:
    """Nanoseconds an element of a numpy function on float64 that stay in cache."""
    x = np.random.default_rng(0).random(4096) * 4 + 0.1
    out = np.empty_like(x)
    function = {"pow": lambda: np.power(x, 1.7, out=out)}.get(name, lambda: getattr(np, name)(x, out=out))

    def work() -> None:
        for _ in range(500):
            function()

    return timed(work, 7) / 500 / len(x) * 1e9
