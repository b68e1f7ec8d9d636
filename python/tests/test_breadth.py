"""Executors, actors, progress, and what the client tells."""

import asyncio
import concurrent.futures
import io
import os
import sys
import threading
import time
import types
import zipfile
from html.parser import HTMLParser
from random import random

import dask.array as da
import dask.dataframe as dd
import pandas as pd
import pytest
from dask_runtime import (
    Actor,
    Event,
    Lock,
    futures_of,
    get_client,
    progress,
    rejoin,
    secede,
    wait,
    worker_client,
)


def double(x):
    return 2 * x


# --- executors ---


def test_an_executor(client):
    with client.get_executor() as executor:
        assert executor.submit(double, 4).result() == 8
        assert list(executor.map(pow, range(10), [2] * 10, chunksize=3)) == [i * i for i in range(10)]
        # As often as it is called, unless it is said to be pure.
        assert executor.submit(random).result() != executor.submit(random).result()
        failed = executor.submit(double, None)
        assert isinstance(failed.exception(), TypeError)
        futures = [executor.submit(double, i) for i in range(5)]
        assert {f.result() for f in concurrent.futures.as_completed(futures, timeout=30)} == {0, 2, 4, 6, 8}
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(double, 1)
    with pytest.raises(ValueError, match="fifo_timeout is '1s'"):
        client.get_executor(fifo_timeout="1s")
    pure = client.get_executor(pure=True)
    assert pure.submit(random).result() == pure.submit(random).result()


def test_an_executor_waits_for_its_calls_or_cancels_them(client):
    done = []
    executor = client.get_executor()
    executor.submit(lambda: (time.sleep(0.1), done.append(1)))
    executor.shutdown()
    assert done == [1]
    go = Event()
    executor = client.get_executor()
    futures = [executor.submit(go.wait) for _ in range(3)]
    assert futures[0].cancel()
    assert sorted(f.status for f in executor._futures) == ["cancelled", "pending", "pending"]
    executor.shutdown(wait=False)
    finished, _ = concurrent.futures.wait(futures, timeout=30)
    assert len(finished) == 3 and all(f.cancelled() for f in futures)
    go.set()


def test_an_executor_in_time(client):
    go = Event()
    executor = client.get_executor()
    results = executor.map(lambda i: i if i < 1 else go.wait(), range(3), timeout=0.3)
    assert next(results) == 0
    with pytest.raises(TimeoutError):
        next(results)
    go.set()


def test_an_executor_where_asyncio_takes_one(client):
    async def main():
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(client.get_executor(), double, i) for i in range(4)))

    assert asyncio.run(main()) == [0, 2, 4, 6]


# --- actors ---


class Counter:
    kind = "counter"

    def __init__(self, n=0):
        self.n = n
        self.seen = []
        self.inside = 0

    def add(self, x):
        self.inside += 1
        assert self.inside == 1
        self.seen.append(x)
        n = self.n
        time.sleep(0.0005)
        self.n = n + x
        self.inside -= 1
        return self.n

    def fail(self):
        raise LookupError("no")

    async def later(self):
        await asyncio.sleep(0)
        return self.n

    def twice(self, me, x):
        return me.add(x).result() + me.add(x).result()


def test_calls_of_an_actor_run_in_order_one_at_a_time(client):
    counter = client.submit(Counter, 10, actor=True).result()
    assert isinstance(counter, Actor) and repr(counter).startswith("<Actor: Counter, key=Counter-")
    futures = [counter.add(i) for i in range(100)]
    assert futures[-1].result() == 10 + sum(range(100)) and futures[0].done()
    assert counter.seen == list(range(100))
    assert counter.kind == "counter" and counter.n == 4960
    assert "add" in dir(counter) and counter.client is client
    with pytest.raises(AttributeError):
        counter.nothing  # noqa: B018


def test_an_actor_in_tasks(client):
    future = client.submit(Counter, actor=True)
    client.gather(client.map(lambda x, counter: counter.add(x).result(), range(50), counter=future))
    assert future.result().n == sum(range(50))
    actors = client.gather(client.map(Counter, range(3), actor=True))
    assert [a.n for a in actors] == [0, 1, 2]
    # Another call is another actor.
    assert client.submit(Counter, actor=True).result().n == 0


def test_an_actor_that_fails_goes_on(client):
    counter = client.submit(Counter, actors=True).result()
    failed, after = counter.fail(), counter.add(1)
    with pytest.raises(LookupError, match="no"):
        failed.result()
    assert after.result() == 1
    assert counter.later().result() == 1
    with pytest.raises(TypeError):
        client.submit(Counter, 1, 2, 3, actor=True).result()


def test_actors_call_each_other_and_themselves(client):
    a, b = client.gather([client.submit(Counter, actor=True) for _ in range(2)])
    assert a.twice(a, 3).result(timeout=30) == 9
    assert [f.result(timeout=30) for f in [a.twice(b, 1) for _ in range(5)]] == [3, 7, 11, 15, 19]


# --- tasks ---


def test_worker_client(client):
    def nested(n):
        with worker_client() as inner:
            assert inner is get_client()
            return sum(inner.gather(inner.map(double, range(n))))

    assert client.gather(client.map(nested, range(6))) == [n * (n - 1) for n in range(6)]


def test_seceded_tasks_leave_their_threads_to_others(client):
    # A barrier of Python's own, which more tasks than there are threads must reach at a time.
    barrier = threading.Barrier(6, timeout=30)

    def meet(i):
        secede()
        barrier.wait()
        rejoin()
        return i

    assert client.gather(client.map(meet, range(6))) == list(range(6))


# --- reports ---


def test_what_the_client_tells(client):
    future = client.submit(double, 1, key="one")
    go = Event()
    pending = client.submit(go.wait, key="two")
    wait(future)
    address = "inproc://embedded"
    assert client.who_has() == {"one": (address,)} and client.has_what() == {address: ("one",)}
    assert client.who_has([future, pending]) == {"one": (address,), "two": ()}
    workers = client.scheduler_info()["workers"]
    assert {k: v["nthreads"] for k, v in workers.items()} == client.nthreads() == client.ncores() == {address: 2}
    assert client.nthreads(workers=[address]) == {address: 2}
    with pytest.raises(ValueError, match="workers is 'nobody'"):
        client.nthreads(workers="nobody")
    assert client.dashboard_link is None
    client.wait_for_workers(1)
    with pytest.raises(TimeoutError, match="n_workers is 2"):
        client.wait_for_workers(2, timeout=1)
    go.set()

    class Texts(HTMLParser):
        texts = ()

        def handle_data(self, data):
            self.texts += (data,)

    page = Texts()
    page.feed(client._repr_html_())
    cells = dict(zip(page.texts[1::2], page.texts[2::2], strict=True))
    assert cells["Status"] == "running" and cells["Threads"] == "2"


def test_run(client):
    async def later():
        return 2

    assert list(client.run(double, 2).values()) == [4] and list(client.run(later).values()) == [2]


def test_uploaded_files_are_imported(client, tmp_path):
    name = f"uploaded_{os.getpid()}"
    file = tmp_path / f"{name}.py"

    def imported():
        return __import__(name).x

    try:
        for x in (1, 22):
            file.write_text(f"x = {x}\n")
            client.upload_file(str(file))
            assert client.submit(imported, pure=False).result() == x
        archive = tmp_path / "some.zip"
        with zipfile.ZipFile(archive, "w") as z:
            z.writestr(f"{name}_zipped/__init__.py", "x = 3\n")
        client.upload_file(str(archive))
        assert isinstance(sys.modules[f"{name}_zipped"], types.ModuleType)
        with pytest.raises(ValueError, match=r"use a \.py, \.zip or \.egg"):
            client.upload_file(__file__.replace("test_breadth.py", "../pyproject.toml"))
        with pytest.raises(FileNotFoundError, match="no such file"):
            client.upload_file("nowhere.py")
    finally:
        sys.path[:] = [p for p in sys.path if not p.startswith(str(tmp_path))]


def test_restart(client):
    done, waiting = client.submit(double, 1), client.submit(Event("never").wait, pure=False)
    Lock("held").acquire()
    done.result()
    client.restart()
    assert done.status == waiting.status == "cancelled"
    with pytest.raises(concurrent.futures.CancelledError):
        waiting.result()
    assert client.submit(double, 1).result() == 2
    assert Lock("held").acquire(timeout=0)


def test_futures_of(client):
    x = client.persist(da.ones(10, chunks=5))
    frame = client.persist(dd.from_pandas(pd.DataFrame({"a": range(10)}), npartitions=3))
    future = client.submit(double, 1)
    assert len(futures_of(x)) == 2 and len(futures_of([frame, x])) == 5
    assert futures_of([future, [future], {"a": future}]) == [future]
    assert futures_of([x, future])[-1] is future


# --- progress ---


def test_progress_in_a_terminal(client):
    out = io.StringIO()
    futures = client.map(lambda i: 1 / (i - 3), range(20))
    progress(futures, file=out)
    assert all(f.done() for f in futures)
    *_, last = out.getvalue().rstrip("\n").split("\r")
    assert last.startswith(f"[{'#' * 40}] | 100% Completed")
    progress(client.persist(da.ones(10, chunks=5)), file=(out := io.StringIO()))
    assert "100% Completed" in out.getvalue()


def test_progress_moves(client):
    go, out = Event(), io.StringIO()
    futures = [client.submit(double, 1), client.submit(go.wait)]
    wait(futures[0])
    thread = threading.Thread(target=progress, args=futures, kwargs={"file": out})
    thread.start()
    while " 50% Completed" not in out.getvalue():
        time.sleep(0.01)
    go.set()
    thread.join(30)
    assert "100% Completed" in out.getvalue()


def test_progress_in_a_notebook(client):
    pytest.importorskip("ipywidgets")
    go = Event()
    futures = [*client.map(double, range(3)), client.submit(go.wait), client.submit(lambda: 1 / 0)]
    box = progress(futures, notebook=True)
    bar, label = box.children
    assert bar.max == 5 and bar.value < 5
    go.set()
    while bar.value < 5 or bar.bar_style != "danger":
        time.sleep(0.01)
    assert label.value == "5 of 5, 1 failed"
