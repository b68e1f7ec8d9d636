"""The client in one process: collections, functions, futures, and what goes wrong."""

import asyncio
import os
import signal
import threading
import time
from concurrent.futures import CancelledError
from operator import add

import dask
import dask.array as da
import dask.bag as db
import numpy as np
import pytest
from dask.delayed import delayed
from dask_runtime import Client, Lock, as_completed, fire_and_forget, get_client, wait


def inc(x):
    return x + 1


def test_collections_run_on_the_engine_while_the_client_is_open(client):
    x = da.random.default_rng(1).random((200, 200), chunks=50)
    y = (x + x.T).sum()
    expected = y.compute(scheduler="sync")
    assert y.compute() == expected
    assert db.from_sequence(range(100), npartitions=7).map(inc).sum().compute() == 5050
    assert delayed(add)(delayed(inc)(1), 2).compute() == 4
    assert dask.config.get("scheduler") is client
    client.close()
    assert dask.config.get("scheduler", None) is not client


def test_get_takes_nested_keys_and_data(client):
    dsk = {"a": 1, "b": (inc, "a"), "c": ["a", "b"], ("d", 0): (add, "a", "b"), "e": "b"}
    assert client.get(dsk, "b") == 2
    assert client.get(dsk, [["a", "b"], [("d", 0)], "c", "e"]) == [[1, 2], [3], [1, 2], 2]


def test_a_graph_deeper_than_the_stack(client):
    dsk = {("x", i): (inc, ("x", i - 1) if i else 0) for i in range(50_000)}
    assert client.get(dsk, ("x", 49_999)) == 50_000


def test_cycles_and_missing_keys_are_named(client):
    with pytest.raises(RuntimeError, match="cycle through the key '[ab]'"):
        client.get({"a": (inc, "b"), "b": (inc, "a")}, "a")
    with pytest.raises(KeyError, match="nowhere"):
        client.get({"a": 1}, "nowhere")


def test_an_exception_comes_back_as_itself(client):
    class Odd(Exception):
        pass

    def fail(x):
        raise Odd(x)

    with pytest.raises(Odd, match="7") as raised:
        delayed(fail)(7).compute()
    assert any(entry.name == "fail" for entry in raised.traceback)
    future = client.submit(fail, 3)
    after = client.submit(inc, future)
    with pytest.raises(Odd):
        after.result()
    assert (future.status, after.status) == ("error", "error")
    assert isinstance(after.exception(), Odd)


def test_one_future_that_fails_leaves_the_others_alone(client):
    futures = client.map(lambda x: 1 / x, [1, 0, 2])
    wait(futures)
    assert [f.status for f in futures] == ["finished", "error", "finished"]
    assert client.gather(futures, errors="skip") == [1.0, 0.5]
    with pytest.raises(ZeroDivisionError):
        client.gather(futures)


def test_futures(client):
    a = client.submit(inc, 1)
    assert a.result() == 2
    assert client.submit(inc, 1) is a
    assert client.submit(add, a, 10).result() == 12
    assert client.submit(sum, [a, a, 3]).result() == 7
    assert client.submit(lambda *, of: of, of={"a": a}).result() == {"a": 2}
    assert client.gather({"x": a, "y": [a, 5]}) == {"x": 2, "y": [2, 5]}
    many = client.map(add, range(1000), range(1000))
    assert client.gather(many) == [2 * i for i in range(1000)]
    assert sorted(f.result() for f in as_completed(many[:10])) == list(range(0, 20, 2))
    done = threading.Event()
    client.submit(inc, 5).add_done_callback(lambda f: done.set())
    assert done.wait(5)


def test_equal_calls_of_a_map_share_a_task(client):
    ran = []
    futures = client.map(lambda x: ran.append(x) or x, [1, 2, 1, 1])
    assert client.gather(futures) == [1, 2, 1, 1] and sorted(ran) == [1, 2]
    last = futures[3]
    del futures
    time.sleep(0.1)
    assert client.submit(inc, last).result() == 2


def test_a_map_takes_the_futures_that_are_kept_of_another(client):
    ran = []

    def note(x):
        ran.append(x)
        return x

    first = client.map(note, range(3000))
    client.gather(first)
    kept = first[::3]
    del first
    # Enough of others that the client looks which of its references are dead.
    client.gather(client.map(inc, range(5000)))
    again = client.map(note, range(3000))
    assert client.gather(again) == list(range(3000))
    assert all(a is b for a, b in zip(again[::3], kept, strict=True))
    assert len(ran) == 5000


def test_coroutine_functions_are_called_to_their_end(client):
    async def later(x):
        await asyncio.sleep(0)
        return x + 1

    assert client.submit(later, 1).result() == 2
    assert client.gather(client.map(later, range(5), retries=1)) == [1, 2, 3, 4, 5]


def test_results_that_nobody_refers_to_are_let_go(client):
    class Counted:
        alive = 0

        def __init__(self):
            Counted.alive += 1

        def __del__(self):
            Counted.alive -= 1

    future = client.submit(lambda: Counted(), pure=False)
    again = client.submit(lambda c: c.alive, future, pure=False)
    assert again.result() == 1
    del future, again
    until = time.monotonic() + 5
    while Counted.alive and time.monotonic() < until:
        time.sleep(0.01)
    assert Counted.alive == 0


def test_persisted_collections_keep_their_data(client):
    x = client.persist(da.ones((10, 10), chunks=5))
    assert (x + 1).sum().compute() == 200
    (y,) = dask.persist(x * 2)
    block = y.compute()
    block[:] = 0
    assert y.sum().compute() == 200
    assert dask.compute(x.sum(), y.sum()) == (100, 200)


def test_tasks_may_compute(client):
    def nested(n):
        return da.ones(10, chunks=1).sum().compute() + get_client().submit(inc, n).result()

    # More of them than threads, all waiting at once.
    assert client.gather(client.map(nested, range(8))) == [10 + n + 1 for n in range(8)]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_call_waits_for_one_that_a_thread_took_with_it(threads):
    with Client(threads_per_worker=threads) as client:
        # Short calls of a known duration are taken several at a time.
        client.gather(client.map(abs, range(1000)))
        for round in range(20):
            busy = [client.submit(time.sleep, 0.01, pure=False) for _ in range(threads)]
            first = client.map(abs, range(round * 100, round * 100 + 100))
            later = client.map(lambda i, first=first: first[99 - i].result(), range(100), pure=False)
            assert client.gather(later) == list(range(round * 100, round * 100 + 100))[::-1]
            client.gather(busy)


def test_several_clients(client):
    with Client(threads_per_worker=1, set_as_default=False) as other:
        assert client.gather(client.map(inc, range(5))) == other.gather(other.map(inc, range(5)))


def test_wait_gives_up_in_time(client):
    slow = client.submit(time.sleep, 30)
    with pytest.raises(TimeoutError):
        wait(slow, timeout=0.05)
    with pytest.raises(TimeoutError):
        slow.result(timeout=0.05)
    first = wait([slow, client.submit(inc, 1)], return_when="FIRST_COMPLETED", timeout=5)
    assert len(first.done) == 1


def test_cancelled_futures_say_so(client):
    future = client.submit(time.sleep, 0.2)
    future.cancel()
    assert future.status == "cancelled" and future.cancelled()
    with pytest.raises(Exception, match="cancelled"):
        future.result()
    # The same call again is another future, which others can use.
    again = client.submit(time.sleep, 0.2)
    assert again is not future and client.submit(lambda x: x, again).result() is None


def test_forgotten_futures_are_computed(client):
    ran = threading.Event()
    fire_and_forget(client.submit(ran.set))
    assert ran.wait(5)


def test_interrupt_gives_the_prompt_back(client):
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        dask.compute(*[delayed(time.sleep)(0.5) for _ in range(20)])
    assert client.submit(inc, 1).result() == 2


def test_a_forked_child_is_told(client):
    pending = client.submit(time.sleep, 1)
    uses = [
        lambda: client.get({"a": (inc, 1)}, "a"),
        lambda: client.submit(inc, 1),
        lambda: client.map(inc, [1]),
        lambda: pending.result(),
        lambda: client.gather([pending]),
        lambda: wait(pending),
        lambda: next(as_completed([pending])),
    ]
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        # None of them may wait for threads that are not there.
        signal.alarm(20)
        for use in uses:
            try:
                use()
            except RuntimeError as error:
                os.write(write, b"forked " if "forked" in str(error) else b"another error ")
        with Client(threads_per_worker=1) as own:
            os.write(write, str(own.submit(inc, 1).result()).encode())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(read, 1000) == b"forked " * len(uses) + b"2"


def test_a_closed_client_is_told(client):
    future = client.submit(inc, 1)
    lock = Lock("mine")
    client.close()
    client.close()
    x = da.ones(3)
    uses = [
        lambda: client.submit(inc, 1),
        lambda: client.map(inc, [1]),
        lambda: client.get({"a": (inc, 1)}, "a"),
        lambda: client.compute(x),
        lambda: client.persist(x),
        lambda: client.explain(x),
        lambda: client.scatter([1]),
        lambda: client.run(inc, 1),
        lambda: client.nthreads(),
        lambda: client.restart(),
        lambda: client.get_executor().submit(inc, 1),
        lambda: Lock("other", client=client),
        client.__enter__,
    ]
    for use in uses:
        with pytest.raises(RuntimeError, match="this client is closed; make another"):
            use()
    for use in (future.result, lambda: client.gather([future]), lambda: future.add_done_callback(print)):
        with pytest.raises(CancelledError, match="its client was closed"):
            use()
    with pytest.raises(CancelledError, match="client was closed"):
        lock.acquire(timeout=1)
    assert client.status == "closed" and future.status == "cancelled"
    with pytest.raises(ValueError, match="no client is open; make one"):
        get_client()


def test_what_is_no_collection_is_refused(client):
    with pytest.raises(TypeError, match=r"persist\(\) takes Dask collections .*, got int; use scatter"):
        client.persist([da.ones(3), 3])
    with pytest.raises(TypeError, match=r"explain\(\) takes Dask collections .*, got ndarray"):
        client.explain(np.ones(3))


def test_callbacks_of_dask(client, capsys):
    from dask.diagnostics import ProgressBar

    with ProgressBar():
        da.ones(10, chunks=1).sum().compute()
    assert "100% Completed" in capsys.readouterr().out


def test_results_can_be_edited(client):
    x = np.zeros(5)
    y = (da.from_array(x, chunks=5) + 1).compute()
    y[:] = 7
    assert x.sum() == 0
