"""The inputs of a fit: encoders, vectors for texts, and checks that they fit together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..aligner_record import Identities
from ..data.pairs import Pairs
from ..encoders import Encoder, EncoderIdentity, as_encoder
from ..encoders.cache import encode_texts
from ..encoders.protocol import checked_encode
from ..errors import DataError, EncoderError
from ..types import SIDES, Mode, Role, Side
from ..vectors import Float32Array, FloatArray, thinned, unit_rows
from .features import MAX_NGRAM_PAIRS

ROLES: dict[Side, Role] = {"source": "query", "target": "document"}
"""What each side is while a map is fitted and judged: sources ask, targets are searched."""

_COMPARED, ALIKE = 5, 0.9
"""Texts that tell whether an encoder made stored vectors, and the mean cosine that says so: half
precision and the like are no other encoder."""

EncodersBySide = Mapping[Side, Encoder | None]
Cache = str | Path | None


def as_encoders(source_encoder: Any, target_encoder: Any) -> dict[Side, Encoder | None]:
    """Wrap the encoder of each side (:func:`kakehashi.encoders.as_encoder`); None stays None."""
    models: dict[Side, Any] = {"source": source_encoder, "target": target_encoder}
    return {side: None if model is None else as_encoder(model) for side, model in models.items()}


def identities_of(encoders: EncodersBySide) -> dict[Side, EncoderIdentity | None]:
    """Ask each encoder for the probe texts; None where a side has no encoder."""
    return {s: None if e is None else EncoderIdentity.of(e) for s, e in encoders.items()}


def with_vectors(
    pairs: Pairs, encoders: EncodersBySide, cache: Cache, *, required: bool = True
) -> Pairs:
    """Encode the sides that have texts only.

    Raises:
        DataError: a side has texts only, and no encoder; unless vectors are not ``required``.
    """
    vectors: dict[str, FloatArray | None] = dict.fromkeys(SIDES)
    missing = [side for side in SIDES if pairs.vectors(side) is None]
    for side in missing if required else ():  # before the other side is encoded
        if encoders[side] is None:
            raise DataError(f"The {side} side has texts only; pass {side}_encoder=.")
    for side in missing:
        encoder, texts = encoders[side], pairs.texts(side)
        assert texts is not None
        if encoder is None:
            continue
        label = f"encoding {side} texts"
        vectors[side] = encode_texts(encoder, texts, ROLES[side], cache=cache, label=label)
    return pairs.with_vectors(vectors["source"], vectors["target"])


def check_made_by(pairs: Pairs, encoders: EncodersBySide) -> None:
    """Find encoders that did not make the stored vectors of their side, by a few of the texts.

    Raises:
        DataError: an encoder gives other vectors for the texts that stand beside.
    """
    for side in SIDES:
        encoder, texts, stored = encoders[side], pairs.texts(side), pairs.vectors(side)
        if encoder is None or texts is None or stored is None:
            continue
        made, sample = made_and_stored(encoder, texts, stored, ROLES[side])
        alike = float((made * sample).sum(axis=1).mean())
        if alike < ALIKE:
            raise DataError(
                f"The {side} encoder {encoder.name!r} gives other vectors than those stored (mean "
                f"cosine {alike:.2f} on {len(made)} texts); pass the encoder that made them."
            )


def made_and_stored(
    encoder: Encoder, texts: Sequence[str], stored: FloatArray, role: Role
) -> tuple[Float32Array, Float32Array]:
    """Encode a few of n texts; return their unit vectors as they are made now and as stored."""
    rows = np.arange(len(texts))[thinned(len(texts), _COMPARED)]
    made = checked_encode(encoder, [texts[int(i)] for i in rows], role)
    return unit_rows(made), unit_rows(np.asarray(stored[rows], np.float32))


def common_dimensions(pairs: Pairs, *others: Pairs | None) -> dict[str, int]:
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


def check_dimensions(pairs: Pairs, identities: Identities, dimensions: Mapping[str, int]) -> None:
    """Find encoders that give another dimension than the vectors of their side have.

    Args:
        pairs: as the caller gave them.
        dimensions: of their vectors, encoded where the caller gave texts.

    Raises:
        EncoderError: an encoder gives different dimensions for different texts.
        DataError: an encoder gives another dimension than stored vectors have.
    """
    for side, identity in identities.items():
        if identity is None or identity.dimension == dimensions[side]:
            continue
        if pairs.vectors(side) is None:
            raise EncoderError(
                f"Encoder {identity.name!r} gives {identity.dimension} dimensions for kakehashi's "
                f"probe texts and {dimensions[side]} for the {side} texts; every text needs as "
                "many."
            )
        raise DataError(
            f"The {side} encoder {identity.name!r} gives {identity.dimension} dimensions, the "
            f"stored {side} vectors have {dimensions[side]}; pass the encoder that made them."
        )


def may_read_texts(
    mode: Mode, ngrams: bool | None, encoders: EncodersBySide, sets: Sequence[Pairs]
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
