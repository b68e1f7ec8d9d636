"""The table that benchmarks print: rows with a gate and a goal, and on what they were measured."""

import dataclasses
import os
import pathlib
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping


@dataclasses.dataclass
class Row:
    """One line of the table; without a value it was skipped, and `peer` says why."""

    work: str
    value: float | None
    unit: str
    gate: float
    goal: float
    peer: str = ""
    higher_is_better: bool = False

    def verdict(self) -> str:
        """Whether the gate and the goal hold."""
        if self.value is None:
            return "skipped"
        value = -self.value if self.higher_is_better else self.value
        gate, goal = (-self.gate, -self.goal) if self.higher_is_better else (self.gate, self.goal)
        return "goal" if value <= goal else "gate" if value <= gate else "MISSED"

    def line(self) -> str:
        """The row in Markdown."""
        value = "" if self.value is None else f"{self.value:.3g} {self.unit}"
        bounds = f"{self.gate:g} / {self.goal:g} {self.unit}"
        return f"| {self.work} | {value} | {bounds} | {self.verdict()} | {self.peer} |"


def machine() -> str:
    """What this runs on."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return f"{os.cpu_count()} cores of {cpu}, {platform.system()} {platform.release().split('-')[0]}"


def show(parts: Mapping[str, Callable[[], Iterable[Row]]], versions: str = "") -> int:
    """Measures parts and prints their rows; the exit status, which is 1 when a result is wrong."""
    wrong = []
    print(f"Measured on {machine()}{versions}, {time.strftime('%Y-%m-%d')}.\n")
    print("| work | measured | gate / goal | reached | measured beside it |\n|---|---|---|---|---|")
    for name, part in parts.items():
        try:
            for row in part():
                print(row.line(), flush=True)
        except (AssertionError, subprocess.CalledProcessError, KeyError) as error:
            detail = getattr(error, "stderr", "") or ""
            wrong.append(f"{name}: {error} {detail}")
    for message in wrong:
        print(f"WRONG: {message}", file=sys.stderr)
    return 1 if wrong else 0
