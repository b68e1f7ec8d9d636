"""Computes `(x + x.T).sum()` and prints the total, the seconds, and the peak of this process's memory.

`peak.py engine 60000`, or `threads` for Dask's own scheduler.
"""

import json
import pathlib
import sys
import time

from arrays import example
from dask_runtime import Client

scheduler, n = sys.argv[1], int(sys.argv[2])
total = example(n).sum()
start = time.perf_counter()
if scheduler == "engine":
    with Client():
        value = total.compute()
else:
    value = total.compute(scheduler=scheduler)
seconds = time.perf_counter() - start
peak = int(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
print(json.dumps({"total": float(value), "seconds": seconds, "peak": peak}))
