"""Writes arrays with numpy and zarr-python, and `manifest.json`, which says what a reader must find.

    python make_files.py FOLDER          everything
    python make_files.py FOLDER --few    the small selection that is committed in `files/arrays`

Element k (counted in C order) of each array is `values(dtype, n)[k]`; the reader computes the same.
"""

import json
import sys
from pathlib import Path

import numcodecs
import numpy as np
import zarr
import zarr.codecs
import zarr.storage
from elements import DTYPES, values

root = Path(sys.argv[1])
few = "--few" in sys.argv
root.mkdir(parents=True, exist_ok=True)
manifest = []


def make(dtype, shape):
    return values(dtype, int(np.prod(shape))).reshape(shape)


def note(path, fmt, x, chunks=None, **more):
    manifest.append(
        {
            "path": path,
            "format": fmt,
            "dtype": x.dtype.newbyteorder("=").name,
            "shape": x.shape,
            "chunks": chunks,
            **more,
        }
    )


def refuse(path, fmt, hint):
    manifest.append({"path": path, "format": fmt, "error": hint})


def npy(path, x, version=None):
    with open(root / path, "wb") as f:
        np.lib.format.write_array(f, x, version=version)
    note(path, "npy", x)


def fill(z, x):
    z[...] = x


def v2(path, dtype, shape, chunks, **options):
    x = make(dtype, shape)
    options.setdefault("compressor", None)
    missing = options.pop("missing", False)
    z = zarr.create_array(
        root / path,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        zarr_format=2,
        compressors=options.pop("compressor"),
        **options,
    )
    if not missing:
        fill(z, x)
    note(path, "zarr", x, chunks, **({"fill": options.get("fill_value") or 0} if missing else {}))


def v3(path, dtype, shape, chunks, shards=None, missing=False, **options):
    x = make(dtype, shape)
    z = zarr.create_array(root / path, shape=shape, chunks=chunks, shards=shards, dtype=dtype, zarr_format=3, **options)
    if not missing:
        fill(z, x)
    note(path, "zarr", x, shards or chunks, **({"fill": options.get("fill_value") or 0} if missing else {}))


# --- .npy ---------------------------------------------------------------------------------------------------------
npy("c.npy", make("float64", (5, 4)))
npy("fortran-big.npy", np.asfortranarray(make(">i4", (3, 4, 5))))
npy("bool.npy", make("bool", (7,)))
if not few:
    for dtype in DTYPES:
        for order in "<>":
            name = np.dtype(dtype).newbyteorder(order)
            npy(f"{dtype}-{'big' if order == '>' else 'little'}.npy", make(name, (6, 5)))
            npy(f"{dtype}-{'big' if order == '>' else 'little'}-f.npy", np.asfortranarray(make(name, (4, 3, 2))))
    npy("scalar.npy", make("float32", ()))
    npy("empty.npy", make("int16", (0, 3)))
    npy("version2.npy", make("int16", (4, 3)), version=(2, 0))
    npy("version3.npy", make("int16", (4, 3)), version=(3, 0))
    npy("large.npy", make("float64", (300, 400)))
    npy("large-f.npy", np.asfortranarray(make("float64", (300, 400))))
for name, x, hint in [
    ("object.npy", np.array([None, 1], object), "Python objects"),
    ("structured.npy", np.zeros(2, [("a", "f8"), ("b", "i4")]), "structured dtype"),
    ("text.npy", np.array(["a"]), "text"),
    ("half.npy", np.zeros(2, "f2"), "float16"),
    ("dates.npy", np.zeros(2, "M8[s]"), "dates"),
    ("longdouble.npy", np.zeros(2, np.longdouble), "long double"),
]:
    np.save(root / name, x)
    refuse(name, "npy", hint)
data = (root / "c.npy").read_bytes()
(root / "truncated.npy").write_bytes(data[:-40])
refuse("truncated.npy", "npy", "takes 288 bytes, but the file has 248")
(root / "text.txt").write_text("hello, this is not an array")
refuse("text.txt", "npy", "magic string")
refuse("c.npy", "zarr", "is not a Zarr array")

# --- Zarr ---------------------------------------------------------------------------------------------------------
blosc = numcodecs.Blosc
v2("v2-blosc", "float64", (5, 7), (3, 4), compressor=blosc("lz4"))
v2("v2-big-fortran", ">f4", (5, 7), (3, 4), order="F", compressor=numcodecs.GZip())
v3("v3-default", "int32", (5, 7), (3, 4))
v3("v3-sharded", "float64", (7, 9), (2, 3), shards=(4, 6))
v3("v3-missing", "float64", (4,), (2,), missing=True, fill_value=1.5)
if not few:
    for dtype in DTYPES:
        for order in "<>":
            name = np.dtype(dtype).newbyteorder(order)
            which = "big" if order == ">" else "little"
            v2(f"v2-{dtype}-{which}", name, (5, 7), (3, 4))
            v3(
                f"v3-{dtype}-{which}",
                dtype,
                (5, 7),
                (3, 4),
                serializer=zarr.codecs.BytesCodec(endian=which) if np.dtype(dtype).itemsize > 1 else "auto",
            )
        v2(f"v2-{dtype}-missing", dtype, (5,), (2,), missing=True, fill_value=1)
        v3(f"v3-{dtype}-missing", dtype, (5,), (2,), missing=True, fill_value=1)
    for cname in ["lz4", "lz4hc", "blosclz", "zstd", "zlib"]:
        for shuffle, word in [(0, "noshuffle"), (1, "shuffle"), (2, "bitshuffle")]:
            v2(f"v2-{cname}-{word}", "int32", (50, 70), (30, 40), compressor=blosc(cname, 5, shuffle))
            codec = zarr.codecs.BloscCodec(cname=cname, clevel=5, shuffle=word, typesize=4)
            v3(f"v3-{cname}-{word}", "int32", (50, 70), (30, 40), compressors=codec)
    for name, codec in [
        ("zstd", numcodecs.Zstd()),
        ("gzip", numcodecs.GZip()),
        ("zlib", numcodecs.Zlib()),
        ("bz2", numcodecs.BZ2()),
    ]:
        v2(f"v2-{name}", "float64", (50, 70), (30, 40), compressor=codec)
    v2("v2-null-fill", "float32", (5,), (2,), missing=True, fill_value=None)
    v2("v2-slash", "int16", (5, 7), (3, 4), chunk_key_encoding={"name": "v2", "separator": "/"})
    v2("v2-fortran-3d", "int16", (5, 6, 7), (3, 4, 5), order="F")
    v2("v2-scalar", "float64", (), ())
    for name, options in {
        "plain": {"compressors": None},
        "gzip": {"compressors": zarr.codecs.GzipCodec()},
        "crc32c": {"compressors": [zarr.codecs.ZstdCodec(), zarr.codecs.Crc32cCodec()]},
        "zlib": {"compressors": {"name": "numcodecs.zlib", "configuration": {"level": 1}}},
        "bz2": {"compressors": {"name": "numcodecs.bz2", "configuration": {"level": 1}}},
        "transposed": {"filters": zarr.codecs.TransposeCodec(order=(1, 0))},
        "v2-keys": {"chunk_key_encoding": {"name": "v2", "separator": "."}},
        "dots": {"chunk_key_encoding": {"name": "default", "separator": "."}},
    }.items():
        v3(f"v3-{name}", "float64", (50, 70), (30, 40), **options)
    v3("v3-3d-sharded-blosc", "int16", (9, 8, 7), (2, 2, 2), shards=(4, 4, 4), compressors=zarr.codecs.BloscCodec())
    v3(
        "v3-sharded-transposed",
        "int16",
        (9, 8),
        (2, 2),
        shards=(4, 4),
        filters=zarr.codecs.TransposeCodec(order=(1, 0)),
    )
    v3("v3-sharded-missing", "int16", (9, 8), (2, 2), shards=(4, 4), missing=True, fill_value=3)
    v3("v3-scalar", "complex128", (), ())
    v3("v3-one-chunk", "float32", (3, 3), (10, 10))
    z = zarr.create_array(root / "v3-partly", shape=(6,), chunks=(2,), dtype="i4", fill_value=0)
    z[:2] = values("i4", 2)
    x = values("i4", 6)
    manifest.append(
        {"path": "v3-partly", "format": "zarr", "dtype": "int32", "shape": [6], "chunks": [2], "missing_from": 2}
    )
for name, options, hint in [
    ("refused-v2-lzma", {"compressors": numcodecs.LZMA(), "zarr_format": 2}, '"lzma"'),
    ("refused-v2-filter", {"filters": numcodecs.Delta("f8"), "compressors": None, "zarr_format": 2}, '"delta"'),
    ("refused-v3-half", {"dtype": "f2"}, '"float16"'),
    ("refused-v3-dates", {"dtype": "M8[s]"}, "numpy.datetime64"),
    ("refused-v3-lz4", {"compressors": {"name": "numcodecs.lz4", "configuration": {}}}, '"numcodecs.lz4"'),
]:
    zarr.create_array(root / name, shape=(4,), chunks=(2,), **{"dtype": "f8", **options})
    refuse(name, "zarr", hint)
group = zarr.open_group(root / "group", mode="w")
group.create_array("inner/x", shape=(4,), chunks=(2,), dtype="i2")[:] = values("i2", 4)
note("group/inner/x", "zarr", values("i2", 4), (2,))
refuse("group", "zarr", "inner/x")
(root / "folder").mkdir()
(root / "folder" / "nothing").write_text("here")
refuse("folder", "zarr", "neither zarr.json (version 3) nor .zarray (version 2)")

(root / "manifest.json").write_text("[\n" + ",\n".join(map(json.dumps, manifest)) + "\n]\n")
print(len(manifest))
