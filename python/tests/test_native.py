"""Native programs give what the Python calls give, and run where `explain` says so."""

import warnings

import dask.array as da
import numpy as np
import pytest
from dask_runtime import Client


@pytest.fixture(scope="module")
def client():
    with Client(threads_per_worker=2) as client:
        yield client


rng = da.random.default_rng(7)
x = rng.random((60, 40), chunks=(25, 15)) - 0.5
n = da.arange(2400, chunks=700).reshape((60, 40)).rechunk((25, 15))
PROGRAMS = {
    "arithmetic": (x * 2 + x / 3 - 1) ** 2,
    "transpose": x[:40].T + x[:40],
    "weak numbers": x.astype("f4") * 2.5 + 1,
    "integers": (n + 3) * n - 7,
    "comparison": (x > 0) & ~(x < 0.25) | (n == 3),
    "where": da.where(x > 0, x, -x),
    "where of numbers": da.where(x > 0, x, 0),
    "ufuncs": da.sqrt(da.exp(x) + da.sin(x)) - da.log1p(abs(x)),
    "sums": x.sum(axis=0),
    "sum": (x + 1).sum(),
    "sum of integers": n.sum(axis=1),
    "sum in float32": x.astype("f4").sum(axis=0),
    "extremes": x.max(axis=1) - x.min(axis=1, keepdims=True)[:, 0],
    "any and all": (x > 0.4).any(axis=0) ^ (x > -1).all(axis=0),
    "slices": x[5:50:3, ::-1],
    "integers in indices": x[7, 3:] + x[-1, 3:],
    "rechunk": x.rechunk((10, 40)) + 1,
    "matrix product": x.T @ x,
    "ones": da.ones((50, 50), chunks=20) * 3 + da.zeros((50, 50), chunks=20),
    "normal": rng.standard_normal((50, 50), chunks=20),
    "one chunk": (x.rechunk(-1) * 2)[:3],
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_give_what_numpy_gives(client, name):
    program = PROGRAMS[name]
    ours, theirs = program.compute(), program.compute(scheduler="sync")
    assert (type(ours), ours.dtype, ours.shape) == (type(theirs), theirs.dtype, theirs.shape)
    tolerance = 1e-5 if ours.dtype == "f4" else 1e-13
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_run_native(client, name):
    first = client.explain(PROGRAMS[name]).splitlines()[0].split()
    # Sources of integers, and what reshapes them, are Python's yet.
    assert int(first[0]) >= 0.6 * int(first[2]), client.explain(PROGRAMS[name])


def test_explain_says_what_is_in_the_way(client):
    def odd(block):
        return block

    told = client.explain(x.map_blocks(odd))
    assert "it calls" in told and "odd" in told
    assert "it takes" in client.explain(x.map_blocks(np.add, object(), dtype=float))


def test_random_numbers_are_numpys_to_the_bit(client):
    y = da.random.default_rng(42).random((1000, 1000), chunks=300)
    assert (y.compute() == y.compute(scheduler="sync")).all()


def test_blocks_that_are_no_plain_arrays_run_as_python(client):
    masked = da.ma.masked_greater(x, 0.25)
    ours, theirs = (masked + 1).compute(), (masked + 1).compute(scheduler="sync")
    assert isinstance(ours, np.ma.MaskedArray) and (ours.mask == theirs.mask).all()
    objects = da.from_array(np.array(["a", "bc"], dtype=object), chunks=1)
    assert (objects + objects).compute().tolist() == ["aa", "bcbc"]


def test_numpy_raises_its_own_exceptions_and_warns(client):
    with pytest.raises(TypeError, match="ufunc 'sin' not supported"):
        da.map_blocks(np.sin, da.from_array(np.array(["a"]), chunks=1), dtype=float).compute()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = (da.ones(4, chunks=2) / da.zeros(4, chunks=2)).compute()
    assert np.isinf(result).all()
    assert any("divide by zero" in str(w.message) for w in caught)


def test_what_is_edited_is_nobody_elses(client):
    """Results, inputs of tasks and arrays that the user handed in: each may be edited in place by who has it."""
    given = np.arange(20.0)
    source = da.from_array(given, chunks=5)

    def edit(block):
        block[:] = -1
        return block

    kept = client.persist((source + 1).map_blocks(lambda b: b * 1.0))
    for collection in (source, source + 1, source[::2], kept, kept + 0, kept[3:7]):
        result = collection.compute()
        expected = result.copy()
        if result.flags.writeable:
            result[:] = 99
        assert (collection.compute() == expected).all()
    assert (given == np.arange(20.0)).all()
    doubled = kept * 2
    edited = doubled.map_blocks(edit)
    assert (edited.compute() == -1).all()
    assert (kept.compute() == np.arange(20) + 1).all()
    assert (doubled.compute() == 2 * (np.arange(20) + 1)).all()


def test_a_result_that_nobody_else_holds_is_not_copied(client):
    x = da.ones((1000, 1000), chunks=500)
    for _ in range(20):
        result = (x + 1).compute()
        assert not result.flags.owndata and result.flags.writeable
        assert result.sum() == 2_000_000
