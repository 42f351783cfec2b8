"""The text of a node of LlamaIndex as it was embedded: with the metadata that encoders see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import MissingExtraError

_FIELD = "modality"
"""The field of the metadata that our embedding hides from encoders, unless another was chosen."""


def text_without(node: Any, field: str) -> str:
    """Return the text that LlamaIndex embeds of a node, without one field of the metadata."""
    hidden = [*node.excluded_embed_metadata_keys, field]
    bare = node.model_copy(update={"excluded_embed_metadata_keys": hidden})
    return str(bare.get_content(metadata_mode="embed"))


def node_of(fields: Mapping[str, Any], text: str | None = None) -> tuple[str, Mapping[str, Any]]:
    """Return the text that was embedded, and the metadata, of a node that is stored as fields.

    Args:
        text: of the node, where the store keeps it in a place of its own.

    Raises:
        MissingExtraError: LlamaIndex is not installed: it knows which metadata encoders see.
    """
    try:
        from llama_index.core.vector_stores.utils import metadata_dict_to_node
    except ImportError as error:
        raise MissingExtraError("llama-index-core", "llama-index") from error
    node = metadata_dict_to_node(dict(fields), text=text)
    return text_without(node, _FIELD), node.metadata


def node_of_entry(entry: Any) -> tuple[str | None, Mapping[str, Any]]:
    """Return the same of a node of a docstore; no text where the docstore lacks it.

    Args:
        entry: as the file of the docstore has it; None where it has none.

    Raises:
        MissingExtraError: LlamaIndex is not installed.
    """
    if entry is None:
        return None, {}
    try:
        from llama_index.core.storage.docstore.utils import json_to_doc
    except ImportError as error:
        raise MissingExtraError("llama-index-core", "llama-index") from error
    node = json_to_doc(entry)
    return text_without(node, _FIELD), node.metadata
