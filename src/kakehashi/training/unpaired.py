"""Unpaired texts: rows of one text each, as the source and as the target encoder see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.arguments import usable_texts
from ..data.index import IndexDocuments
from ..data.pairs import Pairs
from ..encoders import Encoder
from ..encoders.cache import encode_texts
from ..errors import DataError
from ..types import SIDES
from ..vectors import FloatArray, drawn, thinned
from .features import MAX_NGRAM_PAIRS
from .inputs import ROLES, Cache, EncodersBySide, common_dimensions

MAX_ENCODED_TARGETS = 5000
"""Targets of the pairs up to which the source encoder reads them unasked, as unpaired texts; where
there are more, it reads none."""

MAX_READ_OF_INDEX = 5000
"""Documents of an index that the source encoder reads, at most, drawn evenly."""

Unpaired = Pairs | IndexDocuments | Sequence[str] | None
"""Texts, an index, or Pairs of stored vectors; an empty list for none, None for the targets of the
pairs."""


def check_unpaired(unpaired: Any, encoders: EncodersBySide) -> None:
    """Find mistakes in unpaired texts before anything is encoded.

    Raises:
        DataError: neither texts, Pairs nor None; a text that cannot be used; texts without
            encoders, or pairs without vectors.
    """
    if unpaired is None or isinstance(unpaired, IndexDocuments):
        return
    if isinstance(unpaired, Pairs):
        for side in SIDES:
            if unpaired.vectors(side) is None:
                raise DataError(
                    f"unpaired: Pairs need the vectors of both sides, and have no {side} vectors; "
                    "of texts without a pair pass the list alone."
                )
        return
    if isinstance(unpaired, (str, bool)) or not hasattr(unpaired, "__len__"):
        raise DataError(
            "unpaired: expected a list of texts, what read_index returns, Pairs of stored vectors, "
            "or None; an empty list for no unpaired texts."
        )
    if len(unpaired) == 0:
        return
    usable_texts(unpaired, "unpaired")
    for side in SIDES:
        if encoders[side] is None:
            raise DataError(f"unpaired texts need both encoders; pass {side}_encoder=.")


def sample_of_index(
    documents: Pairs, encoder: Encoder | None, *, same_space: bool, cache: Cache
) -> Pairs | list[str]:
    """Return documents of an index as both encoders see them; none where the source cannot.

    Args:
        documents: with their texts, if there are any, and their stored vectors.
        encoder: of the source.
    """
    some = documents.select(drawn(len(documents), MAX_READ_OF_INDEX, 0))
    texts, stored = some.target_texts, some.required_vectors("target")
    if same_space:
        return _same_texts(texts, stored, stored)
    if encoder is None or texts is None:
        return []
    label = "encoding documents of the index as unpaired texts"
    return _same_texts(
        texts, encode_texts(encoder, texts, ROLES["source"], cache=cache, label=label), stored
    )


def gather_unpaired(
    unpaired: Pairs | Sequence[str] | None,
    pairs: Pairs,
    encoders: EncodersBySide,
    *,
    same_space: bool,
    cache: Cache,
) -> Pairs | None:
    """Return rows of one text each, as the source encoder and as the target encoder see it.

    Args:
        unpaired: checked by :func:`check_unpaired`.
        pairs: with vectors on both sides; their targets are taken where ``unpaired`` is None.

    Raises:
        DataError: vectors of other dimensions.
    """
    if unpaired is None:
        return _targets(pairs, encoders, same_space=same_space, cache=cache)
    if isinstance(unpaired, Pairs):
        common_dimensions(pairs, unpaired)
        return unpaired
    texts = tuple(dict.fromkeys(unpaired))
    if not texts:
        return None
    vectors = []
    for side in SIDES:
        encoder = encoders[side]
        assert encoder is not None  # check_unpaired
        label = f"encoding unpaired texts ({side})"
        vectors.append(encode_texts(encoder, texts, ROLES[side], cache=cache, label=label))
    return _same_texts(texts, *vectors)


def _targets(
    pairs: Pairs, encoders: EncodersBySide, *, same_space: bool, cache: Cache
) -> Pairs | None:
    """Return the targets of the pairs as both encoders see them; None where that costs much."""
    texts, stored = pairs.target_texts, pairs.required_vectors("target")
    if same_space:
        return _same_texts(texts, stored, stored)
    encoder = encoders["source"]
    if encoder is None or texts is None or len(texts) > MAX_ENCODED_TARGETS:
        return None
    label = "encoding targets as unpaired texts"
    role = ROLES["source"]  # the side that the encoder stands in for, whatever it reads
    vectors = encode_texts(encoder, texts, role, cache=cache, label=label)
    return _same_texts(texts, vectors, stored)


def _same_texts(texts: Sequence[str] | None, x: FloatArray, y: FloatArray) -> Pairs:
    if len(x) > 10 * MAX_NGRAM_PAIRS:  # enough to know a covariance; and a copy would be large
        rows = np.arange(len(x))[thinned(len(x), MAX_NGRAM_PAIRS)]
        texts = None if texts is None else [texts[int(i)] for i in rows]
        x, y = x[rows], y[rows]
    return Pairs(texts, texts, source_vectors=x, target_vectors=y)
