"""Runs Dask's own test suites, which its wheel brings, on the engine: ``run.py [pytest arguments]``.

A test may fail if ``failures.txt`` names it with a reason. Any other failure, and a suite that does not run, fails this
command.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import dask

HERE = Path(__file__).parent
SUITES = [
    "dask/array/tests",
    "dask/bag",
    "dask/tests/test_delayed.py",
    "dask/tests/test_base.py",
    "dask/dataframe/dask_expr/tests/test_collection.py",
]
MARKS = "not slow and not network and not gpu and not array_expr"


def allowed() -> dict[str, str]:
    """Tests that may fail, and why."""
    lines = (HERE / "failures.txt").read_text().splitlines()
    rows = (line.split(": ", 1) for line in lines if line and not line.startswith("#"))
    return {name.strip(): reason for name, reason in rows}


def main(arguments: list[str]) -> int:
    """Runs the suites; returns the exit status."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "route", "-p", "no:cacheprovider", "-W", "ignore"]
    command += ["-m", MARKS, "-n", "2", "--timeout", "120", "--tb=short", *arguments]
    if not any(a.startswith("dask/") for a in arguments):
        command += SUITES
    root = Path(dask.__file__).parent.parent
    path = {"PYTHONPATH": f"{HERE}:{HERE.parent.parent}"}
    process = subprocess.Popen(command, cwd=root, env={**os.environ, **path}, stdout=subprocess.PIPE, text=True)
    failed = []
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        if found := re.match(r"(?:FAILED|ERROR) (\S+::.+?)(?: - .*)?$", line.rstrip()):
            failed.append(found[1])
    status = process.wait()
    known = allowed()
    new = [name for name in failed if name not in known]
    for name in new:
        print(f"not among the failures that are known: {name}")
    if status not in (0, 1) or (status == 1 and not failed):
        print(f"the suites did not run to their end: pytest ended with {status}")
        return 2
    print(f"{len(failed)} tests failed, {len(failed) - len(new)} of them known ({len(known)} names in failures.txt)")
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
