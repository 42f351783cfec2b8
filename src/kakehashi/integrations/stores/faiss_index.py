"""Indices of FAISS in a file: their vectors, and a new one of the same kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError, KakehashiError, ReaderError
from ...vectors import Float32Array

_KINDS = ("IndexFlat", "IndexHNSW", "IndexIVF", "IndexPQ", "IndexScalarQuantizer")
"""Beginnings of the classes that give their vectors back. FAISS ends the process over others."""


def faiss_module() -> Any:
    """Return the package.

    Raises:
        KakehashiError: it is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise KakehashiError("faiss is not installed; install it: pip install faiss-cpu") from error
    return faiss


def read_index_file(path: Path) -> Any:
    """Read an index.

    Raises:
        ReaderError: the file is none.
        KakehashiError: faiss is not installed.
    """
    faiss = faiss_module()
    try:
        return faiss.read_index(str(path))
    except RuntimeError as error:
        said = str(error).rpartition(": ")[2]
        raise ReaderError(f"{path} is no index of FAISS ({said:.80}).") from error


def vectors_of(index: Any, name: str) -> Float32Array:
    """Return the (n, d) float32 vectors of an index, as it keeps them, in their order.

    Raises:
        DataError: an index of this kind does not give its vectors back.
    """
    if not type(index).__name__.startswith(_KINDS):
        raise DataError(
            f"{name} is a {type(index).__name__} of FAISS, which gives no vectors back; the kinds "
            f"that do are {', '.join(_KINDS)}. Embed its texts again."
        )
    if not index.ntotal:
        return np.empty((0, index.d), np.float32)
    return np.asarray(index.reconstruct_n(0, index.ntotal), np.float32)


def like(index: Any, dimension: int) -> Any:
    """Return an empty index of the same kind, metric and parameters, for another dimension.

    Raises:
        DataError: FAISS has no such index of this dimension.
    """
    faiss = faiss_module()
    try:
        kind = _kind(index)
        made = faiss.index_factory(dimension, kind, index.metric_type)
    except (RuntimeError, NotImplementedError, AssertionError) as error:
        raise DataError(
            f"FAISS makes no {type(index).__name__} like this one for {dimension} dimensions "
            f"({' '.join(str(error).split())[-80:]}). Make the index anew of a kind that takes any "
            "dimension, as IndexFlatIP does, and move that one."
        ) from error
    if hasattr(index, "hnsw"):
        for name in ("efSearch", "efConstruction"):
            setattr(made.hnsw, name, getattr(index.hnsw, name))
    if hasattr(index, "nprobe"):
        made.nprobe = index.nprobe
    return made


def settings_of(index: Any) -> dict[str, Any]:
    """Return the kind and the metric of an index, as JSON; nothing where there is none."""
    if index is None:
        return {}
    return {"faiss": {"kind": _kind(index), "metric": int(index.metric_type)}}


def _kind(index: Any) -> str:
    """Return the words by which FAISS's factory makes such an index."""
    from faiss.contrib import factory_tools

    tools: Any = factory_tools
    return str(tools.reverse_index_factory(index))


def write_index(index: Any, path: Path, vectors: Float32Array) -> None:
    """Write vectors as an index into a file.

    Args:
        index: an empty one; it learns from the vectors where its kind does.
    """
    faiss = faiss_module()
    rows = np.ascontiguousarray(vectors, np.float32)
    if len(rows) and not index.is_trained:
        index.train(rows)
    if len(rows):
        index.add(rows)
    faiss.write_index(index, str(path))
