"""What a fit learns from beside its pairs: named rows, as both encoders see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, count
from typing import Any, NamedTuple

from ..aligner import Aligner
from ..data.index import IndexDocuments, as_index
from ..data.pairs import Pairs
from ..errors import DataError
from ..types import SIDES
from .index_as_seen import MAX_READ, as_both_see
from .index_rows import index_rows
from .inputs import (
    Cache,
    EncodersBySide,
    check_made_by,
    common_dimensions,
    with_vectors,
)
from .other_aligner import check_not_fitted, rows_of_aligner

TARGETS = "targets of the pairs"
"""The name of the source that is read unasked."""

LearnFrom = tuple[Pairs | IndexDocuments, ...] | None
"""None for the targets of the pairs; empty for nothing beside the pairs."""


class Source(NamedTuple):
    """Rows that a map may be learned from beside the pairs.

    Attributes:
        name: no other source of the fit has it.
        rows: with vectors on both sides: pairs, or one text a row.
    """

    name: str
    rows: Pairs


def as_sources(
    learn_from: Any,
    encoders: EncodersBySide | None = None,
    asking: Sequence[Any] = (),
) -> LearnFrom:
    """Return what :func:`kakehashi.fit` is to learn from, one source or a list; stores are read.

    Args:
        encoders: of the fit; an aligner that is learned from must be of the same two.
        asking: the sets of the fit that choose or judge; an aligner must know none of the Pairs.

    Raises:
        DataError: a source of another kind, texts that cannot be used, or an aligner that was
            fitted on pairs that choose or judge.
        EncoderMismatchError: an aligner of other encoders.
    """
    if learn_from is None:
        return None
    is_list = isinstance(learn_from, (list, tuple)) and not any(
        isinstance(each, str) for each in learn_from
    )
    given = learn_from if is_list else [learn_from]
    sets = [each for each in asking if isinstance(each, Pairs)]
    return tuple(_as_source(value, encoders or {}, sets) for value in given)


def _as_source(
    value: Any, encoders: EncodersBySide, asking: Sequence[Pairs]
) -> Pairs | IndexDocuments:
    if isinstance(value, Aligner):
        rows = rows_of_aligner(value, encoders)
        check_not_fitted(value, asking)
        return rows
    return value if isinstance(value, Pairs) else as_index(value, "learn_from")


def check_sources(sources: LearnFrom, encoders: EncodersBySide) -> None:
    """Find a missing encoder before anything is encoded.

    Raises:
        DataError: texts without vectors, and without their encoder.
    """
    for source in sources or ():
        sides = SIDES if isinstance(source, Pairs) else SIDES[1:]
        for side in sides:
            vectors = source.vectors(side) if isinstance(source, Pairs) else source.vectors
            if vectors is None and encoders[side] is None:
                raise DataError(
                    f"learn_from: {source.name or 'pairs'} has no {side} vectors; pass "
                    f"{side}_encoder= (--{side}-encoder)."
                )


def with_target_vectors(
    learn_from: LearnFrom, encoders: EncodersBySide, dimension: int | None, cache: Cache
) -> tuple[LearnFrom, tuple[Pairs, ...]]:
    """Encode sources by the target encoder, Pairs by both.

    Args:
        dimension: of the target vectors, if it is known.

    Returns:
        the sources; and the documents of all indices, which are searched.

    Raises:
        DataError: stored vectors are not those of their encoder.
    """
    if learn_from is None:
        return None, ()
    sources: list[Pairs | IndexDocuments] = []
    documents: list[Pairs] = []
    for source in learn_from:
        if isinstance(source, Pairs):
            check_made_by(source, encoders)
            sources.append(with_vectors(source, encoders, cache))
            continue
        if source.texts is not None and source.source_vectors is not None:
            texts, seen = source.texts, source.source_vectors
            check_made_by(Pairs(texts, texts, source_vectors=seen), encoders)
        rows = index_rows(source, encoders["target"], dimension=dimension, cache=cache)
        documents.append(rows)
        sources.append(replace(source, vectors=rows.target_vectors))
    return tuple(sources), tuple(documents)


def gather_sources(
    sources: LearnFrom,
    pairs: Pairs | None,
    encoders: EncodersBySide,
    *,
    same_space: bool,
    reads_targets: bool = True,
    cache: Cache,
) -> tuple[Source, ...]:
    """Return the rows of every source, as both encoders see them.

    An index that the source encoder cannot read gives none.

    Args:
        sources: an index with the vectors of the target encoder, Pairs with those of both.
        pairs: with vectors on both sides, if there are any. Their targets stand for an index where
            none is given.
        reads_targets: False leaves these targets out.

    Raises:
        DataError: vectors of other dimensions.
    """
    see = partial(as_both_see, encoder=encoders["source"], same_space=same_space, cache=cache)
    indices = [source for source in sources or () if isinstance(source, IndexDocuments)]
    found: list[tuple[str, Pairs | None]] = []
    reads_targets = reads_targets and pairs is not None and sources != () and not indices
    if pairs is not None and reads_targets and (same_space or len(pairs) <= MAX_READ):
        targets = IndexDocuments(pairs.target_texts, pairs.target_vectors, name=TARGETS)
        found.append((TARGETS, see(targets)))
    for source in sources or ():
        rows = source if isinstance(source, Pairs) else see(source)
        found.append((source.name or "pairs", rows))
    given = [rows for rows in (pairs, *(rows for _, rows in found)) if rows is not None]
    if given:
        common_dimensions(*given)
    return tuple(_named(found))


def _named(found: list[tuple[str, Pairs | None]]) -> Iterator[Source]:
    """Give the sources that have rows a name of their own each."""
    names: set[str] = set()
    for name, rows in found:
        if rows is not None:
            numbered = (f"{name} ({i})" for i in count(2))
            own = next(each for each in chain([name], numbered) if each not in names)
            names.add(own)
            yield Source(own, rows)
