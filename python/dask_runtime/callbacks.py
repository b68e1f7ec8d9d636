"""Dask's callbacks (:mod:`dask.callbacks`), such as its ProgressBar, around tasks on the engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dask_runtime import _dask

__all__ = ["with_callbacks"]


@contextmanager
def with_callbacks(dsk: Any, graph: dict[Any, Any], callbacks: Any, keys: list[Any]) -> Iterator[dict[Any, Any]]:
    """A graph whose tasks tell ``callbacks`` when they start and end; start and finish are told around it."""
    state: dict[str, Any] = {
        "waiting": {k for k, v in graph.items() if not isinstance(v, _dask.DataNode)},
        "ready": [],
        "running": set(),
        "finished": set(),
        "released": set(),
        "cache": {k: v.value for k, v in graph.items() if isinstance(v, _dask.DataNode)},
        "dependencies": {k: set(v.dependencies) for k, v in graph.items()},
    }
    lock = threading.Lock()
    starts, start_states, pretasks, posttasks, finishes = zip(*callbacks, strict=True)

    def call(key: Any, node: Any, dependencies: tuple[Any, ...], *values: Any) -> Any:
        with lock:
            state["waiting"].discard(key)
            state["running"].add(key)
            for pretask in filter(None, pretasks):
                pretask(key, graph, state)
        result = node(dict(zip(dependencies, values, strict=True)))
        with lock:
            state["running"].discard(key)
            state["finished"].add(key)
            for posttask in filter(None, posttasks):
                posttask(key, result, graph, state, threading.get_ident())
        return result

    def wrapped(key: Any, node: Any) -> Any:
        if isinstance(node, _dask.DataNode):
            return node
        dependencies = tuple(node.dependencies)
        references = (_dask.TaskRef(d) for d in dependencies)
        hidden = _dask.DataNode(None, node)
        return _dask.Task(key, call, _dask.DataNode(None, key), hidden, _dask.DataNode(None, dependencies), *references)

    failed = True
    try:
        for start in filter(None, starts):
            start(graph)
        for start_state in filter(None, start_states):
            start_state(graph, state)
        yield {key: wrapped(key, node) for key, node in graph.items()}
        failed = False
    finally:
        for finish in filter(None, finishes):
            finish(graph, state, failed)
