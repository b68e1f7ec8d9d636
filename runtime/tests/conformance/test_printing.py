"""The terminal shows what `print()` of the numpy array shows, byte for byte."""

import numpy as np
import pytest
from conftest import DTYPES, Engine, random_array

SHAPES = [(), (1,), (7,), (30,), (1200,), (3, 4), (2, 3, 4), (40, 50), (0,), (3, 0), (1001, 1), (8, 9, 20), (500, 2)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_printing(engine: Engine, dtype: str) -> None:
    """Every dtype over shapes that are shown whole and shapes that are summarised."""
    rng = np.random.default_rng(DTYPES.index(dtype))
    for i, shape in enumerate(SHAPES):
        x = random_array(rng, dtype, shape, special=bool(i % 2))
        chunks = [max(1, (n + 2) // 3) for n in shape] if shape and 0 not in shape else -1
        done = engine.run({"x": engine.source("x", x, chunks)}, {"x": "print"})
        assert done.stdout.endswith(f"{x!s}\n"), f"{dtype}{shape}:\n{done.stdout}\ninstead of\n{x!s}"


@pytest.mark.parametrize("shape", [(2000,), (3000, 2), (600, 5), (300, 9, 4), (40, 3), (2001,)])
def test_unknown_sizes(engine: Engine, shape: tuple[int, ...]) -> None:
    """What a boolean index leaves is summarised too, once it is known to be large."""
    rng = np.random.default_rng(shape[0])
    for dtype in ("int64", "float64", "complex64"):
        x = random_array(rng, dtype, shape)
        keep = rng.random(shape[0]) < 0.6
        arrays = {"x": engine.source("x", x, 170), "keep": engine.source("keep", keep, 170), "y": "x[keep]"}
        done = engine.run(arrays, {"y": "print"})
        assert done.stdout.endswith(f"{x[keep]!s}\n"), f"{dtype}{shape}:\n{done.stdout}\ninstead of\n{x[keep]!s}"


@pytest.mark.parametrize("seed", range(4))
def test_number_formats(engine: Engine, seed: int) -> None:
    """Magnitudes that change the format: exponents, padding, trailing zeros."""
    rng = np.random.default_rng(seed)
    x = rng.choice([1.0, 0.1, 1 / 3, 2.5e-5, 123456.789, 1e16, 1e8, 3.0, 1e-300, 0.0, np.nan, np.inf], 12)
    arrays, outputs = {}, {}
    for i in range(1, 12):
        arrays[f"x{i}"] = engine.source(f"x{i}", x[:i] * rng.choice([1, -1], i), 5)
        outputs[f"x{i}"] = "print"
    done = engine.run(arrays, outputs)
    for i in range(1, 12):
        assert str(np.load(engine.folder / f"x{i}.npy")) in done.stdout
