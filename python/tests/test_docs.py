"""The programs in README.md and docs/python.md run as they stand and print what stands below them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import dask_runtime
import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```\n\n^```text\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
IN_README = r"<<'END'\n(.*?)^END\n```\n\nprints ([\d.]+\d)\."


def test_each_program_has_what_it_prints():
    assert len(PROGRAMS) == PAGE.count("```python") > 5


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_program(number, tmp_path):
    check(*PROGRAMS[number], tmp_path)


def test_the_program_of_the_readme(tmp_path):
    program, printed = re.search(IN_README, (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE).groups()
    check(program, printed + "\n", tmp_path)


def check(program, printed, folder):
    package = str(Path(dask_runtime.__file__).parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    ran = subprocess.run(
        [sys.executable, "-"],
        input=program,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == printed
