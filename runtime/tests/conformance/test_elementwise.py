"""Every ufunc on every dtype, against numpy."""

import numpy as np
import pytest
from conftest import DTYPES, Engine, assert_close, assert_same, random_array, random_chunks

UNARY = [
    "negative", "positive", "absolute", "fabs", "invert", "logical_not", "sign", "rint", "floor", "ceil",
    "trunc", "sqrt", "cbrt", "square", "reciprocal", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p",
    "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh",
    "deg2rad", "rad2deg", "isnan", "isinf", "isfinite", "signbit", "spacing", "conjugate", "real", "imag",
    "angle", "bitwise_count",
]  # fmt: skip
BINARY = [
    "add", "subtract", "multiply", "divide", "floor_divide", "remainder", "fmod", "power", "float_power",
    "maximum", "minimum", "fmax", "fmin", "arctan2", "hypot", "logaddexp", "logaddexp2", "copysign",
    "nextafter", "ldexp", "heaviside", "gcd", "lcm", "bitwise_and", "bitwise_or", "bitwise_xor", "left_shift",
    "right_shift", "logical_and", "logical_or", "logical_xor", "equal", "not_equal", "less", "less_equal",
    "greater", "greater_equal",
]  # fmt: skip
# Complex transcendentals are composed of several functions in numpy too, each rounded.
COMPLEX_ULPS = 16


def numpy_result(name: str, *operands: np.ndarray) -> np.ndarray | None:
    """What numpy gives; `None` where it refuses, or where the result has a dtype that the engine does not have."""
    try:
        with np.errstate(all="ignore"):
            result = np.asarray(getattr(np, name)(*operands))
    except (TypeError, ValueError):
        return None
    return result if result.dtype.name in DTYPES else None


def compare(got: np.ndarray, want: np.ndarray, what: str) -> None:
    """Floats to 4 ulp; complex numbers to some of their magnitude or of one, where terms of that size cancel."""
    if want.dtype.kind != "c":
        assert_close(got, want, what)
        return
    assert got.dtype == want.dtype, what
    finite = np.isfinite(want)
    np.testing.assert_array_equal(got[~finite], want[~finite], err_msg=what)
    tolerance = COMPLEX_ULPS * np.finfo(want.dtype).eps
    np.testing.assert_allclose(got[finite], want[finite], rtol=tolerance, atol=tolerance, err_msg=what)


@pytest.mark.parametrize("dtype", DTYPES)
def test_unary(engine: Engine, dtype: str) -> None:
    """Functions of one argument."""
    rng = np.random.default_rng(DTYPES.index(dtype))
    x = random_array(rng, dtype, (23, 37), special=True)
    if x.dtype.kind == "c":
        # Exponentials of large numbers turn a rounding of the exponent into many digits.
        x[np.abs(x) > 10] = 1
    want = {name: w for name in UNARY if (w := numpy_result(name, x)) is not None}
    arrays = {"x": engine.source("x", x, random_chunks(rng, x.shape))}
    got = engine.arrays(arrays | {f"r_{n}": f"{n}(x)" for n in want}, [f"r_{n}" for n in want])
    for name, w in want.items():
        compare(got[f"r_{name}"], w, f"{name}({dtype})")


@pytest.mark.parametrize("right", DTYPES)
@pytest.mark.parametrize("left", DTYPES)
def test_binary(engine: Engine, left: str, right: str) -> None:
    """Functions of two arguments, broadcast, for every pair of dtypes."""
    rng = np.random.default_rng([DTYPES.index(left), DTYPES.index(right)])
    a = random_array(rng, left, (9, 31), special=True)
    b = random_array(rng, right, (9, 1) if rng.random() < 0.3 else (31,), special=True)
    want, operands = {}, {}
    for name in BINARY:
        pair = suited(name, a, b)
        if (w := numpy_result(name, *pair)) is not None:
            want[name], operands[name] = w, pair
    chunks = [random_chunks(rng, a.shape), random_chunks(rng, b.shape)]
    arrays: dict = {}
    for name, pair in operands.items():
        for i, side in enumerate("ab"):
            arrays[f"{side}_{name}"] = engine.source(f"{side}_{name}", pair[i], chunks[i])
        arrays[f"r_{name}"] = f"{name}(a_{name}, b_{name})"
    got = engine.arrays(arrays, [f"r_{n}" for n in want])
    for name, w in want.items():
        compare(got[f"r_{name}"], w, f"{name}({left}, {right})")


def suited(name: str, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Operands on which the function is defined, and not so ill-conditioned that numpy's own digits are noise."""
    if name == "power" and b.dtype.kind == "i":
        b = np.where(b < 0, 1, b).astype(b.dtype)
    if name in ("power", "float_power") and "c" in (a.dtype.kind, b.dtype.kind):
        a, b = (np.where(np.abs(x.astype(complex)) < 4, x, 2).astype(x.dtype) for x in (a, b))
    if name.startswith("logaddexp"):
        a, b = (np.abs(x).astype(x.dtype) for x in (a, b))
    return a, b


def test_integers_are_compared_exactly(engine: Engine) -> None:
    """Signed with unsigned, and with Python integers that no dtype holds: what float64 cannot tell apart."""
    edges = [-(2**63), -(2**62) - 1, -1, 0, 1, 2**53, 2**53 + 1, 2**62, 2**63 - 1]
    unsigned = [0, 1, 2**53, 2**53 + 1, 2**62, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1]
    operands = {
        "q": np.array(edges, "int64"), "b": np.arange(-4, 5, dtype="int8"), "u": np.array(unsigned, "uint64"),
        "f": np.array(edges, "float32"),
    }  # fmt: skip
    columns = {"u": operands["u"][:, np.newaxis]}
    source = {n: engine.source(n, x, 4) for n, x in operands.items()} | {"c": "u[:, None]"}
    want = {}
    for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
        f = getattr(np, name)
        for signed in "qb":
            want[f"{name}(c, {signed})"] = f(columns["u"], operands[signed])
            want[f"{name}({signed}, c)"] = f(operands[signed], columns["u"])
        for n in "qbuf":
            for beyond in (2**70, -(2**70), 2**63, -1):
                want[f"{name}({n}, {beyond})"] = f(operands[n], beyond)
                want[f"{name}({beyond}, {n})"] = f(beyond, operands[n])
    want["q < 2**64"] = operands["q"] < 2**64
    keys = {f"r{i}": text for i, text in enumerate(want)}
    got = engine.arrays(source | keys, list(keys))
    for key, text in keys.items():
        assert_same(got[key], want[text], text)


@pytest.mark.parametrize("dtype", DTYPES)
def test_casts(engine: Engine, dtype: str) -> None:
    """`astype` to every dtype, of values that both can hold."""
    rng = np.random.default_rng(7)
    x = np.abs(random_array(rng, dtype, (40,)))
    x = np.where(x > 100, 100, x).astype(dtype)
    arrays: dict = {"x": engine.source("x", x, 7)}
    targets = [t for t in DTYPES if not (x.dtype.kind == "c" and np.dtype(t).kind not in "cb")]
    got = engine.arrays(arrays | {f"as_{t}": f"x.astype('{t}')" for t in targets}, [f"as_{t}" for t in targets])
    for t in targets:
        assert_same(got[f"as_{t}"], x.astype(t), f"{dtype} as {t}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_python_numbers_are_weak(engine: Engine, dtype: str) -> None:
    """NEP 50: a Python number takes the array's dtype where its kind allows."""
    rng = np.random.default_rng(11)
    x = random_array(rng, dtype, (4, 17))
    formulas = ["x + 1", "2 * x", "x * 1.5", "x + 2j", "x == 1", "where(x == 0, 1, x)", "x / 2", "maximum(x, 1)"]
    if x.dtype.kind in "iub":
        formulas += ["x // 2", "x % 3"]
    if x.dtype.kind != "c":
        formulas += ["x < 0.5", "clip(x, 0, 1)", "1 - x * 1"]
    got = engine.arrays(
        {"x": engine.source("x", x, random_chunks(rng, x.shape))} | {f"r{i}": f for i, f in enumerate(formulas)},
        [f"r{i}" for i in range(len(formulas))],
    )
    names = {"x": x, "where": np.where, "maximum": np.maximum, "clip": np.clip}
    for i, formula in enumerate(formulas):
        assert_close(got[f"r{i}"], np.asarray(eval(formula, names)), f"{formula} of {dtype}")


@pytest.mark.parametrize("seed", range(6))
def test_chains(engine: Engine, seed: int) -> None:
    """Fused chains over transposed, sliced and broadcast operands."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 90))
    x = random_array(rng, "float64", (n, n))
    v = random_array(rng, rng.choice(["float32", "int32", "float64"]), (n,))
    formulas = [
        "(x + x.T) * 2 - v",
        "where(x > 0.5, exp(-x * x), 0)",
        "(x - x.mean(axis=0)) / x.std(axis=0)",
        "sqrt(abs(x[::2, -3:])) + v[-3:]",
        "x[::-1].T + v[:, None] - x",
        "round(x, 2) + floor(x) % 3",
        "(x > 0) & (x.T > 0) | ~(x < v)",
    ]
    got = engine.arrays(
        {
            "x": engine.source("x", x, random_chunks(rng, x.shape)),
            "v": engine.source("v", v, random_chunks(rng, v.shape)),
        }
        | {f"r{i}": f for i, f in enumerate(formulas)},
        [f"r{i}" for i in range(len(formulas))],
    )
    names = {name: getattr(np, name) for name in ("where", "exp", "sqrt", "abs", "round", "floor")} | {"x": x, "v": v}
    for i, formula in enumerate(formulas):
        want = np.asarray(eval(formula, names))
        if want.dtype.kind == "f":
            assert got[f"r{i}"].dtype == want.dtype
            np.testing.assert_allclose(got[f"r{i}"], want, rtol=1e-11, atol=1e-11, err_msg=formula)
        else:
            assert_same(got[f"r{i}"], want, formula)


def test_refusals_name_the_operator(engine: Engine) -> None:
    """What numpy refuses is refused before any work, by name."""
    for formula, words in [
        ("~x", ["invert", "float64"]),
        ("x & 1", ["bitwise_and", "float64"]),
        ("b - b", ["subtract", "bool"]),
        ("x + zeros((3, 4))", ["broadcast"]),
    ]:
        arrays = {"x": {"ones": {"shape": [5], "chunks": 2}}, "b": "x > 0", "y": formula}
        done = engine.call("run", engine.document(arrays, {"y": "print"}))
        assert done.returncode == 2, (formula, done.stdout, done.stderr)
        for word in [*words, "graph.json", "y"]:
            assert word in done.stderr, (formula, done.stderr)
