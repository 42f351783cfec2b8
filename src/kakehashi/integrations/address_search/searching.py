"""One question to a store by its address, through the retrievers that users build themselves."""

from __future__ import annotations

from ...errors import DataError, KakehashiError
from ...retrieval.rescore import Rescore
from .._modalities import Space
from ..stores.address import FORM, KINDS, Address, parse_address
from ..stores.lancedb import opened_lancedb
from ..stores.postgres.catalogue import is_of_llama_index, table_of
from ..stores.qdrant_clients import opened_qdrant
from ..stores.rows import is_node_of_llama_index
from .hit import StoreHit


def search_address(
    address: str,
    space: Space,
    question: str,
    *,
    modality: str,
    k: int,
    rescore: Rescore = True,
) -> list[StoreHit]:
    """Return the k best documents of a store for one question.

    The store is opened by LangChain (Chroma, Qdrant, LanceDB, the dump of an in-memory store), or
    by LlamaIndex where that filled it. Whether the aligner belongs to it is checked as at any first
    search.

    Args:
        address: as :func:`kakehashi.read_index` takes it; a file of texts is no store.
        modality: of the question.
        rescore: True for as many hits as the fit chose, a number of hits, or False.

    Raises:
        DataError: no such store or collection.
        AlignerMismatchError: another aligner filled the store.
        KakehashiError: a package of the store or its framework is not installed.
    """
    parsed = parse_address(address)
    if parsed is None:
        raise DataError(f"{address} names no store; give {FORM}, of {', '.join(KINDS)}.")
    try:
        if _of_llama_index(parsed):
            from .through_llama_index import search
        else:
            from .through_langchain import search
        return search(parsed, space, question, modality=modality, k=k, rescore=rescore)
    except ModuleNotFoundError as error:
        raise KakehashiError(
            f"{parsed.text}: the package {error.name} is not installed, which opens such a store."
        ) from error


def _of_llama_index(address: Address) -> bool:
    """Whether LlamaIndex filled the store: only it reads the texts of its nodes there."""
    if address.kind == "postgres":
        with table_of(address) as (_, table):
            return is_of_llama_index(table)
    if address.kind == "qdrant":
        with opened_qdrant(address) as (client, name):
            points, _ = client.scroll(name, limit=1, with_payload=True)
        return bool(points) and is_node_of_llama_index(points[0].payload or {})
    if address.kind == "lancedb":
        connection, name = opened_lancedb(address)
        rows = connection.open_table(name).head(1).to_pylist()
        return bool(rows) and is_node_of_llama_index(rows[0].get("metadata") or {})
    return address.kind == "llama-index"
