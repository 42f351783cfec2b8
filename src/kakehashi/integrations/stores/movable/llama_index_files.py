"""The files of a storage of LlamaIndex: what they hold of one node, and of all together."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ....errors import DataError, KakehashiError, ReaderError
from ....printable import printable
from ....retrieval.index_record import KEY
from ....retrieval.move_note import NOTE_KEY
from ..faiss_index import like, read_index_file, vectors_of, write_index
from ..llama_index_storage import DOCUMENTS, INDICES, VECTORS, vectors_are_faiss
from .held import Held

_OF_NODE = ("docstore/data", "docstore/metadata")
_OF_VECTOR = ("text_id_to_ref_doc_id", "metadata_dict")
_STRUCTS = "index_store/data"


class StoredNode(NamedTuple):
    """What the files hold of one node, by their sections: the docstore, and beside its vector."""

    documents: dict[str, Any]
    beside: dict[str, Any]


@dataclass
class Storage:
    """The parsed files of a folder.

    Attributes:
        folder: which they are of.
        documents: the docstore.
        indices: the index store.
        vectors: the file of vectors without the vectors; empty where that is of FAISS.
        faiss: the index of FAISS; None where there is none.
        held: the nodes that have a vector, in the order of the vectors.
    """

    folder: Path
    documents: dict[str, Any]
    indices: dict[str, Any]
    vectors: dict[str, Any]
    faiss: Any
    held: dict[str, Held]

    def save(self, folder: Path, nodes: Mapping[str, Held], faiss: Any) -> None:
        """Write a storage like this one, with other nodes, into a folder.

        Args:
            nodes: all that have a vector.
            faiss: an empty index of FAISS for them; None where the vectors are JSON.
        """
        for path in self.folder.iterdir():
            if path.is_file() and path.name not in (DOCUMENTS, INDICES, VECTORS):
                shutil.copyfile(path, folder / path.name)
        documents = _replaced(self.documents, _OF_NODE, self.held, nodes, 0)
        _dump(documents, folder / DOCUMENTS)
        _dump(self._indices_of(nodes), folder / INDICES)
        named = {name: node.vector for name, node in nodes.items() if node.vector is not None}
        if faiss is not None:
            write_index(faiss, folder / VECTORS, np.array(list(named.values()), np.float32))
            return
        vectors = _replaced(self.vectors, _OF_VECTOR, self.held, nodes, 1)
        lists = {name: vector.tolist() for name, vector in named.items()}
        _dump({"embedding_dict": lists, **vectors}, folder / VECTORS)

    def _indices_of(self, nodes: Mapping[str, Held]) -> dict[str, Any]:
        name, struct = self.struct()
        places = map(str, range(len(nodes))) if self.faiss is not None else iter(nodes)
        struct["nodes_dict"] = dict(zip(places, nodes, strict=False))
        stored = {**self.indices[_STRUCTS][name], "__data__": json.dumps(struct)}
        others = {each: v for each, v in self.indices.items() if each not in (KEY, NOTE_KEY)}
        return {**others, _STRUCTS: {**self.indices[_STRUCTS], name: stored}}

    def struct(self) -> tuple[str, dict[str, Any]]:
        """Return the id of the index that has vectors, and what the index store says of it."""
        return _struct(self.indices, self.folder)


def read_storage(folder: Path) -> Storage:
    """Read a folder.

    Raises:
        ReaderError: it is no storage, or its vectors lie in a store of their own.
        DataError: several indices with vectors.
    """
    try:
        documents, indices = _load(folder / DOCUMENTS), _load(folder / INDICES)
        _, struct = _struct(indices, folder)
        if vectors_are_faiss(folder):
            faiss, vectors = read_index_file(folder / VECTORS), {}
            stored = vectors_of(faiss, str(folder / VECTORS))
            named = {struct["nodes_dict"][str(at)]: vector for at, vector in enumerate(stored)}
        else:
            faiss, vectors = None, _load(folder / VECTORS)
            lists = vectors.pop("embedding_dict")
            named = {name: np.array(lists.pop(name), np.float32) for name in list(lists)}
        if not named and struct["nodes_dict"]:
            raise ValueError("the vectors lie elsewhere")
        held = {n: Held(v, _node(documents, vectors, n)) for n, v in named.items()}
        return Storage(folder, documents, indices, vectors, faiss, held)
    except KakehashiError:
        raise
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ReaderError(
            f"{folder} is no storage of LlamaIndex with vectors in it ({printable(error)}); write "
            "it with index.storage_context.persist(folder). Of a vector store of its own, give the "
            "address."
        ) from error


def kept_in_indices(folder: Path, key: str) -> str | None:
    """Return a text that the index store keeps, as our retrievers look for it."""
    stored = _load(folder / INDICES)
    name, _ = _struct(stored, folder)
    value = ((stored.get(key) or {}).get(name) or {}).get("record")
    return value if isinstance(value, str) else None


def indices_with(folder: Path, key: str, value: str) -> bytes:
    """Return the file of the index store with such a text beside all that is there."""
    stored = _load(folder / INDICES)
    name, _ = _struct(stored, folder)
    stored[key] = {name: {"record": value}}
    return json.dumps(stored).encode()


def empty_faiss(storage: Storage, dimension: int) -> Any:
    """Return an empty index of FAISS as a storage has it; None where it has none."""
    return None if storage.faiss is None else like(storage.faiss, dimension)


def _struct(indices: dict[str, Any], folder: Path) -> tuple[str, dict[str, Any]]:
    stored = indices.get(_STRUCTS, {}).items()
    found = [name for name, each in stored if each["__type__"] == "vector_store"]
    if len(found) != 1:
        raise DataError(
            f"{folder / INDICES} holds {len(found)} indices with vectors; one is moved. Persist "
            "each into a folder of its own."
        )
    return found[0], json.loads(indices[_STRUCTS][found[0]]["__data__"])


def _node(documents: dict[str, Any], vectors: dict[str, Any], name: str) -> StoredNode:
    def entries(stored: dict[str, Any], sections: tuple[str, ...]) -> dict[str, Any]:
        return {each: stored[each][name] for each in sections if name in stored.get(each, {})}

    return StoredNode(entries(documents, _OF_NODE), entries(vectors, _OF_VECTOR))


def _replaced(
    stored: dict[str, Any],
    sections: tuple[str, ...],
    old: Mapping[str, Held],
    new: Mapping[str, Held],
    part: int,
) -> dict[str, Any]:
    """Return the sections of a file with the entries of other nodes; those of no node stay."""
    made = dict(stored)
    for section in sections:
        others = {name: e for name, e in stored.get(section, {}).items() if name not in old}
        entries = ((name, node.payload[part]) for name, node in new.items())
        own = {name: entry[section] for name, entry in entries if section in entry}
        made[section] = {**others, **own}
    return made


def _load(path: Path) -> dict[str, Any]:
    with path.open(encoding="utf-8") as file:
        read = json.load(file)
    if not isinstance(read, dict):
        raise ValueError(f"{path.name} is no object")
    return read


def _dump(value: dict[str, Any], path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(value, file)
