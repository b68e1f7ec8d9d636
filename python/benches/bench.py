"""Measure the Python package beside Dask's own schedulers on this machine, check every result, print the table.

Each figure is the median of several runs after warming up; what it is compared with ran in turns with it. The exit
status is 1 when a result is wrong.
"""

# Before numpy is loaded.
import one_thread  # noqa: F401

# isort: split
import argparse
import functools
import os
import platform
import sys
from collections.abc import Iterator

import arrays
import bags
import dask
import dataframes
import distributed
import graphs
import numpy as np
import pandas as pd
import tasks
from table import Row, show


def programs(quick: bool) -> Iterator[Row]:
    """Typical array programs."""
    # Makes its data as it is loaded.
    import programs

    return programs.measure(quick)


PARTS = {
    "overhead": tasks.overhead,
    "processes": tasks.processes,
    "lowering": graphs.lowering,
    "transpose": arrays.transpose,
    "memory": arrays.memory,
    "programs": programs,
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
        f"numpy {np.__version__}, pandas {pd.__version__}, load average {os.getloadavg()[0]:.1f} before"
    )
    chosen = args.only or PARTS
    return show({name: functools.partial(PARTS[name], args.quick) for name in chosen}, versions)


if __name__ == "__main__":
    sys.exit(main())
