"""LlamaIndex: nodes of an index by their ids, as far as the filters of a call let them through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from llama_index.core.indices import VectorStoreIndex
from llama_index.core.schema import BaseNode

from ...retrieval.second_model.model import SecondModel
from ...retrieval.second_model.stage import Payloads, SecondStage
from .embedding import AlignedEmbedding
from .filters import all_of, permits

_READ_HERE = ("filters", "similarity_top_k", "vector_store_query_mode")
"""Options that restrict no search, and the filters, which are read here."""
_READS_NO_IDS = "LanceDBVectorStore"
"""Its ``get_nodes`` takes ids for names of columns (llama-index-vector-stores-lancedb 0.6)."""


def second_stage(
    index: VectorStoreIndex,
    embedding: AlignedEmbedding,
    model: SecondModel | None,
    options: Mapping[str, Any],
) -> SecondStage | None:
    """Return a second model over the nodes of an index; None without one.

    Args:
        options: of the search, which those of a call join.
    """
    if model is None:
        return None

    # No closures: a retriever that holds this is pickled.
    by_ids = partial(_by_ids, index, options)
    return SecondStage(model, Payloads(embedding.text_of, _id_of, by_ids))


def _id_of(node: BaseNode) -> str:
    return str(node.node_id)


def _by_ids(
    index: VectorStoreIndex,
    options: Mapping[str, Any],
    ids: Sequence[str],
    of_call: Mapping[str, Any],
) -> Sequence[BaseNode]:
    filters = all_of([options.get("filters"), of_call.get("filters")])
    return nodes_by_ids(index, ids, {**options, **of_call, "filters": filters})


def nodes_by_ids(
    index: VectorStoreIndex, ids: Sequence[str], options: Mapping[str, Any]
) -> Sequence[BaseNode]:
    """Return the nodes of these ids that are there, and that the filters let through.

    Args:
        options: of a search. Where they cannot be applied to nodes at hand, there are none.
    """
    if any(name not in _READ_HERE and value is not None for name, value in options.items()):
        return []
    filters = options.get("filters")
    nodes = _of_docstore(index, ids) if _keeps_no_text(index) else _of_store(index, ids)
    return [node for node in nodes if filters is None or permits(filters, node)]


def _keeps_no_text(index: VectorStoreIndex) -> bool:
    return not index.vector_store.stores_text


def _of_docstore(index: VectorStoreIndex, ids: Sequence[str]) -> Sequence[BaseNode]:
    """Return nodes that the index holds: one that was deleted may stay in the docstore."""
    held = set(index.index_struct.nodes_dict.values())
    return index.docstore.get_nodes([name for name in ids if name in held], raise_error=False)


def _of_store(index: VectorStoreIndex, ids: Sequence[str]) -> Sequence[BaseNode]:
    if type(index.vector_store).__name__ == _READS_NO_IDS:
        return []
    try:
        return index.vector_store.get_nodes(list(ids)) or []
    except (NotImplementedError, AttributeError, TypeError):  # or it has an async client only
        return []
