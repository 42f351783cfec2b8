"""fit(): search every rung, choose by validation, judge on the test part, say whether to use it."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
from threadpoolctl import threadpool_limits

from .aligner import Aligner
from .cache import encode_texts
from .development import MIN_PAIRS, Development, develop
from .encoders import Encoder, EncoderIdentity, as_encoder
from .errors import DataError, FitError
from .evaluation.baselines import bm25_ranks
from .evaluation.intervals import Scores, clusters_of
from .evaluation.metrics import Metric
from .evaluation.relevance import Relevance
from .evaluation.report import Report, RungResult
from .pairs import SIDES, DataRecord, Pairs
from .search import Candidate, choose, climb, label, rank
from .spaces import share_space, store_metric
from .vectors import FloatArray
from .verdict import judge

_FEW_QUERIES = 50


def fit(
    pairs: Pairs,
    *,
    source: Any = None,
    target: Any = None,
    mode: Literal["keep", "shared", "auto"] = "auto",
    validation: Pairs | None = None,
    test: Pairs | None = None,
    seed: int = 0,
    refit: bool = True,
    metric: Metric | None = None,
    same_space: bool | None = None,
    cache: str | Path | None = None,
    progress: bool = False,
) -> Aligner:
    """Train an aligner on pairs, choose among all closed forms, and report on held-out queries.

    Args:
        source, target: the encoder of each modality, as :func:`kakehashi.as_encoder` takes it;
            not needed for a side that brings vectors.
        mode: ``"keep"`` projects source vectors only and leaves a stored index as it is;
            ``"shared"`` projects both; ``"auto"`` takes ``shared`` only where it is clearly better.
        validation, test: held-out pairs of your own. Without them a fifth of the pairs (by group)
            is the test part, and hyper-parameters are chosen by cross-validation on the rest (on
            one held-out part where there are 2,500 pairs and more).
        refit: fit the chosen rung again on all pairs once the report stands (a test set of your
            own is never trained on); False ships the tested weights.
        metric: how the store compares stored target vectors; by default inner product where they
            have unit length (all metrics then rank alike), cosine otherwise.
        same_space: whether raw vectors of both sides can be compared; found out by default.
        seed: decides which pairs are held out.
        cache: a file that keeps encoded vectors between runs.
        progress: show bars on standard error.

    Returns:
        an aligner, bound to the encoders given, with its report.

    Raises:
        FitError: too few pairs, or nothing left to fit on or to choose by.
        DataError: an unknown mode or metric, or vectors and encoders that do not fit together.
        EncoderError, VectorError: an encoder cannot be loaded, or what it returns cannot be used.
        CacheError: the cache is damaged, or no cache.
    """
    started = time.perf_counter()
    if mode not in ("keep", "shared", "auto"):
        raise DataError(f"mode={mode!r} is not known; choose keep, shared or auto.")
    if metric not in (None, "cosine", "ip", "l2"):
        raise DataError(f"metric={metric!r} is not known; choose cosine, ip or l2.")
    if len(pairs) < MIN_PAIRS:  # before anything is encoded
        raise FitError(f"{len(pairs)} pairs are too few; at least {MIN_PAIRS} are needed.")
    encoders = {
        side: None if model is None else as_encoder(model)
        for side, model in (("source", source), ("target", target))
    }
    pairs = _with_vectors(pairs, encoders, cache, progress)
    validation = validation and _with_vectors(validation, encoders, cache, progress)
    test = test and _with_vectors(test, encoders, cache, progress)
    dimensions = _checked_dimensions(pairs, validation, test)
    identities = {s: None if e is None else EncoderIdentity.of(e) for s, e in encoders.items()}
    for side, identity in identities.items():
        if identity is not None and identity.dimension != dimensions[side]:
            raise DataError(
                f"The {side} encoder {identity.name!r} gives {identity.dimension} dimensions, the "
                f"stored {side} vectors have {dimensions[side]}; pass the encoder that made them."
            )
    if same_space is None:
        same_space = share_space(pairs, identities, seed)
    elif same_space and dimensions["source"] != dimensions["target"]:
        raise DataError("same_space=True, but the two sides have different dimensions.")
    metric = metric or store_metric(pairs)

    # Thousands of small products follow. Two BLAS threads gain nothing on them, and where another
    # process keeps a core busy each call waits for the slower thread.
    with threadpool_limits(limits=1, user_api="blas"):
        data = develop(pairs, validation=validation, test=test, seed=seed)
        candidates, base = climb(mode, data.parts, metric, same_space, progress)
        groups = [part.groups for part in data.parts]
        every = [group for of_part in groups if of_part is not None for group in of_part]
        clusters = None if None in groups else clusters_of(every)
        chosen = choose(candidates, base, mode, clusters)
        report, beats_base = _judged(candidates, chosen, base, data, metric, mode)
    if base is not None and not beats_base:
        chosen = base
    shipped = data.everything if refit else data.fitted
    n_shipped = data.n_everything if refit else data.n_fitted
    describes = "the very weights that ship"
    if chosen is base:
        describes = "the untouched vectors; nothing was fitted"
    elif n_shipped != data.n_fitted:
        describes = (
            f"the same rung fitted on {data.n_fitted} pairs; refitted on {n_shipped} to ship"
        )
    return Aligner(
        projection=chosen.build(shipped),
        mode=chosen.mode,
        dimensions=dimensions,
        encoders=identities,
        data=_record(pairs, validation),
        report=Report(
            **report,
            mode=chosen.mode,
            chosen=label(chosen, mode),
            describes=describes,
            n_pairs=len(pairs),
            sizes={"fitted": n_shipped, "development": data.n_fitted, "test": len(data.test)},
            leaked_rows_left_out=data.leaked,
            metric=metric,
            seed=seed,
            seconds=time.perf_counter() - started,
            notes=_notes(pairs, validation, test, same_space, len(data.test)),
        ),
        bound=encoders,
    )


def _record(pairs: Pairs, validation: Pairs | None) -> DataRecord:
    """Name the data that made the weights: a validation set is fitted in the end, too."""
    sets = [pairs] if validation is None else [pairs, validation]
    content = pairs.content_hash
    if validation is not None:
        both = f"{pairs.content_hash} {validation.content_hash}"
        content = hashlib.sha256(both.encode()).hexdigest()
    names = " + ".join(dict.fromkeys(s.name for s in sets if s.name))
    licences = " + ".join(dict.fromkeys(s.licence for s in sets if s.licence))
    return DataRecord(names, licences, content, sum(map(len, sets)))


def _notes(
    pairs: Pairs, validation: Pairs | None, test: Pairs | None, same_space: bool, n_test: int
) -> tuple[str, ...]:
    notes = [] if same_space else ["raw vectors of the two sides are not comparable"]
    for name, held_out in (("validation", validation), ("test", test)):
        if held_out is not None and pairs.groups is not None and held_out.groups is not None:
            groups = set(held_out.groups)
            if shared := groups & set(pairs.groups):
                notes.append(
                    f"{len(shared)} of {len(groups)} groups of the {name} set also stand in the "
                    "pairs: the scores say nothing about documents that are new"
                )
    if n_test < _FEW_QUERIES:
        notes.append(
            f"{n_test} held-out queries say little, and so few documents are easily told apart: "
            "expect lower scores in a larger index"
        )
    return tuple(notes)


def _judged(
    candidates: list[Candidate],
    chosen: Candidate,
    base: Candidate | None,
    data: Development,
    metric: Metric,
    mode: str,
) -> tuple[dict[str, Any], bool]:
    """Score every candidate on the test part; judge the chosen one, also against the base."""
    test = data.test
    x, y = (np.asarray(test.required_vectors(side), np.float32) for side in SIDES)
    relevance, clusters = Relevance.of(test), clusters_of(test.groups)
    pool = len(relevance.pool)
    found = {c: rank(c.build(data.fitted), x, y, metric, relevance) for c in candidates}
    bm25 = None
    if test.source_texts is not None and test.target_texts is not None:
        bm25 = bm25_ranks(test.source_texts, test.target_texts, relevance=relevance)
    base_ranks = None if base is None else found[base]
    verdict = judge(
        found[chosen],
        base_ranks,
        bm25,
        is_identity=chosen is base,
        relevance=relevance,
        clusters=clusters,
    )
    scores = {c: Scores.of_ranks(found[c], pool, clusters=clusters) for c in candidates}
    report = {
        "verdict": verdict.advice,
        "reason": verdict.reason,
        "p_value": verdict.p_value,
        "rungs": {
            label(c, mode): RungResult(c.mode, c.parameters, c.score, scores[c]) for c in candidates
        },
        "base": None if base is None else scores[base],
        "bm25": None if bm25 is None else Scores.of_ranks(bm25, pool, clusters=clusters),
    }
    return report, verdict.beats_base


def _with_vectors(
    pairs: Pairs, encoders: dict[str, Encoder | None], cache: str | Path | None, progress: bool
) -> Pairs:
    made: dict[str, FloatArray | None] = {}
    for side in SIDES:
        made[side] = None
        if pairs.vectors(side) is not None:
            continue
        encoder, texts = encoders[side], pairs.texts(side)
        assert texts is not None
        if encoder is None:
            raise DataError(f"The {side} side has texts only; pass {side}=an encoder.")
        role: Any = "query" if side == "source" else "document"
        made[side] = encode_texts(
            encoder, texts, role, cache=cache, progress=progress, label=f"encoding {side}"
        )
    return pairs.with_vectors(made["source"], made["target"])


def _checked_dimensions(pairs: Pairs, *others: Pairs | None) -> dict[str, int]:
    dimensions: dict[str, int] = {s: pairs.required_vectors(s).shape[1] for s in SIDES}
    for other in others:
        for side in SIDES:
            if other is not None and other.required_vectors(side).shape[1] != dimensions[side]:
                raise DataError(
                    f"The {side} vectors have dimension {dimensions[side]} in the pairs and "
                    f"{other.required_vectors(side).shape[1]} in a held-out set; "
                    "encode both alike."
                )
    return dimensions
