"""Results of arrays, put together block by block: they are what Dask's own schedulers give."""

import threading
import time
from collections.abc import Iterator

import dask
import dask.array as da
import numpy as np
import pytest
from dask_runtime import Client


@pytest.fixture(params=["threads", "processes"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """The engine in this process, and worker processes."""
    with Client() if request.param == "threads" else Client(n_workers=2, threads_per_worker=1) as client:
        yield client


def same(x: da.Array) -> np.ndarray:
    """The result, once it was compared with the synchronous scheduler's."""
    expected = x.compute(scheduler="sync")
    got = x.compute()
    assert type(got) is type(expected)
    assert got.dtype == expected.dtype and got.shape == expected.shape
    assert np.ma.getmaskarray(got).tobytes() == np.ma.getmaskarray(expected).tobytes()
    if got.dtype == object:
        assert (got == expected).all()
    else:
        assert np.asarray(got).tobytes() == np.asarray(expected).tobytes()
    if isinstance(got, np.ndarray):
        assert got.flags.writeable and got.flags.c_contiguous
    return got


CHUNKS = [
    (10, 4),
    ((3, 3, 3, 1), (7,)),
    ((10,), (2, 2, 2, 1)),
    ((1, 2, 3, 4), (1, 5, 1)),
    ((5, 5), (3, 3, 1)),
    ((1, 9), (6, 1)),
    ((3, 0, 7), (0, 7)),
]


@pytest.mark.parametrize("chunks", CHUNKS)
def test_chunks_and_dtypes(client: Client, chunks: tuple) -> None:
    """Even and uneven grids, of native dtypes and others."""
    for dtype in ["?", "i1", "u2", "f4", "i8", "c16", "M8[s]", "S3", "O"]:
        x = np.arange(70).reshape(10, 7).astype(dtype)
        same(da.from_array(x, chunks=chunks).map_blocks(np.copy))


@pytest.mark.parametrize("chunks", CHUNKS)
def test_the_other_byte_order(chunks: tuple) -> None:
    """Blocks of the other byte order are no native ones.

    In this process alone: another gets some of them in its own order.
    """
    x = np.arange(70).reshape(10, 7).astype(">f8")
    with Client():
        same(da.from_array(x, chunks=chunks).map_blocks(np.copy))


@pytest.mark.parametrize("ndim", range(4))
def test_axes(client: Client, ndim: int) -> None:
    """Of no axis up to three, in one chunk and in several."""
    x = np.random.default_rng(0).random((5, 6, 7)[:ndim])
    for chunks in [-1, 3, 2]:
        same(da.from_array(x, chunks=chunks) + 1)
        same((da.from_array(x, chunks=chunks) * 2).T)


def test_unknown_chunks(client: Client) -> None:
    """Sizes that only the blocks themselves tell, some without elements."""
    x = da.from_array(np.arange(100).reshape(20, 5), chunks=(3, 5))
    same(x[x[:, 0] % 7 > 3])
    same(x[x % 3 == 0])
    same(x[(x[:, 0] > 30) & (x[:, 0] < 50)])


def test_blocks_of_several_dtypes(client: Client) -> None:
    """The first block's dtype is the result's, whatever the others are."""

    def block(x: np.ndarray, block_info: dict) -> np.ndarray:
        return x.astype("f8" if block_info[0]["chunk-location"][0] == 1 else "i4") + 0

    same(da.from_array(np.arange(12), chunks=4).map_blocks(block, dtype="i4"))


def test_masked(client: Client) -> None:
    """Masked blocks are joined by their own function; also where only some are."""
    x = da.from_array(np.arange(24).reshape(4, 6), chunks=(2, 3))
    same(da.ma.masked_greater(x, 9))

    def some(x: np.ndarray) -> np.ndarray:
        return np.ma.masked_greater(x, 20) if x.max() > 20 else x + 0

    same(x.map_blocks(some, dtype=x.dtype))


def test_blocks_that_do_not_fit_fail_as_dask_says(client: Client) -> None:
    """The exception is numpy's."""

    def block(x: np.ndarray, rows: int, block_info: dict) -> np.ndarray:
        return x[:rows] + 0 if block_info[0]["chunk-location"] == (1, 1) else x + 0

    x = da.from_array(np.arange(36.0).reshape(6, 6), chunks=3)
    with pytest.raises(ValueError, match="broadcast"):
        x.map_blocks(block, 2, dtype="f8").compute()
    # What numpy spreads over the block is no error.
    same(x.map_blocks(block, 1, dtype="f8"))


def test_a_block_that_others_take(client: Client) -> None:
    """Blocks that are results and inputs, and results of several collections."""
    x = da.from_array(np.arange(40.0).reshape(8, 5), chunks=(2, 3)).map_blocks(np.copy)
    y = x.cumsum(axis=0)
    block = x.to_delayed()[1, 0]
    expected = dask.compute(x, y, x.sum(), block, scheduler="sync")
    for optimize in [True, False]:
        got = dask.compute(x, y, x.sum(), block, optimize_graph=optimize)
        for one, other in zip(got, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    assert dask.delayed(np.sum)(x).compute() == expected[0].sum()


def test_results_share_nothing_with_what_is_kept(client: Client) -> None:
    """Editing a result changes neither what was persisted nor a later result."""
    kept = (da.ones((6, 6), chunks=(3, 2)) * 2).persist()
    first = kept.compute()
    assert first.shape == (6, 6) and (first == 2).all()
    first[:] = 0
    assert (kept.compute() == 2).all()


def test_a_result_outlives_the_next(client: Client) -> None:
    """Memory is not taken for another result while this one is held."""
    x = da.arange(1_000_000, chunks=100_000)
    first = (x + 1).compute()
    second = (x + 2).compute()
    assert first[0] == 1 and (second - first == 1).all()


def test_an_error_in_a_block(client: Client) -> None:
    """It is raised, and the client goes on."""

    def fail(x: np.ndarray, block_info: dict) -> np.ndarray:
        if block_info[0]["chunk-location"] == (1, 1):
            raise ZeroDivisionError("in a block")
        return x

    x = da.ones((4, 4), chunks=2)
    with pytest.raises(ZeroDivisionError, match="in a block"):
        x.map_blocks(fail, dtype=x.dtype).compute()
    same(x + 1)


def test_from_several_threads(client: Client) -> None:
    """Results that come together at the same time do not mix."""
    found: dict[int, bool] = {}

    def compute(n: int) -> None:
        x = da.full((300, 300), n, chunks=(70, 90)) + n
        found[n] = bool((x.compute() == 2 * n).all())

    threads = [threading.Thread(target=compute, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(6), True)


def test_no_task_joins_the_blocks() -> None:
    """Of twelve blocks, made by twelve tasks, nothing else runs and each is let go once it is in its place."""
    alive, most, lock = 0, 0, threading.Lock()

    class Block(np.ndarray):
        def __del__(self) -> None:
            nonlocal alive
            with lock:
                alive -= 1

    def block(x: np.ndarray) -> np.ndarray:
        nonlocal alive, most
        with lock:
            alive += 1
            most = max(most, alive)
        time.sleep(0.001)
        # A plain view, which alone holds the block.
        return x.copy().view(Block).view(np.ndarray)

    x = da.ones((120, 10), chunks=(10, 10)).map_blocks(block, dtype="f8")
    with Client(threads_per_worker=2):
        assert x.compute().sum() == 1200
    assert most < 12
