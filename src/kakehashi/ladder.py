"""fit(): climb every rung, choose by validation, judge on the test part, say whether to use it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from .aligner import Aligner
from .cache import encode_texts
from .development import MIN_PAIRS, Development, Fitted, ValidationPart, develop
from .encoders import Encoder, EncoderIdentity, as_encoder
from .errors import DataError, FitError
from .evaluation.baselines import bm25_ranks
from .evaluation.intervals import Clusters, Scores, clusters_of, sums_by_cluster
from .evaluation.metrics import Metric, ranks, reciprocal
from .evaluation.relevance import Relevance
from .evaluation.report import Report, RungResult
from .pairs import SIDES, DataRecord, Pairs
from .progress import track
from .projection import Mode, Projection
from .rungs import HUBNESS, Parameters, Rung, build, corrected, hubness_grid, rungs
from .vectors import FloatArray, squared_norms, unit_rows
from .verdict import judge

_FEW_QUERIES = 50
_ROUNDS = 4  # of stepping from a rung's best setting to its neighbours
_TOP = 2  # plain settings of a rung that the hubness correction is tried on


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A rung with its hyper-parameters, and the reciprocal rank of each validation query."""

    name: str
    mode: Mode
    rung: Rung | None
    parameters: Parameters
    per_query: NDArray[np.float64]

    @property
    def score(self) -> float:
        return float(self.per_query.mean())

    def build(self, fitted: Fitted) -> Projection:
        return build(self.rung, fitted.spectrum, self.mode, fitted.bank, self.parameters)


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
        cache: a file that keeps encoded vectors between runs.

    Raises:
        FitError: too few pairs.
        DataError: an unknown mode or metric, or vectors and encoders that do not fit together.
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
    if same_space is None:
        same_space = _share_space(pairs, identities, seed)
    elif same_space and dimensions["source"] != dimensions["target"]:
        raise DataError("same_space=True, but the two sides have different dimensions.")
    metric = metric or _store_metric(pairs)

    # Thousands of small products follow. Two BLAS threads gain nothing on them, and where another
    # process keeps a core busy each call waits for the slower thread: measured 14 times slower.
    with threadpool_limits(limits=1, user_api="blas"):
        data = develop(pairs, validation=validation, test=test, seed=seed)
        candidates, base = _climb(mode, data.parts, metric, same_space, progress)
        groups = [part.groups for part in data.parts]
        known = [label for of_part in groups if of_part is not None for label in of_part]
        clusters = None if None in groups else clusters_of(known)
        chosen = _choose(candidates, base, mode, clusters)
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
            chosen=_label(chosen, mode),
            describes=describes,
            n_pairs=len(pairs),
            sizes={"fitted": n_shipped, "development": data.n_fitted, "test": len(data.test)},
            leaked_rows_left_out=data.leaked,
            metric=metric,
            seed=seed,
            seconds=time.perf_counter() - started,
            notes=_notes(same_space, len(data.test)),
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


def _notes(same_space: bool, n_test: int) -> tuple[str, ...]:
    notes = [] if same_space else ["raw vectors of the two sides are not comparable"]
    if n_test < _FEW_QUERIES:
        notes.append(
            f"{n_test} held-out queries say little, and so few documents are easily told apart: "
            "expect lower scores in a larger index"
        )
    return tuple(notes)


def _climb(
    mode: str, parts: list[ValidationPart], metric: Metric, same_space: bool, progress: bool
) -> tuple[list[_Candidate], _Candidate | None]:
    """Tune every rung, plain and corrected; return the best setting of each, and the base."""
    modes: list[Mode] = ["keep", "shared"] if mode == "auto" else [mode]  # type: ignore[list-item]
    base = None
    if same_space:
        [scores] = _score(parts, metric, lambda fitted: [Projection()])
        base = _Candidate("identity", modes[0], None, {}, scores)
    best = [] if base is None else [base]
    for m in modes:
        ladder: dict[str, Rung | None] = {} if base is None else {"identity": None}
        ladder |= rungs(m, same_space=same_space)
        for name, rung in track(list(ladder.items()), f"fitting ({m})", enabled=progress):
            if rung is None:
                ranked = [] if base is None else [base]
            else:
                ranked = _tuned(name, m, rung, parts, metric)
                best.append(ranked[0])
            best.append(_best_corrected(name, m, ranked[:_TOP], parts, metric))
    return best, base


def _tuned(
    name: str, mode: Mode, rung: Rung, parts: list[ValidationPart], metric: Metric
) -> list[_Candidate]:
    """Score a rung's grid and the neighbours of its best point; the best comes first."""

    def scored(grid: list[Parameters]) -> list[_Candidate]:
        def build_all(fitted: Fitted) -> list[Projection]:
            return [rung.build(fitted.spectrum, mode, **p) for p in grid]

        scores = _score(parts, metric, build_all)
        return [_Candidate(name, mode, rung, p, s) for p, s in zip(grid, scores, strict=True)]

    tried = scored(rung.grid)
    for _ in range(_ROUNDS):
        best = max(tried, key=lambda c: c.score)
        known = [c.parameters for c in tried]
        tried += scored([p for p in rung.refine(best.parameters) if p not in known])
        if max(tried, key=lambda c: c.score) is best:
            break
    return sorted(tried, key=lambda c: -c.score)


def _best_corrected(
    name: str, mode: Mode, plain: list[_Candidate], parts: list[ValidationPart], metric: Metric
) -> _Candidate:
    """Score the hubness correction of a rung's best settings; return the best of them all."""
    grid = hubness_grid(mode)

    def scored(c: _Candidate) -> list[_Candidate]:
        def build_all(fitted: Fitted) -> list[Projection]:
            return corrected(c.build(fitted), mode, fitted.bank, grid)

        return [
            _Candidate(name + HUBNESS, mode, c.rung, c.parameters | h, s)
            for h, s in zip(grid, _score(parts, metric, build_all), strict=True)
        ]

    return max((found for c in plain for found in scored(c)), key=lambda c: c.score)


def _score(
    parts: list[ValidationPart], metric: Metric, build_all: Callable[[Fitted], list[Projection]]
) -> list[NDArray[np.float64]]:
    """Return, for each projection that is built, the reciprocal rank of every validation query."""
    found = [
        [
            reciprocal(_ranks(p, part.source, part.target, metric, part.relevance, roughly=True))
            for p in build_all(part.fitted)
        ]
        for part in parts
    ]
    return [np.concatenate(of_parts) for of_parts in zip(*found, strict=True)]


def _ranks(
    projection: Projection,
    x: Any,
    y: Any,
    metric: Metric,
    relevance: Relevance,
    *,
    roughly: bool = False,
) -> NDArray[np.intp]:
    """Rank as a store would: from the vectors that it is asked and the vectors that it holds."""
    queries = projection(x, modality="source", role="query", roughly=roughly)
    documents = projection(y, modality="target", role="document", roughly=roughly)
    return ranks(queries, documents, metric, relevance=relevance)


def _choose(
    candidates: list[_Candidate], base: _Candidate | None, mode: str, clusters: Clusters
) -> _Candidate:
    """Take the best by validation, if it beats the base by more than its own uncertainty.

    The best of many is lucky; a lead of less than one standard error of the paired difference is
    no lead. In ``auto``, ``shared`` has to lead ``keep`` by two: it asks for a new index.
    """
    chosen = max(candidates, key=lambda c: c.score)
    if mode == "auto" and chosen.mode == "shared":
        keep = max((c for c in candidates if c.mode == "keep"), key=lambda c: c.score)
        if not _leads(chosen, keep, clusters, 2.0):
            chosen = keep
    if base is not None and not _leads(chosen, base, clusters, 1.0):
        return base
    return chosen


def _leads(a: _Candidate, b: _Candidate, clusters: Clusters, errors: float) -> bool:
    """Whether a mean difference is more than so many of its standard errors, by cluster."""
    difference = a.per_query - b.per_query
    mean = float(difference.mean())
    sums = sums_by_cluster(difference - mean, clusters)
    standard_error = float(np.sqrt((sums**2).sum())) / len(difference)
    return mean > errors * standard_error


def _label(candidate: _Candidate, mode: str) -> str:
    prefix = f"{candidate.mode}/" if mode == "auto" and candidate.name != "identity" else ""
    return prefix + candidate.name


def _judged(
    candidates: list[_Candidate],
    chosen: _Candidate,
    base: _Candidate | None,
    data: Development,
    metric: Metric,
    mode: str,
) -> tuple[dict[str, Any], bool]:
    """Score every candidate on the test part; judge the chosen one, also against the base."""
    test = data.test
    x, y = (np.asarray(test.required_vectors(side), np.float32) for side in SIDES)
    relevance, clusters = Relevance.of(test), clusters_of(test.groups)
    pool = len(relevance.pool)
    found = {c: _ranks(c.build(data.fitted), x, y, metric, relevance) for c in candidates}
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
            _label(c, mode): RungResult(c.mode, c.parameters, c.score, scores[c])
            for c in candidates
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


def _share_space(pairs: Pairs, identities: Any, seed: int) -> bool:
    """Whether cosines between the two sides mean anything.

    Two encoders share a space if they encode the probe texts alike. Otherwise the vectors answer
    (a student may have learned its teacher's space for one language only): in a common space a
    row is nearer to its own target than to another row's most of the time; between unrelated
    spaces it is so half of the time. Of few rows less is asked: a base that is missing costs more
    than one that is poor.
    """
    x, y = pairs.required_vectors("source"), pairs.required_vectors("target")
    if x.shape[1] != y.shape[1]:
        return False
    if identities["source"] is not None and identities["target"] is not None:
        a, b = identities["source"].probes, identities["target"].probes
        if (a * b).sum(axis=1).mean() > 0.9:
            return True
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(pairs), min(len(pairs), 1000), replace=False))
    x, y = (unit_rows(np.asarray(v[rows], np.float32)) for v in (x, y))
    products = x @ y.T
    wins = (products < np.diag(products)[:, None]).sum() / (len(rows) * (len(rows) - 1))
    return bool(wins > 0.5 + 0.1 * min(1, len(rows) / 50))


def _store_metric(pairs: Pairs) -> Metric:
    stored = pairs.required_vectors("target")
    sample = np.asarray(stored[:: max(1, len(stored) // 1000)], np.float32)
    return "ip" if np.allclose(squared_norms(sample), 1, atol=2e-3) else "cosine"
