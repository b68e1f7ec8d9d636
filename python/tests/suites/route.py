"""A pytest plugin: sends every compute of Dask's own tests through the engine.

Dask's ``assert_eq`` names the "sync" scheduler, so the configuration alone reaches few tests: every named scheduler is
replaced too. ``ROUTE=sync`` runs
Dask's synchronous scheduler instead, for comparison.
"""

import os

import dask
import dask.base
import dask.local
import dask_runtime


def pytest_configure(config):
    """Replaces the schedulers before tests are collected."""
    get = dask.local.get_sync if os.environ.get("ROUTE") == "sync" else dask_runtime.get
    for name in list(dask.base.named_schedulers):
        dask.base.named_schedulers[name] = get
    dask.config.set(scheduler=get)
