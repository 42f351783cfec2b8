"""pseudo_pairs(): texts of both sides that nobody has paired, paired by an aligner."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..aligner import Aligner
from ..data.arguments import usable_texts
from ..data.pairs import Pairs
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
    """Pair each source with a target where both are each other's nearest, by an aligner.

    Mutual nearest neighbours are right most of the time (Artetxe, Labaka & Agirre, ACL 2018).
    Fit again with them beside the pairs::

        first = kakehashi.fit(pairs, ..., test=test)
        more = kakehashi.pairing.pseudo_pairs(first, notes, index.texts)
        aligner = kakehashi.fit(pairs, ..., test=test, learn_from=[index, more])

    A first fit without pairs, on questions and an index, serves, too.

    Validation chooses their weight, which may be zero, and they never judge. Both fits need the
    same test set. Without one, the first fit also learns from what judges it, and its pairs would
    give the second fit the answers by which it is judged. ``benchmarks/accuracy.py DATA OUT --only
    ideas`` measures the gain.

    Args:
        aligner: fitted on few pairs, and judged by a test set of your own.
        source, target: n and m texts, which the aligner's encoders embed. Where it reads no texts
            of a side, also vectors: (n, d_x) and (m, d_y).
        cache: a file that keeps encoded vectors between runs.

    Returns:
        at most min(n, m) pairs with their vectors; equal texts are one.

    Raises:
        DataError: the aligner was fitted on its test part; there are no texts, or unusable ones;
            or vectors are passed where texts are read.
        VectorError: vectors of another dimension, or unusable ones.
        EncoderError: an encoder is needed, and is not at hand or is another one.
    """
    if aligner.report.refitted and not aligner.projection.is_identity:
        raise DataError(
            "This aligner was fitted on its test part, too, so that its pairs would tell a second "
            "fit the answers by which it is judged. Fit it again with a test set of your own "
            "(test=), which is never trained on."
        )
    inputs: dict[Side, Any] = {"source": source, "target": target}
    texts: dict[Side, list[str] | None] = {s: _texts(x, s) for s, x in inputs.items()}
    vectors = {s: _vectors(aligner, inputs[s], texts[s], s, cache) for s in inputs}
    queries, documents = (
        unit_rows(aligner.project(vectors[s], texts=texts[s], modality=s, role=ROLES[s]))
        for s in inputs
    )
    rows, columns = _mutual(queries, documents)
    return Pairs(
        _picked(texts["source"], rows),
        _picked(texts["target"], columns),
        source_vectors=vectors["source"][rows],
        target_vectors=vectors["target"][columns],
        name="pseudo-pairs",
    )


def _vectors(
    aligner: Aligner, passed: Any, texts: list[str] | None, side: Side, cache: str | Path | None
) -> Float32Array:
    """Return the vectors of one side: those that were passed, or those of its texts."""
    if texts is None:
        return as_matrix(passed, dimension=aligner.dimensions[side], what=f"{side} vectors")
    label = f"encoding {side} texts"
    return encode_texts(aligner.encoder(side), texts, ROLES[side], cache=cache, label=label)


def _picked(texts: list[str] | None, places: NDArray[np.intp]) -> list[str] | None:
    return None if texts is None else [texts[int(i)] for i in places]


def _texts(passed: Any, side: Side) -> list[str] | None:
    """Return the different texts in their order, or None for a matrix or a list of vectors."""
    listed = isinstance(passed, Sequence) and not isinstance(passed, str) and len(passed) > 0
    if getattr(passed, "ndim", 1) == 2 or (listed and np.ndim(passed[0]) == 1):
        return None
    return list(dict.fromkeys(usable_texts(passed, f"{side} texts")))


def _mutual(
    queries: Float32Array, documents: Float32Array
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of (n, d) and (m, d) unit vectors that are each other's nearest."""
    nearest = np.empty(len(queries), np.intp)
    best = np.full(len(documents), -np.inf, np.float32)
    of_column = np.zeros(len(documents), np.intp)
    for part in chunks(len(queries), _ROWS):
        products = queries[part] @ documents.T
        nearest[part] = products.argmax(axis=1)
        rows = products.argmax(axis=0)
        highest = products[rows, np.arange(len(documents))]
        better = highest > best
        best[better] = highest[better]
        of_column[better] = rows[better] + part.start
    rows = np.flatnonzero(of_column[nearest] == np.arange(len(queries)))
    return rows, nearest[rows]
