"""pseudo_pairs(): texts of both sides that nobody has paired, paired by an aligner."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..aligner import Aligner
from ..data.pairs import Pairs
from ..data.validation import usable_texts
from ..encoders.cache import encode_texts
from ..errors import DataError
from ..training.inputs import ROLES
from ..types import Side
from ..vectors import Float32Array, as_matrix, chunks, unit_rows

_ROWS = 1024


def pseudo_pairs(
    aligner: Aligner,
    source: Any,
    target: Any,
    *,
    cache: str | Path | None = None,
) -> Pairs:
    """Pair each source with a target where both are the other's nearest, as the aligner sees them.

    Notes that were never translated and the chunks of an index say much the same, though nobody
    knows which says what. Mutual nearest neighbours are right most of the time (Artetxe, Labaka &
    Agirre, ACL 2018, teach one map by another's so). Fit again with them beside the pairs::

        first = kakehashi.fit(pairs, ..., test=test)
        more = kakehashi.pairing.pseudo_pairs(first, notes, chunks)
        aligner = kakehashi.fit(pairs, ..., test=test, unpaired=more)

    where validation chooses how much they count, none included, and they never judge. The test set
    has to be the same in both fits. Without one, the first fit learns from its test part in the
    end, and the pairs that it finds would tell the second fit the answers by which it is judged.
    What they bring: ``benchmarks/accuracy.py DATA OUT --only ideas``.

    Args:
        aligner: fitted on few pairs, and judged by a test set of your own.
        source, target: n and m texts of each side, which the aligner's encoders embed; or their
            vectors, (n, d_x) and (m, d_y), for an aligner that reads no texts of that side.
        cache: a file that keeps encoded vectors between runs.

    Returns:
        at most min(n, m) pairs with their vectors; a text that stands twice is taken once.

    Raises:
        DataError: an aligner that was fitted again on its test part; no texts, one that cannot be
            used, or vectors where texts are read.
        VectorError: vectors of another dimension, or that cannot be used.
        EncoderError: an encoder is needed, and is not at hand or is another one.
    """
    if aligner.report.refitted and not aligner.projection.is_identity:
        raise DataError(
            "This aligner was fitted on its test part, too, so that its pairs would tell a second "
            "fit the answers by which it is judged. Fit it again with a test set of your own "
            "(test=), which is never trained on."
        )
    sides: dict[Side, Any] = {"source": source, "target": target}
    texts: dict[Side, list[str] | None] = {}
    vectors: dict[Side, Float32Array] = {}
    for side, given in sides.items():
        texts[side] = _texts(given, side)
        known = texts[side]
        if known is None:
            vectors[side] = as_matrix(
                given, dimension=aligner.dimensions[side], what=f"{side} vectors"
            )
        else:
            vectors[side] = encode_texts(
                aligner.encoder(side),
                known,
                ROLES[side],
                cache=cache,
                label=f"encoding {side} texts",
            )
    asked, stored = (
        unit_rows(aligner.project(vectors[s], texts=texts[s], modality=s, role=ROLES[s]))
        for s in sides
    )
    rows, columns = _mutual(asked, stored)
    kept: dict[Side, list[str] | None] = {}
    for side, places in zip(sides, (rows, columns), strict=True):
        known = texts[side]
        kept[side] = None if known is None else [known[int(i)] for i in places]
    return Pairs(
        kept["source"],
        kept["target"],
        source_vectors=vectors["source"][rows],
        target_vectors=vectors["target"][columns],
        name="pseudo-pairs",
    )


def _texts(given: Any, side: Side) -> list[str] | None:
    """Return different texts in their order, or None for what is a matrix or a list of rows."""
    listed = isinstance(given, Sequence) and not isinstance(given, str) and len(given) > 0
    if getattr(given, "ndim", 1) == 2 or (listed and np.ndim(given[0]) == 1):
        return None
    return list(dict.fromkeys(usable_texts(given, f"{side} texts")))


def _mutual(asked: Float32Array, stored: Float32Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of (n, d) and (m, d) unit vectors that are each other's nearest."""
    nearest = np.empty(len(asked), np.intp)
    best = np.full(len(stored), -np.inf, np.float32)
    of_column = np.zeros(len(stored), np.intp)
    for part in chunks(len(asked), _ROWS):
        products = asked[part] @ stored.T
        nearest[part] = products.argmax(axis=1)
        rows = products.argmax(axis=0)
        highest = products[rows, np.arange(len(stored))]
        better = highest > best
        best[better] = highest[better]
        of_column[better] = rows[better] + part.start
    rows = np.flatnonzero(of_column[nearest] == np.arange(len(asked)))
    return rows, nearest[rows]
