"""Random sources give what Dask gives for the same seed and chunks, to the bit."""

import pathlib

import dask.array as da
import pytest
from conftest import Engine, assert_same

SHAPES = [((1000,), (300,)), ((100, 70), (32, 50)), ((7, 8, 9), (3, 8, 4)), ((50, 50), (50, 50))]


@pytest.mark.parametrize("seed", [0, 42, 123456789, 2**40 + 7])
@pytest.mark.parametrize(("shape", "chunks"), SHAPES)
def test_default_rng(engine: Engine, seed: int, shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
    """PCG64."""
    spec = {"seed": seed, "shape": shape, "chunks": chunks}
    got = engine.arrays(
        {
            "u": {"random": spec},
            "n": {"standard_normal": spec},
            "i": {"integers": spec | {"low": -5, "high": 1000}},
            "wide": {"integers": spec | {"low": 0, "high": 2**40}},
        },
        ["u", "n", "i", "wide"],
    )
    rng = da.random.default_rng
    assert_same(got["u"], rng(seed).random(shape, chunks=chunks).compute(), "random")
    assert_same(got["n"], rng(seed).standard_normal(shape, chunks=chunks).compute(), "standard_normal")
    assert_same(got["i"], rng(seed).integers(-5, 1000, shape, chunks=chunks).compute(), "integers")
    assert_same(got["wide"], rng(seed).integers(0, 2**40, shape, chunks=chunks).compute(), "integers of 64 bits")


@pytest.mark.parametrize("seed", [0, 42, 2**32 - 1])
@pytest.mark.parametrize(("shape", "chunks"), SHAPES)
def test_random_state(engine: Engine, seed: int, shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
    """MT19937."""
    spec = {"seed": seed, "shape": shape, "chunks": chunks, "generator": "RandomState"}
    got = engine.arrays({"u": {"random": spec}}, ["u"])
    assert_same(got["u"], da.random.RandomState(seed).random_sample(shape, chunks=chunks).compute(), "random_sample")


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_integers_of_every_width(engine: Engine, dtype: str) -> None:
    """Narrow integers share 32-bit draws; the buffering must be numpy's."""
    spec = {"seed": 3, "shape": [257], "chunks": [100], "low": 0, "high": 101, "dtype": dtype}
    got = engine.arrays({"i": {"integers": spec}}, ["i"])
    want = da.random.default_rng(3).integers(0, 101, 257, dtype=dtype, chunks=100).compute()
    assert_same(got["i"], want, dtype)


def test_main_example(engine: Engine) -> None:
    """The README's first command prints what `print()` shows of Dask's result, byte for byte, and the total."""
    sample = pathlib.Path(__file__).parents[3] / "manifests/samples/transpose-sum.yaml"
    done = engine.call("run", str(sample))
    assert done.returncode == 0, done.stderr
    x = da.random.default_rng(42).random((10000, 10000), chunks=(1000, 1000))
    y, total = da.compute(x + x.T, (x + x.T).sum())
    assert f"{y}\n" in done.stdout
    assert f"{float(done.stdout.split()[-1]):.12e}" == f"{total:.12e}"
