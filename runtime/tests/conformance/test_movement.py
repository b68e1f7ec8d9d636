"""Everything that moves elements without changing them, against numpy: exact."""

import numpy as np
import pytest
from conftest import DTYPES, Engine, assert_same, random_array, random_chunks

FUNCTIONS = [
    "transpose", "reshape", "flip", "roll", "squeeze", "expand_dims", "broadcast_to", "concatenate", "stack", "block",
    "repeat", "diagonal", "tril", "triu", "ravel", "swapaxes", "moveaxis", "arange", "eye", "ones", "zeros", "where",
]  # fmt: skip
NAMES = {name: getattr(np, name) for name in FUNCTIONS}


def compare(engine: Engine, sources: dict[str, np.ndarray], formulas: list[str], rng: np.random.Generator) -> None:
    """Run formulas over sources in random chunks; each must equal what Python evaluates with numpy."""
    arrays = {n: engine.source(n, a, random_chunks(rng, a.shape)) for n, a in sources.items()}
    keys = {f"r{i}": f for i, f in enumerate(formulas)}
    got = engine.arrays(arrays | keys, list(keys))
    for key, f in keys.items():
        assert_same(got[key], np.asarray(eval(f, NAMES | sources)), f"{f} with {arrays}")


def random_slice(rng: np.random.Generator, n: int) -> str:
    """A slice, an integer, or a list of integers, as numpy writes it."""
    kind = rng.integers(6)
    if kind == 0 and n:
        return str(int(rng.integers(-n, n)))
    if kind == 1:
        return ":"
    bounds = [int(b) for b in rng.integers(-n - 2, n + 3, 2)]
    step = int(rng.choice([1, 1, 2, 3, -1, -2]))
    start, stop = ("" if rng.random() < 0.3 else str(b) for b in bounds)
    return f"{start}:{stop}:{step}"


@pytest.mark.parametrize("seed", range(8))
def test_basic_indexing(engine: Engine, seed: int) -> None:
    """Basic, strided and negative indices, new axes and ellipses."""
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(1, 20, 3))
    x = random_array(rng, str(rng.choice(DTYPES)), shape)
    formulas = [f"x[{', '.join(random_slice(rng, n) for n in shape)}]" for _ in range(12)]
    formulas += ["x[None, ..., 0]", "x[..., None]", "x[-1]", "x[:, ::-1][::2]", "x[1:0]", "x[...]"]
    compare(engine, {"x": x}, formulas, rng)


@pytest.mark.parametrize("seed", range(6))
def test_fancy_and_boolean_indexing(engine: Engine, seed: int) -> None:
    """Lists of integers along one axis, masks along one or all axes."""
    rng = np.random.default_rng(seed)
    n, m = (int(k) for k in rng.integers(5, 30, 2))
    x = random_array(rng, str(rng.choice(DTYPES)), (n, m))
    picks = [int(i) for i in rng.integers(-n, n, 9)]
    mask = [bool(b) for b in rng.random(m) < 0.5]
    formulas = [f"x[{picks}]", f"x[:, {sorted(p % m for p in picks)}]", f"x[{picks}, ::2]", f"x[::-1, {mask}]"]
    formulas += ["x[x != 0]", "x[k]", "x[v > 0]", "x[:, w]"]
    sources = {
        "x": x,
        "k": rng.integers(0, n, 13),
        "v": random_array(rng, "float64", (n,)),
        "w": rng.random(m) < 0.4,
    }
    compare(engine, sources, formulas, rng)


@pytest.mark.parametrize("seed", range(8))
def test_shapes(engine: Engine, seed: int) -> None:
    """Reshape, transpose, roll and their relatives."""
    rng = np.random.default_rng(seed)
    a, b, c = (int(k) for k in rng.integers(1, 9, 3))
    x = random_array(rng, str(rng.choice(DTYPES)), (a, b, c))
    y = random_array(rng, str(x.dtype), (a, b, c))
    formulas = [
        f"reshape(x, ({a * b}, {c}))",
        f"reshape(x, ({a}, {b * c}))",
        f"x.reshape({c}, -1)",
        "ravel(x)",
        "transpose(x)",
        "transpose(x, (1, 0, 2))",
        "swapaxes(x, 0, -1)",
        "moveaxis(x, 0, 2)",
        "flip(x)",
        "flip(x, (0, 2))",
        "roll(x, 3)",
        "roll(x, -2, 1)",
        "roll(x, (1, 5), (0, 2))",
        "expand_dims(x, (0, 2))",
        "squeeze(x[:, :1], 1)",
        f"broadcast_to(x[:, :, None], ({a}, {b}, 3, {c}))",
        f"broadcast_to(x, (2, {a}, {b}, {c}))",
        "concatenate([x, y, x], 1)",
        "concatenate([x, y])",
        "stack([x, y], -1)",
        "block([[x, y], [y, x]])",
        "repeat(x, 3, 1)",
        "diagonal(x[0])",
        "tril(x[0], 1)",
        "triu(x[0], -1)",
    ]
    compare(engine, {"x": x, "y": y}, formulas, rng)


@pytest.mark.parametrize("seed", range(6))
def test_rechunk(engine: Engine, seed: int) -> None:
    """Any chunking to any other gives the same array."""
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(1, 60, 2))
    x = random_array(rng, "float32", shape)
    arrays: dict = {"x": engine.source("x", x, random_chunks(rng, shape))}
    for i in range(4):
        arrays[f"r{i}"] = f"rechunk(x, {random_chunks(rng, shape)})"
    arrays["r4"] = "rechunk(rechunk(x, (-1, 1)), (1, -1))"
    for name, got in engine.arrays(arrays, [f"r{i}" for i in range(5)]).items():
        assert_same(got, x, f"{name}: {arrays[name]}")


def test_creation(engine: Engine) -> None:
    """Sources of known values."""
    arrays = {
        "a": {"arange": {"start": -3, "stop": 40, "step": 4, "chunks": 3}},
        "f": {"arange": {"start": 0.5, "stop": 3.25, "step": 0.1, "chunks": 5}},
        "l": {"linspace": {"start": 1, "stop": 7, "num": 23, "chunks": 6}},
        "diag": {"eye": {"shape": [9, 12], "k": -2, "chunks": [4, 5]}},
        "z": {"full": {"shape": [3, 4], "fill_value": 2.5, "dtype": "float32", "chunks": 2}},
        "d": {"data": {"values": [[1, 2], [3, 4]], "dtype": "uint8"}},
    }
    got = engine.arrays(arrays, list(arrays))
    assert_same(got["a"], np.arange(-3, 40, 4), "arange")
    np.testing.assert_allclose(got["f"], np.arange(0.5, 3.25, 0.1), rtol=1e-15)
    np.testing.assert_allclose(got["l"], np.linspace(1, 7, 23), rtol=1e-15)
    assert_same(got["diag"], np.eye(9, 12, -2), "eye")
    assert_same(got["z"], np.full((3, 4), 2.5, "float32"), "full")
    assert_same(got["d"], np.array([[1, 2], [3, 4]], "uint8"), "data")


@pytest.mark.parametrize("mode", ["symmetric", "edge", "wrap", "none", 7])
def test_map_overlap(engine: Engine, mode: object) -> None:
    """A stencil across chunk borders, against `dask.array.overlap`."""
    import dask.array as da

    rng = np.random.default_rng(3)
    x = rng.standard_normal((20, 31))
    chunks = [[6, 8, 6], [10, 11, 10]]

    def smooth(a: np.ndarray) -> np.ndarray:
        return (np.roll(a, 1, 0) + a * 2 + np.roll(a, -1, 1)) / 4

    # The document takes the names of `numpy.pad`.
    dask_name = {"symmetric": "reflect", "edge": "nearest", "wrap": "periodic"}.get(mode, mode)
    want = da.map_overlap(
        smooth, da.from_array(x, chunks=tuple(map(tuple, chunks))), depth=2, boundary=dask_name, dtype=float
    ).compute()
    boundary = mode if isinstance(mode, int) else f"'{mode}'"
    got = engine.arrays(
        {"x": engine.source("x", x, chunks), "y": f"map_overlap(smooth, x, depth=2, boundary={boundary})"},
        ["y"],
        functions={"smooth(a)": "(roll(a, 1, 0) + a * 2 + roll(a, -1, 1)) / 4"},
    )
    np.testing.assert_allclose(got["y"], want, rtol=1e-14)
