"""Has numpy use one thread in each call, as Dask advises: threads are the schedulers' here.

To be imported before numpy is.
"""

import os

# What a machine says of its processor and caches here slows numpy down.
for _name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(_name, None)
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[_name] = "1"
