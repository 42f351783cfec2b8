"""Nodes of LlamaIndex, as each kind of store keeps them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from llama_index.core.indices import VectorStoreIndex
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.utils import metadata_dict_to_node

from ...retrieval.stored_index import StoredDocument

TextOfNode = Callable[[BaseNode], str]
"""Returns the text that is embedded of a node."""


class EmbedsNodes(Protocol):
    """An embedding of ours: its aligner, and the text that it embeds of a node."""

    aligner: Any
    modality_field: str

    def text_of(self, node: BaseNode) -> str:
        """Return the text that is embedded of a node."""
        ...


def text_of_metadata(text_of: TextOfNode, text: str, metadata: Mapping[str, Any]) -> str:
    """Return the text that was embedded, of a store that keeps nodes as metadata."""
    if "_node_content" not in metadata:  # another program filled the store
        return text
    return text_of(metadata_dict_to_node(dict(metadata), text=text))


def read_payload(text_of: TextOfNode, payload: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the text that was embedded and the metadata, of a payload of Qdrant."""
    if "_node_content" not in payload:
        return str(payload.get("text") or ""), payload
    node = metadata_dict_to_node(dict(payload))
    return text_of(node), node.metadata


def read_row(
    text_of: TextOfNode, text: str, row: Mapping[str, Any]
) -> tuple[str, Mapping[str, Any]]:
    """Return the same of a row of LanceDB.

    Args:
        text: the name of the column of texts.
    """
    metadata = row.get("metadata") or {}
    return text_of_metadata(text_of, str(row[text] or ""), metadata), metadata


def document_of(
    index: VectorStoreIndex, text_of: TextOfNode, name: str, vector: Any
) -> StoredDocument | None:
    """Return a node of the docstore with its vector; None where it is gone."""
    node: Any = index.docstore.get_document(name, raise_error=False)
    return None if node is None else StoredDocument(text_of(node), node.metadata, vector)
