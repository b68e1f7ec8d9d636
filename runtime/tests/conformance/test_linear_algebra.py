"""Products over blocks and counting, against numpy."""

import numpy as np
import pytest
from conftest import DTYPES, Engine, assert_same, random_array, random_chunks


@pytest.mark.parametrize("dtype", DTYPES)
def test_products(engine: Engine, dtype: str) -> None:
    """`matmul`, `dot` and `tensordot`; exact for integers."""
    rng = np.random.default_rng(DTYPES.index(dtype))
    a = random_array(rng, dtype, (23, 31))
    b = random_array(rng, dtype, (31, 17))
    v = random_array(rng, dtype, (31,))
    t = random_array(rng, dtype, (4, 23, 31))
    formulas = ["a @ b", "a @ v", "v @ b", "v @ v", "t @ b", "dot(a, b)", "tensordot(t, a, axes=([1, 2], [0, 1]))"]
    formulas += ["tensordot(a, b, axes=1)", "a.T @ a"]
    names = {"a": a, "b": b, "v": v, "t": t}
    arrays = {n: engine.source(n, x, random_chunks(rng, x.shape)) for n, x in names.items()}
    keys = {f"r{i}": f for i, f in enumerate(formulas)}
    got = engine.arrays(arrays | keys, list(keys))
    for key, f in keys.items():
        want = np.asarray(eval(f, names | {"dot": np.dot, "tensordot": np.tensordot}))
        if want.dtype.kind in "fc":
            assert got[key].dtype == want.dtype
            eps = np.finfo(want.dtype).eps
            scale = float(np.abs(want).max())
            np.testing.assert_allclose(got[key], want, rtol=eps * 200, atol=eps * 200 * scale, err_msg=f)
        else:
            assert_same(got[key], want, f"{f} of {dtype}")


@pytest.mark.parametrize("seed", range(3))
def test_counting(engine: Engine, seed: int) -> None:
    """Histograms, counts, the largest and the distinct."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(1000)
    w = rng.random(1000)
    k = rng.integers(0, 30, 1000)
    chunks = random_chunks(rng, (1000,))
    arrays = {
        "x": engine.source("x", x, chunks),
        "w": engine.source("w", w, chunks),
        "k": engine.source("k", k, chunks),
        "h": "histogram(x, bins=17, range=(-2, 2))[0]",
        "hw": "histogram(x, bins=[-3, -1, 0, 0.5, 3], weights=w)[0]",
        "hd": "histogram(x, bins=17, range=(-2, 2), density=True)[0]",
        "b": "bincount(k, minlength=40)",
        "bw": "bincount(k, weights=w, minlength=40)",
        "top": "topk(x, 9)",
        "low": "topk(x, -9)",
        "u": "unique(k)",
        "d": "digitize(x, [-1, 0, 1])",
    }
    got = engine.arrays(arrays, ["h", "hw", "hd", "b", "bw", "top", "low", "u", "d"])
    assert_same(got["h"], np.histogram(x, 17, (-2, 2))[0], "histogram")
    np.testing.assert_allclose(got["hw"], np.histogram(x, [-3, -1, 0, 0.5, 3], weights=w)[0], rtol=1e-12)
    np.testing.assert_allclose(got["hd"], np.histogram(x, 17, (-2, 2), density=True)[0], rtol=1e-12)
    assert_same(got["b"], np.bincount(k, minlength=40), "bincount")
    np.testing.assert_allclose(got["bw"], np.bincount(k, w, 40), rtol=1e-12)
    assert_same(got["top"], np.sort(x)[::-1][:9], "topk")
    assert_same(got["low"], np.sort(x)[:9], "topk of the smallest")
    assert_same(got["u"], np.unique(k), "unique")
    assert_same(got["d"], np.digitize(x, [-1, 0, 1]), "digitize")
