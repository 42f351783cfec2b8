"""Another aligner of the same two encoders, as rows that a fit learns from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..aligner import Aligner
from ..data.pairs import Pairs
from ..encoders import EncoderIdentity
from ..errors import DataError
from ..types import SIDES
from .inputs import EncodersBySide
from .seen_pairs import seen_in, texts_hash

_FEW = 0.01
"""Share of pairs, such as short labels, that two fields may have in common."""


def rows_of_aligner(aligner: Aligner, encoders: EncodersBySide) -> Pairs:
    """Return directions of the source's space, and where an aligner sends them: 2 d_x pairs.

    An aligner holds no pairs. But its map W, (d_x, d_y), is what it knows, and with rows in every
    direction alike as sources, ``C_xx = I / d_x`` and ``C_xy = W / d_x``. As the rows of a source
    they are a prior for a fit of another field. What its map makes of n-grams is left out.

    Args:
        encoders: those of the fit, which have to be the aligner's, where both are known.

    Raises:
        EncoderMismatchError: another encoder made the aligner.
        DataError: it has no map.
    """
    for side in SIDES:
        encoder, identity = encoders.get(side), aligner.identities[side]
        if encoder is not None and identity is not None:
            identity.require(EncoderIdentity.of(encoder), side)
    source, target = aligner.projection.source, aligner.projection.target
    if source is None:
        raise DataError(
            "learn_from: the aligner leaves vectors as they are, so there is nothing to learn from "
            "it; leave it out."
        )
    d_x, d_y = (aligner.dimensions[side] for side in SIDES)
    weight = source.weight[:d_x]  # n-grams come after the encoder's dimensions
    if target is not None:
        weight = weight @ target.weight[:d_y].T
    turned = np.linalg.qr(np.random.default_rng(0).standard_normal((d_x, d_x)))[0]
    x = np.concatenate([turned, -turned]).astype(np.float32)
    name = f"aligner of {aligner.data.name}" if aligner.data.name else "aligner"
    return Pairs(
        source_vectors=x, target_vectors=x @ weight, name=name, licence=aligner.data.licence
    )


def check_not_fitted(aligner: Aligner, asking: Sequence[Pairs]) -> None:
    """Refuse an aligner that was fitted on pairs that choose or judge: it knows their answers.

    Texts tell by their hashes. Of vectors alone only the very set is recognised.

    Raises:
        DataError: it was fitted on them.
    """
    data = aligner.data
    for pairs in asking:
        seen = seen_in(data, pairs)
        same = data.texts_hash and data.texts_hash == texts_hash([pairs])
        if same or data.content_hash == pairs.content_hash or seen.n > _FEW * seen.checked:
            found = f"{seen.n} of {seen.checked} pairs looked up" if seen.n else "these very pairs"
            raise DataError(
                f"learn_from: the aligner was fitted on {found}, and would be judged by what it "
                "knows; fit without it, or leave these pairs out of this fit."
            )
