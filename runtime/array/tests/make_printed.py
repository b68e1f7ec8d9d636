"""Writes `files/printed.json`: arrays and what numpy's print() shows of them, for tests without Python.

Run it with numpy 2.4 after adding a case.
"""

import json
from pathlib import Path

import numpy as np

nan, inf = np.nan, np.inf
cases = [
    np.array(True),
    np.array(-7, "i1"),
    np.array(2**64 - 1, "u8"),
    np.array(1.0),
    np.array(-0.0),
    np.array(1e16),
    np.array(123456789012345.0),
    np.array(9.99e-5),
    np.array(1e-4),
    np.array(1e6, "f4"),
    np.array(999999.9, "f4"),
    np.array(0.1, "f4"),
    np.array(nan),
    np.array(-inf, "f4"),
    np.array(1 + 2j),
    np.array(2j),
    np.array(complex(-0.0, 2)),
    np.array(complex(nan, -inf)),
    np.array(complex(0, nan), "c8"),
    np.array(complex(1e16, 1e-5)),
    np.array([]),
    np.zeros((3, 0, 2), "i4"),
    np.array([True, False]),
    np.array([[True], [True]]),
    np.array([1, -10, 100]),
    np.array([255, 0], "u1"),
    np.arange(40),
    np.arange(-20, 20, dtype="i2").reshape(2, 20),
    np.arange(24).reshape(2, 3, 4),
    np.arange(16).reshape(2, 2, 2, 2),
    np.array([1.0, 2.0]),
    np.array([1.5, 2.25, -3.0]),
    np.array([1 / 3, 2 / 3, 1e3]),
    np.array([0.1, 0.2, 0.30000000000000004]),
    np.array([1e8, 1.0]),
    np.array([99999999.0]),
    np.array([1e-4, 0.1]),
    np.array([1e-5, 0.1]),
    np.array([1.0, 1000.0]),
    np.array([1.0, 1000.1]),
    np.array([1e300, 1e-300, -1.5]),
    np.array([1e100]),
    np.array([1.0, nan]),
    np.array([nan, nan]),
    np.array([inf, -inf]),
    np.array([nan, inf, 1234.5678]),
    np.array([-inf, 1e-10]),
    np.array([0.0, -0.0]),
    np.array([9.999999999]),
    np.array([1125899906842624.25, 1.0]),
    np.array([0.1, 1.2345678e-6], "f4"),
    np.array([0.1, 0.00012345679], "f4"),
    np.array([1e6, 1.0], "f4"),
    np.array([1e5, 1.0], "f4"),
    np.array([3.1415927, 2.7182817], "f4"),
    np.array([1 + 2j, -1.5 - 0.25j]),
    np.array([1e10 + 1j, nan - 1j]),
    np.array([complex(inf, -inf), complex(0, nan)]),
    np.array([1.25 + 10j, 2 + 3.125j], "c8"),
    np.linspace(0, 1, 20),
    np.linspace(0, 1, 30).reshape(5, 6),
    np.array([5e-324, 1.7976931348623157e308]),
]
whole = [(1001,), (100, 20), (12, 10, 10), (7, 7, 30), (6, 500), (500, 6), (2, 3, 200), (1, 1001)]

table = [
    {
        "dtype": x.dtype.name,
        "shape": x.shape,
        "bytes": x.astype(x.dtype.newbyteorder("<")).tobytes().hex(),
        "text": str(x),
    }
    for x in cases
]
for shape in whole:
    # Without bytes: the test makes these itself.
    table.append({"dtype": "int64", "shape": shape, "text": str(np.arange(np.prod(shape)).reshape(shape))})
text = "[\n" + ",\n".join(json.dumps(row) for row in table) + "\n]\n"
(Path(__file__).parent / "files" / "printed.json").write_text(text)
