"""Writes what print() shows of every `.npy` file in a folder beside it, as `.txt`. Prints how many there were."""

import sys
from pathlib import Path

import numpy as np

count = 0
for path in Path(sys.argv[1]).glob("*.npy"):
    path.with_suffix(".txt").write_text(str(np.load(path)))
    count += 1
print(count)
