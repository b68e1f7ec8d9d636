"""The client: unmodified Dask collections, functions and futures on the engine."""

from __future__ import annotations

import os
import uuid
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from dask_runtime import _dask, _engine
from dask_runtime.callbacks import with_callbacks
from dask_runtime.future import Callbacks, Future, wait

__all__ = ["Client", "get", "get_client"]

_clients: list[weakref.ref[Client]] = []


def get_client() -> Client:
    """The newest client that is open.

    Raises
    ------
    ValueError
        When there is none.

    """
    for reference in reversed(_clients):
        client = reference()
        if client is not None and client.status == "running":
            return client
    raise ValueError("no client is open; make one by dask_runtime.Client()")


class _Known:
    """Results that the client keeps, by their keys: what the extension looks keys up in that no graph holds."""

    def __init__(self) -> None:
        self.futures: weakref.WeakValueDictionary[Any, Future] = weakref.WeakValueDictionary()

    def __contains__(self, key: Any) -> bool:
        future = self.futures.get(key)
        return future is not None and future._handle is not None

    def __getitem__(self, key: Any) -> _engine.Handle:
        return self.futures[key]._held()

    def keep(self, key: Any, future: Future) -> Future:
        """Notes a future, which it returns."""
        self.futures[key] = future
        return future


class Client:
    """Runs Dask's collections and functions on the engine.

    ``Client()`` runs it in this process, with a compute thread for each core: no daemon, no port, nothing pickled.

    Parameters
    ----------
    threads_per_worker
        Tasks that run at a time; by default as many as this process may use cores.
    memory_limit
        Bytes that the process may use, as a number or as ``"4 GiB"``; 0 for no limit, ``"auto"`` for what the machine
        or its control group has.
    set_as_default
        Whether ``compute`` and ``persist`` of Dask use this client while it is open.

    """

    asynchronous = False

    def __init__(
        self,
        *,
        threads_per_worker: int | None = None,
        memory_limit: int | float | str = "auto",
        set_as_default: bool = True,
    ) -> None:
        threads = threads_per_worker or len(os.sched_getaffinity(0))
        self._engine: _engine.Engine | None = _engine.Engine(threads, _bytes(memory_limit))
        self._pid = os.getpid()
        self.id = f"Client-{uuid.uuid4()}"
        self._known = _Known()
        self._done_callbacks: Callbacks | None = None
        self._config: Any = None
        if set_as_default:
            settings = {"scheduler": self, "dataframe.shuffle.method": "tasks", "array.rechunk.method": "tasks"}
            self._config = _dask.config.set(settings)
        _clients.append(weakref.ref(self))

    # --- life -----------------------------------------------------------------------------------------------------

    @property
    def status(self) -> str:
        """Either "running" or "closed"."""
        return "closed" if self._engine is None else "running"

    def close(self, timeout: Any = None) -> None:
        """Ends the engine; results that it keeps are lost."""
        if self._engine is None:
            return
        if self._config is not None:
            self._config.__exit__(None, None, None)
        self._known.futures.clear()
        self._engine = None

    shutdown = close

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        threads = 0 if self._engine is None else self._engine.threads
        return f"<Client: {self.status}, in this process, {threads} threads>"

    def _open(self) -> _engine.Engine:
        if self._engine is None:
            raise RuntimeError("this client is closed; make another by dask_runtime.Client()")
        return self._engine

    def _is_here(self) -> bool:
        """Whether the engine runs, and in this process."""
        return self._engine is not None and self._pid == os.getpid()

    def _callbacks(self) -> Callbacks:
        if self._done_callbacks is None:
            self._done_callbacks = Callbacks()
        return self._done_callbacks

    # --- collections ----------------------------------------------------------------------------------------------

    def get(self, dsk: Any, keys: Any, **kwargs: Any) -> Any:
        """Computes keys of a graph: a Dask scheduler function.

        ``keys`` may be one key or nested lists of keys; the values come in the same form.
        """
        engine = self._open()
        graph = self._graph(dsk)
        wanted = list(_dask.flatten([keys]))
        with _dask.local_callbacks(kwargs.get("callbacks")) as callbacks:
            if callbacks:
                with with_callbacks(dsk, graph, callbacks, wanted) as wrapped:
                    values = engine.get(wrapped, wanted, self._known)
            else:
                values = engine.get(graph, wanted, self._known)
        return _pack(keys, iter(values))

    def persist(self, collections: Any, optimize_graph: bool = True, **kwargs: Any) -> Any:
        """Starts computing collections, whose results stay with the engine; returns collections of futures."""
        single = not isinstance(collections, (tuple, list, set, frozenset))
        many = [collections] if single else list(collections)
        expr = _dask.collections_to_expr(many, optimize_graph).optimize()
        keys = expr.__dask_keys__()
        flat = list(dict.fromkeys(_dask.flatten(keys)))
        futures = self._start(self._graph(expr), flat)
        results = []
        for collection, own in zip(many, keys, strict=True):
            rebuild, arguments = collection.__dask_postpersist__()
            results.append(rebuild({key: futures[key] for key in _dask.flatten(own)}, *arguments))
        return results[0] if single else results

    def compute(self, collections: Any, sync: bool = False, optimize_graph: bool = True, **kwargs: Any) -> Any:
        """Starts computing collections: a future for each, or with ``sync`` the values.

        What is no collection is returned as it is.
        """
        single = not isinstance(collections, (tuple, list, set, frozenset))
        many = [collections] if single else list(collections)
        ours = [c for c in many if _dask.is_dask_collection(c)]
        futures: list[Future] = []
        if ours:
            expr = _dask.finalized(ours, optimize_graph)
            keys = list(_dask.flatten(expr.__dask_keys__()))
            started = self._start(self._graph(expr), list(dict.fromkeys(keys)))
            futures = [started[key] for key in keys]
        rest = iter(futures)
        result = [next(rest) if _dask.is_dask_collection(c) else c for c in many]
        if sync:
            result = self.gather(result)
        return result[0] if single else result

    def explain(self, collection: Any) -> str:
        """What of a collection would run native, and what is in the way of the rest: a table as text.

        A task that may run native still runs as Python where its blocks are not plain arrays (masked, sparse, of objects),
        or where numpy does something that the engine does not.
        """
        expr = _dask.finalized([collection], True)
        keys = list(_dask.flatten(expr.__dask_keys__()))
        rows = self._open().explain(self._graph(expr), keys, self._known)
        total = sum(count for *_, count in rows)
        native = sum(count for _, why, count in rows if why is None)
        lines = [f"{native} of {total} tasks run native"]
        width = max((len(name) for name, *_ in rows), default=0)
        lines += [f"{count:>8}  {name:<{width}}  {'native' if why is None else why}" for name, why, count in rows]
        return "\n".join(lines)

    def _graph(self, dsk: Any) -> dict[Any, Any]:
        """The graph's nodes, without those whose results are kept already."""
        graph = _dask.graph_of(dsk)
        known = self._known.futures
        if known:
            fewer, more = (known, graph) if len(known) < len(graph) else (graph, known)
            for key in [key for key in list(fewer) if key in more]:
                if key in self._known:
                    graph.pop(key, None)
        return graph

    def _start(self, graph: dict[Any, Any], keys: list[Any]) -> dict[Any, Future]:
        """Futures of keys, by key."""
        futures: dict[Any, Future] = {}
        new = []
        for key in keys:
            future = self._known.futures.get(key)
            if future is not None and future._handle is not None:
                futures[key] = future
            else:
                new.append(key)
        if new:
            for key, handle in zip(new, self._open().start(graph, new, self._known), strict=True):
                futures[key] = self._known.futures[key] = Future(key, self, handle)
        return futures

    # --- functions and futures ------------------------------------------------------------------------------------

    def submit(self, func: Callable[..., Any], *args: Any, key: Any = None, pure: bool = True, **kwargs: Any) -> Future:
        """Calls a function on the engine. Futures among its arguments are replaced by their values.

        With ``pure``, the same call again is the same future.
        """
        if not callable(func):
            raise TypeError(f"First input to submit must be a callable function, got {type(func).__name__}")
        if key is None:
            key = f"{_dask.funcname(func)}-{_token(func, args, kwargs, pure)}"
        keywords: dict[str, Any] = {name: _dask.parse_input(value) for name, value in kwargs.items()}
        task = _dask.Task(key, func, *(_dask.parse_input(a) for a in args), **keywords)
        return self._start({key: task}, [key])[key]

    def map(
        self,
        func: Callable[..., Any],
        *iterables: Collection[Any],
        key: Any = None,
        pure: bool = True,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> list[Future]:
        """Calls a function with the items of each iterable in turn; a list of futures."""
        if not callable(func):
            raise TypeError(f"First input to map must be a callable function, got {type(func).__name__}")
        columns = [list(items) for items in iterables]
        if pure and key is None and not kwargs and columns:
            name = _dask.funcname(func)
            known = dict(self._known.futures)
            started = self._open().map(func, columns, name, _token(func, (), {}, True), known)
            if started is not None:
                return [known[k] if h is None else self._known.keep(k, Future(k, self, h)) for k, h in started]
        rows = list(zip(*columns, strict=False))
        if isinstance(key, list):
            keys = list(key)
            if len(keys) != len(rows):
                raise ValueError(f"{len(keys)} keys for {len(rows)} calls")
        else:
            name = key or _dask.funcname(func)
            keys = [f"{name}-{_token(func, row, kwargs, pure)}" for row in rows]
        keywords: dict[str, Any] = {name: _dask.parse_input(value) for name, value in kwargs.items()}
        graph = {
            k: _dask.Task(k, func, *(_dask.parse_input(a) for a in row), **keywords)
            for k, row in zip(keys, rows, strict=True)
        }
        futures = self._start(graph, list(graph))
        return [futures[k] for k in keys]

    def gather(self, futures: Any, errors: str = "raise", **kwargs: Any) -> Any:
        """The values of futures, wherever they stand in lists, tuples, sets, dicts and iterators.

        With ``errors="skip"``, futures that failed are left out of lists.
        """
        if errors not in ("raise", "skip"):
            raise ValueError(f"errors is {errors!r}; use 'raise' or 'skip'")
        if isinstance(futures, Iterator):
            return (self.gather(future, errors) for future in futures)
        if type(futures) is list and errors == "raise" and all(isinstance(f, Future) for f in futures):
            return _engine.gather([f._held() for f in futures])
        found: list[Future] = []
        _find(futures, found)
        if found:
            wait(found)
        return _values(futures, errors)

    def scatter(self, data: Any, hash: bool = True, broadcast: bool = False, **kwargs: Any) -> Any:
        """Hands data to the engine; a future for each item of a list or value of a dict, or one for anything else."""
        if isinstance(data, Mapping):
            named = {k: _dask.Task(k, _same, _dask.DataNode(None, v)) for k, v in data.items()}
            return self._start(named, list(named))
        many = isinstance(data, (list, tuple, set, frozenset, range))
        items = list(data) if many else [data]
        keys = [f"{type(i).__name__}-{_dask.tokenize(i) if hash else uuid.uuid4().hex}" for i in items]
        graph = {k: _dask.Task(k, _same, _dask.DataNode(None, i)) for k, i in zip(keys, items, strict=True)}
        futures = self._start(graph, list(graph))
        result = [futures[k] for k in keys]
        if not many:
            return result[0]
        return type(data)(result) if isinstance(data, (tuple, set, frozenset)) else result

    def cancel(self, futures: Any, **kwargs: Any) -> None:
        """Gives futures up, and all that was submitted in the same calls."""
        found: list[Future] = []
        _find(futures, found)
        for future in found:
            future.cancel()

    def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Calls a function in each worker process at once, outside of any task: here, in this one."""
        self._open()
        return {"inproc://embedded": function(*args, **kwargs)}

    def nthreads(self) -> dict[str, int]:
        """Tasks that each worker runs at a time."""
        return {"inproc://embedded": self._open().threads}

    ncores = nthreads

    def wait_for_workers(self, n_workers: int = 1, timeout: float | None = None) -> None:
        """Returns when there are that many workers; in this process there is one."""
        if n_workers > 1:
            raise TimeoutError(f"{n_workers} workers are wanted, and a client in its own process has one")


_default: Client | None = None


def get(dsk: Any, keys: Any, **kwargs: Any) -> Any:
    """A Dask scheduler function, without a client: ``x.compute(scheduler=dask_runtime.get)``.

    As Dask's own, it runs in this process and returns tuples for lists of keys.
    """
    global _default
    if _default is None or not _default._is_here():
        _default = Client(set_as_default=False)
    return _tuples(_default.get(dsk, keys, **kwargs), keys)


def _tuples(values: Any, keys: Any) -> Any:
    return tuple(map(_tuples, values, keys)) if isinstance(keys, list) else values


def _same(value: Any) -> Any:
    return value


_functions: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


def _token(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], pure: bool) -> str:
    """A name for a call: the same for the same call when it is pure."""
    if not pure:
        return uuid.uuid4().hex
    try:
        token = _functions.get(func)
        if token is None:
            token = _functions[func] = _dask.tokenize(func)
    except TypeError:
        token = _dask.tokenize(func)
    return _dask.tokenize(token, kwargs, *args)


def _find(obj: Any, found: list[Future]) -> None:
    if isinstance(obj, Future):
        found.append(obj)
    elif isinstance(obj, (list, tuple, set, frozenset)):
        for item in obj:
            _find(item, found)
    elif isinstance(obj, dict):
        for item in obj.values():
            _find(item, found)


def _values(obj: Any, errors: str) -> Any:
    if isinstance(obj, Future):
        return obj.result()
    if isinstance(obj, (list, tuple, set, frozenset)):
        kept = [o for o in obj if not (errors == "skip" and isinstance(o, Future) and o.status != "finished")]
        return type(obj)(_values(o, errors) for o in kept)
    if isinstance(obj, dict):
        return {k: _values(v, errors) for k, v in obj.items()}
    return obj


def _pack(keys: Any, values: Iterator[Any]) -> Any:
    if isinstance(keys, list):
        return [_pack(key, values) for key in keys]
    return next(values)


def _bytes(limit: int | float | str) -> int:
    if limit == "auto":
        return _engine.memory_limit()
    if isinstance(limit, str):
        from dask.utils import parse_bytes

        return int(parse_bytes(limit))
    return int(limit)
