"""The client: unmodified Dask collections, functions and futures on the engine."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import os
import threading
import uuid
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

from dask_runtime import _dask, _engine, annotated, arguments, remote_actor
from dask_runtime import actor as actor_module
from dask_runtime.callbacks import with_callbacks
from dask_runtime.calls import awaited, same, token
from dask_runtime.cluster import LocalCluster
from dask_runtime.everywhere import call_everywhere, named
from dask_runtime.executor import ClientExecutor
from dask_runtime.future import Callbacks, Future, cancel, until_done, wait
from dask_runtime.nested import apart, find, pack, tuples, values
from dask_runtime.reports import ADDRESS, Reports
from dask_runtime.versions import compare
from dask_runtime.waiting import Ready, then

__all__ = ["Client", "get", "get_client"]

_clients: list[weakref.ref[Client]] = []


def get_client() -> Client:
    """The newest client that is open; in a task on a cluster, one of that cluster.

    Raises
    ------
    ValueError
        When there is none.

    """
    address = _engine.scheduler_address()
    if address is not None:
        with _lock:
            client = _of_tasks.get(address)
            if client is None or client._lost():
                client = _of_tasks[address] = Client(address, set_as_default=False)
        return client
    for reference in reversed(_clients):
        client = reference()
        if client is not None and client.status == "running":
            return client
    raise ValueError("no client is open; make one by dask_runtime.Client()")


def again(key: Any, client_id: str, job: str, task: int) -> Future:
    """A future that was pickled: of the client that made it, where that is in this process, else of another."""
    clients = [reference() for reference in _clients]
    own = [client for client in clients if client is not None and client.id == client_id and client._is_here()]
    client = own[0] if own else get_client()
    if not own and client._address is None:
        raise RuntimeError(
            f"{key!r} is the result of a client in another process, whose results stay there; use a cluster for "
            "futures that cross processes: Client(n_workers=...)"
        )
    return client._again(key, job, task)


def keeper(key: Any) -> tuple[Client, Future | None]:
    """The client that keeps a result of this key, and its future; else any."""
    for reference in reversed(_clients):
        client = reference()
        if client is not None and client._is_here() and (future := client._known.get(key)) is not None:
            return client, future
    return get_client(), None


# The clients of tasks on a cluster that ask for one.
_of_tasks: dict[str, Client] = {}
_lock = threading.Lock()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keeps the garbage collector from looking through many objects again and again while they are made."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Known:
    """Results that the client keeps, by their keys: what the extension looks keys up in that no graph holds."""

    def __init__(self) -> None:
        # References to futures; some are dead. A WeakValueDictionary drops these at once, each at the cost of a task.
        self.references: dict[Any, weakref.ref[Future]] = {}
        self._lock = threading.Lock()
        self._sweep_at = 1000

    def _live(self, key: Any) -> Future | None:
        reference = self.references.get(key)
        return None if reference is None else reference()

    def get(self, key: Any) -> Future | None:
        future = self._live(key)
        return None if future is None or future.status == "cancelled" else future

    def __contains__(self, key: Any) -> bool:
        """Whether a graph may use it.

        Raises
        ------
        CancelledError
            When it was given up.

        """
        future = self._live(key)
        if future is not None and future.status == "cancelled":
            raise CancelledError(f"{key!r} was cancelled, and cannot be used any more; submit it again")
        return future is not None

    def __getitem__(self, key: Any) -> _engine.Handle:
        future = self.get(key)
        if future is None:
            raise KeyError(key)
        return future._held()

    def keep(self, futures: list[Future]) -> None:
        """Notes futures."""
        with self._lock:
            self.references.update(zip([f.key for f in futures], map(weakref.ref, futures), strict=True))

    def sweep(self) -> None:
        """Lets dead references go, once there are many."""
        if len(self.references) > self._sweep_at:
            with self._lock:
                self.references = {k: r for k, r in self.references.items() if r() is not None}
                self._sweep_at = 1000 + 2 * len(self.references)

    def live(self) -> list[Future]:
        """All futures that somebody refers to."""
        with self._lock:
            references = list(self.references.values())
        return [future for reference in references if (future := reference()) is not None]


class Client(Reports):
    """Runs Dask's collections and functions on the engine.

    ``Client()`` runs it in this process, with a compute thread for each core: no daemon, no port, nothing pickled.
    ``Client(n_workers=4)`` starts a scheduler and worker processes on this machine, which end with the client.
    ``Client("tcp://…:8786")`` uses a cluster, as does ``Client()`` where ``DASK_SCHEDULER_ADDRESS`` or the
    configuration's ``scheduler-address`` names one.

    Parameters
    ----------
    address
        Of a scheduler, or something with a ``scheduler_address``.
    n_workers
        Worker processes to start; None or 1 for this process.
    threads_per_worker
        Tasks that run at a time; by default as many as this process may use cores, shared out among the workers.
    processes
        True for worker processes, though it be one; False for this process.
    memory_limit
        Bytes that the process may use, or each worker process, as a number or as ``"4 GiB"``; ``"auto"`` for what the
        machine or its control group has, shared out among the workers, a number up to 1 for a part of that, None or 0
        for no limit.
    resources
        Amounts of named resources that each worker process has.
    timeout
        How long a scheduler is tried, and its versions waited for.
    set_as_default
        Whether ``compute`` and ``persist`` of Dask use this client while it is open.
    asynchronous
        Whether it is used from coroutines: there, what would wait is to be awaited.
    kwargs
        What else distributed's Client takes: accepted where it means what is so anyway; refused otherwise.

    """

    def __init__(
        self,
        address: Any = None,
        *,
        n_workers: int | None = None,
        threads_per_worker: int | None = None,
        processes: bool | None = None,
        memory_limit: int | float | str | None = "auto",
        resources: dict[str, float] | None = None,
        timeout: Any = 4,
        set_as_default: bool = True,
        asynchronous: bool = False,
        **kwargs: Any,
    ) -> None:
        arguments.check_client(kwargs)
        self.id = f"Client-{uuid.uuid4()}"
        workers = arguments.workers(n_workers, processes)
        self.cluster: LocalCluster | None = None
        self._address = arguments.address(address, workers)
        self._patience = arguments.seconds(timeout)
        if workers:
            each = arguments.threads(threads_per_worker, workers)
            self.cluster = LocalCluster(workers, each, arguments.memory(memory_limit, workers), resources)
            self._address = self.cluster.scheduler_address
        elif resources is not None:
            raise ValueError(
                f"resources is {resources!r}: workers have them; use n_workers=, or start workers with --resource"
            )
        self._settings = (arguments.threads(threads_per_worker), arguments.memory(memory_limit))
        self._engine: _engine.Engine | None = None
        self._engine = self._start_engine()
        self._asynchronous = asynchronous
        self._pid = os.getpid()
        self._known = _Known()
        self._done_callbacks: Callbacks | None = None
        # Of what is shared and has no name, by the names that it has nevertheless.
        self._lives: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
        self._config: Any = None
        if set_as_default:
            settings = {"scheduler": self, "dataframe.shuffle.method": "tasks", "array.rechunk.method": "tasks"}
            self._config = _dask.config.set(settings)
        _clients.append(weakref.ref(self))

    def _start_engine(self) -> _engine.Engine:
        if self._address is None:
            return _engine.Engine(*self._settings)
        try:
            patience = 3600.0 if self._patience is None else self._patience
            engine = _engine.Engine.connect(self._address, patience, f"{self.id}-{uuid.uuid4().hex[:8]}")
            if self.cluster is not None:
                self.cluster.wait(lambda: [worker["address"] for worker in engine.workers()])
            else:
                compare(engine.workers())
        except BaseException:
            if self.cluster is not None:
                self.cluster.close()
            raise
        return engine

    # --- life -----------------------------------------------------------------------------------------------------

    @property
    def status(self) -> str:
        """Either "running" or "closed"."""
        return "closed" if self._engine is None else "running"

    @property
    def asynchronous(self) -> bool:
        """Whether the caller is a coroutine, so that what would wait returns something to await."""
        return self._asynchronous and asyncio._get_running_loop() is not None

    def close(self, timeout: Any = None) -> Any:
        """Ends the engine; results that it keeps are lost."""
        if self._engine is not None:
            if self._config is not None:
                self._config.__exit__(None, None, None)
            self._forget()
            self._engine.close()
            self._engine = None
            if self.cluster is not None:
                self.cluster.close()
        return self._now(None)

    shutdown = close

    def restart(self, timeout: Any = None, wait_for_workers: bool = True) -> Any:
        """Gives all futures up and begins with a new engine.

        Worker processes that the client started are started anew. Those of another cluster stay as they are, with what
        other clients compute there. In this process locks, events, queues and variables begin anew too; on a cluster
        others may be using them.
        """
        engine = self._open()
        self._forget()
        if self.cluster is not None:
            self.cluster.restart([] if engine.lost else [worker["address"] for worker in engine.workers()])
        engine.close()
        self._engine = self._start_engine()
        return self._now(None)

    def _forget(self) -> None:
        """Gives up what the engine keeps and computes."""
        futures = self._known.live()
        cancel(futures)
        for future in futures:
            future.release()
        self._known = _Known()

    def __enter__(self) -> Client:
        self._open()
        if self._asynchronous:
            raise TypeError("asynchronous is True; use 'async with' instead of 'with'")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Client:
        self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __await__(self) -> Generator[Any, None, Client]:
        return self
        yield

    def _open(self) -> _engine.Engine:
        if self._engine is None:
            raise RuntimeError("this client is closed; make another by dask_runtime.Client()")
        return self._engine

    def _lost(self) -> bool:
        """Whether the connection to the cluster ended."""
        return self._engine is None or self._engine.lost is not None

    def _is_here(self) -> bool:
        """Whether the engine runs, and in this process."""
        return self._engine is not None and self._pid == os.getpid()

    def _callbacks(self) -> Callbacks:
        if self._done_callbacks is None:
            self._done_callbacks = Callbacks()
        return self._done_callbacks

    def _now(self, value: Any) -> Any:
        """What a method returns that need not wait: to be awaited where the client is asynchronous."""
        return Ready(value) if self.asynchronous else value

    # --- collections ----------------------------------------------------------------------------------------------

    def get(self, dsk: Any, keys: Any, **kwargs: Any) -> Any:
        """Computes keys of a graph: a Dask scheduler function.

        ``keys`` may be one key or nested lists of keys; the values come in the same form. Further
        arguments may be those of :meth:`submit` by which tasks are annotated.
        """
        engine = self._open()
        graph = self._graph(dsk)
        sets = self._annotated(annotated.take(kwargs), graph, _dask.annotations_of(dsk))
        wanted = list(_dask.flatten([keys]))
        if self.asynchronous:
            futures = self._start(graph, list(dict.fromkeys(wanted)), sets)
            gathered = self._gather_in_loop([futures[key] for key in wanted], "raise")
            return then(gathered, lambda found: pack(keys, iter(found)))
        with _dask.local_callbacks(kwargs.get("callbacks")) as callbacks:
            if callbacks:
                with with_callbacks(dsk, graph, callbacks, wanted) as wrapped:
                    found = engine.get(wrapped, wanted, self._known, sets)
            else:
                found = engine.get(graph, wanted, self._known, sets)
        return pack(keys, iter(found))

    def persist(self, collections: Any, optimize_graph: bool = True, **kwargs: Any) -> Any:
        """Starts computing collections, whose results stay with the engine; returns collections of futures.

        Further arguments are those of :meth:`submit` by which tasks are annotated.
        """
        own = annotated.take(kwargs)
        arguments.check_task("persist", kwargs)
        single = not isinstance(collections, (tuple, list, set, frozenset))
        many = [collections] if single else list(collections)
        arguments.check_collections("persist", many)
        expr = _dask.collections_to_expr(many, optimize_graph).optimize()
        keys = expr.__dask_keys__()
        flat = list(dict.fromkeys(_dask.flatten(keys)))
        graph = self._graph(expr)
        futures = self._start(graph, flat, self._annotated(own, graph, _dask.annotations_of(expr)))
        results = []
        for collection, own in zip(many, keys, strict=True):
            rebuild, rest = collection.__dask_postpersist__()
            results.append(rebuild({key: futures[key] for key in _dask.flatten(own)}, *rest))
        return results[0] if single else results

    def compute(self, collections: Any, sync: bool = False, optimize_graph: bool = True, **kwargs: Any) -> Any:
        """Starts computing collections: a future for each, or with ``sync`` the values.

        What is no collection is returned as it is. Further arguments are those of :meth:`submit` by which tasks are
        annotated.
        """
        own = annotated.take(kwargs)
        arguments.check_task("compute", kwargs)
        single = not isinstance(collections, (tuple, list, set, frozenset))
        many = [collections] if single else list(collections)
        ours = [c for c in many if _dask.is_dask_collection(c)]
        futures: list[Future] = []
        if ours:
            expr = _dask.finalized(ours, optimize_graph)
            keys = list(_dask.flatten(expr.__dask_keys__()))
            graph = self._graph(expr)
            sets = self._annotated(own, graph, _dask.annotations_of(expr))
            started = self._start(graph, list(dict.fromkeys(keys)), sets)
            futures = [started[key] for key in keys]
        rest = iter(futures)
        result = [next(rest) if _dask.is_dask_collection(c) else c for c in many]
        wanted = result[0] if single else result
        return self.gather(wanted) if sync else wanted

    def explain(self, collection: Any) -> str:
        """What of a collection would run native, and what is in the way of the rest: a table as text.

        A task that may run native still runs as Python where its blocks are not plain arrays (masked, sparse, of
        objects), or where numpy does something that the engine does not.
        """
        arguments.check_collections("explain", [collection])
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
        known = self._known.references
        if known:
            fewer, more = (known, graph) if len(known) < len(graph) else (graph, known)
            for key in [key for key in list(fewer) if key in more]:
                if self._known.get(key) is not None:
                    graph.pop(key, None)
        return graph

    def _annotated(
        self, given: dict[str, Any], keys: Iterable[Any], layers: dict[str, dict[Any, Any]] | None = None
    ) -> annotated.Annotated:
        """The annotations of keys: those of a call's arguments, and those of a graph's layers."""
        here = [ADDRESS, self.id] if self._address is None else None
        return annotated.of_graph(annotated.of_call(given), layers or {}, keys, here)

    def _start(
        self, graph: dict[Any, Any], keys: list[Any], sets: annotated.Annotated = annotated.NONE
    ) -> dict[Any, Future]:
        """Futures of keys, by key."""
        futures: dict[Any, Future] = {}
        new = []
        for key in keys:
            future = self._known.get(key)
            if future is None:
                new.append(key)
            else:
                futures[key] = future
        if new:
            self._known.sweep()
            with _uncollected():
                handles = self._open().start(graph, new, self._known, sets)
                started = [Future(key, self, handle) for key, handle in zip(new, handles, strict=True)]
                self._known.keep(started)
            futures.update(zip(new, started, strict=True))
        return futures

    def _again(self, key: Any, job: str, task: int) -> Future:
        """The future of a result that was pickled."""
        future = self._known.get(key)
        if future is None:
            future = Future(key, self, self._open().handle(job, task))
            self._known.keep([future])
        return future

    # --- functions and futures ------------------------------------------------------------------------------------

    def submit(
        self,
        func: Callable[..., Any],
        *args: Any,
        key: Any = None,
        retries: int | None = None,
        priority: int = 0,
        workers: Any = None,
        allow_other_workers: bool = False,
        resources: dict[str, float] | None = None,
        actor: bool = False,
        actors: bool = False,
        pure: bool = True,
        **kwargs: Any,
    ) -> Future:
        """Calls a function on the engine. Futures among its arguments are replaced by their values.

        Parameters
        ----------
        func, args, kwargs
            What is called.
        key
            The result's key; by default made of the call.
        retries
            How often it is called again when it raises.
        priority
            What is higher runs earlier; 0 by default.
        workers
            Names or addresses of the workers that may run it, or one.
        allow_other_workers
            Whether others may when none of ``workers`` is there.
        resources
            Amounts of named resources of its worker that it occupies while it runs.
        actor, actors
            Whether ``func`` is a class whose object is kept; the result is an :class:`Actor`.
        pure
            Whether the same call again is the same future.

        """
        if not callable(func):
            raise TypeError(f"First input to submit must be a callable function, got {type(func).__name__}")
        notes = annotated.given(retries, priority, workers, allow_other_workers, resources)
        keys = None if key is None else [key]
        return self._submit(func, [args], keys, kwargs, notes=notes, actor=actor or actors, pure=pure)[0]

    def map(
        self,
        func: Callable[..., Any],
        *iterables: Iterable[Any],
        key: Any = None,
        retries: int | None = None,
        priority: int = 0,
        workers: Any = None,
        allow_other_workers: bool = False,
        resources: dict[str, float] | None = None,
        actor: bool = False,
        actors: bool = False,
        pure: bool = True,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> list[Future]:
        """Calls a function with the items of each iterable in turn; a list of futures.

        Arguments are those of :meth:`submit`; ``key`` may be a list of keys, or what the keys begin with.
        """
        if not callable(func):
            raise TypeError(f"First input to map must be a callable function, got {type(func).__name__}")
        notes = annotated.given(retries, priority, workers, allow_other_workers, resources)
        columns = [list(items) for items in iterables]
        varies = any(map(callable, annotated.of_call(notes).values()))
        plain = pure and key is None and not kwargs and not (actor or actors or varies)
        if plain and columns and not inspect.iscoroutinefunction(func):
            self._known.sweep()
            shared = token(func, (), {}, True)
            name, sets = _dask.funcname(func), self._annotated(notes, [])
            started = self._open().map(func, columns, (name, shared), self._known, sets)
            if started is not None:
                with _uncollected():
                    futures = [h if type(h) is Future else Future(k, self, h) for k, h in zip(*started, strict=True)]
                    self._known.keep(futures)
                return futures
        rows = list(zip(*columns, strict=False))
        if isinstance(key, list) and len(key) != len(rows):
            raise ValueError(f"{len(key)} keys for {len(rows)} calls")
        return self._submit(func, rows, key, kwargs, notes=notes, actor=actor or actors, pure=pure)

    def _submit(
        self,
        func: Callable[..., Any],
        rows: list[tuple[Any, ...]],
        key: Any,
        kwargs: dict[str, Any],
        *,
        notes: dict[str, Any],
        actor: bool,
        pure: bool,
    ) -> list[Future]:
        arguments.check_task("submit", arguments.take_of_tasks(kwargs))
        if isinstance(key, list):
            keys = key
        else:
            name = key or _dask.funcname(func)
            keys = [f"{name}-{token(func, row, kwargs, pure and not actor)}" for row in rows]
        if inspect.iscoroutinefunction(func):
            func = awaited(func)
        keywords: dict[str, Any] = {name: _dask.parse_input(value) for name, value in kwargs.items()}
        graph = {}
        for k, row in zip(keys, rows, strict=True):
            call = func
            if actor and self._address is None:
                call = functools.partial(actor_module.create, self, k, func)
            elif actor:
                call = functools.partial(remote_actor.place, k, func)
            graph[k] = _dask.Task(k, call, *(_dask.parse_input(a) for a in row), **keywords)
        futures = self._start(graph, list(graph), self._annotated(notes, graph))
        return [futures[k] for k in keys]

    def _start_call(self, key: str, call: Callable[..., Any], *args: Any, workers: list[str] | None = None) -> Future:
        """A call that runs at once, by these workers while they are there."""
        there = {"workers": workers, "allow_other_workers": True} if workers else {}
        sets = annotated.of_graph(there, {}, [key], None)
        return self._start({key: _dask.Task(key, call, *args)}, [key], sets)[key]

    def gather(self, futures: Any, errors: str = "raise", **kwargs: Any) -> Any:
        """The values of futures, wherever they stand in lists, tuples, sets, dicts and iterators.

        With ``errors="skip"``, futures that failed are left out of lists.
        To be awaited where the client is asynchronous.
        """
        arguments.check_names("gather", kwargs, ("direct", "asynchronous"))
        if errors not in ("raise", "skip"):
            raise ValueError(f"errors is {errors!r}; use 'raise' or 'skip'")
        if self.asynchronous:
            return self._gather_in_loop(list(futures) if isinstance(futures, Iterator) else futures, errors)
        if isinstance(futures, Iterator):
            return (self.gather(future, errors) for future in futures)
        if type(futures) is list and errors == "raise" and all(isinstance(f, Future) for f in futures):
            gathered: list[Any] = _engine.gather([f._held() for f in futures])
            return apart(futures, gathered) if len(set(map(id, futures))) < len(futures) else gathered
        found = find(futures)
        if found:
            wait(found)
        return values(futures, errors)

    async def _gather_in_loop(self, futures: Any, errors: str) -> Any:
        found = find(futures)
        await until_done(found, len(found))
        return values(futures, errors)

    def scatter(self, data: Any, workers: Any = None, broadcast: bool = False, hash: bool = True, **kwargs: Any) -> Any:
        """Hands data to the engine; a future for each item of a list or value of a dict, or one for anything else.

        ``workers`` are names or addresses of those that may hold it. With ``broadcast`` it is not copied at once: each
        worker gets it with the first task there that takes it.
        """
        arguments.check_names("scatter", kwargs, ("direct", "timeout", "asynchronous"))
        notes = {"workers": workers}
        if isinstance(data, Mapping):
            named = {k: _dask.Task(k, same, _dask.DataNode(None, v)) for k, v in data.items()}
            return self._now(self._start(named, list(named), self._annotated(notes, named)))
        many = isinstance(data, (list, tuple, set, frozenset, range))
        items = list(data) if many else [data]
        keys = [f"{type(i).__name__}-{_dask.tokenize(i) if hash else uuid.uuid4().hex}" for i in items]
        graph = {k: _dask.Task(k, same, _dask.DataNode(None, i)) for k, i in zip(keys, items, strict=True)}
        futures = self._start(graph, list(graph), self._annotated(notes, graph))
        result = [futures[k] for k in keys]
        if not many:
            return self._now(result[0])
        return self._now(type(data)(result) if isinstance(data, (tuple, set, frozenset)) else result)

    def cancel(self, futures: Any, asynchronous: Any = None, force: bool = False, **kwargs: Any) -> Any:
        """Gives futures up: what of them has not started does not start, unless other tasks need it."""
        arguments.check_names("cancel", kwargs, ("reason", "msg"))
        cancel(find(futures))
        return self._now(None)

    def run(self, function: Callable[..., Any], *args: Any, workers: Any = None, **kwargs: Any) -> Any:
        """Calls a function in each worker process; what it returns, by the workers' addresses.

        In this process it is called at once, outside of any task. On a cluster it is a task for each worker, or for
        each that ``workers`` names, which runs before all that waits there. A coroutine function is run to its end.
        """
        self._open()
        if self._address is not None:
            if self.asynchronous:
                return asyncio.to_thread(self._run_everywhere, function, args, kwargs, workers)
            return self._run_everywhere(function, args, kwargs, workers)
        named(workers, self._workers())
        if self.asynchronous:
            return self._run_in_loop(function, *args, **kwargs)
        result = function(*args, **kwargs)
        return {ADDRESS: asyncio.run(result) if inspect.iscoroutine(result) else result}

    def _run_everywhere(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], workers: Any
    ) -> dict[str, Any]:
        futures = call_everywhere(self, function, args, kwargs, named(workers, self._workers()))
        return dict(zip(futures, self.gather(list(futures.values())), strict=True))

    async def _run_in_loop(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
        if inspect.iscoroutinefunction(function):
            return {ADDRESS: await function(*args, **kwargs)}
        return {ADDRESS: await asyncio.to_thread(function, *args, **kwargs)}

    def get_executor(self, **kwargs: Any) -> ClientExecutor:
        """An executor of :mod:`concurrent.futures`; takes ``pure`` (False by default) and ``retries`` of submit."""
        return ClientExecutor(self, **kwargs)


_default: Client | None = None


def get(dsk: Any, keys: Any, **kwargs: Any) -> Any:
    """A Dask scheduler function, without a client: ``x.compute(scheduler=dask_runtime.get)``.

    As Dask's own, it runs in this process and returns tuples for lists of keys.
    """
    global _default
    if _default is None or not _default._is_here():
        _default = Client(set_as_default=False)
    return tuples(_default.get(dsk, keys, **kwargs), keys)
