"""What a report shows, computed once by the parts of the package that know it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..aligner import Aligner
from ..data.index import as_index
from ..data.pairs import Pairs, check_pairs
from ..encoders.cache import encode_texts
from ..errors import DataError
from ..evaluation.curve import learning_curve
from ..evaluation.curve_result import LearningCurve
from ..evaluation.embedded_again import embedded_again
from ..evaluation.scoring import Evaluation, check_aligner, evaluate
from ..evaluation.second_look import second_look
from ..evaluation.wrong_pairs import wrong_pairs
from ..pairing import select_for_pairing
from ..training.fit import Fitted
from ..training.inputs import with_vectors
from ..training.target_encoder import encode_by_target_encoder
from ..types import SIDES
from ..vectors import Float32Array
from .facts import Questions, ReportFacts, Spaces
from .standing import EMBEDDED_AGAIN, SECOND_AGAIN, SECOND_MODEL, of_fit, of_pairs

N_NEXT = 20
"""Texts to pair next that are listed."""


@dataclass(frozen=True)
class Asked:
    """What a report is asked for; see :func:`.report.write_report`."""

    index: Any = None
    trained_on: Pairs | None = None
    curve: bool = False
    questions: Sequence[str] | None = None
    embed_again: bool = False
    second_model: Any = None
    commands: Sequence[str] = ()
    fitted: Fitted | None = None


def gather(
    aligner: Aligner, pairs: Pairs | None, asked: Asked, cache: str | Path | None
) -> ReportFacts:
    """Collect the facts; scores, curve and picture read the same vectors, encoded once."""
    check_aligner(aligner)
    check_pairs(optional=[pairs, asked.trained_on])
    if asked.curve and asked.trained_on is None:
        raise DataError("A curve needs the pairs of the fit: pass trained_on= (--trained-on).")
    if asked.second_model is not None and pairs is None:
        raise DataError("A second model is scored on pairs; give PAIRS that the fit has not seen.")
    with tempfile.TemporaryDirectory(prefix="kakehashi-") as folder:
        kept = Path(folder) / "vectors.sqlite" if cache is None else cache
        facts = ReportFacts(
            aligner,
            of_fit(aligner),
            curve=_curve(aligner, pairs, asked, kept) if asked.curve else None,
            next_texts=_next_texts(aligner, asked, kept),
            commands=asked.commands,
            questions=_questions_of_fit(aligner, asked.fitted),
        )
        return facts if pairs is None else _judged(facts, pairs, asked, kept)


def _judged(facts: ReportFacts, pairs: Pairs, asked: Asked, cache: str | Path) -> ReportFacts:
    """Add what other pairs say."""
    aligner, around = facts.aligner, {"index": asked.index, "trained_on": asked.trained_on}
    result = evaluate(aligner, pairs, **around, cache=cache)
    encoded = _encoded(aligner, pairs, cache)
    others = {}
    if asked.embed_again:
        others[EMBEDDED_AGAIN] = embedded_again(aligner, encoded, **around, cache=cache)
    told = None
    if asked.second_model is not None:
        model = asked.second_model
        look = second_look(aligner, encoded, model, **around, cache=cache)
        others |= {SECOND_MODEL: look.hits, SECOND_AGAIN: look.again}
        told = str(look.verdict)
    after = by_heads(aligner, encoded)
    ranks = result.ranks.get("rescored", result.ranks["aligned"])
    return replace(
        facts,
        standing=of_pairs(aligner, result, others),
        evaluation=result,
        pairs=encoded,
        questions=Questions(encoded, ranks, result.found, result.aligned.pool),
        spaces=_spaces(_before(aligner, encoded, result, cache), encoded, after),
        second_model=told,
        wrong_pairs=tuple(map(int, wrong_pairs(*after, encoded, ranks))),
    )


def _questions_of_fit(aligner: Aligner, fitted: Fitted | None) -> Questions | None:
    """Return the questions of the fit, which it asked maps that had not seen them."""
    if fitted is None or fitted.questions is None or fitted.ranks is None:
        return None
    return Questions(fitted.questions, fitted.ranks, None, aligner.report.served.pool)


def _encoded(aligner: Aligner, pairs: Pairs, cache: str | Path) -> Pairs:
    missing = [side for side in SIDES if pairs.vectors(side) is None]
    encoders = {side: aligner.encoder(side) if side in missing else None for side in SIDES}
    return with_vectors(pairs, encoders, cache)


def by_heads(aligner: Aligner, pairs: Pairs) -> tuple[Float32Array, Float32Array]:
    """Return questions and documents by the heads of the map that decides their order.

    The hubness correction is left out: it adds numbers of its own to each side, which part them.
    """
    again = aligner.rescoring
    projection = aligner.projection if again is None else again.projection
    heads = replace(projection, hubness=None, query_offset=None)
    asked, stored = (np.asarray(pairs.required_vectors(side), np.float32) for side in SIDES)
    queries = heads(asked, modality="source", role="query", texts=pairs.source_texts)
    documents = heads(stored, modality="target", role="document", texts=pairs.target_texts)
    return queries, documents


def _spaces(
    before: Float32Array | None, pairs: Pairs, after: tuple[Float32Array, Float32Array]
) -> Spaces | None:
    """Return the vectors before and after; None where too few can be drawn."""
    known = np.ones(len(pairs), bool) if before is None else np.isfinite(before).all(axis=1)
    if known.sum() < 3:
        return None
    stored = np.asarray(pairs.required_vectors("target"), np.float32)
    shown = None if before is None else before[known]
    return Spaces(shown, after[0][known], stored[known], after[1][known])


def _before(
    aligner: Aligner, pairs: Pairs, evaluation: Evaluation, cache: str | Path
) -> Float32Array | None:
    """Return the questions as the index was asked before, (n, d); None in another space."""
    if evaluation.target_encoder is not None and pairs.source_texts is not None:
        texts = pairs.source_texts
        found = encode_by_target_encoder(lambda: aligner.encoder("target"), texts, cache)
        return None if found.vectors is None else np.asarray(found.vectors, np.float32)
    if evaluation.base is None:
        return None
    return np.asarray(pairs.required_vectors("source"), np.float32)


def _curve(aligner: Aligner, pairs: Pairs | None, asked: Asked, cache: str | Path) -> LearningCurve:
    """Fit on parts of the pairs of the fit; the same questions judge, in the same index."""
    assert asked.trained_on is not None
    index = None if asked.index is None else replace(as_index(asked.index), learn=0)
    fitted = _encoded(aligner, asked.trained_on, cache)
    return learning_curve(
        fitted,
        mode=aligner.mode,
        test=None if pairs is None else _encoded(aligner, pairs, cache),
        learn_from=None if index is None else [index],
        seed=aligner.report.seed,
        cache=cache,
    )


def _next_texts(aligner: Aligner, asked: Asked, cache: str | Path) -> tuple[str, ...] | None:
    """Return the questions to pair next, the most useful first."""
    if asked.questions is None:
        return None
    texts = list(dict.fromkeys(asked.questions))
    vectors = encode_texts(aligner.encoder("source"), texts, "query", cache=cache)
    paired = None if asked.trained_on is None else _encoded(aligner, asked.trained_on, cache)
    chosen = select_for_pairing(vectors, min(N_NEXT, len(texts)), pairs=paired)
    return tuple(texts[row] for row in chosen)
