"""LlamaIndex: the nodes of a fused list, as a retriever returns them."""

from __future__ import annotations

from typing import Any

from llama_index.core.schema import BaseNode, NodeWithScore

from ...retrieval.hybrid_search import HybridResult, warn_of_failed


def nodes_with_scores(result: HybridResult, fusion: str, *, explain: bool) -> list[NodeWithScore]:
    """Return copies of the nodes: what is done to one is not done to what is stored.

    Args:
        fusion: its name, for the explanation.
        explain: give each node a metadata entry ``kakehashi``, which explains its place.
    """
    warn_of_failed(result.failed, stacklevel=4)
    rows = []
    for fused in result.documents:
        node: BaseNode = fused.payload
        update: dict[str, Any] = {"metadata": dict(node.metadata)}
        if explain:
            update["metadata"]["kakehashi"] = fused.described(fusion, result.failed)
            # The entry is for programs: neither an encoder nor a generator is to read it.
            for name in ("excluded_embed_metadata_keys", "excluded_llm_metadata_keys"):
                update[name] = [*getattr(node, name), "kakehashi"]
        rows.append(NodeWithScore(node=node.model_copy(update=update), score=fused.score))
    return rows
