"""Futures, locks, semaphores, events, queues and variables that worker processes and clients share."""

import asyncio
import gc
import os
import pickle
import threading
import time

import pytest
from dask_runtime import Client, Event, Lock, Queue, Semaphore, Variable, get_client, wait


@pytest.fixture(scope="module")
def cluster():
    with Client(n_workers=2, threads_per_worker=1) as client:
        yield client


@pytest.fixture
def other(cluster):
    """Another client of the same cluster."""
    with Client(cluster.cluster.scheduler_address, set_as_default=False) as client:
        yield client


class Box:
    """Hides a future, so that it is not replaced by its value."""

    def __init__(self, content):
        self.content = content


def opened(box):
    return box.content.result() + 1


def double(x):
    return 2 * x


def kept(client):
    """Bytes of the results that the cluster's workers keep."""
    return sum(worker["managed"] for worker in client._open().workers())


# --- futures ------------------------------------------------------------------------------------------------------


def test_workers_fetch_results_of_other_jobs(cluster):
    def together(i, box):
        # Tasks in both processes at a time.
        Queue("there").put(os.getpid())
        Event("both are there").wait(timeout=30)
        return box.content + i

    box = cluster.submit(Box, 1)
    wait(box)
    futures = cluster.map(together, range(2), box=box)
    there = {Queue("there").get(timeout=30) for _ in futures}
    Event("both are there").set()
    assert cluster.gather(futures) == [1, 2]
    assert len(there) == 2


def test_a_future_hidden_in_an_argument_is_kept_until_it_is_used(cluster):
    go = Event("hidden")

    def late(box):
        Event("hidden").wait()
        return opened(box)

    # Both wait, so that the second's argument is unpickled long after the client has let go of it.
    futures = [cluster.submit(late, Box(cluster.submit(double, i, pure=False)), pure=False) for i in range(6)]
    gc.collect()
    time.sleep(0.2)
    go.set()
    assert cluster.gather(futures) == [2 * i + 1 for i in range(6)]


def test_a_future_that_a_task_returns(cluster):
    def make(i):
        return get_client().submit(double, i, pure=False)

    inner = cluster.gather(cluster.map(make, range(4)))
    gc.collect()
    assert [future.result(timeout=30) for future in inner] == [0, 2, 4, 6]
    assert cluster.submit(double, inner[3]).result() == 12
    assert cluster.get({"x": (make, 21)}, "x").result(timeout=30) == 42


def test_futures_in_queues_and_variables_are_kept_by_the_scheduler(cluster, other):
    queue, variable = Queue("of futures"), Variable("of futures")
    queue.put(cluster.submit(double, 4, pure=False))
    variable.set([cluster.submit(double, 5, pure=False)])
    gc.collect()
    time.sleep(0.2)
    assert cluster.submit(lambda: Queue("of futures").get().result()).result() == 8
    for _ in range(2):
        (future,) = Variable("of futures", client=other).get()
        assert future.client in (cluster, other) and future.result(timeout=30) == 10
    variable.delete()
    assert future.result(timeout=30) == 10


def test_a_result_stays_when_its_client_goes(cluster):
    with Client(cluster.cluster.scheduler_address, set_as_default=False) as first:
        future = first.submit(double, 21, pure=False)
        slow = first.submit(lambda: time.sleep(0.5) or 7, pure=False)
        Variable("left", client=first).set((Box(future), slow))
        key, job, task = future.key, *future._held().share()
        mine = cluster._again(key, job, task)
        wait(mine, timeout=30)
    # The scheduler holds them in the variable, which was set before the client went.
    box, slow = cluster.submit(
        lambda: [f.result() for f in (lambda v: (v[0].content, v[1]))(Variable("left").get())]
    ).result()
    assert (box, slow) == (42, 7)
    assert mine.result(timeout=30) == 42
    Variable("left").delete()


def test_failures_and_what_was_released(cluster, other):
    failed = cluster.submit(lambda: 1 / 0, pure=False)
    wait(failed)
    key, (job, task) = failed.key, failed._held().share()
    again = other._again(key, job, task)
    assert again.status == "error"
    with pytest.raises(ZeroDivisionError):
        again.result()
    with pytest.raises(RuntimeError, match="not kept any more"):
        other._again("x", "no such job", 0)


def test_results_are_let_go_when_the_last_process_does(cluster):
    def hold():
        future = Variable("large").get()
        Variable("large").delete()
        Event("held").set()
        Event("let go").wait()
        return len(future.result())

    large = 10_000_000
    Variable("large").set(cluster.submit(bytes, large, pure=False))
    holds = cluster.submit(hold)
    assert Event("held").wait(timeout=30)
    gc.collect()
    # Longer than it takes the client to tell, and the workers to measure.
    time.sleep(1)
    assert kept(cluster) >= large
    Event("let go").set()
    assert holds.result() == large
    until = time.monotonic() + 30
    while kept(cluster) >= large and time.monotonic() < until:
        time.sleep(0.05)
    assert kept(cluster) < large


def test_a_future_comes_back_as_itself_in_its_own_process(cluster):
    future = cluster.submit(double, 1)
    assert pickle.loads(pickle.dumps(future)) is future


def test_futures_of_a_client_in_this_process_stay_in_it(client):
    future = client.submit(double, 3)
    assert pickle.loads(pickle.dumps(future)) is future
    bytes_ = pickle.dumps(client.submit(double, 4, pure=False))
    assert pickle.loads(bytes_).result() == 8


# --- locks, semaphores, events, queues, variables ---------------------------------------------------------------


def test_a_lock_lets_one_process_at_a_time_through(cluster, tmp_path):
    path = tmp_path / "counter"
    path.write_text("0")

    def count(_):
        with Lock("counter"):
            value = int(path.read_text())
            time.sleep(0.002)
            path.write_text(str(value + 1))
        return os.getpid()

    processes = cluster.gather(cluster.map(count, range(40)))
    assert path.read_text() == "40" and len(set(processes)) == 2
    assert not Lock("counter").locked()


def test_tasks_that_wait_leave_their_threads_to_others(cluster):
    started = Queue("started")

    def go_on(i):
        Queue("started").put(i)
        return Event("go").wait(timeout=30)

    waiting = cluster.map(go_on, range(10), pure=False)
    assert sorted(started.get(timeout=30) for _ in range(10)) == list(range(10))
    cluster.submit(lambda: Event("go").set()).result()
    assert all(cluster.gather(waiting))
    assert Event("go").is_set()
    Event("go").clear()
    assert not Event("go").wait(timeout=0.01)


def test_semaphores(cluster, other):
    semaphore, same = Semaphore(2, "two", client=cluster), Semaphore(2, "two", client=other)
    assert semaphore.acquire() and same.acquire() and semaphore.get_value() == 2
    assert not same.acquire(timeout=0.01) and not semaphore.acquire(timeout=0)
    semaphore.release()
    assert same.acquire(timeout=10)
    with pytest.raises(RuntimeError, match="Released too often"):
        semaphore.release()
    with pytest.raises(ValueError, match="Inconsistent max leases: 3, expected: 2"):
        Semaphore(3, "two", client=other)
    # A client's leases go with it.
    other.close()
    assert semaphore.acquire(timeout=10) and semaphore.acquire(timeout=10)
    semaphore.close()
    assert Semaphore(3, "two").get_value() == 0


def test_the_lease_of_a_process_that_dies_is_given_back(cluster):
    def die():
        lock = Lock("of the dead")
        lock.acquire()
        if not Event("died").is_set():
            Event("died").set()
            os._exit(1)
        lock.release()
        return "lives"

    assert cluster.submit(die).result(timeout=60) == "lives"
    assert Lock("of the dead").acquire(timeout=10)


def test_queues(cluster, other):
    queue = Queue("bounded", maxsize=2)
    queue.put({"a": [1, 2.5, None]})
    queue.put("two")
    with pytest.raises(TimeoutError, match="no room in the queue 'bounded'"):
        Queue("bounded", client=other).put("three", timeout=0.01)
    assert queue.qsize() == 2
    assert Queue("bounded", client=other).get() == {"a": [1, 2.5, None]}
    assert queue.get(batch=True) == ["two"] and queue.get(batch=True) == []
    with pytest.raises(TimeoutError, match="nothing in the queue 'bounded'"):
        queue.get(timeout=0.01)
    putting = cluster.submit(lambda: [Queue("bounded").put(i) for i in range(10)])
    assert queue.get(batch=10) == list(range(10))
    putting.result()
    # One without a name, passed to tasks.
    todo = Queue()
    cluster.gather(cluster.map(lambda i, to: to.put(i), range(10), to=todo))
    assert sorted(todo.get(batch=True)) == list(range(10))
    with pytest.raises(TypeError, match=r"_thread.lock cannot be sent to another process"):
        queue.put(threading.Lock())


def test_variables(cluster):
    late = cluster.submit(lambda: Variable("number").get(timeout=30) + 1)
    Variable("number").set(41)
    assert late.result() == 42
    cluster.submit(lambda: Variable("number").set(None)).result()
    assert Variable("number").get() is None
    Variable("number").delete()
    with pytest.raises(TimeoutError, match="'number' was not set"):
        Variable("number").get(timeout=0.01)


def test_waits_end_with_the_client(cluster):
    first = Client(cluster.cluster.scheduler_address, set_as_default=False)
    event, told = Event("never", client=first), []

    def stay():
        try:
            event.wait()
        except BaseException as error:
            told.append(error)

    thread = threading.Thread(target=stay)
    thread.start()
    time.sleep(0.1)
    first.close()
    thread.join(10)
    assert "client was closed" in str(told[0])


def test_in_coroutines(cluster):
    async def main():
        async with Client(cluster.cluster.scheduler_address, asynchronous=True, set_as_default=False) as client:
            lock = Lock("async", client=client)
            assert await lock.acquire() and await lock.locked()
            assert not await Lock("async", client=client).acquire(timeout=0.01)
            assert cluster.submit(lambda: Lock("async").acquire(timeout=0.01)).result() is False
            # A cancelled wait leaves nothing behind.
            late = asyncio.ensure_future(Lock("async", client=client).acquire())
            await asyncio.sleep(0.01)
            late.cancel()
            await asyncio.gather(late, return_exceptions=True)
            await lock.release()
            assert not await lock.locked()
            queue = Queue("async", client=client)
            putting = cluster.submit(lambda: [Queue("async").put(i) for i in range(3)])
            assert await queue.get(batch=3) == [0, 1, 2]
            putting.result()

    asyncio.run(main())
