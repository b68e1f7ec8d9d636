"""The client in coroutines: what would wait is awaited, and the event loop goes on meanwhile."""

import asyncio
import functools
import io
import threading
from concurrent.futures import CancelledError

import dask.array as da
import pytest
from dask.delayed import delayed
from dask_runtime import Client, Event, Future, Lock, Queue, Semaphore, Variable, as_completed, progress, wait


def inc(x):
    return x + 1


def coroutine_test(function):
    """Runs a test with an asynchronous client; whatever blocks its loop for good fails by the time limit."""

    @functools.wraps(function)
    def run():
        async def main():
            async with Client(asynchronous=True, threads_per_worker=2) as client:
                await asyncio.wait_for(function(client), 30)

        asyncio.run(main())

    del run.__wrapped__
    return run


@coroutine_test
async def test_futures(client):
    future = client.submit(inc, 1)
    assert isinstance(future, Future)
    assert await future == 2 and await future.result() == 2 and await client.submit(inc, future) == 3
    assert await client.gather(client.map(inc, range(100))) == list(range(1, 101))
    assert await client.gather({"a": future, "b": [future, 5]}) == {"a": 2, "b": [2, 5]}
    assert await asyncio.gather(*client.map(inc, range(200))) == list(range(1, 201))
    scattered = await client.scatter([1, 2])
    assert await client.gather(scattered) == [1, 2]
    assert (await wait(client.map(inc, range(3)))).not_done == set()


@coroutine_test
async def test_failures(client):
    failed = client.submit(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await failed
    with pytest.raises(ZeroDivisionError):
        await client.gather([failed])
    assert isinstance(await failed.exception(), ZeroDivisionError) and await failed.traceback() is not None
    assert await client.gather([failed, client.submit(inc, 1)], errors="skip") == [2]
    waiting = client.submit(Event("never").wait)
    with pytest.raises(TimeoutError):
        await waiting.result(timeout="20ms")
    with pytest.raises(TimeoutError):
        await wait([waiting], timeout=0.02)
    first = await wait([waiting, client.submit(inc, 5)], return_when="FIRST_COMPLETED")
    assert first.not_done == {waiting}
    await client.cancel(waiting)
    with pytest.raises(CancelledError):
        await waiting
    await Event("never").set()


@coroutine_test
async def test_collections(client):
    x = da.ones((10, 10), chunks=5)
    assert await client.compute(x.sum()) == 100
    assert await client.compute([x.sum(), delayed(inc)(1)], sync=True) == [100, 2]
    persisted = client.persist(x)
    assert await client.compute((persisted + 1).sum()) == 200
    assert await client.get({"a": 1, "b": (inc, "a")}, [["b"], "a"]) == [[2], 1]
    with pytest.raises(RuntimeError, match="asynchronous"):
        x.sum().compute()


@coroutine_test
async def test_the_loop_goes_on_while_a_task_runs(client):
    # The task ends when the loop has run, which it would not if it were blocked.
    ran = threading.Event()
    future = client.submit(ran.wait)
    asyncio.get_running_loop().call_later(0.01, ran.set)
    assert await future


@coroutine_test
async def test_as_completed(client):
    go = await Event("go")
    slow = client.submit(go.wait)
    ended = as_completed([slow, *client.map(inc, range(5))])
    seen = []
    async for future in ended:
        seen.append(await future)
        if len(seen) == 5:
            # One more while it waits.
            ended.add(client.submit(inc, 99))
        if seen[-1] == 100:
            await go.set()
    assert sorted(seen[:5]) == [1, 2, 3, 4, 5] and seen[5:] == [100, True]
    results = [r async for _, r in as_completed(client.map(inc, range(10)), with_results=True)]
    assert sorted(results) == list(range(1, 11))
    failed = client.submit(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        async for _ in as_completed([failed], with_results=True):
            pass
    waiting = client.submit(Event("never").wait, pure=False)
    with pytest.raises(TimeoutError):
        async for _ in as_completed([waiting], timeout=0.02):
            pass
    await Event("never").set()


@coroutine_test
async def test_tasks_use_the_client_as_ever(client):
    def nested(n):
        return da.ones(n, chunks=1).sum().compute() + client.submit(inc, n).result() + sum(client.gather([]))

    assert await client.gather(client.map(nested, range(1, 8))) == [n + n + 1 for n in range(1, 8)]


@coroutine_test
async def test_coordination(client):
    lock = Lock("x")
    inside = []

    async def work(i):
        async with lock:
            inside.append(i)
            await asyncio.sleep(0)
            assert inside == [i]
            inside.remove(i)

    # More of them than an event loop has threads.
    await asyncio.gather(*(work(i) for i in range(100)))
    await lock.acquire()
    assert await lock.locked() and not await Lock("x").acquire(timeout=0.01)
    # A cancelled wait leaves nothing behind.
    late = asyncio.ensure_future(Lock("x").acquire())
    await asyncio.sleep(0.01)
    late.cancel()
    await asyncio.gather(late, return_exceptions=True)
    await lock.release()
    assert not await lock.locked()
    async with Semaphore(2, "s") as semaphore:
        assert await semaphore.get_value() == 1

    # Nor does one that is cancelled when its turn has come, before it goes on.
    for shared, wait_for_it, let_go in [
        (lock, Lock("x").acquire, lock.release),
        (Queue("given back"), Queue("given back").get, lambda: Queue("given back").put(5)),
    ]:
        if shared is lock:
            await lock.acquire()
        late = asyncio.ensure_future(wait_for_it())
        # It asks in its first step.
        await asyncio.sleep(0)
        await let_go()
        late.cancel()
        assert isinstance((await asyncio.gather(late, return_exceptions=True))[0], asyncio.CancelledError)
    assert not await lock.locked() and await Queue("given back").get(timeout=0) == 5

    queue = Queue("q", maxsize=1)
    putting = client.submit(lambda: [Queue("q").put(i) for i in range(5)])
    assert await queue.get(batch=5) == [0, 1, 2, 3, 4]
    await putting
    with pytest.raises(TimeoutError):
        await queue.get(timeout=0.01)
    await queue.put(1)
    assert await queue.qsize() == 1

    variable = Variable("v")
    waiting = asyncio.ensure_future(variable.get())
    await client.submit(lambda: Variable("v").set(7))
    assert await waiting == 7
    await variable.delete()

    event = Event("e")
    tasks = client.map(lambda i: Event("e").wait(), range(10))
    await event.set()
    assert all(await client.gather(tasks)) and await event.is_set()


@coroutine_test
async def test_actors(client):
    class Adder:
        n = 0

        def add(self, x):
            self.n += x
            return self.n

    adder = await client.submit(Adder, actor=True)
    assert await asyncio.gather(*(adder.add(1) for _ in range(20))) == list(range(1, 21))
    assert await adder.add(1).result() == 21


@coroutine_test
async def test_the_rest(client):
    async def later():
        return threading.get_ident()

    assert list((await client.run(later)).values()) == [threading.get_ident()]
    # What may block runs elsewhere.
    assert list((await client.run(threading.get_ident)).values()) != [threading.get_ident()]
    await client.wait_for_workers(1)
    assert list((await client.nthreads()).values()) == [2]
    future = client.submit(inc, 1, key="k")
    await progress(future, file=(out := io.StringIO()))
    assert "100% Completed" in out.getvalue()
    assert list(await client.who_has()) == ["k"]
    await client.restart()
    assert await client.submit(inc, 1) == 2


def test_how_it_is_opened():
    async def main():
        client = await Client(asynchronous=True)
        assert client.asynchronous and await client.submit(inc, 1) == 2
        await client.close()
        assert client.status == "closed"
        client = Client(asynchronous=True)
        with pytest.raises(TypeError, match="use 'async with'"), client:
            pass
        await client.close()
        # A client that is not asynchronous waits in coroutines as elsewhere.
        with Client() as client:
            assert client.submit(inc, 1).result() == 2
            assert await client.submit(inc, 2) == 3

    asyncio.run(main())


def test_a_loop_that_ended_is_no_harm(client):
    done = threading.Event()
    future = client.submit(done.wait)

    async def give_up():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(future, 0.01)

    asyncio.run(give_up())
    done.set()
    assert future.result()
    called = threading.Event()
    future.add_done_callback(lambda _: called.set())
    assert called.wait(10)
