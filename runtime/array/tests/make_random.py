"""Prints the table in `src/random/tests.rs`: digests of blocks that dask.array draws.

Four blocks of another array are drawn first from the same generator.
"""

import dask
import dask.array as da
import numpy as np

dask.config.set(scheduler="sync")
NAMES = {"bool": "Bool", **{f"{k}int{n}": f"{'UInt' if k else 'Int'}{n}" for k in ("", "u") for n in (8, 16, 32, 64)}}
NAMES |= {"float32": "Float32", "float64": "Float64"}


def digest(a):
    h = 0
    for bits in np.ascontiguousarray(a).reshape(-1).view(f"u{a.itemsize}").tolist():
        h = (h * 31 + bits + 1) % 2**64
    return h


def row(kind, seed, method, dtype, size, chunks, block, *bounds):
    generator = da.random.default_rng(seed) if kind == "pcg" else da.random.RandomState(seed)
    generator.random((8,), chunks=2)
    typed = {"dtype": dtype} if kind == "pcg" or method == "randint" else {}
    x = getattr(generator, method)(*bounds, size=size, chunks=chunks, **typed).compute()
    place = np.unravel_index(block, [-(-s // c) for s, c in zip(size, chunks)])
    x = x[tuple(slice(i * c, (i + 1) * c) for i, c in zip(place, chunks))]
    words = [seed >> shift & 0xFFFFFFFF for shift in range(0, max(seed.bit_length(), 1), 32)]
    rng = f"pcg(&{words})" if kind == "pcg" else f"mt({seed})"
    draw = "Draw::StandardNormal" if method == "standard_normal" else "Draw::Random"
    if bounds:
        low, high = (str(b).replace(str(-(2**63)), "i64::MIN").replace(str(2**63 - 1), "i64::MAX") for b in bounds)
        draw = f"Draw::Integers {{ low: {low}, high: {high} }}"
    print(f"        ({rng}, {draw}, {NAMES[dtype]}, {block}, &{list(x.shape)}, {digest(x)}),")


row("pcg", 42, "random", "float64", (150, 140), (100, 70), 0)
row("pcg", 42, "random", "float64", (150, 140), (100, 70), 3)
row("pcg", 0, "random", "float32", (99,), (33,), 2)
row("pcg", 2**70 + 5, "random", "float64", (4000,), (1000,), 1)
row("mt", 42, "random_sample", "float64", (150, 140), (100, 70), 3)
row("pcg", 1, "standard_normal", "float64", (200000,), (100000,), 1)
row("pcg", 1, "standard_normal", "float32", (200000,), (100000,), 1)
row("mt", 1, "standard_normal", "float64", (2002,), (1001,), 1)
for kind, method in (("pcg", "integers"), ("mt", "randint")):
    for dtype, low, high in [
        ("int64", -5, 10),
        ("int64", 0, 2**32),
        ("int64", -(2**62), 2**62 + 12345),
        ("int64", -(2**63), 2**63 - 1),
        ("int64", 7, 8),
        ("uint64", 3, 2**63 - 1),
        ("int32", -(2**31), 2**31),
        ("int32", -7, 2**30),
        ("uint32", 0, 2**32),
        ("uint32", 1, 2**32),
        ("int16", -(2**15), 2**15),
        ("int16", -300, 20000),
        ("uint16", 0, 50000),
        ("uint16", 0, 2**16),
        ("int8", -100, 100),
        ("int8", -128, 128),
        ("uint8", 0, 256),
        ("uint8", 10, 141),
        ("bool", 0, 2),
        ("bool", 1, 2),
        ("int64", 0, 2**32 - 1),
        ("int64", 0, 2**40),
    ]:
        long = dtype in ("uint8", "int16")
        row(kind, 9, method, dtype, (70000 if long else 300,), (67003 if long else 151,), 0, low, high)
