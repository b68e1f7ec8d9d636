"""The dtypes of test data, and elements that reading back can be checked against."""

import numpy as np

DTYPES = [
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float32",
    "float64",
    "complex64",
    "complex128",
]


def values(dtype, n):
    k = np.arange(n)
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return k % 3 == 0
    if dtype.kind in "iu":
        return (k * 7 % 100).astype(dtype)
    if dtype.kind == "f":
        return (k * 0.5 - 3).astype(dtype)
    return (k * 0.5 - 1j * k).astype(dtype)
