"""What the source encoder finds in an index that it embedded anew: the dearest way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..aligner import Aligner
from ..data.index import as_index
from ..data.pairs import Pairs
from ..encoders.cache import encode_texts
from ..errors import DataError
from ..metrics.pool import Pool
from ..metrics.ranking import ranks
from ..metrics.relevance import groups_of
from ..metrics.statistics import Scores


def embedded_again(
    aligner: Aligner,
    pairs: Pairs,
    *,
    index: Any = None,
    trained_on: Pairs | None = None,
    cache: str | Path | None = None,
) -> Scores:
    """Score the source encoder on both sides, in the index that :func:`.scoring.evaluate` searches.

    It reads every document, which may cost money or hours.

    Args:
        pairs: with source vectors, and with target texts.
        index, trained_on, cache: as :func:`.scoring.evaluate` takes them.

    Raises:
        DataError: there are no texts to embed.
        EncoderError: the source encoder is not at hand.
    """
    texts = [] if index is None else [as_index(index).texts]
    texts += [] if trained_on is None else [trained_on.target_texts]
    if pairs.target_texts is None or any(part is None for part in texts):
        raise DataError("The documents have no texts, so they cannot be embedded again.")
    pool = Pool.of([pairs], [Pairs(part, part) for part in texts])
    encoder, asked = aligner.encoder("source"), pairs.required_vectors("source")
    label = "embedding the index again"
    documents = encode_texts(encoder, pool.texts or (), "document", cache=cache, label=label)
    found = ranks(
        np.asarray(asked, np.float32), documents, "cosine", relevance=pool.relevance(pairs)
    )
    return Scores.of_ranks(found, len(pool), clusters=groups_of(pairs))
