"""Actors in worker processes."""

import asyncio
import gc
import os
import signal
import threading
import time

import pytest
from dask_runtime import Actor, Client, Queue, get_client, wait


@pytest.fixture(scope="module")
def cluster():
    with Client(n_workers=2, threads_per_worker=2) as client:
        yield client


class Counter:
    kind = "counter"

    def __init__(self, n=0):
        self.n = n
        self.seen = []
        self.inside = 0
        # What cannot be pickled.
        self.lock = threading.Lock()
        self.process = os.getpid()

    def add(self, x):
        self.inside += 1
        assert self.inside == 1
        self.seen.append(x)
        n = self.n
        time.sleep(0.0005)
        self.n = n + x
        self.inside -= 1
        return self.n

    def where(self):
        return os.getpid()

    def fail(self):
        raise LookupError("no")

    async def later(self):
        await asyncio.sleep(0)
        return self.n

    def twice(self, me, x):
        return me.add(x).result() + me.add(x).result()


def test_calls_run_in_order_one_at_a_time_where_the_object_is(cluster):
    counter = cluster.submit(Counter, 10, actor=True).result()
    assert isinstance(counter, Actor) and repr(counter).startswith("<Actor: Counter, key=Counter-")
    futures = [counter.add(i) for i in range(50)]
    assert futures[-1].result() == 10 + sum(range(50)) and futures[0].done()
    assert counter.seen == list(range(50))
    assert counter.kind == "counter" and counter.n == 10 + sum(range(50))
    assert counter.process != os.getpid()
    assert {counter.where().result() for _ in range(10)} == {counter.process}
    assert "add" in dir(counter) and counter.client is cluster
    with pytest.raises(AttributeError):
        counter.nothing  # noqa: B018
    with pytest.raises(TypeError, match="_thread.lock cannot be sent"):
        counter.lock  # noqa: B018


def test_in_tasks_of_all_processes(cluster):
    future = cluster.submit(Counter, actor=True)
    cluster.gather(cluster.map(lambda x, counter: counter.add(x).result(), range(50), counter=future))
    assert future.result().n == sum(range(50))
    actors = cluster.gather(cluster.map(Counter, range(3), actor=True))
    assert [a.n for a in actors] == [0, 1, 2]
    Queue("of actors").put(actors[2])
    del actors
    gc.collect()
    time.sleep(0.2)
    assert cluster.submit(lambda: Queue("of actors").get().add(3).result()).result() == 5


def test_made_by_a_task(cluster):
    def make():
        counter = get_client().submit(Counter, 5, actor=True).result()
        return counter.add(1).result()

    assert cluster.submit(make).result(timeout=30) == 6


def test_one_that_fails_goes_on(cluster):
    counter = cluster.submit(Counter, actors=True).result()
    failed, after = counter.fail(), counter.add(1)
    with pytest.raises(LookupError, match="no") as raised:
        failed.result()
    assert raised.traceback[-1].name == "fail"
    assert after.result() == 1
    assert counter.later().result() == 1
    with pytest.raises(TypeError):
        cluster.submit(Counter, 1, 2, 3, actor=True).result()


def test_they_call_each_other_and_themselves(cluster):
    a, b = cluster.gather([cluster.submit(Counter, actor=True) for _ in range(2)])
    assert a.twice(a, 3).result(timeout=30) == 9
    assert [f.result(timeout=30) for f in [a.twice(b, 1) for _ in range(5)]] == [3, 7, 11, 15, 19]


def test_the_object_goes_with_its_actor(cluster, tmp_path):
    gone = tmp_path / "gone"

    class Noisy:
        def __del__(self):
            gone.touch()

        def hello(self):
            return gone.exists()

    # Kept by the call while that runs, though the actor is let go of at once.
    assert cluster.submit(Noisy, actor=True).result().hello().result() is False
    until = time.monotonic() + 30
    while not gone.exists() and time.monotonic() < until:
        gc.collect()
        # What was let go is freed when a thread of the worker comes back to the interpreter.
        cluster.gather([cluster.submit(time.sleep, 0.01, pure=False) for _ in range(4)])
    assert gone.exists()


def test_in_coroutines(cluster):
    async def main():
        async with Client(cluster.cluster.scheduler_address, asynchronous=True, set_as_default=False) as client:
            counter = await client.submit(Counter, actor=True)
            assert await asyncio.gather(*(counter.add(1) for _ in range(20))) == list(range(1, 21))
            assert await counter.n == 20 and await counter.add(1).result() == 21

    asyncio.run(main())


def test_a_lost_worker_is_told():
    with Client(n_workers=2, threads_per_worker=1, set_as_default=False) as client:
        future = client.submit(Counter, actor=True)
        counter = future.result()
        assert counter.add(1).result() == 1
        os.kill(counter.process, signal.SIGKILL)
        with pytest.raises(RuntimeError, match="the actor 'Counter-.*' is gone: the worker process that held it ended"):
            counter.add(1).result(timeout=30)
        with pytest.raises(RuntimeError, match="is gone"):
            counter.n  # noqa: B018
        wait(future, timeout=30)
        with pytest.raises(RuntimeError, match="is gone"):
            client.submit(lambda counter: counter.n, future).result(timeout=30)
        # Others can be made.
        assert client.submit(Counter, 3, actor=True).result().add(1).result() == 4
