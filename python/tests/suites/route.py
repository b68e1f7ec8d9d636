"""A pytest plugin: sends every compute of Dask's own tests through the engine.

Dask's ``assert_eq`` names the "sync" scheduler, so the configuration alone reaches few tests: every named scheduler is
replaced too. ``ROUTE`` says where they go: ``embedded``, ``processes`` (two worker processes, for each process of
pytest), or ``sync``, which is Dask's synchronous scheduler, for comparison.
"""

import os
from functools import cache

import dask
import dask.base
import dask.local
import dask_runtime


@cache
def _client():
    # Made when it is first needed: pytest's own process runs no tests.
    return dask_runtime.Client(n_workers=2, threads_per_worker=1, set_as_default=False)


def _on_processes(dsk, keys, **kwargs):
    from dask_runtime.nested import tuples

    return tuples(_client().get(dsk, keys, **kwargs), keys)


_ROUTES = {"embedded": dask_runtime.get, "processes": _on_processes, "sync": dask.local.get_sync}


def pytest_configure(config):
    """Replaces the schedulers before tests are collected."""
    get = _ROUTES[os.environ.get("ROUTE", "embedded")]
    for name in list(dask.base.named_schedulers):
        dask.base.named_schedulers[name] = get
    dask.config.set(scheduler=get)


def pytest_unconfigure(config):
    """Ends the worker processes."""
    if _client.cache_info().currsize:
        _client().close()
