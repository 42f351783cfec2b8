"""fit(): climb every rung, choose by validation, judge on the test part, say whether to use it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .aligner import Aligner, DataRecord
from .cache import encode_texts
from .encoders import Encoder, EncoderIdentity, as_encoder
from .errors import DataError, FitError
from .evaluation.baselines import bm25_ranks
from .evaluation.intervals import PairedTest, Scores, paired_test
from .evaluation.metrics import Metric, per_query, ranks, reciprocal
from .evaluation.report import Report, RungResult
from .pairs import SIDES, Pairs, find_leaks
from .progress import track
from .projection import Mode, Projection
from .projection.moments import Moments, Spectrum
from .rungs import HUBNESS, Bank, Parameters, Rung, build, hubness_grid, rungs
from .splits import Split, folds, hold_out
from .vectors import FloatArray, squared_norms, unit_rows

MIN_PAIRS = 10
_TEST_SHARE, _MAX_TEST = 0.2, 5000
_VALIDATION_SHARE, _MAX_VALIDATION = 0.15, 2000
_CROSS_VALIDATE_BELOW = 2500
_N_FOLDS = 5
_TOP = 2  # plain settings of a rung that the hubness correction is tried on


@dataclass(frozen=True, eq=False)
class _Fold:
    """One validation part and what was fitted without it."""

    spectrum: Spectrum
    bank: Bank
    source: NDArray[np.float32]
    target: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Candidate:
    name: str
    mode: Mode
    rung: Rung | None
    parameters: Parameters
    per_query: NDArray[np.float64]

    @property
    def score(self) -> float:
        return float(self.per_query.mean())


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
    _check_options(pairs, mode, metric)
    encoders = {
        side: None if model is None else as_encoder(model)
        for side, model in (("source", source), ("target", target))
    }
    pairs = _with_vectors(pairs, encoders, cache, progress)
    if validation is not None:
        validation = _with_vectors(validation, encoders, cache, progress)
    if test is not None:
        test = _with_vectors(test, encoders, cache, progress)
    _check_dimensions(pairs, validation, test)
    identities = {s: None if e is None else EncoderIdentity.of(e) for s, e in encoders.items()}
    if same_space is None:
        same_space = _share_space(pairs, identities, seed)
    elif same_space and _dimension(pairs, "source") != _dimension(pairs, "target"):
        raise DataError("same_space=True, but the two sides have different dimensions.")
    metric = metric or _store_metric(pairs)

    dev, test_part, leaked = _development_and_test(pairs, test, seed)
    folds_, dev = _folds(dev, validation, test_part, seed)
    modes: list[Mode] = ["keep", "shared"] if mode == "auto" else [mode]
    base = None
    if same_space:
        untouched = _Candidate("identity", modes[0], None, {}, np.zeros(0))
        base = _evaluate(untouched, folds_, metric)
    candidates: list[_Candidate] = [] if base is None else [base]
    for m in modes:
        candidates += _climb(m, folds_, metric, base, progress)
    chosen = _choose(candidates, base, mode)

    spectrum, bank = _fitted(dev, seed)
    test_ranks = {
        _label(c, mode): _ranks(_build(c, spectrum, bank), test_part, metric) for c in candidates
    }
    n_test = len(test_part)
    results = {
        _label(c, mode): RungResult(
            c.mode, c.parameters, c.score, Scores.of_ranks(test_ranks[_label(c, mode)], n_test)
        )
        for c in candidates
    }
    chosen_ranks = test_ranks[_label(chosen, mode)]
    bm25 = None
    if test_part.source_texts is not None and test_part.target_texts is not None:
        bm25 = bm25_ranks(test_part.source_texts, test_part.target_texts)
    base_ranks = test_ranks["identity"] if same_space else None
    verdict, reason, p_value = _verdict(chosen_ranks, base_ranks, bm25, n_test, chosen)

    if refit:
        everything = [pairs] if validation is None else [pairs, validation]
        spectrum, bank = _fitted(_concatenate(everything), seed)
        n_fitted = sum(map(len, everything))
        describes = f"the same rung fitted on {len(dev)} pairs; refitted on {n_fitted} to ship"
    else:
        n_fitted, describes = len(dev), "the very weights that ship"
    report = Report(
        mode=chosen.mode,
        chosen=_label(chosen, mode),
        verdict=verdict,
        reason=reason,
        describes=describes,
        n_pairs=len(pairs),
        sizes={"fitted": n_fitted, "development": len(dev), "test": n_test},
        leaked_rows_left_out=leaked,
        metric=metric,
        seed=seed,
        rungs=results,
        base=results["identity"].scores if same_space else None,
        bm25=None if bm25 is None else Scores.of_ranks(bm25, n_test),
        p_value=p_value,
        seconds=time.perf_counter() - started,
        notes=() if same_space else ("raw vectors of the two sides are not comparable",),
    )
    return Aligner(
        projection=_build(chosen, spectrum, bank),
        mode=chosen.mode,
        dimensions={side: _dimension(pairs, side) for side in SIDES},
        encoders=identities,
        data=DataRecord(pairs.name, pairs.licence, pairs.content_hash, len(pairs)),
        report=report,
        bound=encoders,
    )


def _check_options(pairs: Pairs, mode: str, metric: str | None) -> None:
    if mode not in ("keep", "shared", "auto"):
        raise DataError(f"mode={mode!r} is not known; choose keep, shared or auto.")
    if metric not in (None, "cosine", "ip", "l2"):
        raise DataError(f"metric={metric!r} is not known; choose cosine, ip or l2.")
    if len(pairs) < MIN_PAIRS:
        raise FitError(f"{len(pairs)} pairs are too few; at least {MIN_PAIRS} are needed.")


def _with_vectors(
    pairs: Pairs,
    encoders: dict[str, Encoder | None],
    cache: str | Path | None,
    progress: bool,
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


def _vectors(pairs: Pairs, side: Any) -> FloatArray:
    vectors = pairs.vectors(side)
    assert vectors is not None
    return vectors


def _dimension(pairs: Pairs, side: Any) -> int:
    return int(_vectors(pairs, side).shape[1])


def _check_dimensions(pairs: Pairs, *others: Pairs | None) -> None:
    for other in others:
        for side in SIDES:
            if other is not None and _dimension(other, side) != _dimension(pairs, side):
                raise DataError(
                    f"The {side} vectors have dimension {_dimension(pairs, side)} in the pairs "
                    f"and {_dimension(other, side)} in a held-out set; encode both alike."
                )


def _share_space(pairs: Pairs, identities: Any, seed: int) -> bool:
    """Whether cosines between the two sides mean anything.

    Two encoders share a space if they encode the probe texts alike. Without encoders the vectors
    answer: in a common space a row is nearer to its own target than to another row's most of the
    time; between unrelated spaces it is so half of the time.
    """
    if _dimension(pairs, "source") != _dimension(pairs, "target"):
        return False
    if identities["source"] is not None and identities["target"] is not None:
        a, b = identities["source"].probes, identities["target"].probes
        return bool((a * b).sum(axis=1).mean() > 0.9)
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(pairs), min(len(pairs), 1000), replace=False))
    x, y = (unit_rows(np.asarray(_vectors(pairs, s)[rows], np.float32)) for s in SIDES)
    products = x @ y.T
    wins = (products < np.diag(products)[:, None]).sum() / (len(rows) * (len(rows) - 1))
    return bool(wins > 0.6)


def _store_metric(pairs: Pairs) -> Metric:
    sample = np.asarray(_vectors(pairs, "target")[:1000], np.float32)
    return "ip" if np.allclose(squared_norms(sample), 1, atol=2e-2) else "cosine"


def _development_and_test(pairs: Pairs, test: Pairs | None, seed: int) -> tuple[Pairs, Pairs, int]:
    """Return the pairs to fit on, the test pairs, and how many leaked rows were left out."""
    if test is None:
        split = hold_out(pairs, _TEST_SHARE, seed=seed, at_most=_MAX_TEST)
        dev, test = pairs.select(split.kept), pairs.select(split.held_out)
    else:
        dev = pairs
    leaks = find_leaks(dev, test)
    if len(leaks) > len(dev) - MIN_PAIRS // 2:
        raise FitError(
            f"{len(leaks)} of {len(dev)} training pairs also stand in the test set; "
            "nothing is left to fit on. Are both the same file?"
        )
    return dev.select(np.delete(np.arange(len(dev)), leaks)), test, len(leaks)


def _folds(
    dev: Pairs, validation: Pairs | None, test: Pairs, seed: int
) -> tuple[list[_Fold], Pairs]:
    """Return the validation parts, each with what was fitted without it, and all pairs to refit."""
    if validation is not None:
        train = dev.select(np.delete(np.arange(len(dev)), find_leaks(dev, validation)))
        spectrum, bank = _fitted(train, seed)
        kept = validation.select(
            np.delete(np.arange(len(validation)), find_leaks(validation, test))
        )
        parts = [_Fold(spectrum, bank, *_float32(validation))]
        return parts, _concatenate([dev, kept])
    splits = (
        folds(dev, _N_FOLDS, seed=seed)
        if len(dev) < _CROSS_VALIDATE_BELOW
        else [hold_out(dev, _VALIDATION_SHARE, seed=seed + 1, at_most=_MAX_VALIDATION)]
    )
    return [_fold(dev, split, seed) for split in splits], dev


def _fold(dev: Pairs, split: Split, seed: int) -> _Fold:
    held = dev.select(split.held_out)
    train = dev.select(split.kept)
    train = train.select(np.delete(np.arange(len(train)), find_leaks(train, held)))
    spectrum, bank = _fitted(train, seed)
    return _Fold(spectrum, bank, *_float32(held))


def _fitted(pairs: Pairs, seed: int) -> tuple[Spectrum, Bank]:
    x, y = _vectors(pairs, "source"), _vectors(pairs, "target")
    bank = Bank.sample(x, y, np.arange(len(pairs)), seed=seed)
    return Spectrum(Moments.of(x, y)), bank


def _float32(pairs: Pairs) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    x, y = _vectors(pairs, "source"), _vectors(pairs, "target")
    return np.asarray(x, np.float32), np.asarray(y, np.float32)


def _concatenate(sets: list[Pairs]) -> Pairs:
    if len(sets) == 1:
        return sets[0]
    x, y = (np.concatenate([_vectors(s, side) for s in sets]) for side in SIDES)
    return Pairs(source_vectors=x, target_vectors=y)


def _build(candidate: _Candidate, spectrum: Spectrum, bank: Bank) -> Projection:
    c = candidate
    return build(c.rung, c.name, spectrum, c.mode, bank, c.parameters)


def _evaluate(candidate: _Candidate, parts: list[_Fold], metric: Metric) -> _Candidate:
    """Score a candidate on every validation part: the reciprocal rank of each query."""
    found = []
    for part in parts:
        projection = _build(candidate, part.spectrum, part.bank)
        found.append(_ranked(projection, part.source, part.target, metric))
    c = candidate
    return _Candidate(c.name, c.mode, c.rung, c.parameters, reciprocal(np.concatenate(found)))


def _ranks(projection: Projection, pairs: Pairs, metric: Metric) -> NDArray[np.intp]:
    return _ranked(projection, *_float32(pairs), metric)


def _ranked(projection: Projection, x: Any, y: Any, metric: Metric) -> NDArray[np.intp]:
    """Rank as a store would: from the vectors that it is asked and the vectors that it holds."""
    queries = projection(x, modality="source", role="query")
    documents = projection(y, modality="target", role="document")
    return ranks(queries, documents, metric)


def _climb(
    mode: Mode,
    parts: list[_Fold],
    metric: Metric,
    base: _Candidate | None,
    progress: bool,
) -> list[_Candidate]:
    """Tune every rung of a mode, plain and corrected; return the best setting of each."""
    best: list[_Candidate] = []
    ladder: dict[str, Rung | None] = {} if base is None else {"identity": None}
    ladder |= rungs(mode, same_space=base is not None)
    for name, rung in track(list(ladder.items()), f"fitting ({mode})", enabled=progress):
        if rung is None:
            ranked = [] if base is None else [base]
        else:
            tried = [
                _evaluate(_Candidate(name, mode, rung, p, np.zeros(0)), parts, metric)
                for p in rung.grid
            ]
            top = max(tried, key=lambda c: c.score)
            tried += [
                _evaluate(_Candidate(name, mode, rung, p, np.zeros(0)), parts, metric)
                for p in rung.refine(top.parameters)
            ]
            ranked = sorted(tried, key=lambda c: -c.score)
            best.append(ranked[0])
        corrected = [
            _evaluate(
                _Candidate(name + HUBNESS, mode, rung, c.parameters | h, np.zeros(0)), parts, metric
            )
            for c in ranked[:_TOP]
            for h in hubness_grid(mode)
        ]
        best.append(max(corrected, key=lambda c: c.score))
    return best


def _choose(candidates: list[_Candidate], base: _Candidate | None, mode: str) -> _Candidate:
    """Take the best by validation, if it beats the base by more than its own uncertainty.

    The best of many is lucky; a lead of less than one standard error of the paired difference is
    no lead. In ``auto``, ``shared`` has to lead ``keep`` by two: it asks for a new index.
    """
    chosen = max(candidates, key=lambda c: c.score)
    if mode == "auto" and chosen.mode == "shared":
        keep = max((c for c in candidates if c.mode == "keep"), key=lambda c: c.score)
        if not _leads(chosen, keep, 2.0):
            chosen = keep
    if base is not None and not _leads(chosen, base, 1.0):
        return base
    return chosen


def _leads(a: _Candidate, b: _Candidate, errors: float) -> bool:
    difference = a.per_query - b.per_query
    standard_error = float(difference.std()) / np.sqrt(len(difference))
    return bool(difference.mean() > errors * standard_error)


def _label(candidate: _Candidate, mode: str) -> str:
    prefix = f"{candidate.mode}/" if mode == "auto" and candidate.name != "identity" else ""
    return prefix + candidate.name


def _verdict(
    ours: NDArray[np.intp],
    base: NDArray[np.intp] | None,
    bm25: NDArray[np.intp] | None,
    n_test: int,
    chosen: _Candidate,
) -> tuple[str, str, float | None]:
    """Judge the chosen rung on the test queries, by a paired test of MRR@10."""
    score = per_query(ours)["mrr@10"]
    test: PairedTest | None = None
    if base is not None:
        if chosen.name == "identity":
            return "do not use", "no rung beats the vectors as they are on validation", None
        test = paired_test(score, per_query(base)["mrr@10"])
        if not test.better:
            return (
                "do not use",
                f"not shown to help on {n_test} held-out queries "
                f"(MRR@10 {test.difference:+.3f}, p={test.p_value:.3f}); more pairs may",
                test.p_value,
            )
    if bm25 is not None:
        against = paired_test(score, per_query(bm25)["mrr@10"])
        if against.worse:
            reason = f"BM25 alone finds more (MRR@10 {-against.difference:+.3f})"
            return "do not use", reason, against.p_value
        if test is None and not against.better:
            reason = f"not shown to beat BM25 on {n_test} held-out queries"
            return "do not use", reason, against.p_value
        test = test or against
    if test is None:
        chance = float(np.mean(1 / np.arange(1, n_test + 1)))
        low = Scores.of_ranks(ours, n_test).intervals["mrr@10"][0]
        if low <= chance:
            return "do not use", "no better than a random order of the documents", None
        return "use", f"found where a random order would not be (MRR@10 {score.mean():.3f})", None
    reason = f"MRR@10 {test.difference:+.3f} on {n_test} held-out queries (p={test.p_value:.4f})"
    return "use", reason, test.p_value
