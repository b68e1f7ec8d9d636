"""Clients of worker processes on this machine: what calls and values go through on their way."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback

import dask
import dask.array as da
import dask.bag as db
import numpy as np
import pandas as pd
import pytest
from dask_runtime import Client, as_completed, get_client, wait


@pytest.fixture(scope="module")
def cluster():
    with Client(n_workers=2, threads_per_worker=1, set_as_default=False) as client:
        yield client


@pytest.fixture
def client(cluster):
    with dask.config.set({"scheduler": cluster, "dataframe.shuffle.method": "tasks", "array.rechunk.method": "tasks"}):
        yield cluster


def inc(x):
    return x + 1


def test_calls_run_in_other_processes(client):
    pids = set(client.gather([client.submit(os.getpid, pure=False) for _ in range(20)]))
    assert os.getpid() not in pids and 1 <= len(pids) <= 2
    assert client.gather(client.map(inc, range(1000))) == list(range(1, 1001))
    assert sorted(client.nthreads().values()) == [1, 1]


@pytest.mark.parametrize(
    "value",
    [
        None, True, -(2**70), 1.5, 1 + 2j, "größe", "\ud800", b"bytes", (1, (2, "x", None)), [1, [2]], {"a": {1}}, ...,
        slice(1, None, 2), range(3), np.float32(2), np.datetime64("2026-01-01"), np.arange(5), np.array(3.0),
        np.arange(12.0).reshape(3, 4).T, np.arange(10)[::-2], np.zeros((0, 3)), np.array(["a", "bc"]),
        np.array([{"a": 1}, None], dtype=object), np.ma.masked_array([1, 2], [True, False]), "x" * 100_000,
        pd.DataFrame({"a": [1, 2], "b": ["x", None]}), np.zeros(300_000),
    ],
    ids=lambda v: type(v).__name__,
)  # fmt: skip
def test_values_come_back_as_they_went(client, value):
    def same(x):
        return x, type(x)

    for sent in (client.submit(same, value), client.submit(same, client.scatter([value], hash=False)[0])):
        found, kind = sent.result()
        assert kind is type(value) and type(found) is type(value)
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(found, value)
        elif isinstance(value, np.ndarray):
            assert found.dtype == value.dtype and found.shape == value.shape
            np.testing.assert_array_equal(found, value)
        else:
            assert found == value


def test_containers_types_and_seeds_arrive_as_they_are(client):
    sent = [
        [], [1, "two", None, np.float64, float, (np.int8,)], {"out": None, "dtype": np.int8, 3: slice(2)}, {},
        [[1], {}], {"a": [1]}, [np.float16, np.bool, bool, complex], list(range(100)),
    ]  # fmt: skip
    for value in sent:
        found, kind = client.submit(lambda x: (x, type(x)), value).result()
        assert kind is type(value) and found == value and list(found) == list(value)
    both = [1]
    assert client.submit(lambda a, b: a is b, both, both).result()
    assert not client.submit(lambda a, b: a is b, [1], [1]).result()

    busy = np.random.SeedSequence(5)
    busy.spawn(2)
    odd = np.random.SeedSequence([1, 2], pool_size=8)
    for seed in (np.random.SeedSequence(2**127 + 3, spawn_key=(7, 2**32 - 1)), np.random.SeedSequence(0), busy, odd):
        state, words = client.submit(lambda s: (s.state, s.generate_state(4)), seed).result()
        assert state == seed.state
        np.testing.assert_array_equal(words, seed.generate_state(4))


def test_arrays_run_native_there_and_come_back_writable(client):
    x = da.random.default_rng(42).random((300, 200), chunks=(100, 70))
    with dask.config.set(scheduler="sync"):
        expected = (x + 1).compute(), x.mean(axis=0).compute(), x.std().compute(), x[x > 0.5].compute()
    found = dask.compute(x + 1, x.mean(axis=0), x.std(), x[x > 0.5])
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    found[0][:] = 0
    kept = x.persist()
    first = kept.compute()
    first[:] = 0
    assert kept.sum().compute() == pytest.approx(x.sum().compute())


def test_other_collections(client):
    frame = pd.DataFrame({"k": np.arange(100) % 7, "v": np.arange(100.0)})
    import dask.dataframe as dd

    found = dd.from_pandas(frame, npartitions=4).groupby("k").v.sum().compute()
    pd.testing.assert_series_equal(found.sort_index(), frame.groupby("k").v.sum())
    assert db.from_sequence(range(50), npartitions=5).map(inc).filter(lambda n: n % 2).sum().compute() == 625
    assert dask.delayed(sum)([dask.delayed(inc)(i) for i in range(10)]).compute() == 55


def test_a_large_array_is_sent_once_for_all_tasks_that_take_it(client):
    x = np.arange(1_000_000.0)
    column = dask.delayed(x)
    parts = [dask.delayed(lambda x, i: float(x[i]))(column, i) for i in range(20)]
    assert dask.compute(*parts) == tuple(float(i) for i in range(20))


def test_graphs_and_calls_with_much_data_are_sent_piece_by_piece(client):
    x = np.arange(40_000_000.0)
    assert da.from_array(x, chunks=1_000_000).sum().compute() == x.sum()
    # One block alone is larger than a message.
    assert da.from_array(x, chunks=-1).sum().compute() == x.sum()
    calls = client.map(len, [bytes([n]) * 3_000_000 for n in range(20)])
    assert client.gather(calls) == [3_000_000] * 20


def test_exceptions_come_back_as_themselves_with_their_traceback(client):
    class Odd(Exception):
        def __init__(self, a, b):
            super().__init__(f"{a} {b}")

    def deep():
        raise KeyError("deep") from ValueError("the cause")

    def outer():
        deep()

    with pytest.raises(KeyError, match="deep") as raised:
        client.submit(outer).result()
    names = [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert names[-2:] == ["outer", "deep"] and isinstance(raised.value.__cause__, ValueError)
    failed = client.submit(outer)
    assert isinstance(failed.exception(), KeyError) and failed.status == "error"
    with pytest.raises(KeyError):
        client.submit(inc, failed).result()
    with pytest.raises(KeyError, match="deep"):
        dask.delayed(outer)().compute()

    def odd():
        raise Odd(1, 2)

    # It cannot be made again from its arguments.
    with pytest.raises(RuntimeError, match="Odd: 1 2"):
        client.submit(odd).result()


def test_what_cannot_be_pickled_is_named(client):
    lock = threading.Lock()
    started = time.monotonic()
    with pytest.raises(TypeError, match=r"of type _thread.lock cannot be sent|cannot pickle '_thread.lock'"):
        client.submit(lambda: lock)
    with pytest.raises(
        TypeError, match=r"_thread.lock cannot be sent to another process.*run the program by Client\(\)"
    ):
        client.submit(inc, lock)
    with pytest.raises(TypeError, match="_thread.lock cannot be sent to another process"):
        client.submit(threading.Lock).result()
    assert time.monotonic() - started < 5


def test_kept_results_are_let_go(client):
    import gc

    futures = client.map(np.zeros, range(10_000, 10_020))
    wait(futures)
    assert sum(map(len, client.has_what().values())) >= 20
    keys = {future.key for future in futures}
    del futures
    gc.collect()
    until = time.monotonic() + 5
    while keys & {key for held in client.has_what().values() for key in held}:
        assert time.monotonic() < until
    managed = lambda: sum(w["metrics"]["managed_bytes"] for w in client.scheduler_info()["workers"].values())  # noqa: E731
    while managed() > 1_000_000:
        assert time.monotonic() < until


def test_as_completed_and_cancel(client):
    def slow(x):
        time.sleep(0.01 * x)
        return x

    assert sorted(f.result() for f in as_completed(client.map(slow, range(8)))) == list(range(8))
    future = client.submit(time.sleep, 0.2)
    future.cancel()
    assert future.cancelled()


def test_tasks_submit_tasks(client):
    def nested(n):
        inner = get_client()
        return sum(inner.gather(inner.map(inc, range(n))))

    # More than there are threads, and each waits for others.
    assert client.gather(client.map(nested, range(1, 7))) == [sum(range(1, n + 1)) for n in range(1, 7)]


def test_a_killed_worker_is_replaced_and_its_results_computed_again():
    with Client(n_workers=2, threads_per_worker=1) as client:
        x = da.random.default_rng(1).random((400, 400), chunks=100).persist()
        wait(x)
        before = x.sum().compute()
        victim = client.submit(os.getpid, pure=False).result()
        os.kill(victim, signal.SIGKILL)
        assert x.sum().compute() == before
        client.wait_for_workers(2, timeout=30)
        assert len(client.nthreads()) == 2


def test_a_task_that_kills_its_workers_fails_by_name():
    with Client(n_workers=2, threads_per_worker=1) as client:

        def die():
            os.kill(os.getpid(), signal.SIGKILL)

        with pytest.raises(RuntimeError, match="die"):
            client.submit(die).result(timeout=60)
        assert client.submit(inc, 1).result(timeout=30) == 2


def test_processes_end_with_their_client():
    script = """
import os
from dask_runtime import Client
if __name__ == "__main__":
    client = Client(n_workers=2, threads_per_worker=1)
    print(*[p.pid for p in client.cluster._processes.values()], flush=True)
    os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 3, done
    until = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{pid}/cwd") for pid in pids):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_addresses_where_no_scheduler_is():
    started = time.monotonic()
    with pytest.raises(OSError, match="no scheduler can be reached at tcp://127.0.0.1:1: .*check the address"):
        Client("tcp://127.0.0.1:1", timeout=0.5)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def http():
        connection, _ = listener.accept()
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    thread = threading.Thread(target=http)
    thread.start()
    with pytest.raises(OSError, match="is no scheduler of dask-runtime"):
        Client(f"tcp://127.0.0.1:{port}", timeout=3)
    thread.join()
    # It accepts and says nothing.
    with pytest.raises(OSError, match="no answer within 0.5 s"):
        Client(f"tcp://127.0.0.1:{port}", timeout=0.5)
    listener.close()
    assert time.monotonic() - started < 5


def test_a_lost_scheduler_is_told():
    with Client(n_workers=1, processes=True) as client:
        pending = client.submit(time.sleep, 60)
        client.cluster._processes["scheduler"].kill()
        with pytest.raises(RuntimeError, match="the connection to the scheduler at tcp://.* is lost"):
            pending.result(timeout=30)
        with pytest.raises((RuntimeError, ConnectionError), match="is lost"):
            client.submit(inc, 1).result(timeout=30)


def test_an_address_from_the_environment(client, monkeypatch):
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", client.scheduler_info()["address"])
    with Client(set_as_default=False) as other:
        assert other.submit(inc, 1).result() == 2
        assert other.nthreads() == client.nthreads()
    assert client.submit(inc, 1).result() == 2
