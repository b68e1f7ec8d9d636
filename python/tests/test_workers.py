"""What clients do with the worker processes of a cluster: run calls in each, bring modules, restart them."""

import asyncio
import concurrent.futures
import importlib
import os
import sys
import time

import pytest
from dask_runtime import Client


@pytest.fixture(scope="module")
def cluster():
    with Client(n_workers=2, threads_per_worker=1) as client:
        yield client


def pid(add=0):
    return os.getpid() + add


def test_a_call_runs_in_each_worker(cluster):
    found = cluster.run(pid)
    assert set(found) == set(cluster.nthreads()) and len(set(found.values())) == 2
    assert os.getpid() not in found.values()
    assert cluster.run(pid, 1) == {address: number + 1 for address, number in found.items()} == cluster.run(pid, add=1)
    by_name = {worker["name"]: address for address, worker in cluster.scheduler_info()["workers"].items()}
    for one in ("worker-1", by_name["worker-1"], ["worker-1"]):
        assert cluster.run(pid, workers=one) == {by_name["worker-1"]: found[by_name["worker-1"]]}
    with pytest.raises(ValueError, match="'worker-7' is none of \\['worker-0', 'worker-1'\\]"):
        cluster.run(pid, workers="worker-7")
    with pytest.raises(ZeroDivisionError):
        cluster.run(divmod, 1, 0)

    async def later():
        await asyncio.sleep(0)
        return 5

    assert set(cluster.run(later).values()) == {5}


def test_a_call_runs_before_what_waits(cluster, tmp_path):
    waiting = cluster.map(time.sleep, [0.02 + n / 10_000 for n in range(60)])
    cluster.run(pid)
    assert sum(future.done() for future in waiting) < 60
    cluster.gather(waiting)


def test_a_worker_that_dies_in_a_call_is_named():
    with Client(n_workers=2, threads_per_worker=1) as client:
        address = next(iter(client.nthreads()))
        with pytest.raises(ConnectionError, match=f"{address} went before they had answered"):
            client.run(os._exit, 1, workers=address)
        client.wait_for_workers(2)
        assert len(client.run(pid)) == 2


def use_uploaded():
    import uploaded_for_test

    return uploaded_for_test.value()


def test_a_module_is_brought_to_each_worker(cluster, tmp_path, monkeypatch):
    path = tmp_path / "uploaded_for_test.py"
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        for value in (1, 2):
            path.write_text(f"def value():\n    return {value}\n")
            assert set(map(str, cluster.upload_file(str(path)).values())) == {"{'status': 'OK'}"}
            assert set(cluster.run(use_uploaded).values()) == {value}
            # A function of the module goes by its name, and is the new one.
            importlib.invalidate_caches()
            import uploaded_for_test

            call = uploaded_for_test.value
            assert [cluster.submit(call, workers=w, pure=False).result() for w in ("worker-0", "worker-1")] == [
                value
            ] * 2
    finally:
        sys.modules.pop("uploaded_for_test", None)
    with pytest.raises(FileNotFoundError, match="nowhere.py"):
        cluster.upload_file("nowhere.py")


def test_calls_and_modules_of_coroutines(tmp_path):
    async def main():
        async with Client(n_workers=2, threads_per_worker=1, asynchronous=True) as client:
            assert len(set((await client.run(pid)).values())) == 2
            path = tmp_path / "uploaded_by_coroutine.py"
            path.write_text("there = True\n")
            assert len(await client.upload_file(str(path))) == 2

    asyncio.run(main())


def test_restart_ends_the_worker_processes_and_all_futures():
    with Client(n_workers=2, threads_per_worker=1) as client:
        before = client.run(pid)
        kept, endless = client.submit(pid, 3), client.submit(time.sleep, 600)
        kept.result()
        client.restart()
        assert kept.status == endless.status == "cancelled"
        with pytest.raises(concurrent.futures.CancelledError):
            kept.result()
        after = client.run(pid)
        assert len(after) == 2 and not set(after.values()) & set(before.values())
        assert client.gather(client.map(abs, [-1, -2])) == [1, 2]


def test_restart_of_a_client_leaves_a_cluster_that_is_not_its_own(cluster):
    before = cluster.run(pid)
    other_future = cluster.submit(pid, 4)
    with Client(cluster.cluster.scheduler_address, set_as_default=False) as client:
        endless = client.map(time.sleep, [1.0, 1.1, 1.2])
        client.restart()
        assert {future.status for future in endless} == {"cancelled"}
        assert client.nthreads() == cluster.nthreads()
    assert other_future.result() - 4 in before.values()
