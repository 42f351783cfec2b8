"""The target vectors of pairs out of an index, found by their texts.

So a fit needs no target encoder: it may be switched off, and its vectors are still in the index.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np

from ..data.index import IndexDocuments
from ..data.pairs import Pairs
from ..data.validation import Finding, ValidationReport
from ..encoders import Encoder
from ..errors import DataError
from ..vectors import FloatArray


def with_stored_targets(
    pairs: Pairs, indices: Iterable[IndexDocuments | None], encoder: Encoder | None
) -> Pairs:
    """Return the pairs with the stored vectors of their targets; others are left out.

    Nothing changes where the pairs have target vectors, where the encoder is at hand, or where no
    index holds texts and vectors. A warning says how many pairs are left out, and
    ``pairs.validation`` which.

    Args:
        indices: the vectors are those of the target encoder; of two with one text, the first.
        encoder: of the target side.

    Raises:
        DataError: no target is a document of an index.
    """
    held = [i for i in indices if i is not None and i.texts is not None and i.vectors is not None]
    if encoder is not None or pairs.target_vectors is not None or not held:
        return pairs
    vectors: dict[int, FloatArray] = {}
    for index in held:
        assert index.vectors is not None
        for key, vector in zip(
            Pairs(index.texts, index.texts).keys("target"), index.vectors, strict=True
        ):
            vectors.setdefault(int(key), vector)
    keys = [int(key) for key in pairs.keys("target")]
    rows = [row for row, key in enumerate(keys) if key in vectors]
    name = pairs.name or "the pairs"
    if not rows:
        raise DataError(
            f"No target of {name} is a document of {held[0].name}, by its text, so their vectors "
            "cannot be taken from there. Give pairs whose targets are texts of the index, or the "
            "target encoder."
        )
    kept = pairs.select(rows).with_vectors(None, np.stack([vectors[keys[row]] for row in rows]))
    lost = sorted({*range(len(pairs))} - {*rows})
    if lost:
        problem = f"no document of {held[0].name}"
        findings = tuple(Finding(row, "target", problem) for row in lost)
        kept.validation = ValidationReport(len(pairs), findings, tuple(lost))
        warnings.warn(
            f"{len(lost)} of {len(pairs)} targets of {name} are no documents of {held[0].name}, by "
            f"their text, and are left out: the first is row {lost[0]}.",
            stacklevel=2,
        )
    return kept
