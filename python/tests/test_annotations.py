"""``dask.annotate``, and the same arguments of the client's methods."""

import threading

import dask
import dask.array as da
import numpy as np
import pytest
from dask_runtime import Client, wait


def inc(x, by=1):
    return x + by


@pytest.fixture(scope="module")
def cluster():
    with Client(n_workers=2, threads_per_worker=1, resources={"GPU": 1}) as client:
        yield client


@pytest.fixture
def addresses(cluster):
    """The workers' addresses by their names."""
    return {worker["name"]: address for address, worker in cluster.scheduler_info()["workers"].items()}


def holders(client, futures):
    client.gather(futures)
    return {address for where in client.who_has(futures).values() for address in where}


@pytest.mark.parametrize("name", ["worker-0", "worker-1"])
def test_workers_of_submit_map_compute_and_persist(cluster, addresses, name):
    here = {addresses[name]}
    assert holders(cluster, [cluster.submit(inc, 1, workers=name, pure=False)]) == here
    assert holders(cluster, cluster.map(inc, range(8), workers=[addresses[name]])) == here
    assert holders(cluster, cluster.map(inc, range(8), [1] * 8, workers=(name,), key=f"on-{name}", pure=False)) == here
    x = da.arange(80, chunks=10) + int(name[-1])
    assert holders(cluster, [cluster.compute(x.sum(), workers=name)]) == here
    kept = cluster.persist(x, workers=name)
    assert holders(cluster, [f for f in kept.dask.values() if hasattr(f, "result")]) == here
    # What is kept on one worker alone can be used by any.
    assert kept.sum().compute() == x.sum().compute()


def test_workers_that_annotate_names(cluster, addresses):
    with dask.annotate(workers="worker-1"):
        assert holders(cluster, [cluster.submit(inc, 10)]) == {addresses["worker-1"]}
        # What the call says comes before what is around it.
        assert holders(cluster, [cluster.submit(inc, 11, workers="worker-0")]) == {addresses["worker-0"]}
        layered = dask.delayed(inc)(12)
    # What the layer says comes before what the call does.
    assert holders(cluster, [cluster.compute(layered, workers="worker-0")]) == {addresses["worker-1"]}
    with dask.annotate(workers=lambda key: f"worker-{key[-1]}"):
        for n in (0, 1):
            future = cluster.submit(inc, 13, key=f"called-{n}")
            assert holders(cluster, [future]) == {addresses[f"worker-{n}"]}
            assert cluster.map(inc, [n], key=[f"mapped-{n}"])[0].result() == n + 1
            assert holders(cluster, cluster.map(inc, [n], key=[f"mapped-{n}"])) == {addresses[f"worker-{n}"]}


def test_other_workers_may_do_it_when_the_named_one_is_not_there(cluster):
    assert cluster.submit(inc, 20, workers="nobody", allow_other_workers=True).result(30) == 21
    waiting = cluster.submit(inc, 21, workers="nobody")
    with pytest.raises(TimeoutError):
        waiting.result(0.2)
    waiting.cancel()


def test_scattered_data_are_where_they_are_wanted(cluster, addresses):
    for address in addresses.values():
        future = cluster.scatter(np.arange(100), workers=address, hash=False)
        wait(future)
        assert cluster.who_has(future) == {future.key: (address,)}
        named = cluster.scatter({f"at {address}": 1}, workers=[address])
        wait(list(named.values()))
        assert set(cluster.who_has(list(named.values())).values()) == {(address,)}
    with pytest.raises(ValueError, match="workers is 1.5"):
        cluster.scatter(1, workers=1.5)


def test_resources_bound_what_runs_at_a_time(cluster):
    assert cluster.gather(cluster.map(inc, range(6), resources={"GPU": 1})) == list(range(1, 7))
    waiting = cluster.submit(inc, 30, resources={"GPU": 2})
    with pytest.raises(TimeoutError):
        waiting.result(0.2)
    waiting.cancel()


def unsteady(path, times):
    with path.open("a") as file:
        file.write("x")
    if path.stat().st_size <= times:
        raise OSError(f"{path.name} not yet")
    return path.stat().st_size


@pytest.mark.parametrize("where", ["here", "cluster"])
def test_retries(where, client, request, tmp_path):
    if where == "cluster":
        client = request.getfixturevalue("cluster")
    assert client.submit(unsteady, tmp_path / "submit", 2, retries=2).result() == 3
    with pytest.raises(OSError, match="few not yet"):
        client.submit(unsteady, tmp_path / "few", 2, retries=1).result()
    assert (tmp_path / "few").stat().st_size == 2
    assert client.gather(client.map(unsteady, [tmp_path / "map"], [1], retries=3)) == [2]
    once = dask.delayed(unsteady)(tmp_path / "compute", 1)
    assert client.compute(once, retries=1).result() == 2
    with dask.annotate(retries=1):
        again = dask.delayed(unsteady)(tmp_path / "annotated", 1)
    assert again.compute(scheduler=client) == 2
    with pytest.raises(OSError, match="never not yet"):
        dask.delayed(unsteady)(tmp_path / "never", 1).compute(scheduler=client)


def test_what_has_priority_runs_first():
    with Client(threads_per_worker=1) as client:
        go, order = threading.Event(), []
        first = client.submit(go.wait)
        # The engine may have one more task at hand than it runs.
        second = client.submit(order.append, "second", pure=False)
        low = [client.submit(order.append, n, priority=-1, pure=False) for n in range(3)]
        high = client.map(order.append, "ab", priority=10)
        with dask.annotate(priority=5):
            middle = [dask.delayed(order.append)(name) for name in "cd"]
        middle = client.compute(middle)
        go.set()
        client.gather([first, second, *low, *high, *middle])
        order.remove("second")
        assert order == ["a", "b", "c", "d", 0, 1, 2]


def test_one_process_is_one_worker(client):
    (address,) = client.nthreads()
    assert client.submit(inc, 1, workers=address).result() == 2
    assert client.submit(inc, 2, workers="elsewhere", allow_other_workers=True).result() == 3
    for call in (
        lambda: client.submit(inc, 3, workers="elsewhere"),
        lambda: client.map(inc, [3], workers=["elsewhere"]),
        lambda: da.ones(3).sum().compute(workers="elsewhere"),
    ):
        with pytest.raises(ValueError, match="workers is .*elsewhere.*: there is one worker, this process"):
            call()
    with pytest.raises(ValueError, match="resources is {'GPU': 1.0}: this process has none"):
        client.submit(inc, 3, resources={"GPU": 1})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("priority", "high"),
        ("priority", 0.5),
        ("priority", float("nan")),
        ("priority", float("inf")),
        ("retries", -1),
        ("workers", 1.5),
        ("allow_other_workers", "yes"),
        ("resources", {"GPU": "all"}),
        ("resources", ["GPU"]),
    ],
)
def test_values_that_are_none_are_named(client, name, value):
    with pytest.raises(ValueError, match=f"{name} is .*; use "):
        client.submit(inc, 1, **{name: value})
