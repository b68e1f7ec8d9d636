"""Who has a result may edit it in place, and nothing else changes."""

import dask
import dask.array as da
import numpy as np
import pytest
from dask_runtime import Client

N = 40_000


@pytest.fixture(scope="module", params=["embedded", "processes"])
def client(request):
    options = {"threads_per_worker": 2} if request.param == "embedded" else {"n_workers": 2, "threads_per_worker": 1}
    with Client(**options) as client:
        yield client


def numbers():
    return np.arange(N, dtype=float)


def edit(block):
    block += 1
    return block


VIEWS = {
    "itself": lambda x: x,
    "transposed": lambda x: x.T,
    "sliced": lambda x: x[10:20],
    "reshaped": lambda x: x.reshape(200, 200),
    "of the same dtype": lambda x: x.astype(float),
    "a new axis": lambda x: x[None],
    "one block": lambda x: x.blocks[0],
    "handed through": lambda x: x.map_blocks(lambda block: block),
    "rechunked": lambda x: x.rechunk(N),
    "spread": lambda x: da.broadcast_to(x, (2, N)),
}


@pytest.mark.parametrize("chunks", [N, N // 4])
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_result_is_not_the_array_that_it_comes_from(client, view, chunks):
    given = numbers()
    lazy = view(da.from_array(given, chunks=chunks))
    result = lazy.compute()
    expected = result.copy()
    result[...] = -1
    np.testing.assert_array_equal(given, numbers())
    np.testing.assert_array_equal(lazy.compute(), expected)


def test_the_given_array_may_be_edited_later(client):
    given = numbers()
    lazy = da.from_array(given, chunks=N // 4)
    kept = client.persist(lazy)
    given[:] = -1
    np.testing.assert_array_equal(lazy.compute(), numbers())
    np.testing.assert_array_equal(kept.compute(), numbers())


def test_persisted_blocks(client):
    kept = client.persist(da.ones(N, chunks=N // 4) + 0)
    for results in ([kept.compute()], [kept.blocks[0].compute()], client.gather(client.compute([kept, kept[:7]]))):
        for result in results:
            result[:] = 7
    assert (kept.compute() == 1).all()
    assert kept.map_blocks(edit).sum().compute() == 2 * N
    assert (kept.compute() == 1).all()


def test_futures(client):
    future = client.submit(numbers)
    first, second = client.gather([future, future])
    for result in (first, future.result(), client.submit(edit, future).result()):
        result[:] = -1
    np.testing.assert_array_equal(second, numbers())
    np.testing.assert_array_equal(future.result(), numbers())


def test_scattered_arrays(client):
    given = numbers()
    future = client.scatter(given)
    future.result()[:] = -1
    assert client.submit(edit, future).result()[0] == 1
    np.testing.assert_array_equal(given, numbers())
    np.testing.assert_array_equal(future.result(), numbers())


def test_arrays_that_do_not_run_native(client):
    masked = np.ma.masked_array(np.arange(4.0), mask=[False, True] * 2)
    for given in (masked, np.array([1, "a", None, 2.0], object), np.array([1, 2, 3, 4], "M8[D]"), np.array(["a", "b"])):
        before = given.copy()
        kept = client.persist(da.from_array(given, chunks=len(given), asarray=False))
        kept.compute()[0] = given[-1]
        assert (given == before).all()
        assert (kept.compute() == before).all()


def test_a_task_that_edits_its_block_changes_it_for_nobody_else(client):
    x = da.from_array(numbers(), chunks=N // 4) * 1
    # Two names, so that Dask does not make one of them.
    first, second = x.map_blocks(edit, dtype=float), x.map_blocks(lambda block: edit(block), dtype=float)
    for got, expected in zip(dask.compute(first, second, x), (numbers() + 1, numbers() + 1, numbers()), strict=True):
        np.testing.assert_array_equal(got, expected)
    kept = client.persist(x)
    np.testing.assert_array_equal(kept.map_blocks(edit, dtype=float).compute(), numbers() + 1)
    np.testing.assert_array_equal(kept.compute(), numbers())
