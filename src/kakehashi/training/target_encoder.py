"""The source texts as queries of the target encoder: what the index finds without a map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..aligner_record import Identities
from ..data.pairs import Pairs
from ..encoders import Encoder
from ..encoders.cache import encode_texts
from ..encoders.protocol import checked_encode
from ..errors import CacheError
from ..progress import track
from ..vectors import FloatArray, thinned
from .inputs import Cache, EncodersBySide

UNKNOWN = "what the target encoder finds by itself is not known"
_TRIED = 50
"""Texts, spread over all, of which an encoder that refuses them together has to take one alone:
where it is down, thousands would be tried in vain."""
MAX_ASKED = 500
"""Questions that the target encoder reads where all pairs judge, at most, drawn evenly."""
_LABEL = "encoding queries by the target encoder"


class TargetEncoderQueries(NamedTuple):
    """The queries as the target encoder sees them.

    Attributes:
        vectors: (n, d_y); a row of NaN, which ranks last, is a query that it cannot encode. None
            where nothing is known.
        note: the queries that it could not encode, and why.
        rows: (n,) which of the questions they are, in ascending order; None for all.
    """

    vectors: FloatArray | None = None
    note: str | None = None
    rows: NDArray[np.intp] | None = None

    @property
    def unknown(self) -> str | None:
        """That there is a rival and nothing is known of it, or None."""
        return UNKNOWN if self.vectors is None and self.note else None


def target_encoder_queries(
    questions: Pairs,
    rows: NDArray[np.intp],
    encoders: EncodersBySide,
    identities: Identities,
    cache: Cache,
) -> TargetEncoderQueries:
    """Encode some of the questions by the target encoder, as an index is asked without a map.

    Nothing is encoded without it, without texts, or where it is the source encoder, too: the
    untouched vectors are its own then.

    Raises:
        CacheError: the cache is damaged, or no cache.
    """
    encoder, source, target = encoders["target"], identities["source"], identities["target"]
    if encoder is None or questions.source_texts is None:
        return TargetEncoderQueries()
    if source is not None and target is not None and source.matches(target):
        return TargetEncoderQueries()
    texts = [questions.source_texts[i] for i in rows]
    found = encode_by_target_encoder(lambda: encoder, texts, cache)
    return found._replace(rows=rows)


def encode_by_target_encoder(
    load: Callable[[], Encoder], texts: Sequence[str], cache: Cache
) -> TargetEncoderQueries:
    """Encode n texts by the target encoder as queries, together or else one by one.

    A rival that cannot be asked must not cost the fit, and a query that it refuses (a text of
    another language, one without a known word) must not cost the rival.

    Raises:
        CacheError: the cache is damaged, or no cache.
    """
    try:
        encoder = load()
    except Exception as error:  # whatever a model or an encoder of the caller's raises
        return TargetEncoderQueries(note=f"{UNKNOWN}; {_raised(error)}")
    try:
        return TargetEncoderQueries(
            encode_texts(encoder, texts, "query", cache=cache, label=_LABEL)
        )
    except CacheError:
        raise
    except Exception as error:
        return _one_by_one(encoder, texts, error)


def _one_by_one(encoder: Encoder, texts: Sequence[str], refused: Exception) -> TargetEncoderQueries:
    """Encode each text by itself, after the encoder refused them together."""
    vectors: dict[str, FloatArray] = {}
    different = list(dict.fromkeys(texts))
    spread = different[thinned(len(different), _TRIED)]
    in_turn = list(dict.fromkeys([*spread, *different]))
    for tried, text in enumerate(track(in_turn, f"{_LABEL}, one by one")):
        if tried == len(spread) and not vectors:
            break
        try:
            vectors[text] = checked_encode(encoder, [text], "query")[0]
        except Exception as error:
            refused = error
    if not vectors:
        return TargetEncoderQueries(note=f"{UNKNOWN}; {_raised(refused)}")
    nothing = np.full_like(next(iter(vectors.values())), np.nan)
    in_order = np.stack([vectors.get(text, nothing) for text in texts])
    lost = sum(text not in vectors for text in texts)
    if not lost:
        return TargetEncoderQueries(in_order)
    return TargetEncoderQueries(
        in_order,
        f"the target encoder could not encode {lost} of {len(texts)} queries, which rank last for "
        f"it; {_raised(refused)}",
    )


def _raised(error: Exception) -> str:
    return f"it raised {type(error).__name__}: {' '.join(str(error).split())}"
