"""Runs Dask's own test suites, which its wheel brings, on the engine: ``run.py ROUTE [pytest arguments]``.

``ROUTE`` is ``embedded`` or ``processes``, see ``route.py``. Without arguments that name suites, all of the route's
run. A test may fail if ``ROUTE.txt`` names it with a reason. Any other failure, and a suite that does not run, fails
this command.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import dask

HERE = Path(__file__).parent
SUITES = {
    "embedded": [
        "dask/array/tests",
        "dask/bag",
        "dask/tests/test_delayed.py",
        "dask/tests/test_base.py",
        "dask/dataframe/dask_expr/tests/test_collection.py",
    ],
    "processes": ["dask/array/tests", "dask/bag"],
}
# Why a test may fail whose tasks run in other processes.
NATURE = ("writes into the client's memory", "needs an unpicklable object on two workers", "observes the process")
MARKS = "not slow and not network and not gpu and not array_expr"


def allowed(route: str) -> dict[str, str]:
    """Tests that may fail, and why."""
    lines = (HERE / f"{route}.txt").read_text().splitlines()
    rows = (line.split(": ", 1) for line in lines if line and not line.startswith("#"))
    found = {name.strip(): reason for name, reason in rows}
    if route == "processes":
        for name, reason in found.items():
            if not reason.startswith(NATURE):
                raise SystemExit(f"{name}: {reason!r} is no reason; use one of {NATURE}")
        found |= allowed("embedded")
    return found


def main(route: str, arguments: list[str]) -> int:
    """Runs the suites; returns the exit status."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "route", "-p", "no:cacheprovider", "-W", "ignore"]
    command += ["-m", MARKS, "-n", "2", "--timeout", "120", "--tb=short", *arguments]
    if not any(a.startswith("dask/") for a in arguments):
        command += SUITES[route]
    root = Path(dask.__file__).parent.parent
    path = {"PYTHONPATH": f"{HERE}:{HERE.parent.parent}", "ROUTE": route}
    process = subprocess.Popen(command, cwd=root, env={**os.environ, **path}, stdout=subprocess.PIPE, text=True)
    failed = []
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        if found := re.match(r"(?:FAILED|ERROR) (\S+::.+?)(?: - .*)?$", line.rstrip()):
            failed.append(found[1])
    status = process.wait()
    known = allowed(route)
    new = [name for name in failed if name not in known]
    for name in new:
        print(f"not among the failures that are known: {name}")
    if status not in (0, 1) or (status == 1 and not failed):
        print(f"the suites did not run to their end: pytest ended with {status}")
        return 2
    print(f"{len(failed)} tests failed, {len(failed) - len(new)} of them known ({len(known)} names in {route}.txt)")
    return 1 if new else 0


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in SUITES:
        sys.exit(f"{__doc__}\nname a route: one of {', '.join(SUITES)}")
    sys.exit(main(sys.argv[1], sys.argv[2:]))
