"""Every name of Dask's that this package touches."""

from __future__ import annotations

import operator
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
from dask.array.core import load_store_chunk
from dask.base import collections_to_expr, get_annotations, is_dask_collection, tokenize, unpack_collections
from dask.callbacks import local_callbacks
from dask.core import flatten
from dask.utils import format_bytes, funcname, parse_bytes, parse_timedelta

from dask_runtime import _engine

__all__ = [
    "Alias",
    "DataNode",
    "GraphNode",
    "List",
    "Task",
    "TaskRef",
    "annotations_of",
    "collections_to_expr",
    "config",
    "convert_legacy_graph",
    "finalized",
    "flatten",
    "format_bytes",
    "funcname",
    "get_annotations",
    "graph_of",
    "is_dask_collection",
    "local_callbacks",
    "parse_bytes",
    "parse_input",
    "parse_timedelta",
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
    store=load_store_chunk,
)


def _recognised() -> dict[Any, str]:
    """Functions that native programs may stand for, and the names that the engine has for them.

    They are recognised by identity. A name that this version of Dask does not have is left out: it runs as Python.
    """
    import functools

    import toolz  # type: ignore[import-untyped]
    from dask import _task_spec, utils
    from dask.array import _shuffle, chunk, core, einsumfuncs, random, reductions, routines, wrap

    found: dict[Any, str] = {
        functools.partial: "partial",
        toolz.curry: "partial",
        toolz.functoolz.Compose: "compose",
        list: "list",
        tuple: "tuple",
        utils.methodcaller("reshape"): "reshape",
    }
    found |= {getattr(np, name): f"unary {name}" for name in _UNARY}
    found |= {getattr(np, name): f"binary {name}" for name in _BINARY}
    found |= {getattr(operator, name): function for name, function in _OPERATORS.items()}
    found |= {getattr(np, name): f"reduce {name}" for name in _REDUCTIONS}
    found |= {getattr(np, name): function for name, function in _NUMPY.items()}
    modules: dict[Any, dict[str, str]] = {
        _shuffle: {"_getitem": "shuffle_split", "concatenate_arrays": "shuffle_merge"},
        _task_spec: {"_identity_cast": "cast"},
        chunk: _CHUNK,
        core: _CORE,
        einsumfuncs: {"chunk_einsum": "einsum"},
        random: {"_apply_random_func": "generator", "_apply_random": "random_state"},
        reductions: _PARTS,
        routines: _ROUTINES,
        utils: {"apply": "apply"},
    }
    for module, names in modules.items():
        found |= {getattr(module, name): function for name, function in names.items() if hasattr(module, name)}
    for name, method, function in _METHODS:
        if hasattr(owner := getattr(_task_spec, name, None), method):
            found[getattr(owner, method)] = function
    inner = getattr(wrap, "_broadcast_trick_inner", None)
    if inner is not None:
        found[inner.func] = "full"
    return found


# fmt: off
_UNARY = [
    "negative", "positive", "absolute", "invert", "logical_not", "sign", "rint", "floor", "ceil", "trunc", "sqrt",
    "square", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin", "arccos",
    "arctan", "sinh", "cosh", "tanh", "isnan", "isinf", "isfinite", "conjugate", "deg2rad", "rad2deg",
]
_BINARY = [
    "add", "subtract", "multiply", "divide", "floor_divide", "remainder", "power", "maximum", "minimum", "fmax",
    "fmin", "arctan2", "hypot", "copysign", "bitwise_and", "bitwise_or", "bitwise_xor", "logical_and", "logical_or",
    "logical_xor", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
]
_REDUCTIONS = ["sum", "prod", "min", "max", "any", "all", "nansum", "nanprod", "count_nonzero"]
# fmt: on
_NUMPY = {
    "argmax": "arg argmax",
    "argmin": "arg argmin",
    "broadcast_to": "broadcast_to",
    "clip": "clip",
    "cumprod": "cumulative prod",
    "cumsum": "cumulative sum",
    "dot": "dot",
    "expand_dims": "expand_dims",
    "eye": "eye",
    "full_like": "full_like",
    "imag": "unary imag",
    "mean": "mean",
    "nancumprod": "nancumulative prod",
    "nancumsum": "nancumulative sum",
    "ones_like": "ones",
    "real": "unary real",
    "round": "round",
    "squeeze": "squeeze",
    "take": "take",
    "transpose": "transpose",
    "where": "where",
    "zeros_like": "zeros",
}
# Dask's functions on blocks, by the module that has them.
_CHUNK = {
    "arange": "arange",
    "argmax": "arg argmax",
    "argmin": "arg argmin",
    "astype": "astype",
    "coarsen": "coarsen",
    "getitem": "getitem",
    "topk": "topk",
    "topk_aggregate": "topk_aggregate",
}
_CORE = {
    "_concatenate2": "concatenate",
    "_enforce_dtype": "enforce_dtype",
    "concatenate3": "assemble",
    "concatenate_shaped": "concatenate_shaped",
    "finalize": "assemble",
}
_PARTS = {
    "_cumprod_merge": "binary multiply",
    "_cumsum_merge": "binary add",
    "_nanmax_skip": "reduce nanmax",
    "_nanmin_skip": "reduce nanmin",
    "_prefixscan_combine": "prefix_combine",
    "_prefixscan_first": "prefix_first",
    "_sqrt": "unary sqrt",
    "arg_agg": "arg_agg",
    "arg_chunk": "arg_chunk",
    "arg_combine": "arg_combine",
    "chunk_max": "reduce max",
    "chunk_min": "reduce min",
    "mean_agg": "mean_agg",
    "mean_chunk": "mean_chunk",
    "mean_combine": "mean_combine",
    "moment_agg": "moment_agg",
    "moment_chunk": "moment_chunk",
    "moment_combine": "moment_combine",
    "nannumel": "nannumel",
    "numel": "numel",
}
_METHODS = [("NestedContainer", "to_container", "container"), ("Dict", "constructor", "dict")]
_ROUTINES = {
    "_block_hist": "histogram",
    "_chunk_sum": "chunk_sum",
    "_matmul": "matmul",
    "_tensordot": "tensordot",
}
_OPERATORS = {
    "add": "binary add",
    "sub": "binary subtract",
    "mul": "binary multiply",
    "truediv": "binary divide",
    "floordiv": "binary floor_divide",
    "mod": "binary remainder",
    "pow": "binary power",
    "and_": "binary bitwise_and",
    "or_": "binary bitwise_or",
    "xor": "binary bitwise_xor",
    "eq": "binary equal",
    "ne": "binary not_equal",
    "lt": "binary less",
    "le": "binary less_equal",
    "gt": "binary greater",
    "ge": "binary greater_equal",
    "neg": "unary negative",
    "pos": "unary positive",
    "abs": "unary absolute",
    "invert": "unary invert",
    "getitem": "getitem",
}
_engine.recognise(_recognised())


def graph_of(dsk: Any) -> dict[Any, Any]:
    """The nodes of whatever Dask hands to a scheduler, by their keys."""
    if hasattr(dsk, "__dask_graph__"):
        dsk = dsk.__dask_graph__()
    graph: dict[Any, Any] = convert_legacy_graph(dsk)
    return graph


def annotations_of(dsk: Any) -> dict[str, dict[Any, Any]]:
    """What the layers of a graph are annotated with: values by keys, by what they say."""
    annotations = getattr(dsk, "__dask_annotations__", None)
    found: dict[str, dict[Any, Any]] = {} if annotations is None else annotations()
    return found


def finalized(collections: list[Any], optimize_graph: bool) -> Any:
    """The expression of collections' final values, optimised; its keys are one for each."""
    return FinalizeCompute(collections_to_expr(collections, optimize_graph)).optimize()
