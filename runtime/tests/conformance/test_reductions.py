"""Reductions over any axes, against numpy."""

import warnings

import numpy as np
import pytest
from conftest import DTYPES, Engine, assert_reduced, assert_same, random_array, random_chunks

PLAIN = ["sum", "prod", "min", "max", "mean", "var", "std", "any", "all", "count_nonzero"]
NAN = ["nansum", "nanprod", "nanmin", "nanmax", "nanmean", "nanvar", "nanstd"]
AXES = [None, 0, 1, 2, -1, (0, 2), (1, 2), (0, 1, 2)]


def formula(name: str, axis: object, more: str = "") -> str:
    """The call as a document writes it."""
    return f"{name}(x, axis={axis}{more})"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(2))
def test_reductions(engine: Engine, dtype: str, seed: int) -> None:
    """Every reduction, axes as numpy names them, with and without `keepdims`."""
    rng = np.random.default_rng([seed, DTYPES.index(dtype)])
    shape = tuple(int(n) for n in rng.integers(1, 14, 3))
    x = random_array(rng, dtype, shape)
    names = list(PLAIN)
    if x.dtype.kind == "f":
        x[rng.random(shape) < 0.1] = np.nan
        names += NAN
    if x.dtype.kind == "c":
        names = [n for n in names if n not in ("min", "max")]
    formulas, want = {}, {}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for i, axis in enumerate(AXES):
            for name in names:
                keep = bool(rng.random() < 0.5)
                key = f"{name}_{i}"
                formulas[key] = formula(name, axis, f", keepdims={keep}")
                want[key] = np.asarray(getattr(np, name)(x, axis=axis, keepdims=keep))
    keys = [k for k, w in want.items() if w.dtype.name in DTYPES]
    got = engine.arrays({"x": engine.source("x", x, random_chunks(rng, shape))} | {k: formulas[k] for k in keys}, keys)
    magnitude = float(np.nanmax(np.abs(x.astype("complex128")), initial=1))
    for key in keys:
        power = 2 if "var" in key or "std" in key else 1
        assert_reduced(got[key], want[key], f"{formulas[key]} of {dtype}{shape}", x.size, magnitude**power)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if not d.startswith("complex")])
def test_arg_reductions(engine: Engine, dtype: str) -> None:
    """The first of equal extremes wins, also across chunks; NaN as numpy treats it."""
    rng = np.random.default_rng(DTYPES.index(dtype))
    x = random_array(rng, dtype, (13, 17))
    names = ["argmin", "argmax"]
    if x.dtype.kind == "f":
        names += ["nanargmin", "nanargmax"]
        x[3, 5] = np.nan
    keys = {f"{n}_{i}": (n, axis) for n in names for i, axis in enumerate([None, 0, 1])}
    got = engine.arrays(
        {"x": engine.source("x", x, random_chunks(rng, x.shape))}
        | {k: formula(n, axis) for k, (n, axis) in keys.items()},
        list(keys),
    )
    for key, (name, axis) in keys.items():
        assert_same(got[key], np.asarray(getattr(np, name)(x, axis=axis)), f"{name} {axis} of {dtype}")


@pytest.mark.parametrize("name", ["nanargmin", "nanargmax"])
def test_places_of_nothing_but_nan(engine: Engine, name: str) -> None:
    """A slice of nothing but NaN is an error as in numpy, which names the task; NaN in some chunks is none."""
    x = np.arange(48.0).reshape(6, 8)
    x[:, 3] = np.nan
    x[:4, 5] = np.nan
    source = engine.source("x", x, [2, 3])
    got = engine.arrays({"x": source, "y": f"{name}(x, axis=1)", "z": f"{name}(x)"}, ["y", "z"])
    assert_same(got["y"], getattr(np, name)(x, axis=1), name)
    assert_same(got["z"], np.asarray(getattr(np, name)(x)), name)
    for formula_ in (f"{name}(x, axis=0)", f"{name}(x[:, 3:4])"):
        document = engine.document({"x": source, "y": formula_}, {"y": "print"})
        done = engine.call("run", document)
        assert done.returncode == 1, done.stdout
        assert "All-NaN slice encountered" in done.stderr, done.stderr
        assert "task " in done.stderr, done.stderr


@pytest.mark.parametrize("dtype", DTYPES)
def test_cumulative(engine: Engine, dtype: str) -> None:
    """Running sums and products."""
    rng = np.random.default_rng(DTYPES.index(dtype))
    x = random_array(rng, dtype, (11, 19))
    keys = {f"{n}_{a}": (n, a) for n in ("cumsum", "cumprod") for a in (0, 1)}
    got = engine.arrays(
        {"x": engine.source("x", x, random_chunks(rng, x.shape))} | {k: formula(n, a) for k, (n, a) in keys.items()},
        list(keys),
    )
    for key, (name, axis) in keys.items():
        want = getattr(np, name)(x, axis=axis)
        scale = float(np.abs(want.astype("complex128")).max())
        assert_reduced(got[key], want, f"{name} {axis} of {dtype}", 20, scale)


@pytest.mark.parametrize("ddof", [0, 1, 2])
def test_ddof(engine: Engine, ddof: int) -> None:
    """Degrees of freedom."""
    x = np.random.default_rng(1).standard_normal((40, 30)) + 1e6
    got = engine.arrays(
        {"x": engine.source("x", x, [7, 11]), "v": f"x.var(axis=0, ddof={ddof})", "s": f"std(x, ddof={ddof})"},
        ["v", "s"],
    )
    np.testing.assert_allclose(got["v"], x.var(axis=0, ddof=ddof), rtol=1e-9)
    np.testing.assert_allclose(got["s"], x.std(ddof=ddof), rtol=1e-9)


def test_large_sum_is_accurate(engine: Engine) -> None:
    """A long float32 sum keeps its digits, a long float64 sum nearly all of them."""
    x = np.random.default_rng(5).random(3_000_001)
    got = engine.arrays(
        {"x": engine.source("x", x, 700_000), "wide": "x.sum()", "narrow": "x.astype('float32').sum()"},
        ["wide", "narrow"],
    )
    np.testing.assert_allclose(got["wide"], x.sum(), rtol=1e-13)
    np.testing.assert_allclose(got["narrow"], x.astype("float32").sum(dtype="float64"), rtol=1e-6)
