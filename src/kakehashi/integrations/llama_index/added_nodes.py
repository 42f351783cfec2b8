"""The nodes that LlamaIndex adds to an index, checked before they are written.

An index passes the texts of its nodes to its embed model, and no nodes. A node that brings a vector
(``node.embedding``) is added with it as it is. The nodes stand in the function that calls.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from llama_index.core.schema import BaseNode

from ...errors import AlignerMismatchError
from ...retrieval.document_modality import DocumentModality
from ...retrieval.index_check import check_index
from ...retrieval.stored_index import StoredDocument
from .._caller import arguments_of
from .._modalities import modalities_in_metadata
from ..stores.in_memory import InMemoryIndex
from .nodes import EmbedsNodes


def nodes_with_vectors(embedding: EmbedsNodes) -> list[BaseNode]:
    """Return those among the nodes being added that bring a vector; check what all of them name.

    Raises:
        DataError: a node shows an unknown modality to encoders.
    """
    call = arguments_of("embed_nodes", "async_embed_nodes")
    if call is None or call.get("embed_model") is not embedding:
        return []
    nodes: Sequence[BaseNode] = call.get("nodes", [])
    field = embedding.modality_field
    shown = [{} if field in n.excluded_embed_metadata_keys else n.metadata for n in nodes]
    modalities_in_metadata(embedding.aligner, shown, field, embedding.aligner.modalities[-1])
    return [node for node in nodes if node.embedding is not None]


def check_vectors(
    nodes: Sequence[BaseNode], embedding: EmbedsNodes, modality: DocumentModality
) -> None:
    """Refuse vectors that nodes bring and the embedding's aligner did not make.

    Raises:
        AlignerMismatchError: most of the nodes that were compared have other vectors.
    """

    def document(node: BaseNode) -> StoredDocument:
        vector = np.asarray(node.embedding, np.float32)
        return StoredDocument(embedding.text_of(node), node.metadata, vector)

    try:
        listed = InMemoryIndex("The list of nodes that bring vectors", None, nodes, document)
        check_index(embedding.aligner, listed, modality)
    except AlignerMismatchError as error:
        raise AlignerMismatchError(
            f"{len(nodes)} of the nodes to add bring vectors (node.embedding) that this aligner, "
            f"{embedding.aligner.fingerprint[:12]!r}, did not make. Set node.embedding = None "
            "to have them embedded here."
        ) from error
