"""Ids that are missing or repeated: such a row could not be found again in an index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

import numpy as np

from ..errors import DataError
from .blocks import Block
from .reader import BlockReader

COMPARED = 1 << 24
"""Rows of an input whose ids are compared with one another: 128 MB of hashes."""
_READ_AGAIN = 1000
"""Repeated hashes whose ids are read again at most."""
_ADVICE = "Give each row its own value in the column 'id'."


def require_ids(blocks: list[Block]) -> None:
    """Check before any work that each row has an id of its own.

    In an input of more than :data:`COMPARED` rows only missing ids are found here.

    Raises:
        DataError: names a row without an id, or two rows with the same.
        ReaderError: a block is damaged.
    """
    n_rows = sum(map(len, blocks))
    compared, at = n_rows <= COMPARED, 0
    hashes = np.empty(n_rows if compared else 0, np.int64)
    for block, column in _columns(blocks):
        if column.null_count:
            row = column.is_null().to_pylist().index(True)
            raise DataError(f"{block.row(row)} has no id. {_ADVICE}")
        if compared:
            hashes[at : at + len(column)] = [hash(name) for name in _names(column)]
            at += len(column)
    hashes.sort()
    repeated = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])[:_READ_AGAIN]
    if len(repeated):  # two ids may have one hash by chance, so they are read again
        _require_unique(_with_hashes(blocks, set(repeated.tolist())))


def require_unique_in(table: Any, block: Block) -> None:
    """Refuse two rows of one block with the same id.

    Raises:
        DataError: names both rows.
    """
    _require_unique((name, block.row(i)) for i, name in enumerate(_names(table.column("id"))))


def _require_unique(rows: Iterable[tuple[str, str]]) -> None:
    places: dict[str, str] = {}
    for name, place in rows:
        if name in places:
            raise DataError(f"{places[name]} and {place} have the same id {name!r:.80}. {_ADVICE}")
        places[name] = place


def _with_hashes(blocks: list[Block], wanted: set[int]) -> Iterator[tuple[str, str]]:
    """Yield the id and the place of each row whose id has one of these hashes."""
    for block, column in _columns(blocks):
        for i, name in enumerate(_names(column)):
            if hash(name) in wanted:
                yield name, block.row(i)


def _columns(blocks: list[Block]) -> Iterator[tuple[Block, Any]]:
    with closing(BlockReader(["id"])) as reader:
        for block in blocks:
            yield block, reader.read(block).column("id")


def _names(column: Any) -> Iterator[str]:
    return map(str, column.to_pylist())
