"""What a fit is given, made complete: encoders, vectors for texts, and texts without a pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from ..data.pairs import Pairs
from ..data.validation import usable_texts
from ..encoders import Encoder, EncoderIdentity, as_encoder
from ..encoders.cache import encode_texts
from ..encoders.protocol import checked_encode
from ..errors import CacheError, DataError
from ..progress import track
from ..types import SIDES, Mode, Role, Side
from ..vectors import FloatArray, thinned, unit_rows
from .features import MAX_NGRAM_PAIRS

ROLES: dict[Side, Role] = {"source": "query", "target": "document"}
"""What each side is while a map is fitted and judged: sources ask, targets are searched."""

MAX_ENCODED_TARGETS = 5000
"""Targets of the pairs up to which the source encoder reads them unasked, as unpaired texts; where
there are more, it reads none."""

_COMPARED, _ALIKE = 5, 0.9
"""Texts that tell whether an encoder made stored vectors, and the mean cosine that says so: half
precision and the like are no other encoder."""

UNKNOWN = "what the target encoder finds by itself is not known"
_TRIED = 50
"""Texts, spread over all, of which an encoder that refuses them together has to take one alone:
where it is down, thousands would be tried in vain."""

Encoders = Mapping[Side, Encoder | None]
Cache = str | Path | None


def as_encoders(source_encoder: Any, target_encoder: Any) -> dict[Side, Encoder | None]:
    """Wrap the encoder of each side (:func:`kakehashi.encoders.as_encoder`); None stays None."""
    models: dict[Side, Any] = {"source": source_encoder, "target": target_encoder}
    return {side: None if model is None else as_encoder(model) for side, model in models.items()}


def identities_of(encoders: Encoders) -> dict[Side, EncoderIdentity | None]:
    """Ask each encoder for the probe texts; None where a side has no encoder."""
    return {s: None if e is None else EncoderIdentity.of(e) for s, e in encoders.items()}


def with_vectors(
    pairs: Pairs, encoders: Encoders, cache: Cache, progress: bool, *, required: bool = True
) -> Pairs:
    """Encode the sides that have texts only.

    Raises:
        DataError: a side has texts only, and no encoder; unless vectors are not ``required``.
    """
    made: dict[str, FloatArray | None] = dict.fromkeys(SIDES)
    missing = [side for side in SIDES if pairs.vectors(side) is None]
    for side in missing if required else ():  # before the other side is encoded
        if encoders[side] is None:
            raise DataError(f"The {side} side has texts only; pass {side}=an encoder.")
    for side in missing:
        encoder, texts = encoders[side], pairs.texts(side)
        assert texts is not None
        if encoder is None:
            continue
        label = f"encoding {side} texts"
        made[side] = encode_texts(
            encoder, texts, ROLES[side], cache=cache, progress=progress, label=label
        )
    return pairs.with_vectors(made["source"], made["target"])


class SeenByTarget(NamedTuple):
    """What the target encoder makes of the sources, as queries.

    Attributes:
        vectors: (n, d_y); a row of NaN, which ranks last, is a query that it cannot encode. None
            where nothing is known.
        note: what it could not encode, and why.
    """

    vectors: FloatArray | None = None
    note: str | None = None

    @property
    def unknown(self) -> str | None:
        """That there is a rival and nothing is known of it, or None."""
        return UNKNOWN if self.vectors is None and self.note else None


def seen_by_target(
    pairs: Pairs,
    encoders: Encoders,
    identities: Mapping[Side, EncoderIdentity | None],
    cache: Cache,
    progress: bool,
) -> SeenByTarget:
    """Ask the target encoder for the source texts: what an index can be asked without a map.

    Nothing is asked without it, without texts, or where it is the source encoder, too: the
    untouched vectors are its own then.

    Raises:
        CacheError: the cache is damaged, or no cache.
    """
    encoder, source, target = encoders["target"], identities["source"], identities["target"]
    if encoder is None or pairs.source_texts is None:
        return SeenByTarget()
    if source is not None and target is not None and source.matches(target):
        return SeenByTarget()
    return ask_target(lambda: encoder, pairs.source_texts, cache, progress)


def ask_target(
    load: Callable[[], Encoder], texts: Sequence[str], cache: Cache, progress: bool
) -> SeenByTarget:
    """Encode n texts by the target encoder as queries, together or else one by one.

    A rival that cannot be asked must not cost the fit, and a query that it refuses (a text of
    another language, one without a known word) must not cost the rival.

    Raises:
        CacheError: the cache is damaged, or no cache.
    """
    label = "encoding queries by the target encoder"
    try:
        encoder = load()
    except Exception as error:  # whatever a model or an encoder of the caller's raises
        return SeenByTarget(note=f"{UNKNOWN}; {_raised(error)}")
    try:
        together = encode_texts(
            encoder, texts, "query", cache=cache, progress=progress, label=label
        )
        return SeenByTarget(together)
    except CacheError:
        raise
    except Exception as error:
        refused = error
    known: dict[str, FloatArray] = {}
    different = list(dict.fromkeys(texts))
    spread = different[thinned(len(different), _TRIED)]
    in_turn = list(dict.fromkeys([*spread, *different]))
    for tried, text in enumerate(track(in_turn, f"{label}, one by one", enabled=progress)):
        if tried == len(spread) and not known:
            break
        try:
            known[text] = checked_encode(encoder, [text], "query")[0]
        except Exception as error:
            refused = error
    if not known:
        return SeenByTarget(note=f"{UNKNOWN}; {_raised(refused)}")
    nothing = np.full_like(next(iter(known.values())), np.nan)
    found = np.stack([known.get(text, nothing) for text in texts])
    lost = len(texts) - sum(text in known for text in texts)
    if not lost:
        return SeenByTarget(found)
    return SeenByTarget(
        found,
        f"the target encoder could not encode {lost} of {len(texts)} queries, which rank last for "
        f"it; {_raised(refused)}",
    )


def _raised(error: Exception) -> str:
    return f"it raised {type(error).__name__}: {' '.join(str(error).split())}"


def check_made_by(pairs: Pairs, encoders: Encoders) -> None:
    """Find encoders that did not make the stored vectors of their side, by a few of the texts.

    Raises:
        DataError: an encoder gives other vectors for the texts that stand beside.
    """
    for side in SIDES:
        encoder, texts, stored = encoders[side], pairs.texts(side), pairs.vectors(side)
        if encoder is None or texts is None or stored is None:
            continue
        rows = np.arange(len(pairs))[thinned(len(pairs), _COMPARED)]
        given = unit_rows(np.asarray(stored[rows], np.float32))
        made = checked_encode(encoder, [texts[int(i)] for i in rows], ROLES[side])
        alike = float((unit_rows(made) * given).sum(axis=1).mean())
        if alike < _ALIKE:
            raise DataError(
                f"The {side} encoder {encoder.name!r} gives other vectors than those stored (mean "
                f"cosine {alike:.2f} on {len(rows)} texts); pass the encoder that made them."
            )


def checked_dimensions(pairs: Pairs, *others: Pairs | None) -> dict[str, int]:
    """Return the dimension of each side.

    Raises:
        DataError: another set has other dimensions.
    """
    dimensions: dict[str, int] = {s: pairs.required_vectors(s).shape[1] for s in SIDES}
    for other in others:
        for side in SIDES:
            if other is not None and other.required_vectors(side).shape[1] != dimensions[side]:
                raise DataError(
                    f"The {side} vectors have dimension {dimensions[side]} in the pairs and "
                    f"{other.required_vectors(side).shape[1]} in another set; "
                    "encode both alike."
                )
    return dimensions


def may_read_texts(
    mode: Mode, ngrams: bool | None, encoders: Encoders, sets: Sequence[Pairs]
) -> bool:
    """Whether maps of a mode may read n-grams of the texts, as asked or by default.

    Raises:
        DataError: it was asked for, and texts are missing, or the pairs are too many.
    """
    sides: list[Side] = ["source"] if mode == "keep" else list(SIDES)
    missing = [side for side in sides if any(part.texts(side) is None for part in sets)]
    if ngrams and missing:
        raise DataError(
            f"ngrams=True in {mode} mode reads the {missing[0]} texts; give them in every set of "
            "pairs, or ngrams=False."
        )
    largest = max(map(len, sets))
    if ngrams and largest > MAX_NGRAM_PAIRS:
        raise DataError(
            f"ngrams=True takes at most {MAX_NGRAM_PAIRS} pairs, these are {largest}; give "
            "some of them, or ngrams=False."
        )
    if ngrams is None:
        at_hand = all(encoders[side] is not None for side in sides)
        return at_hand and not missing and largest <= MAX_NGRAM_PAIRS
    return ngrams


def check_unpaired(given: Any, encoders: Encoders) -> None:
    """Find what is wrong with unpaired texts before anything is encoded.

    Raises:
        DataError: neither texts, pairs, False nor None; a text that cannot be used; texts without
            encoders, or pairs without vectors.
    """
    if given is None or given is False:
        return
    if isinstance(given, Pairs):
        for side in SIDES:
            if given.vectors(side) is None:
                raise DataError(
                    f"unpaired: Pairs need the vectors of both sides, and have no {side} vectors; "
                    "of texts without a pair pass the list alone."
                )
        return
    if isinstance(given, (str, bool)) or not hasattr(given, "__len__") or len(given) == 0:
        raise DataError(
            "unpaired: expected a list of texts, Pairs of stored vectors, False or None."
        )
    usable_texts(given, "unpaired")
    for side in SIDES:
        if encoders[side] is None:
            raise DataError(f"unpaired texts need both encoders; pass {side}=an encoder.")


def gather_unpaired(
    given: Pairs | Sequence[str] | Literal[False] | None,
    pairs: Pairs,
    encoders: Encoders,
    same_space: bool,
    cache: Cache,
    progress: bool,
) -> Pairs | None:
    """Return rows of one text each, as the source encoder and as the target encoder see it.

    Raises:
        DataError: vectors of other dimensions.
    """
    if given is False:
        return None
    if isinstance(given, Pairs):
        checked_dimensions(pairs, given)
        return given
    texts = pairs.target_texts
    if given is None:
        y = pairs.required_vectors("target")
        if same_space:
            return _same_texts(texts, y, y)
        encoder = encoders["source"]
        if encoder is None or texts is None or len(texts) > MAX_ENCODED_TARGETS:
            return None
        label = "encoding targets as unpaired texts"
        role = ROLES["source"]  # the side that the encoder stands in for, whatever it reads
        x = encode_texts(encoder, texts, role, cache=cache, progress=progress, label=label)
        return _same_texts(texts, x, y)
    texts = tuple(dict.fromkeys(given))
    made = []
    for side in SIDES:
        encoder = encoders[side]
        assert encoder is not None  # check_unpaired
        label = f"encoding unpaired texts ({side})"
        made.append(
            encode_texts(encoder, texts, ROLES[side], cache=cache, progress=progress, label=label)
        )
    return _same_texts(texts, *made)


def _same_texts(texts: Sequence[str] | None, x: FloatArray, y: FloatArray) -> Pairs:
    if len(x) > 10 * MAX_NGRAM_PAIRS:  # enough to know a covariance; and a copy would be large
        rows = np.arange(len(x))[thinned(len(x), MAX_NGRAM_PAIRS)]
        texts = None if texts is None else [texts[int(i)] for i in rows]
        x, y = x[rows], y[rows]
    return Pairs(texts, texts, source_vectors=x, target_vectors=y)
