"""Ctrl-C: the prompt comes back, what has not begun is not begun, and what runs ends."""

import os
import signal
import threading
import time

import dask
import dask.array as da
import pytest
from dask_runtime import Client, futures_of, get_client, wait


@pytest.fixture
def client():
    with Client(threads_per_worker=2) as client:
        yield client


class Spinning:
    """Calls in pure Python that run until they are interrupted, and what became of them."""

    def __init__(self, number):
        self.number = number
        self.begun = 0
        self.all_begun = threading.Event()
        self.ended = threading.Semaphore(0)
        self.interrupted = 0

    def call(self, _):
        self.begun += 1
        if self.begun == self.number:
            self.all_begun.set()
        try:
            while True:
                pass
        except KeyboardInterrupt:
            self.interrupted += 1
            raise
        finally:
            self.ended.release()


def interrupt_when(event):
    """Presses Ctrl-C once something has happened."""

    def press():
        assert event.wait(30)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    return thread


@pytest.mark.timeout(60)
def test_running_calls_are_interrupted_and_no_others_begin(client):
    spinning = Spinning(2)
    tasks = [dask.delayed(spinning.call, pure=False)(i) for i in range(50)]
    thread = interrupt_when(spinning.all_begun)
    with pytest.raises(KeyboardInterrupt):
        dask.compute(*tasks)
    thread.join()
    for _ in range(2):
        assert spinning.ended.acquire(timeout=30)
    assert (spinning.begun, spinning.interrupted) == (2, 2)
    # The threads are good for other calls, which nothing interrupts.
    assert client.gather(client.map(lambda i: sum(range(i)), range(2000))) == [i * (i - 1) // 2 for i in range(2000)]
    assert spinning.begun == 2


@pytest.mark.timeout(60)
def test_calls_of_other_jobs_go_on(client):
    spinning = Spinning(1)
    go_on = threading.Event()

    def other():
        while not go_on.is_set():
            pass
        return "undisturbed"

    future = client.submit(other)
    thread = interrupt_when(spinning.all_begun)
    with pytest.raises(KeyboardInterrupt):
        dask.delayed(spinning.call)(0).compute()
    thread.join()
    assert spinning.ended.acquire(timeout=30)
    go_on.set()
    assert future.result() == "undisturbed"


@pytest.mark.timeout(60)
def test_what_a_task_computes_is_interrupted_with_it(client):
    spinning = Spinning(1)
    outer_ended = threading.Event()

    def outer():
        try:
            return dask.delayed(spinning.call)(0).compute()
        finally:
            outer_ended.set()

    thread = interrupt_when(spinning.all_begun)
    with pytest.raises(KeyboardInterrupt):
        dask.delayed(outer)().compute()
    thread.join()
    assert spinning.ended.acquire(timeout=30)
    assert spinning.interrupted == 1
    assert outer_ended.wait(30)


@pytest.mark.timeout(60)
def test_the_next_call_on_a_thread_is_never_hit():
    # Calls that end while they are interrupted, again and again, each followed by a call that must not be.
    with Client(threads_per_worker=1) as client:
        for round in range(200):
            begun = threading.Event()

            def short(_, begun=begun, steps=round * 20):
                begun.set()
                return sum(1 for _ in range(steps))

            thread = interrupt_when(begun)
            try:
                dask.compute(*[dask.delayed(short, pure=False)(i) for i in range(20)])
                thread.join()
            except KeyboardInterrupt:
                thread.join()
            assert client.submit(lambda n=round: sum(1 for _ in range(2000))).result() == 2000


def endless(x):
    """An array that takes much longer than a test may."""
    for _ in range(150):
        x = da.arctan2(x, 0.5) + 0.1
    return x


@pytest.mark.timeout(30)
@pytest.mark.parametrize("kind", ["a native program", "functions of numpy's in turn"])
def test_what_runs_without_python_stops(kind):
    with Client(threads_per_worker=1):
        x = da.random.default_rng(0).random((10_000, 10_000), chunks=10_000).persist()
        wait(futures_of(x))
        x = endless(x)
        # A sum over one block is left to numpy, and so is what it is fused with.
        result = x if kind == "a native program" else x.sum()
        running = threading.Event()

        def watch():
            # Nothing but the task uses the processor: who waits for it sleeps.
            began = time.process_time()
            while time.process_time() - began < 0.5:
                time.sleep(0.01)
            running.set()

        watcher = threading.Thread(target=watch)
        thread = interrupt_when(running)
        watcher.start()
        with pytest.raises(KeyboardInterrupt):
            result.compute()
        watcher.join()
        thread.join()
        # It gets the one thread, before the time of this test is up.
        assert get_client().submit(abs, -1).result() == 1
