"""LlamaIndex: the nodes of a storage that was persisted to a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ...data.index import IndexDocuments
from ...errors import ReaderError
from ...vectors import FloatArray
from .address import Address
from .faiss_index import read_index_file, vectors_of
from .rows import documents_of

DOCUMENTS, INDICES = "docstore.json", "index_store.json"
VECTORS = "default__vector_store.json"


def read_llama_index_storage(address: Address) -> IndexDocuments:
    """Read the texts of ``storage_context.persist(folder)``, and their vectors.

    The files are plain JSON, so LlamaIndex is not needed; vectors in a file of FAISS need faiss.
    """
    folder = address.required_folder()
    try:
        nodes = json.loads((folder / DOCUMENTS).read_text(encoding="utf-8"))["docstore/data"]
        data = {name: node["__data__"] for name, node in nodes.items()}
        ids, vectors = _vectors(folder, list(data))
        texts = [_text(data[name]) for name in ids]
        metadata = [data[name].get("metadata") for name in ids]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ReaderError(
            f"{folder} is no storage of LlamaIndex ({error!r:.80}); write it with "
            "index.storage_context.persist(folder). Of a vector store of its own, give the address."
        ) from error
    return documents_of(address.text, ids, texts, vectors, metadata)


def vectors_are_faiss(folder: Path) -> bool:
    """Whether the vectors of a storage are an index of FAISS, and no JSON."""
    path = folder / VECTORS
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(1) != b"{"


def _text(data: dict[str, Any]) -> str | None:
    text = data.get("text")
    if text is None:
        text = (data.get("text_resource") or {}).get("text")
    return text


def _vectors(folder: Path, nodes: list[str]) -> tuple[list[str], FloatArray | None]:
    """Return the ids of the nodes that are indexed, and their vectors as far as they are here."""
    path = folder / VECTORS
    if not path.is_file():
        return nodes, None
    if vectors_are_faiss(folder):
        return _faiss_vectors(folder)
    stored = json.loads(path.read_text(encoding="utf-8"))["embedding_dict"]
    if not stored:  # the vectors lie in a store of their own
        return nodes, None
    return list(stored), np.array(list(stored.values()), np.float32)


def _faiss_vectors(folder: Path) -> tuple[list[str], FloatArray]:
    """Return the nodes by the position of their vectors in an index of FAISS."""
    index = read_index_file(folder / VECTORS)
    indices = json.loads((folder / INDICES).read_text(encoding="utf-8"))["index_store/data"]
    structs = [json.loads(each["__data__"]) for each in indices.values()]
    if len(structs) != 1:
        raise ValueError(f"{len(structs)} indices in {folder / INDICES}; one is wanted")
    by_position: dict[str, str] = structs[0]["nodes_dict"]
    ids = [by_position[str(position)] for position in range(index.ntotal)]
    return ids, vectors_of(index, str(folder / VECTORS))
