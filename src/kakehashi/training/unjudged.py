"""A fit without pairs, from an index and starter pairs: one fixed setting, and nothing judges."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from ..aligner import Aligner
from ..data.arguments import usable_texts
from ..data.pairs import Pairs
from ..encoders.cache import encode_texts
from ..encoders.signature import SpaceSignature
from ..errors import DataError, FitError
from ..projection import Projection
from ..projection.cca import cca
from ..projection.moments import Matrix, Moments, Spectrum
from ..projection.rescoring import Rescoring
from ..report import NOT_JUDGED, DataRecord, LearnedFrom, Report
from ..types import Mode
from ..vectors import Float32Array, thinned, unit_rows
from .closed_forms import AS_PAIRS, FIXED
from .data_record import content_of, joined
from .features import Documents
from .fit_inputs import FitSettings
from .hubness_bank import FIXED_CORRECTION, MAX_DOCUMENTS, Bank, corrected
from .inputs import ROLES, EncodersBySide, identities_of
from .learn_serving import router_or_none
from .seen_pairs import sample_of
from .sources import LearnFrom, Source, check_sources, gather_sources, with_target_vectors
from .spaces import share_space, store_metric

N_HITS = 20
MIN_QUESTIONS, ENOUGH_QUESTIONS, ENOUGH_PAIRS = 20, 100, 30
_LEAST_ROWS = 100
"""Rows of all sources together that anything is learned from."""
_REASON = (
    f"there are no pairs, so nothing has judged it; collect {ENOUGH_PAIRS} questions, each with "
    "the document that answers it, and run kakehashi evaluate"
)


@dataclass(frozen=True, eq=False)
class _Learned:
    """The rows that the map is built from.

    Attributes:
        targets: (m, d_y), stored vectors of the index, or the targets of all pairs.
        of_index: whether these are documents of an index.
        asked: (k, d_x), the questions, or what stands for the source language without them.
        same_space: whether raw vectors of both sides can be compared.
    """

    sources: tuple[Source, ...]
    targets: Float32Array
    of_index: bool
    asked: Any
    same_space: bool


def is_questions(value: Any) -> TypeGuard[Sequence[str]]:
    """Whether a value is a list of texts."""
    listed = isinstance(value, (list, tuple)) and len(value) > 0
    return listed and all(isinstance(text, str) for text in value)


def fit_unjudged(
    questions: Sequence[str] | None,
    learn_from: LearnFrom,
    encoders: EncodersBySide,
    settings: FitSettings,
) -> Aligner:
    """Fit a map, and one that rescores, without any pair of one's own.

    Args:
        questions: n source texts of which nobody knows the answer. Their mean is the middle of the
            source language; without them, that of what the source encoder read.
        learn_from: an index, starter pairs, or both; each counts as much as another.

    Raises:
        DataError: nothing to learn from, texts without their encoder, or an option that needs
            pairs.
        FitError: too few questions, or too few rows to learn from.
    """
    started = time.perf_counter()
    settings = settings.checked()
    texts = _checked(questions, learn_from, encoders, settings)
    learned = _gather(texts, learn_from, encoders, settings)
    moments = _moments(learned)
    spectrum = Spectrum(moments)
    mode = settings.mode
    identities = identities_of(encoders)
    dx, dy = learned.asked.shape[1], learned.targets.shape[1]
    rescoring = Rescoring(_fixed(spectrum, "shared"), N_HITS) if mode == "keep" else None
    return Aligner(
        projection=_corrected(_fixed(spectrum, mode), mode, learned, moments),
        mode=mode,
        dimensions={"source": dx, "target": dy},
        identities=identities,
        data=_data_record(learned.sources),
        encoders=dict(encoders),
        router=_router(texts, learned.sources, settings.seed),
        target_signature=SpaceSignature.of(learned.targets, settings.seed),
        rescoring=rescoring,
        report=_report(learned, mode, settings, n_questions=len(texts), started=started),
    )


def _checked(
    questions: Sequence[str] | None,
    learn_from: LearnFrom,
    encoders: EncodersBySide,
    settings: FitSettings,
) -> list[str]:
    """Find mistakes before anything is encoded; return the different questions."""
    if not learn_from:
        raise DataError(
            "without pairs there is nothing to learn from; pass learn_from=, an index or starter "
            "pairs (--index, --starter)."
        )
    for option in ("ngrams", "learned"):
        if getattr(settings, option):
            raise DataError(f"{option}=True needs pairs: validation on them chooses; leave it out.")
    check_sources(learn_from, encoders)
    if questions is None:
        return []
    texts = list(dict.fromkeys(usable_texts(questions, "questions")))
    if encoders["source"] is None:
        raise DataError("questions are texts of the source; pass source_encoder=.")
    if len(texts) < MIN_QUESTIONS:
        raise FitError(
            f"{len(texts)} different questions are too few to find the middle of a language; give "
            f"at least {MIN_QUESTIONS}, or None."
        )
    return texts


def _gather(
    questions: list[str], learn_from: LearnFrom, encoders: EncodersBySide, settings: FitSettings
) -> _Learned:
    """Read all sources and questions by the encoders."""
    given, documents = with_target_vectors(learn_from, encoders, None, settings.cache)
    identities = identities_of(encoders)
    source, target = identities["source"], identities["target"]
    one_encoder = source is not None and target is not None and source.matches(target)
    sources = gather_sources(given, None, encoders, same_space=one_encoder, cache=settings.cache)
    n_rows = sum(len(rows) for _, rows in sources)
    if n_rows < _LEAST_ROWS:
        raise FitError(
            f"{n_rows} rows are too few to learn from; the source encoder has to read at least "
            f"{_LEAST_ROWS} texts of an index, or give starter pairs."
        )
    stored = documents or tuple(rows for _, rows in sources)
    targets = np.concatenate(
        [np.asarray(rows.required_vectors("target"), np.float32) for rows in stored]
    )
    asked = _read_by_source(sources)
    if questions:
        encoder = encoders["source"]
        assert encoder is not None
        asked = encode_texts(
            encoder, questions, ROLES["source"], cache=settings.cache, label="encoding questions"
        )
    return _Learned(
        sources,
        targets,
        of_index=bool(documents),
        asked=asked,
        same_space=one_encoder or share_space(sources[0].rows, identities, settings.seed),
    )


def _read_by_source(sources: tuple[Source, ...]) -> Any:
    """Return the vectors of the first index, as the source encoder sees it; else of all pairs."""
    every = [rows.required_vectors("source") for _, rows in sources]
    of_index = [rows.source_vectors for _, rows in sources if _is_one_text_a_row(rows)]
    return of_index[0] if of_index else np.concatenate([np.asarray(v) for v in every])


def _is_one_text_a_row(rows: Pairs) -> bool:
    return rows.source_texts == rows.target_texts


def _mean(vectors: Any) -> Matrix:
    mean: Matrix = unit_rows(np.asarray(vectors, np.float32)).mean(axis=0, dtype=np.float64)
    return mean


def _fixed(spectrum: Spectrum, mode: Mode) -> Projection:
    """Build CCA over vectors: equal texts would choose n-grams, which look perfect on them."""
    return cca(spectrum, mode, **FIXED)


def _corrected(
    projection: Projection, mode: Mode, learned: _Learned, moments: Moments
) -> Projection:
    """Correct a map of ``keep`` mode by the spread of scores, where an index is at hand."""
    if mode == "shared" or not learned.of_index:
        return projection
    asked, targets = np.asarray(learned.asked, np.float32), learned.targets
    documents = Documents(targets[thinned(len(targets), MAX_DOCUMENTS)]).scaled
    bank = Bank(asked, asked, documents, [(moments, 1.0)])
    return corrected(projection, mode, bank, [FIXED_CORRECTION])[0]


def _moments(learned: _Learned) -> Moments:
    """Return the sums of the sources, which count alike, with means of ours."""
    first, *others = (
        Moments.of(rows.required_vectors("source"), rows.required_vectors("target"))
        for _, rows in learned.sources
    )
    mine = first.around(_mean(learned.asked), _mean(learned.targets))
    return mine.pooled((other, mine.n) for other in others)


def _router(questions: list[str], sources: tuple[Source, ...], seed: int) -> Any:
    """Learn to tell the languages apart, from starter pairs, or from questions and the index."""
    for _, rows in sources:
        if rows.source_texts is not None and not _is_one_text_a_row(rows):
            return router_or_none(rows, seed)
    texts = next((rows.target_texts for _, rows in sources if rows.target_texts), ())
    n = min(len(questions), len(texts))
    return router_or_none(Pairs(questions[:n], texts[:n]), seed) if n else None


def _report(
    learned: _Learned, mode: Any, settings: FitSettings, *, n_questions: int, started: float
) -> Report:
    index = Pairs(source_vectors=learned.targets, target_vectors=learned.targets)
    notes = [] if learned.same_space else ["raw vectors of the two sides are not comparable"]
    if n_questions < ENOUGH_QUESTIONS:
        notes.append(
            f"{n_questions} questions tell the middle of the source language; a few hundred "
            "without answers, such as a log, tell it better"
        )
    return Report(
        mode=mode,
        chosen="cca",
        verdict=NOT_JUDGED,
        reason=_REASON,
        describes="nothing: no score was taken",
        n_pairs=0,
        sizes={"fitted": 0, "development": 0, "test": 0},
        leaked_rows_left_out=0,
        metric=settings.metric or store_metric(index),
        seed=settings.seed,
        candidates={},
        base=None,
        bm25=None,
        p_value=None,
        seconds=time.perf_counter() - started,
        notes=tuple(notes),
        learned_from={name: LearnedFrom(len(rows), AS_PAIRS) for name, rows in learned.sources},
    )


def _data_record(sources: tuple[Source, ...]) -> DataRecord:
    sets = [rows for _, rows in sources]
    starters = [rows for rows in sets if rows.source_texts and not _is_one_text_a_row(rows)]
    return DataRecord(
        "",
        joined([rows.licence for rows in sets]),
        content_of(sets),
        0,
        texts_sample=sample_of(starters) if starters else "",
    )
