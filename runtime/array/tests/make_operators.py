"""Writes `operators.jsonl`: operators, their operands, and a digest of what numpy computes.

Operands are made by `values` here and by `values` in `src/ops/numpy.rs`. The digest runs over the result's 64-bit
words in C order, or its items where they are smaller: `h = 31 h + bits + 1`, modulo 2^64.
"""

import json
from pathlib import Path

import numpy as np
from elements import DTYPES

rng = np.random.default_rng(1)


def values(dtype, shape, seed):
    k = np.arange(int(np.prod(shape)), dtype=np.int64)
    v = (k * 7919 + seed * 31) % 23 - 9
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        v = v > 0
    elif dtype.kind == "u":
        v = v + 9
    elif dtype.kind == "f":
        v = v * 0.375
    elif dtype.kind == "c":
        v = v * 0.375 - 1j * v
    return v.astype(dtype).reshape(shape)


def digest(a):
    a = np.ascontiguousarray(a)
    word = {1: "u1", 2: "u2", 4: "u4"}.get(a.itemsize, "u8")
    h = 0
    for bits in a.reshape(-1).view(word).tolist():
        h = (h * 31 + bits + 1) % 2**64
    return h


lines = []


def case(op, operands, result):
    """`operands` are (dtype, shape, seed), or arrays written out as (dtype, list)."""
    result = np.asarray(result)
    lines.append(
        json.dumps(
            {
                "op": op,
                "operands": [
                    {"dtype": d, "shape": s[0], "seed": s[1]} if len(s) == 2 else {"dtype": d, "values": s[0]}
                    for d, *s in operands
                ],
                "dtype": result.dtype.name,
                "shape": list(result.shape),
                "digest": digest(result),
            }
        )
    )


def lit(values):
    return [{"lit": int(v)} for v in values]


def shape(ndim, low=1, high=7):
    return [int(n) for n in rng.integers(low, high, ndim)]


def scalar(v):
    if isinstance(v, complex):
        return {"complex": [v.real, v.imag]}
    return {"float": v} if isinstance(v, float) else {"int": v}


# Sources
for dtype, start, step, n in [
    ("float64", 0.1, 0.3, 50),
    ("float32", 0.1, 0.3, 50),
    ("int64", -7, 3, 20),
    ("uint8", 250, -3, 20),
    ("int8", 5, 0, 3),
    ("complex128", 0.5 + 1j, 0.1 - 0.2j, 9),
    ("complex64", 0.5 + 1j, 0.1 - 0.2j, 9),
    ("float64", -1, 1e-3, 99),
]:
    kind = float if dtype == "float32" else None
    whole = np.arange(start, start + step * (n - 0.5), step, dtype=dtype)[:n] if step and dtype[0] != "c" else None
    if dtype[0] == "c":
        first, second = np.array([start, start + step], dtype)
        delta = second - first
        whole = np.empty(n, dtype)
        k = np.arange(n).astype(whole.real.dtype)
        whole.real, whole.imag = first.real + k * delta.real, first.imag + k * delta.imag
        whole[:2] = first, second
    if whole is None:
        whole = np.full(n, start, dtype)
    for offset in (0, 1, 2):
        of = {
            "dtype": dtype,
            "start": scalar(start),
            "step": scalar(step),
            "offset": {"lit": offset},
            "len": {"lit": len(whole) - offset},
        }
        case({"arange": of}, [], whole[offset:])
for dtype, start, stop, num, endpoint in [
    ("float64", 0.1, 0.7, 7, True),
    ("float64", 0.1, 0.7, 7, False),
    ("float32", -3.0, 1.7, 113, True),
    ("int64", -9.5, 9.7, 31, True),
    ("int8", 5, -5, 8, False),
    ("float64", 2.0, 2.0, 5, True),
    ("float64", 1.0, 3.0, 1, True),
    ("complex128", 1 + 2j, -3.5 + 0.1j, 17, True),
    ("complex64", 1 + 2j, -3.5 + 0.1j, 17, False),
    ("float64", 0.0, 5e-324, 4, True),
    ("float64", 1e308, -0.5, 77, True),
    ("uint16", 0, 500, 301, True),
]:
    whole = np.linspace(start, stop, num, endpoint, dtype=dtype)
    for offset in (0, num // 2):
        of = {
            "dtype": dtype,
            "start": scalar(start),
            "stop": scalar(stop),
            "num": num,
            "endpoint": endpoint,
            "offset": {"lit": offset},
            "len": {"lit": num - offset},
        }
        case({"linspace": of}, [], whole[offset:])
for dtype, k in [("float32", 0), ("complex64", -2), ("bool", 3), ("int16", 9)]:
    whole = np.eye(9, 7, k, dtype=dtype)
    case(
        {"eye": {"dtype": dtype, "k": k, "row": {"lit": 2}, "col": {"lit": 1}, "shape": lit([5, 6])}},
        [],
        whole[2:7, 1:7],
    )

# Movement, in every dtype
for seed, dtype in enumerate(DTYPES * 3):
    s = shape(int(rng.integers(1, 4)))
    x, of = values(dtype, s, seed), [(dtype, s, seed)]
    axis = int(rng.integers(len(s)))
    axes = [int(a) for a in rng.permutation(len(s))]
    case({"transpose": {"axes": axes}}, of, x.transpose(axes))
    case({"reshape": {"shape": lit([x.size, 1])}}, of, x.reshape(-1, 1))
    case({"repeat": {"repeats": seed % 4, "axis": axis}}, of, np.repeat(x, seed % 4, axis))
    indices = [int(i) for i in rng.integers(0, s[axis], 6)]
    case({"take": {"axis": axis}}, of + [("int64", indices)], np.take(x, indices, axis))
    mask = [bool(b) for b in rng.integers(0, 2, s[axis])]
    case({"compress": {"axis": axis}}, of + [("bool", mask)], np.compress(mask, x, axis))
    case({"compress": {"axis": None}}, of + [("bool", s, seed + 1)], x[values("bool", s, seed + 1)])
    ranges, index = [], []
    for n in s:
        start, step = int(rng.integers(n)), int(rng.choice([-2, -1, 1, 2, 3]))
        length = len(range(start, n if step > 0 else -1, step))
        ranges.append({"start": {"lit": start}, "len": {"lit": length}, "step": step})
        index.append(slice(start, None, step))
    case({"slice": {"ranges": ranges}}, of, x[tuple(index)])
    case({"broadcast_to": {"shape": lit([3, *s])}}, of, np.broadcast_to(x, [3, *s]))
    widths = rng.integers(0, 15, (len(s), 2)).tolist()
    for mode in ["edge", "reflect", "symmetric", "wrap", {"constant": {"int": 1}}]:
        name = mode if isinstance(mode, str) else "constant"
        extra = {} if isinstance(mode, str) else {"constant_values": 1}
        case({"pad": {"widths": [lit(w) for w in widths], "mode": mode}}, of, np.pad(x, widths, name, **extra))
    if len(s) >= 2:
        k = int(rng.integers(-4, 5))
        for upper in (False, True):
            of_k = {"upper": upper, "k": k, "row": {"lit": 0}, "col": {"lit": 0}}
            case({"triangle": of_k}, of, (np.triu if upper else np.tril)(x, k))
    if len(s) == 2:
        case({"diagonal": {"k": k}}, of, np.diagonal(x, k))
    # Blocks of one grid
    rows, cols = shape(3), shape(2)
    blocks = [[(dtype, [r, c], seed + r * c) for c in cols] for r in rows]
    case({"assemble": {"grid": [3, 2]}}, sum(blocks, []), np.block([[values(*b) for b in row] for row in blocks]))

# Products: whole numbers, so that floating point is exact too
for seed, dtype in enumerate(DTYPES):
    a, b = (dtype, [2, 1, 5, 4], seed), (dtype, [3, 4, 6], seed + 1)
    case("mat_mul", [a, b], np.matmul(values(*a), values(*b)))
    a, b = (dtype, [3, 4, 5], seed), (dtype, [5, 2, 3], seed + 1)
    x, y = values(*a), values(*b)
    if dtype == "bool":
        dot = np.tensordot(x.astype(int), y.astype(int), ([0, 2], [2, 0])) > 0
    else:
        dot = np.tensordot(x, y, ([0, 2], [2, 0]))
    case({"tensor_dot": {"a": [0, 2], "b": [2, 0]}}, [a, b], dot.astype(dtype))

# Counting and sorting
edges = [-4.0, -1.5, -0.375, 0.0, 0.1, 2.25, 3.0, 20.0]
even = np.linspace(-3.375, 4.5, 22).tolist()
for seed, dtype in enumerate(DTYPES):
    s = shape(2, 3, 9)
    x = values(dtype, s, seed)
    if dtype[0] == "c":
        pass
    else:
        for e in (edges, even):
            case(
                {"histogram": {"weighted": False}},
                [(dtype, s, seed), ("float64", e)],
                np.histogram(x.astype("u1") if dtype == "bool" else x, e)[0],
            )
            w = values("int64", s, seed + 5)
            case(
                {"histogram": {"weighted": True}},
                [(dtype, s, seed), ("float64", e), ("int64", s, seed + 5)],
                np.histogram(x.astype("u1") if dtype == "bool" else x, e, weights=w)[0],
            )
        for right in (False, True):
            for e in (edges, edges[::-1]):
                case({"digitize": {"right": right}}, [(dtype, s, seed), ("float64", e)], np.digitize(x, e, right))
        if dtype[0] == "u" and dtype != "uint64":
            flat = (dtype, [x.size], seed)
            case({"bincount": {"weighted": False, "minlength": 30}}, [flat], np.bincount(x.ravel(), minlength=30))
            w = ("float32", [x.size], seed + 1)
            case({"bincount": {"weighted": True, "minlength": 0}}, [flat, w], np.bincount(x.ravel(), values(*w)))
    case(
        "unique",
        [(dtype, s, seed), (dtype, [4], seed + 1)],
        np.unique(np.concatenate([x.ravel(), values(dtype, [4], seed + 1)])),
    )
    for k in (2, -3):
        y = np.concatenate([x, values(dtype, [2, s[1]], seed + 1)], axis=0)
        top = np.sort(y, axis=0)
        case(
            {"top_k": {"k": k, "axis": 0}},
            [(dtype, s, seed), (dtype, [2, s[1]], seed + 1)],
            top[::-1][:k] if k > 0 else top[:-k],
        )

(Path(__file__).parent / "operators.jsonl").write_text("\n".join(lines) + "\n")
