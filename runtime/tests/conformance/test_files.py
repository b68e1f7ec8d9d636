"""What numpy and zarr-python write is read right, and what the engine writes they read."""

import json
import shutil

import numpy as np
import pytest
import zarr
from conftest import DTYPES, Engine, assert_same, random_array
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec, TransposeCodec, ZstdCodec


@pytest.mark.parametrize("dtype", DTYPES)
def test_npy(engine: Engine, dtype: str) -> None:
    """C and Fortran order, both byte orders, several chunkings."""
    x = random_array(np.random.default_rng(0), dtype, (13, 9))
    variants = {"c": x, "f": np.asfortranarray(x), "big": x.astype(x.dtype.newbyteorder(">"))}
    arrays = {f"{n}{i}": engine.source(f"{n}{i}", a, c) for n, a in variants.items() for i, c in enumerate([4, -1])}
    for name, got in engine.arrays(arrays, list(arrays)).items():
        assert_same(got, x, f"{name} of {dtype}")


def test_raw(engine: Engine) -> None:
    """Elements without a header."""
    x = np.arange(60, dtype=">i4").reshape(6, 10)
    (engine.folder / "x.bin").write_bytes(b"header--" + x.tobytes("F"))
    spec = {"path": "x.bin", "dtype": "int32", "shape": [6, 10], "offset": 8, "order": "F", "byteorder": "big"}
    got = engine.arrays({"x": {"raw": spec | {"chunks": [4, 3]}}}, ["x"])
    assert_same(got["x"], x.astype("int32"), "raw")


V2 = {
    "plain": {"compressor": None},
    "zlib": {"compressor": {"id": "zlib", "level": 3}},
    "gzip": {"compressor": {"id": "gzip", "level": 3}},
    "bz2": {"compressor": {"id": "bz2", "level": 3}},
    "zstd": {"compressor": {"id": "zstd", "level": 3}},
    "blosc": {"compressor": {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1}},
    "fortran": {"compressor": {"id": "zstd", "level": 1}, "order": "F"},
}


@pytest.mark.parametrize("dtype", ["bool", "int16", "float32", "float64", "complex128", ">f8", ">i4"])
@pytest.mark.parametrize("variant", V2)
def test_zarr_v2(engine: Engine, variant: str, dtype: str) -> None:
    """Version 2: codecs, order, byte order."""
    import numcodecs

    x = random_array(np.random.default_rng(0), np.dtype(dtype).newbyteorder("=").name, (13, 9)).astype(dtype)
    options = dict(V2[variant])
    codec = options.pop("compressor")
    store = zarr.create_array(
        engine.folder / "x.zarr",
        shape=x.shape,
        chunks=(5, 4),
        dtype=dtype,
        zarr_format=2,
        compressors=None if codec is None else numcodecs.get_codec(codec),
        **options,
    )
    store[:] = x
    native = x.astype(x.dtype.newbyteorder("="))
    got = engine.arrays(
        {"a": {"zarr": {"path": "x.zarr"}}, "b": {"zarr": {"path": "x.zarr", "chunks": [6, 9]}}}, ["a", "b"]
    )
    assert_same(got["a"], native, variant)
    assert_same(got["b"], native, variant)


V3 = {
    "plain": {"compressors": None},
    "blosc": {"compressors": BloscCodec(cname="zstd", clevel=3)},
    "zstd": {"compressors": ZstdCodec(level=3)},
    "gzip": {"compressors": GzipCodec(level=3)},
    "big": {"serializer": BytesCodec(endian="big"), "compressors": None},
    "transposed": {"filters": [TransposeCodec(order=(1, 0))]},
    "sharded": {"shards": (10, 8), "compressors": ZstdCodec()},
}


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64", "complex64"])
@pytest.mark.parametrize("variant", V3)
def test_zarr_v3(engine: Engine, variant: str, dtype: str) -> None:
    """Version 3: codecs, sharding, byte order."""
    x = random_array(np.random.default_rng(0), dtype, (13, 9))
    store = zarr.create_array(engine.folder / "x.zarr", shape=x.shape, chunks=(5, 4), dtype=dtype, **V3[variant])
    store[:] = x
    got = engine.arrays(
        {"a": {"zarr": {"path": "x.zarr"}}, "b": {"zarr": {"path": "x.zarr", "chunks": [6, 9]}}}, ["a", "b"]
    )
    assert_same(got["a"], x, variant)
    assert_same(got["b"], x, variant)


@pytest.mark.parametrize("version", [2, 3])
def test_missing_chunks_are_fill_values(engine: Engine, version: int) -> None:
    """A store whose chunks were never written."""
    store = zarr.create_array(
        engine.folder / "x.zarr", shape=(10, 10), chunks=(4, 4), dtype="float64", fill_value=2.5, zarr_format=version
    )
    store[:4, :4] = 1
    got = engine.arrays({"x": {"zarr": {"path": "x.zarr"}}}, ["x"])
    assert_same(got["x"], store[:], "fill values")


@pytest.mark.parametrize("dtype", DTYPES)
def test_zarr_output(engine: Engine, dtype: str) -> None:
    """What the engine writes, zarr-python reads."""
    x = random_array(np.random.default_rng(1), dtype, (17, 11))
    engine.run({"x": engine.source("x", x, [5, 4])}, {"x": {"zarr": "out.zarr"}})
    got = zarr.open_array(engine.folder / "out.zarr", mode="r")
    assert got.dtype == x.dtype
    assert_same(got[:], x, "zarr")


def test_json_output(engine: Engine) -> None:
    """Scalars as JSON, on a file and in the one object of `--json`."""
    done = engine.run(
        {"x": {"arange": {"stop": 10, "chunks": 3}}, "s": "x.sum()", "m": "x.mean()"},
        {"s": "json", "m": {"json": "m.json"}},
        "--json",
    )
    report = json.loads(done.stdout)
    assert report["outputs"]["s"] == {"json": 45}
    assert json.loads((engine.folder / "m.json").read_text()) == 4.5
    assert report["tasks"] >= 4
    assert report["seconds"] > 0


def refused(engine: Engine, source: dict, *words: str) -> None:
    """A source that must be refused before any work, with these words."""
    done = engine.call("run", engine.document({"x": source, "s": "x.sum()"}, {"s": "print"}), timeout=20)
    assert done.returncode == 2, (done.stdout, done.stderr)
    for word in words:
        assert word in done.stderr, done.stderr


def test_what_cannot_be_read_is_named(engine: Engine) -> None:
    """Unknown codecs, dtypes and missing metadata."""
    np.save(engine.folder / "o.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    refused(engine, {"npy": {"path": "o.npy"}}, "o.npy", "object")
    np.save(engine.folder / "h.npy", np.zeros(3, "float16"))
    refused(engine, {"npy": {"path": "h.npy"}}, "h.npy", "float16")
    good = np.zeros(1000)
    np.save(engine.folder / "t.npy", good)
    data = (engine.folder / "t.npy").read_bytes()
    (engine.folder / "t.npy").write_bytes(data[:500])
    refused(engine, {"npy": {"path": "t.npy"}}, "t.npy")
    refused(engine, {"npy": {"path": "none.npy"}}, "none.npy")
    (engine.folder / "empty.zarr").mkdir()
    refused(engine, {"zarr": {"path": "empty.zarr"}}, "empty.zarr", "zarr.json", ".zarray")
    refused(engine, {"npy": {"path": "../outside.npy"}}, "..")
    zarr.create_array(engine.folder / "z.zarr", shape=(4,), chunks=(2,), dtype="float64", zarr_format=2)
    meta = json.loads((engine.folder / "z.zarr/.zarray").read_text())
    meta["compressor"] = {"id": "lzma", "preset": 1}
    (engine.folder / "z.zarr/.zarray").write_text(json.dumps(meta))
    refused(engine, {"zarr": {"path": "z.zarr"}}, "z.zarr", "lzma")


def test_links_out_of_the_data_folder_are_refused(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A symbolic link is no way around `--data-dir`."""
    outside = tmp_path_factory.mktemp("outside")
    np.save(outside / "x.npy", np.zeros(3))
    (engine.folder / "link.npy").symlink_to(outside / "x.npy")
    refused(engine, {"npy": {"path": "link.npy"}}, "link.npy", "--data-dir")
    absolute = str(outside / "x.npy")
    refused(engine, {"npy": {"path": absolute}}, absolute, "--data-dir")
    document = engine.document({"x": {"npy": {"path": absolute}}, "s": "x.sum()"}, {"s": "print"})
    done = engine.call("run", document, "--data-dir", str(engine.folder), "--data-dir", str(outside))
    assert done.returncode == 0, done.stderr
    shutil.rmtree(outside)
