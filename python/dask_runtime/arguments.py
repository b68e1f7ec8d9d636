"""Arguments that distributed takes: which of them mean something here, and what to do about the others."""

from __future__ import annotations

import datetime
import os
from typing import Any

from dask_runtime import _dask, _engine

__all__ = [
    "address",
    "check_client",
    "check_collections",
    "check_names",
    "check_task",
    "memory",
    "seconds",
    "threads",
    "workers",
]

_ALONE = "this client runs in its own process; leave it out"
_NO_SERVER = "an engine in this process listens nowhere; leave it out"
_NO_MESSAGES = "nothing is sent or pickled in one process; leave it out"
_THREADS = "use threads_per_worker=<number of tasks at a time>"

# More threads than any machine has use for; starting so many more would take long or take all memory.
_MOST_THREADS = 1024

# What distributed's Client and LocalCluster take and has no meaning here, unless it is None: what to do instead.
_REFUSED = {
    "scheduler_file": "schedulers write none; use address='tcp://…:8786'",
    "security": _NO_SERVER,
    "serializers": _NO_MESSAGES,
    "deserializers": _NO_MESSAGES,
    "connection_limit": _NO_MESSAGES,
    "direct_to_workers": _NO_MESSAGES,
    "heartbeat_interval": _NO_MESSAGES,
    "extensions": "the engine has none; leave it out",
    "loop": "the client has no loop of its own; leave it out, and use asynchronous=True for the running one",
    "host": _NO_SERVER,
    "ip": _NO_SERVER,
    "interface": _NO_SERVER,
    "protocol": _NO_SERVER,
    "scheduler_port": _NO_SERVER,
    "dashboard_address": "an engine in this process has no dashboard; use None, and progress() to look on",
    "worker_dashboard_address": "an engine in this process has no dashboard; leave it out",
    "diagnostics_port": "an engine in this process has no dashboard; leave it out",
    "services": _NO_SERVER,
    "worker_services": _NO_SERVER,
    "service_kwargs": _NO_SERVER,
    "blocked_handlers": _NO_SERVER,
    "worker_class": _ALONE,
    "scheduler_kwargs": _ALONE,
    "scheduler_sync_interval": _ALONE,
    "local_directory": "the engine writes no files of its own; leave it out",
    "nanny": _ALONE,
    "ncores": _THREADS,
    "nthreads": _THREADS,
    "preload": "import the module in this process instead",
    "env": "set os.environ before importing what reads it instead",
}

# What submit, map, compute and persist of distributed take besides, and what to do instead.
_REFUSED_OF_TASKS = {
    "actors": "only submit and map make actors; leave it out",
    "traverse": "what is computed are the collections that are passed, alone or in a list; leave it out",
    "fifo_timeout": "the engine orders tasks by itself; leave it out",
}


def check_client(arguments: dict[str, Any]) -> None:
    """Refuses what a client in its own process cannot do, and names that nobody knows.

    Raises
    ------
    ValueError
        When an argument of distributed's has a value that has no meaning here.
    TypeError
        When distributed has no such argument either.

    """
    # Nothing is logged here and nobody shows a name, so whatever these ask for is so already.
    for satisfied in ("silence_logs", "name"):
        arguments.pop(satisfied, None)
    _refuse("Client()", arguments, _REFUSED)


def check_task(method: str, arguments: dict[str, Any]) -> None:
    """Refuses what has no meaning for tasks here; unknown names too."""
    given = {name: value for name, value in arguments.items() if value not in (False, 0)}
    _refuse(f"{method}()", given, _REFUSED_OF_TASKS)


def check_collections(method: str, given: list[Any]) -> None:
    """Refuses what is no collection of Dask's."""
    for one in given:
        if not _dask.is_dask_collection(one):
            raise TypeError(
                f"{method}() takes Dask collections (arrays, dataframes, bags, delayed), got {type(one).__name__}; "
                "use scatter() for plain data"
            )


def check_names(method: str, given: dict[str, Any], known: tuple[str, ...]) -> None:
    """Refuses names that distributed's method does not take either; ``known`` are those that change nothing here."""
    _refuse(f"{method}()", {name: value for name, value in given.items() if name not in known}, {})


def take_of_tasks(arguments: dict[str, Any]) -> dict[str, Any]:
    """Takes those of distributed's arguments out that are no arguments of the called function."""
    return {name: arguments.pop(name) for name in _REFUSED_OF_TASKS if name in arguments}


def _refuse(where: str, arguments: dict[str, Any], refused: dict[str, str]) -> None:
    for name, value in arguments.items():
        if name not in refused:
            raise TypeError(f"{where} got an unexpected keyword argument {name!r}")
        if value is not None:
            raise ValueError(f"{name} is {value!r}: {refused[name]}")


def workers(n_workers: Any, processes: Any) -> int:
    """How many worker processes are asked for; 0 for this process."""
    if n_workers is not None and (isinstance(n_workers, bool) or not isinstance(n_workers, int) or n_workers < 1):
        raise ValueError(
            f"n_workers is {n_workers!r}; use a whole number of worker processes, or n_workers=1 for this one"
        )
    if processes is False:
        if n_workers not in (None, 1):
            raise ValueError(f"n_workers is {n_workers} and processes is False: this process is one worker; {_THREADS}")
        return 0
    return n_workers or 1 if processes else n_workers if n_workers not in (None, 1) else 0


def address(given: Any, workers: int) -> str | None:
    """The scheduler that is asked for; None for this process."""
    if given is not None and workers:
        raise ValueError(f"address is {given!r} and {workers} worker processes are asked for; use one of them")
    if given is None and not workers:
        given = os.environ.get("DASK_SCHEDULER_ADDRESS") or _dask.config.get("scheduler-address", None)
    found = getattr(given, "scheduler_address", given)
    if found is not None and not isinstance(found, str):
        raise TypeError(f"address is {given!r}; use 'tcp://host:8786', or something with a scheduler_address")
    return found


def threads(number: int | None, among: int = 1) -> int:
    """How many compute threads are asked for: None for as many as this process may use cores, shared out."""
    if number is None:
        return max(1, len(os.sched_getaffinity(0)) // among)
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= _MOST_THREADS:
        raise ValueError(
            f"threads_per_worker is {number!r}; use a whole number from 1 to {_MOST_THREADS}, or None for "
            "one for each core"
        )
    return number


def memory(limit: int | float | str | None, among: int = 1) -> int:
    """Bytes of a memory limit; 0 for none. Up to 1 it is a part of what the process may use; "auto" is shared out."""
    if limit is None:
        return 0
    if limit == "auto":
        return _engine.memory_limit() // among
    try:
        number = _dask.parse_bytes(limit) if isinstance(limit, str) else limit
        if 0 < number <= 1:
            number *= _engine.memory_limit()
        if number < 0:
            raise ValueError
        return int(number)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(
            f"memory_limit is {limit!r}; use bytes as a number or as '4 GiB', a part of the machine's as 0.5, "
            "'auto', or None for no limit"
        ) from None


def seconds(timeout: float | str | datetime.timedelta | None) -> float | None:
    """A timeout as a number of seconds, from what distributed takes for one: a number, "200ms", a timedelta."""
    if timeout is None or isinstance(timeout, (int, float)):
        return timeout
    try:
        found: float = _dask.parse_timedelta(timeout)
    except (KeyError, ValueError):
        raise ValueError(f"timeout is {timeout!r}; use seconds as a number, or as '200ms' or '2 minutes'") from None
    return found
