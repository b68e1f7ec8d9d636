"""Locks, semaphores, events, queues and variables: in tasks, threads and the client."""

import gc
import os
import pickle
import signal
import threading
import time
import weakref
from concurrent.futures import CancelledError

import pytest
from dask_runtime import Client, Event, Lock, Queue, Semaphore, Variable


def asked(shared):
    """What is asked by an object from here on, as it is asked."""
    operations, ask = [], shared._request

    def request(operation, value=None):
        request = ask(operation, value)
        operations.append(operation)
        return request

    shared._request = request
    return operations


def test_a_lock_lets_one_task_at_a_time_through(client):
    inside, most = [], []

    def work(i, lock):
        with lock:
            inside.append(i)
            time.sleep(0.001)
            most.append(len(inside))
            inside.remove(i)
        return i

    # By the same object, and by name.
    shared = client.map(work, range(20), lock=Lock("x"))
    by_name = client.map(lambda i: work(i, Lock("x")), range(20, 40))
    assert client.gather(shared + by_name) == list(range(40))
    assert most == [1] * 40


def test_tasks_that_wait_leave_their_threads_to_others(client):
    # Far more of them than threads; each waits for one that comes later.
    started, go = Queue(), Event("go")

    def wait(i):
        started.put(i)
        return go.wait(timeout=30)

    waiting = client.map(wait, range(20))
    assert sorted(started.get(timeout=30) for _ in range(20)) == list(range(20))
    client.submit(lambda: Event("go").set()).result()
    assert all(client.gather(waiting))


def test_a_semaphore_bounds(client):
    held, most = [], []
    semaphore = Semaphore(3, "database")

    def work(i):
        with semaphore:
            held.append(i)
            most.append(len(held))
            time.sleep(0.005)
            held.remove(i)

    with Client(threads_per_worker=8, set_as_default=False) as wide:
        wide.gather(wide.map(work, range(24)))
    assert len(most) == 24 and max(most) <= 3
    assert semaphore.get_value() == 0
    with pytest.raises(RuntimeError, match="Released too often"):
        semaphore.release()
    with pytest.raises(ValueError, match="Inconsistent max leases: 2, expected: 3"):
        Semaphore(2, "database")
    semaphore.close()
    assert Semaphore(2, "database").max_leases == 2


def test_locks_by_name_time_and_not_at_all(client):
    lock, same, other = Lock("a"), Lock("a"), Lock("b")
    assert lock.acquire() and same.locked() and not other.locked()
    assert not same.acquire(blocking=False)
    assert not same.acquire(timeout="20ms")
    with pytest.raises(ValueError, match="non-blocking"):
        same.acquire(blocking=False, timeout=1)
    # Who does not hold it cannot release it.
    with pytest.raises(RuntimeError, match="too often"):
        same.release()
    lock.release()
    assert same.acquire(timeout=5)
    same.release()
    assert not Lock("a").locked()


def test_locks_are_given_in_turn(client):
    lock, order, threads = Lock(), [], []
    lock.acquire()
    waiters = asked(lock)
    for i in range(5):
        thread = threading.Thread(target=lambda i=i: (lock.acquire(), order.append(i), lock.release()))
        threads.append(thread)
        thread.start()
        while len(waiters) <= i:
            time.sleep(0.001)
    lock.release()
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3, 4]


def test_events(client):
    event = Event("e")
    assert not event.is_set() and not event.wait(timeout=0.01)
    event.set()
    assert Event("e").is_set() and Event("e").wait()
    event.clear()
    assert not Event("e").wait(timeout=0)


def test_queues(client):
    queue = Queue("q", maxsize=2)
    future = client.submit(sum, [1, 2])
    queue.put(future)
    queue.put("two")
    with pytest.raises(TimeoutError, match="no room in the queue 'q'"):
        queue.put("three", timeout=0.01)
    assert queue.qsize() == 2
    assert Queue("q").get() is future
    assert queue.get(batch=True) == ["two"] and queue.get(batch=True) == []
    with pytest.raises(TimeoutError, match="nothing in the queue 'q'"):
        queue.get(timeout=0.01)
    # More than fit, from a task that waits for room. Without a reference to its future it might not be run.
    putting = client.submit(lambda: [Queue("q").put(i) for i in range(10)])
    assert queue.get(batch=10) == list(range(10))
    putting.result()
    queue.put("left")
    queue.close()
    assert Queue("q").qsize() == 0


def test_producers_and_consumers(client):
    todo, done = Queue(maxsize=3), Queue()

    def consume():
        for item in iter(todo.get, None):
            done.put(item * item)

    consumers = [client.submit(consume, pure=False) for _ in range(4)]
    producers = client.map(lambda n: [todo.put(n * 10 + i) for i in range(10)], range(5))
    client.gather(producers)
    for _ in consumers:
        todo.put(None)
    client.gather(consumers)
    assert sorted(done.get(batch=True)) == [i * i for i in range(50)]


def test_variables(client):
    variable = Variable("v")
    with pytest.raises(TimeoutError, match="'v' was not set"):
        variable.get(timeout=0.01)
    late = client.submit(lambda: Variable("v").get(timeout=30) + 1)
    variable.set(41)
    assert late.result() == 42
    variable.set(None)
    assert variable.get() is None
    variable.set(client.submit(sum, [3, 4]))
    assert Variable("v").get().result() == 7
    variable.delete()
    with pytest.raises(TimeoutError):
        variable.get(timeout=0)


def test_a_future_in_a_variable_is_kept(client):
    Variable("kept").set(client.submit(lambda: 5, pure=False))
    gc.collect()
    assert Variable("kept").get().result() == 5


def test_states_without_a_name_go_with_their_objects(client):
    class Value:
        pass

    value = Value()
    alive = weakref.ref(value)
    variable = Variable()
    variable.set(value)
    del value
    assert Variable(variable.name).get() is alive()
    del variable
    gc.collect()
    assert alive() is None


def test_they_are_one_in_each_client(client):
    Event("mine").set()
    with Client(threads_per_worker=1, set_as_default=False) as other:
        assert not Event("mine", client=other).is_set()
        assert Event("mine", client=client).is_set()


def test_they_can_be_pickled_by_name(client):
    queue = Queue("by name", maxsize=3)
    queue.put(1)
    again = pickle.loads(pickle.dumps(queue))
    assert again.get() == 1 and again.maxsize == 3
    assert pickle.loads(pickle.dumps(Semaphore(4, "four"))).max_leases == 4
    assert pickle.loads(pickle.dumps(Lock("lock"))).name == "lock"


def test_an_interrupted_wait_leaves_nothing_behind(client):
    lock = Lock()
    lock.acquire()
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        lock.acquire()
    lock.release()
    assert not lock.locked() and lock.acquire(timeout=0)


def test_closing_the_client_ends_waits():
    client = Client(threads_per_worker=1)
    event, told = Event(), threading.Event()
    waits = asked(event)

    def wait():
        with pytest.raises(CancelledError, match="client was closed"):
            event.wait()
        told.set()

    thread = threading.Thread(target=wait)
    thread.start()
    while not waits:
        time.sleep(0.001)
    client.close()
    assert told.wait(10)
    thread.join()


def test_without_a_client_they_say_so():
    with pytest.raises(ValueError, match=r"make one by dask_runtime.Client\(\)"):
        Lock("x")
