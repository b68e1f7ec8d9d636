"""Native programs give what the Python calls give, and run where `explain` says so."""

import warnings

import dask.array as da
import numpy as np
import pytest
from dask_runtime import Client


class Odd(np.ndarray):
    """What is no plain array."""


@pytest.fixture(scope="module")
def client():
    with Client(threads_per_worker=2) as client:
        yield client


rng = da.random.default_rng(7)
x = rng.random((60, 40), chunks=(25, 15)) - 0.5
n = da.arange(2400, chunks=700).reshape((60, 40)).rechunk((25, 15))
holes = da.where(x < -0.3, np.nan, x)
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
    "mean": x.mean(axis=0) + x.mean(),
    "mean of integers": n.mean(axis=1, keepdims=True),
    "mean in float32": x.astype("f4").mean(axis=0),
    "variance": x.var(axis=1, ddof=1) + n.std(axis=1),
    "variance of complex numbers": (x + 1j * x.T[:1, :40]).var(axis=0),
    "variance in steps": x.var(split_every=2),
    "nan-reductions": da.nansum(holes, axis=0)
    + da.nanmean(holes, axis=0)
    + da.nanvar(holes, axis=0)
    - da.nanmax(holes),
    "places": x.argmax(axis=0) + n.argmin(axis=0),
    "place in all": da.argmax(x),
    "running sums": x.cumsum(axis=0) + n.cumsum(axis=1),
    "running products": da.cumprod(x + 1, axis=1, method="blelloch"),
    "running sums without NaN": da.nancumsum(holes, axis=0),
    "tensor product": da.tensordot(x, x, axes=(1, 1)),
    "einsum of matrices": da.einsum("ij,kj->ki", x, x),
    "einsum over one axis": da.einsum("ij,ij->j", x, x),
    "einsum of one": da.einsum("ij->j", x),
    "einsum with a free axis": da.einsum("ij,j->ji", x, x[0]),
    "fancy index": x[[3, 50, 0, 0, 59]][:, [39, 1, 20]],
    "boolean index": x[x > 0].sum(),
    "boolean index of rows": x[x[:, 0] > 0].sum(axis=1),
    "new axes": x[:, None, 3:] * x[..., None, :1],
    "reshape": x.rechunk((20, 40)).reshape((3, 20, 40)).std(axis=0),
    "stack": da.stack([x, 2 * x]).sum(axis=0),
    "coarsen": da.coarsen(np.mean, x.rechunk((20, 20)), {0: 4, 1: 5}),
    "coarsen with a rest": da.coarsen(np.max, x.rechunk((30, 40)), {0: 7, 1: 3}, trim_excess=True),
    "top k": da.topk(x, 3, axis=0),
    "bottom k": da.topk(x.ravel(), -70),
    "histogram": da.histogram(x, bins=20, range=(-0.5, 0.5))[0],
    "histogram by edges": da.histogram(x, bins=np.array([-0.5, 0, 0.1, 0.5]))[0],
    "clip and round": da.clip(x, -0.25, 0.25).round(1),
    "numpy scalars": x * np.float64(2.5) + np.float32(1),
    "legacy random": da.random.RandomState(3).random_sample((70, 50), chunks=30),
    "legacy normal": da.random.RandomState(3).normal(2, 3, (70, 50), chunks=30),
    "legacy uniform": da.random.RandomState(3).uniform(-1, 3, (70, 50), chunks=30),
    "uniform": rng.uniform(2, 5, (70, 50), chunks=30),
    "normal with a deviation": rng.normal(2, 5, (70, 50), chunks=30),
    "random integers": rng.integers(-3, 100, (70, 50), chunks=30),
    "ramp": da.arange(5, 70, 3, chunks=7) + da.eye(22, chunks=11)[3],
}
# Drawn, picked or compared, but not computed: equal in every bit.
EXACT = {
    "places",
    "place in all",
    "fancy index",
    "top k",
    "bottom k",
    "histogram",
    "histogram by edges",
    "legacy random",
}
EXACT |= {"legacy normal", "legacy uniform", "uniform", "normal with a deviation", "random integers", "ramp", "slices"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_give_what_numpy_gives(client, name):
    program = PROGRAMS[name]
    ours, theirs = program.compute(), program.compute(scheduler="sync")
    assert (type(ours), ours.dtype, ours.shape) == (type(theirs), theirs.dtype, theirs.shape)
    if name in EXACT:
        np.testing.assert_array_equal(ours, theirs)
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


def test_parts_of_reductions_are_dasks_where_python_takes_them(client):
    """A native block and one that runs as Python meet: what passes between them is what Dask's functions make."""

    def odd(block, block_id):
        return block.view(Odd) if block_id == (0, 0) else block

    mixed = x.map_blocks(odd, dtype=float, meta=np.empty((0, 0)))
    for program in (mixed.mean(axis=0), mixed.std(axis=0), mixed.argmax(axis=0), mixed.mean(split_every=2)):
        np.testing.assert_allclose(program.compute(), program.compute(scheduler="sync"), rtol=1e-13)


def test_nothing_but_nan(client):
    nothing = da.full((20, 20), np.nan, chunks=10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isnan(da.nanmean(nothing, axis=0).compute()).all()
        assert np.isnan(da.nanstd(nothing).compute())
        assert np.isnan(nothing.max(axis=1).compute()).all()
        assert nothing.argmax(axis=0).compute().tolist() == [0] * 20
    with pytest.raises(ValueError, match="All NaN slice"):
        da.nanargmax(nothing, axis=0).compute()


def test_indices_that_do_not_exist_are_numpys_to_refuse(client):
    with pytest.raises((IndexError, ValueError)):
        x.map_blocks(np.take, np.array([99]), 0, dtype=float).compute()
    last = x.map_blocks(np.take, np.array([-1]), 0, chunks=(1, 15), dtype=float)
    np.testing.assert_array_equal(last.compute(), last.compute(scheduler="sync"))


def test_equal_extremes_are_found_where_dask_finds_them(client):
    same = da.ones((40, 40), chunks=10)
    for program in (
        same.argmax(),
        same.argmin(axis=0),
        same.argmax(axis=1),
        da.argmax(same * (same > 0), split_every=2),
    ):
        np.testing.assert_array_equal(program.compute(), program.compute(scheduler="sync"))


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
