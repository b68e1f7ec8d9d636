"""The engine, written in Rust."""

from collections.abc import Sequence
from typing import Any, final

__all__ = [
    "Engine",
    "Handle",
    "Request",
    "Watch",
    "__version__",
    "cancel",
    "command",
    "forget_calls",
    "gather",
    "memory_limit",
    "recognise",
    "register",
    "rejoin",
    "scheduler_address",
    "secede",
    "worker_address",
]

__version__: str

def memory_limit() -> int:
    """Bytes that this process may use: of its control group or the machine."""

def register(
    *,
    task: type,
    task_ref: type,
    graph_node: type,
    alias: type,
    data_node: type,
    list: type,
    ndarray: type,
    subgraph: Any,
    cast: Any,
    store: Any,
) -> None:
    """Hands in the types that are recognised in graphs."""

def recognise(functions: dict[Any, str]) -> None:
    """Hands in the functions that native programs may stand for."""

def command(line: list[str], versions: dict[str, str]) -> int:
    """Runs a command of the engine to its end; returns the exit status."""

def scheduler_address() -> str | None:
    """The address of the scheduler whose task the caller is part of, if it is one of a worker's."""

def worker_address() -> str | None:
    """The address of the worker whose task the caller is part of, if it is one of a cluster's."""

def forget_calls() -> None:
    """Has calls from other processes be made anew of their bytes: modules that they name were read anew."""

def cancel(handles: Sequence[Handle]) -> None:
    """Gives results up: what has not started does not start, unless something else needs it."""

def gather(handles: Sequence[Handle]) -> list[Any]:
    """The values of results, once all of them are there; raises what the first that failed raised."""

def secede() -> None:
    """Has another thread compute in place of this task's, until `rejoin` or the task's end."""

def rejoin() -> None:
    """Takes a thread again after `secede`."""

@final
class Engine:
    """Scheduler and compute threads in this process."""

    def __new__(cls, threads: int, memory_limit: int) -> Engine: ...
    @staticmethod
    def connect(address: str, timeout: float, name: str) -> Engine: ...
    @property
    def lost(self) -> str | None: ...
    def close(self) -> None: ...
    def handle(self, job: str, task: int) -> Handle: ...
    def share(self, of: tuple[str, str, bool, int], operation: str, value: Any = None) -> Request: ...
    def workers(self) -> list[dict[str, Any]]: ...
    def holders(self, handles: Sequence[Handle]) -> list[list[str]]: ...
    def get(self, dsk: dict[Any, Any], keys: list[Any], known: Any, annotated: Any) -> list[Any]: ...
    def start(self, dsk: dict[Any, Any], keys: list[Any], known: Any, annotated: Any) -> list[Handle]: ...
    def explain(self, dsk: dict[Any, Any], keys: list[Any], known: Any) -> list[tuple[str, str | None, int]]: ...
    def map(
        self, function: Any, columns: list[Any], named: tuple[str, str], known: Any, annotated: Any
    ) -> tuple[list[str], list[Any]] | None: ...

@final
class Handle:
    """A result that the engine keeps for as long as this lives."""

    @property
    def status(self) -> str: ...
    def value(self) -> Any: ...
    def exception(self) -> BaseException | None: ...
    def share(self) -> tuple[str, int]: ...

@final
class Request:
    """A question about something that is shared, and its answer."""

    @property
    def answered(self) -> bool: ...
    def wait(self, timeout: float | None = None) -> Any: ...
    def end(self) -> Any: ...
    def undo(self) -> None: ...

@final
class Watch:
    """Says which of some results are there, as they come."""

    def __new__(cls, handles: Sequence[Handle]) -> Watch: ...
    def add(self, awaited: Handle | Request, number: int) -> None: ...
    def wait(self, count: int, timeout: float | None = None) -> list[int]: ...
