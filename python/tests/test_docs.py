"""The programs in docs/python.md run as they stand and print what stands below them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import dask_runtime
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
PROGRAMS = re.findall(r"^```python\n(.*?)^```\n\n^```text\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def test_each_program_has_what_it_prints():
    assert len(PROGRAMS) == PAGE.read_text().count("```python") > 5


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_program(number, tmp_path):
    program, printed = PROGRAMS[number]
    package = str(Path(dask_runtime.__file__).parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    ran = subprocess.run(
        [sys.executable, "-"],
        input=program,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == printed
