"""Reads files that the Rust tests wrote, with numpy and zarr-python. Prints how many there were.

Names are `DTYPE-SHAPE.npy` and `DTYPE-SHAPE.zarr`, such as `int8-5x7.npy`; elements are as `elements.py` says.
"""

import io
import sys
from pathlib import Path

import numpy as np
import zarr
from elements import values

count = 0
for path in sorted(Path(sys.argv[1]).iterdir()):
    dtype, _, extents = path.stem.partition("-")
    shape = tuple(int(n) for n in extents.split("x") if n)
    expected = values(dtype, int(np.prod(shape))).reshape(shape)
    if path.suffix == ".npy":
        found = np.load(path)
        same = io.BytesIO()
        np.save(same, expected)
        assert path.read_bytes() == same.getvalue(), f"{path.name} is not byte for byte what numpy.save writes"
    else:
        z = zarr.open_array(path, mode="r")
        assert z.metadata.zarr_format == 3
        found = z[...]
    assert found.dtype == expected.dtype and found.shape == expected.shape, path.name
    np.testing.assert_array_equal(found, expected, err_msg=path.name)
    count += 1
print(count)
