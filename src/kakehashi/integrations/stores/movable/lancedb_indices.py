"""The indices of a table of LanceDB, built again for the vectors of a new table."""

from __future__ import annotations

from typing import Any

_FULL_TEXT = (
    "with_position", "base_tokenizer", "language", "max_token_length", "lower_case", "stem",
    "remove_stop_words", "ascii_folding", "prefix_only",
)  # fmt: skip
_NGRAMS = ("ngram_min_length", "ngram_max_length")
_OF_VALUES = ("BTree", "Bitmap", "LabelList", "FTS")
"""Kinds of indices that need no vectors to learn from, so an empty table has them."""
_NUMBERS = 16
"""Coordinates that product quantisation keeps as one byte, as LanceDB does by default."""


def stated(table: Any) -> list[dict[str, Any]]:
    """Return the indices of a table, as JSON."""
    found = []
    for index in table.list_indices():
        stats = table.index_stats(index.name)
        metric = None if stats is None else stats.distance_type
        told = {"type": index.index_type, "columns": list(index.columns), "metric": metric}
        found.append({name: value for name, value in told.items() if value is not None})
    return sorted(found, key=repr)


def build_missing(table: Any, origin: Any, dimension: int) -> None:
    """Build the indices of another table that this one lacks; of vectors, where it has rows.

    Parameters are kept as far as LanceDB tells them; the number of partitions follows the rows.

    Args:
        dimension: of the vectors of the table.
    """
    rows = table.count_rows()
    there = {(index.index_type, *index.columns) for index in table.list_indices()}
    for index in origin.list_indices():
        missing = (index.index_type, *index.columns) not in there
        if missing and (rows or index.index_type in _OF_VALUES):
            config = _config(index, origin.index_stats(index.name), dimension)
            table.create_index(index.columns[0], config=config, name=index.name)


def sub_vectors(dimension: int) -> int:
    """Return into how many parts product quantisation cuts a vector: a divisor, some 16 numbers."""
    least = -(-dimension // _NUMBERS)
    return next(n for n in range(least, dimension + 1) if dimension % n == 0)


def _config(index: Any, stats: Any, dimension: int) -> Any:
    from lancedb import index as kinds

    details = getattr(index, "index_details", None) or {}  # of lancedb of 2026
    name = str(index.index_type)
    if name == "FTS":
        told = {each: details[each] for each in _FULL_TEXT if details.get(each) is not None}
        renamed = {n: details.get(f"{n[6:9]}_ngram_length") for n in _NGRAMS}
        told |= {name: value for name, value in renamed.items() if value is not None}
        return kinds.FTS(**told)
    if name in _OF_VALUES:
        return getattr(kinds, name)()
    given: dict[str, Any] = {"distance_type": stats.distance_type} if stats.distance_type else {}
    graph = details.get("hnsw") or {}
    if "Hnsw" in name and graph:
        given |= {"m": graph["max_connections"], "ef_construction": graph["construction_ef"]}
    if name.endswith("Pq"):
        given["num_sub_vectors"] = sub_vectors(dimension)
    bits = (details.get("compression") or {}).get("num_bits")
    if bits is not None and name.endswith(("Pq", "Rq")):
        given["num_bits"] = bits
    return getattr(kinds, name.replace("IvfHnsw", "Hnsw"))(**given)
