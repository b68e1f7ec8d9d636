"""Every name of Dask's that this package touches."""

from __future__ import annotations

from typing import Any

import numpy as np
from dask import config
from dask._expr import FinalizeCompute
from dask._task_spec import (
    Alias,
    DataNode,
    GraphNode,
    List,
    Task,
    TaskRef,
    _execute_subgraph,
    _identity_cast,
    convert_legacy_graph,
    parse_input,
)
from dask.base import collections_to_expr, is_dask_collection, tokenize, unpack_collections
from dask.callbacks import local_callbacks
from dask.core import flatten
from dask.utils import funcname

from dask_runtime import _engine

__all__ = [
    "Alias",
    "DataNode",
    "GraphNode",
    "List",
    "Task",
    "TaskRef",
    "collections_to_expr",
    "config",
    "convert_legacy_graph",
    "finalized",
    "flatten",
    "funcname",
    "graph_of",
    "is_dask_collection",
    "local_callbacks",
    "parse_input",
    "tokenize",
    "unpack_collections",
]

_engine.register(
    task=Task,
    task_ref=TaskRef,
    graph_node=GraphNode,
    alias=Alias,
    data_node=DataNode,
    list=List,
    ndarray=np.ndarray,
    subgraph=_execute_subgraph,
    cast=_identity_cast,
)


def graph_of(dsk: Any) -> dict[Any, Any]:
    """The nodes of whatever Dask hands to a scheduler, by their keys."""
    if hasattr(dsk, "__dask_graph__"):
        dsk = dsk.__dask_graph__()
    return convert_legacy_graph(dsk)


def finalized(collections: list[Any], optimize_graph: bool) -> Any:
    """The expression of collections' final values, optimised; its keys are one for each."""
    return FinalizeCompute(collections_to_expr(collections, optimize_graph)).optimize()
