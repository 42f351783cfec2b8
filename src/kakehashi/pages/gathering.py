"""What a report shows, computed once by the parts of the package that know it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..aligner import Aligner
from ..data.pairs import Pairs, check_pairs
from ..evaluation.curve_result import LearningCurve
from ..evaluation.scoring import Evaluation, check_aligner, evaluate
from ..training.inputs import with_vectors
from ..training.target_encoder import encode_by_target_encoder
from ..types import SIDES
from ..vectors import Float32Array
from .facts import ReportFacts, Spaces
from .standing import of_fit, of_pairs


def gather(
    aligner: Aligner,
    pairs: Pairs | None,
    *,
    index: Any = None,
    trained_on: Pairs | None = None,
    curve: LearningCurve | None = None,
    commands: Sequence[str] = (),
    cache: str | Path | None = None,
) -> ReportFacts:
    """Collect the facts; see :func:`.report.write_report` for the arguments."""
    check_aligner(aligner)
    if pairs is None:
        return ReportFacts(aligner, of_fit(aligner), curve=curve, commands=commands)
    check_pairs(pairs, optional=[trained_on])
    with tempfile.TemporaryDirectory(prefix="kakehashi-") as folder:
        # Scores and picture read the same vectors: each text is encoded once.
        kept = Path(folder) / "vectors.sqlite" if cache is None else cache
        result = evaluate(aligner, pairs, index=index, trained_on=trained_on, cache=kept)
        missing = [side for side in SIDES if pairs.vectors(side) is None]
        encoders = {side: aligner.encoder(side) if side in missing else None for side in SIDES}
        encoded = with_vectors(pairs, encoders, kept)
        spaces = _spaces(aligner, encoded, result, kept)
    return ReportFacts(
        aligner,
        of_pairs(aligner, result),
        evaluation=result,
        pairs=encoded,
        spaces=spaces,
        curve=curve,
        commands=commands,
    )


def _spaces(
    aligner: Aligner, pairs: Pairs, evaluation: Evaluation, cache: str | Path
) -> Spaces | None:
    """Return the vectors of the pairs before and after; None where too few can be drawn."""
    before = _before(aligner, pairs, evaluation, cache)
    stored = np.asarray(pairs.required_vectors("target"), np.float32)
    after, documents = _as_served(aligner, pairs, stored)
    known = np.ones(len(pairs), bool) if before is None else np.isfinite(before).all(axis=1)
    if known.sum() < 3:
        return None
    shown = None if before is None else before[known]
    return Spaces(shown, after[known], stored[known], documents[known])


def _as_served(
    aligner: Aligner, pairs: Pairs, stored: Float32Array
) -> tuple[Float32Array, Float32Array]:
    """Return questions and documents by the heads of the map that decides their order.

    The hubness correction is left out: it adds numbers of its own to each side, which part them.
    """
    again = aligner.rescoring
    projection = aligner.projection if again is None else again.projection
    heads = replace(projection, hubness=None, query_offset=None)
    asked = np.asarray(pairs.required_vectors("source"), np.float32)
    queries = heads(asked, modality="source", role="query", texts=pairs.source_texts)
    documents = heads(stored, modality="target", role="document", texts=pairs.target_texts)
    return queries, documents


def _before(
    aligner: Aligner, pairs: Pairs, evaluation: Evaluation, cache: str | Path
) -> Float32Array | None:
    """Return the questions as the index was asked before, (n, d); None in another space."""
    if evaluation.target_encoder is not None and pairs.source_texts is not None:
        found = encode_by_target_encoder(
            lambda: aligner.encoder("target"), pairs.source_texts, cache
        )
        return None if found.vectors is None else np.asarray(found.vectors, np.float32)
    if evaluation.base is None:
        return None
    return np.asarray(pairs.required_vectors("source"), np.float32)
