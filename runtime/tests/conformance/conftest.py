"""Runs graph documents through the binary and reads what comes out, to compare it with numpy and Dask."""

import json
import os
import pathlib
import subprocess

import numpy as np
import pytest

BINARY = os.environ.get("DASK_RUNTIME", "dask-runtime")

DTYPES = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float32", "float64", "complex64", "complex128",
]  # fmt: skip


class Engine:
    """The binary, working in a folder of its own."""

    def __init__(self, folder: pathlib.Path) -> None:
        """Work in `folder`."""
        self.folder = folder

    def call(self, *args: str, timeout: float = 120) -> subprocess.CompletedProcess:
        """Call the binary with these arguments."""
        return subprocess.run([BINARY, *args], cwd=self.folder, capture_output=True, text=True, timeout=timeout)

    def document(self, arrays: dict, outputs: dict, **more: object) -> str:
        """Write a graph document and return its name."""
        text = json.dumps({"version": 1, "arrays": arrays, "outputs": outputs} | more)
        (self.folder / "graph.json").write_text(text)
        return "graph.json"

    def run(self, arrays: dict, outputs: dict, *flags: str, **more: object) -> subprocess.CompletedProcess:
        """Run a document that must succeed."""
        done = self.call("run", self.document(arrays, outputs, **more), *flags)
        assert done.returncode == 0, done.stderr
        return done

    def arrays(self, arrays: dict, names: list[str], *flags: str, **more: object) -> dict[str, np.ndarray]:
        """Run a document and return these arrays, by way of `.npy` files."""
        self.run(arrays, {name: {"npy": f"out-{name}.npy"} for name in names}, *flags, **more)
        return {name: np.load(self.folder / f"out-{name}.npy") for name in names}

    def source(self, name: str, array: np.ndarray, chunks: object) -> dict:
        """Save an array and return the source object that reads it in these chunks."""
        np.save(self.folder / f"{name}.npy", array)
        return {"npy": {"path": f"{name}.npy", "chunks": chunks}}


@pytest.fixture
def engine(tmp_path: pathlib.Path) -> Engine:
    """The binary in an empty folder."""
    return Engine(tmp_path)


def random_chunks(rng: np.random.Generator, shape: tuple[int, ...]) -> list[list[int]]:
    """Irregular chunk sizes that add up to a shape."""
    chunks = []
    for n in shape:
        sizes = []
        while sum(sizes) < n:
            sizes.append(int(rng.integers(1, max(2, n // 2 + 1))))
            sizes[-1] -= max(0, sum(sizes) - n)
        chunks.append(sizes or [0])
    return chunks


def random_array(rng: np.random.Generator, dtype: str, shape: tuple[int, ...], *, special: bool = False) -> np.ndarray:
    """Values that reach a dtype's corners; `special` adds zeros of both signs, infinities and NaN to floats."""
    kind = np.dtype(dtype).kind
    if kind == "b":
        return rng.random(shape) > 0.5
    if kind in "iu":
        info = np.iinfo(dtype)
        small = rng.integers(max(info.min, -20), 21, shape).astype(dtype)
        if not special:
            return small
        corners = np.array([info.min, info.max, 0, 1, info.max - 1], dtype)
        return np.where(rng.random(shape) < 0.1, rng.choice(corners, shape), small).astype(dtype)
    scale = rng.choice([0.01, 1.0, 10.0, 100.0], shape)
    values = rng.standard_normal(shape) * scale
    if kind == "c":
        values = values + 1j * rng.standard_normal(shape) * scale
    if special:
        corners = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 0.5, 1e-30, 1e30])
        if kind == "c":
            # Which complex infinity a product of infinities is differs between C libraries.
            corners = np.array([0.0, 1.0, -1.0, 1j, -1j, 0.5])
        values = np.where(rng.random(shape) < 0.15, rng.choice(corners, shape), values)
    return values.astype(dtype)


def assert_same(got: np.ndarray, want: np.ndarray, what: str) -> None:
    """Equal in dtype, shape and bytes, but for the payload of NaN."""
    assert got.dtype == want.dtype, f"{what}: dtype {got.dtype}, numpy {want.dtype}"
    assert got.shape == want.shape, f"{what}: shape {got.shape}, numpy {want.shape}"
    np.testing.assert_array_equal(got, want, err_msg=what)


def assert_close(got: np.ndarray, want: np.ndarray, what: str, ulps: float = 4) -> None:
    """Equal in dtype and shape, floats within so many units in the last place, everything else exact."""
    if want.dtype.kind not in "fc":
        assert_same(got, want, what)
        return
    assert got.dtype == want.dtype, f"{what}: dtype {got.dtype}, numpy {want.dtype}"
    assert got.shape == want.shape, f"{what}: shape {got.shape}, numpy {want.shape}"
    finite = np.isfinite(want)
    np.testing.assert_array_equal(got[~finite], want[~finite], err_msg=what)
    got, want = got[finite], want[finite]
    with np.errstate(all="ignore"):
        unit = np.spacing(np.abs(want))
        off = np.abs(got - want) / unit
    worst = off.max(initial=0)
    assert worst <= ulps, f"{what}: {worst} ulp off, {got[off.argmax()]!r} instead of {want[off.argmax()]!r}"


def assert_reduced(got: np.ndarray, want: np.ndarray, what: str, n: int, scale: float) -> None:
    """Reductions: 1e-12 of the magnitude for float64, the square root of the length times epsilon for the rest."""
    if want.dtype.kind not in "fc":
        assert_same(got, want, what)
        return
    assert got.dtype == want.dtype, f"{what}: dtype {got.dtype}, numpy {want.dtype}"
    assert got.shape == want.shape, f"{what}: shape {got.shape}, numpy {want.shape}"
    wide = want.dtype in (np.float64, np.complex128)
    relative = 1e-12 if wide else np.finfo(np.float32).eps * 4 * max(n, 1) ** 0.5
    np.testing.assert_allclose(got, want, rtol=relative, atol=relative * scale, err_msg=what)
