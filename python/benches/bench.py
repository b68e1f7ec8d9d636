"""Measure the Python package beside Dask's own schedulers on this machine, check every result, print the table.

Each figure is the median of several runs after warming up; what it is compared with ran in turns with it. The exit
status is 1 when a result is wrong.
"""

import argparse
import functools
import os
import platform
import sys

# Before numpy is loaded: threads are the schedulers' here, and what a machine says of its processor slows numpy down.
for _name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(_name, None)
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[_name] = "1"

import arrays  # noqa: E402
import bags  # noqa: E402
import dask  # noqa: E402
import dataframes  # noqa: E402
import distributed  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import tasks  # noqa: E402
from table import show  # noqa: E402

PARTS = {
    "overhead": tasks.overhead,
    "processes": tasks.processes,
    "transpose": arrays.transpose,
    "memory": arrays.memory,
    "dataframes": dataframes.dataframes,
    "bag": bags.word_count,
}


def main() -> int:
    """Measure, print, and say whether every result was right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one run each, smaller sizes: checks that all of it works")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure these parts only")
    args = parser.parse_args()
    versions = (
        f", Python {platform.python_version()}, Dask {dask.__version__}, distributed {distributed.__version__}, "
        f"numpy {np.__version__}, pandas {pd.__version__}"
    )
    chosen = args.only or PARTS
    return show({name: functools.partial(PARTS[name], args.quick) for name in chosen}, versions)


if __name__ == "__main__":
    sys.exit(main())
