"""One pass over a collection: what the new one lacks is written, and what it has too much deleted.

The pass can be killed at any moment and run again: it compares the two collections and keeps no
journal. A pass that changes nothing has compared every document.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..integrations.stores.movable.protocol import MovableCollection, StoredRow
from ..progress import track
from .new_vectors import NewVectors
from .stopwatch import Stopwatch

_MODULUS = 1 << 256


@dataclass
class Passed:
    """What a pass found and did.

    Attributes:
        rows: the documents of the source that it read.
        written, deleted: the documents of the new collection that it changed.
        source_sum, moved_sum: the sum of SHA-256 of all that a migration leaves as it is, modulo
            2^256, so in any order: of the source, and of what it found in the new collection.
        differing: documents that a pass that only adds left as they are, though they differ.
        settled: whether it changed nothing, both sums are one, and both hold as many documents as
            it read.
    """

    rows: int = 0
    written: int = 0
    deleted: int = 0
    source_sum: int = 0
    moved_sum: int = 0
    differing: int = 0
    settled: bool = False


def one_pass(
    source: MovableCollection,
    moved: MovableCollection,
    vectors: NewVectors,
    watch: Stopwatch,
    *,
    adds_only: bool = False,
) -> Passed:
    """Bring the new collection up to the source.

    Args:
        adds_only: write documents that are missing, and change or delete none.
    """
    passed = Passed()
    total = watch.run(source.count)
    is_empty = watch.run(moved.count) == 0
    pages = watch.each(iter(source.pages()))
    label = "moving the documents" if is_empty else "comparing the documents"
    for page in track(pages, label, -(-total // source.page_size)):
        ids = [row.id for row in page]
        there = {} if is_empty else watch.run(moved.rows, ids)
        wanted = [row for row in page if row.id not in there] if adds_only else page
        missing, projected = vectors.missing(wanted, there)
        if missing:
            watch.run(moved.write, missing, projected)
        passed.rows += len(page)
        passed.written += len(missing)
        passed.differing += n_differing(page, there) if adds_only else 0
        passed.source_sum = _add(passed.source_sum, (row.untouched for row in page))
        passed.moved_sum = _add(passed.moved_sum, (row.untouched for row in there.values()))
    if passed.written:
        watch.run(moved.finish)
    if not adds_only:
        passed.deleted = watch.run(_delete_what_is_gone, source, moved)
    passed.settled = (
        passed.written == passed.deleted == 0
        and passed.source_sum == passed.moved_sum
        and passed.rows == watch.run(source.count) == watch.run(moved.count)
    )
    return passed


def _delete_what_is_gone(source: MovableCollection, moved: MovableCollection) -> int:
    """Delete what the source no longer holds, and return how many documents that were.

    The collections are only read where one holds more than the other. Where two migrations filled
    one at the same time, a document may be there twice: both are deleted, and the next pass writes
    it again.
    """
    if moved.count() <= source.count():
        return 0
    gone = ids_missing(moved, source) or _ids_twice(moved)
    for start in range(0, len(gone), moved.page_size):
        moved.delete(gone[start : start + moved.page_size])
    moved.finish()
    return len(gone)


def _ids_twice(of: MovableCollection) -> list[str]:
    seen: set[str] = set()
    twice = []
    for page in of.pages():
        twice += [row.id for row in page if row.id in seen]
        seen.update(row.id for row in page)
    return twice


def ids_missing(of: MovableCollection, there: MovableCollection) -> list[str]:
    """Return the ids of a collection that are not in another one."""
    missing = []
    for page in of.pages():
        found = there.rows([row.id for row in page])
        missing += [row.id for row in page if row.id not in found]
    return missing


def n_changed(of: MovableCollection, there: MovableCollection) -> int:
    """Return how many documents are in both collections, and differ in more than the vector."""
    pages = of.pages()
    return sum(n_differing(page, there.rows([row.id for row in page])) for page in pages)


def n_differing(page: Sequence[StoredRow], there: Mapping[str, StoredRow]) -> int:
    """Return how many rows of a page differ from those there in more than the vector."""
    return sum(row.id in there and there[row.id].untouched != row.untouched for row in page)


def checksum(parts: Iterable[bytes]) -> int:
    """Return the sum of SHA-256 of all parts modulo 2^256: equal in any order."""
    digests = (hashlib.sha256(part).digest() for part in parts)
    return sum(int.from_bytes(digest, "big") for digest in digests) % _MODULUS


def _add(total: int, parts: Iterable[bytes]) -> int:
    return (total + checksum(parts)) % _MODULUS
