"""fit(): search every rung, choose by validation, judge on the test part, say whether to use it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..aligner import Aligner
from ..data.pairs import Pairs, check_pairs
from ..data.record import DataRecord
from ..data.validation import checked_seed
from ..encoders import EncoderIdentity
from ..errors import DataError, EncoderError, FitError, MissingExtraError
from ..metrics.ranking import cut_at_ten, ranks
from ..metrics.relevance import clusters_of
from ..metrics.statistics import Scores
from ..report import CandidateResult, Report
from ..retrieval.bm25 import bm25_ranks
from ..threads import BLAS
from ..types import Metric, Mode, Side
from ..vectors import FloatArray
from .features import views
from .gradient.torch_state import import_failure
from .inputs import (
    as_encoders,
    check_made_by,
    check_unpaired,
    checked_dimensions,
    gather_unpaired,
    identities_of,
    may_read_texts,
    seen_by_target,
    with_vectors,
)
from .learn_serving import learn_calibration, learn_router
from .model_selection import Candidate, Learned, choose, climb, label, rank
from .spaces import share_space, store_metric
from .split_plan import MIN_PAIRS, Plan, plan
from .sufficient_statistics import develop, unpaired_note
from .verdict import FEW_QUERIES, Evidence, Verdict, judge

_CHOICES: dict[str, tuple[str | None, ...]] = {
    "mode": ("keep", "shared", "auto"),
    "metric": (None, "cosine", "ip", "l2"),
    "learned": ("auto", "linear", "mlp", "none"),
}


def fit(
    pairs: Pairs,
    *,
    source_encoder: Any = None,
    target_encoder: Any = None,
    mode: Literal["keep", "shared", "auto"] = "auto",
    validation: Pairs | None = None,
    test: Pairs | None = None,
    seed: int = 0,
    refit: bool = True,
    metric: Metric | None = None,
    same_space: bool | None = None,
    ngrams: bool | None = None,
    unpaired: Pairs | Sequence[str] | Literal[False] | None = None,
    learned: Literal["auto", "linear", "mlp", "none"] = "auto",
    cache: str | Path | None = None,
    progress: bool = False,
) -> Aligner:
    """Train an aligner on pairs, choose among all rungs, and report on held-out queries.

    Args:
        source_encoder, target_encoder: the encoder of each modality, as
            :func:`kakehashi.encoders.as_encoder` takes it. A side that brings
            vectors needs none.
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
        ngrams: also read the texts themselves, by character n-grams: what serves then needs texts
            beside vectors. By default where the pairs have texts and encoders embed them here, so
            that texts are at hand where the aligner serves.
        unpaired: texts of the target side that have no pair (an index, say), from which the map
            may learn how both encoders see one text; or pairs that count by a weight and never
            judge: stored vectors of the same texts, or pairs that
            :func:`kakehashi.pairing.pseudo_pairs` found.
            By default the targets of the pairs are used so; but where a source encoder of another
            kind would have to read more than 5,000 of them, none. False uses none. How much they
            count is chosen by validation.
        learned: what is trained on from the best closed form with torch: a ``linear`` head, an
            ``mlp`` (a linear head with a small network beside it) or ``none``. ``auto`` is linear
            where torch is installed.
        seed: decides which pairs are held out.
        cache: a file that keeps encoded vectors between runs.
        progress: show bars on standard error (where that is no terminal, a line a stage).

    Returns:
        an aligner, bound to the encoders given, with its report.

    Raises:
        FitError: too few pairs, or nothing left to fit on or to choose by.
        DataError: no Pairs, an unknown option, or vectors, texts and encoders that do not fit
            together.
        MissingExtraError: a learned rung was asked for by name, and torch is not installed.
        EncoderError, VectorError: an encoder cannot be loaded, or what it returns cannot be used.
        CacheError: the cache is damaged, or no cache.
    """
    started = time.perf_counter()
    check_pairs(pairs, optional=(validation, test))
    seed = checked_seed(seed)
    _check_options(mode, metric, learned)
    trained = _learned(learned, seed, progress)
    if len(pairs) < MIN_PAIRS:  # before anything is encoded
        raise FitError(f"{len(pairs)} pairs are too few; at least {MIN_PAIRS} are needed.")
    encoders = as_encoders(source_encoder, target_encoder)
    modes: list[Mode] = ["keep", "shared"] if mode == "auto" else [mode]
    reads = {
        m: may_read_texts(m, ngrams, encoders, [p for p in (pairs, validation, test) if p])
        for m in modes
    }
    check_unpaired(unpaired, encoders)
    identities = identities_of(encoders)  # one that cannot be loaded is found before minutes go by
    given = pairs
    pairs = with_vectors(pairs, encoders, cache, progress)
    validation = validation and with_vectors(validation, encoders, cache, progress)
    test = test and with_vectors(test, encoders, cache, progress)
    dimensions = checked_dimensions(pairs, validation, test)
    _check_dimensions(given, identities, dimensions)
    check_made_by(given, encoders)
    if same_space and dimensions["source"] != dimensions["target"]:
        raise DataError("same_space=True, but the two sides have different dimensions.")
    if same_space is None:
        same_space = share_space(pairs, identities, seed)
    metric = metric or store_metric(pairs)
    free = gather_unpaired(unpaired, pairs, encoders, same_space, cache, progress)

    rows = plan(pairs, validation=validation, test=test, unpaired=free, seed=seed)
    alone = seen_by_target(rows.judged.held, encoders, identities, cache, progress)
    with BLAS:
        developments = [
            develop(rows, view, seed=seed)
            for m in modes
            for view in views(m, pairs, same_space=same_space, ngrams=reads[m])
        ]
        candidates, base = climb(developments, metric, learned=trained, progress=progress)
        chosen = choose(candidates, base, mode, clusters_of(*(part.held for part in rows.parts)))
        judged = _judged(candidates, chosen, base, rows, alone.vectors, metric)
        if base is not None and not judged.verdict.beats_base:
            chosen = base
        shipped = chosen.data.everything if refit else chosen.data.fitted
        view = chosen.data.view
        projection = view.finish(chosen.build(shipped))
        router = learn_router(pairs, seed)
        calibration = learn_calibration(
            view.finish(chosen.build(chosen.data.fitted)),
            rows.judged.held,
            encoders,
            identities,
            seed=seed,
            cache=cache,
            progress=progress,
        )
    n_shipped = rows.n_every if refit else rows.n_fitted
    describes = "the very weights that ship"
    if chosen is base:
        describes = "the untouched vectors; nothing was fitted"
    elif n_shipped != rows.n_fitted:
        describes = (
            f"the same rung fitted on {rows.n_fitted} pairs; refitted on {n_shipped} to ship"
        )
    untrained = learned == "auto" and trained is None
    remarks = (
        alone.note,
        "no learned rung was tried: torch cannot be imported" * untrained,
        # By default the targets of the pairs serve, those of the test part always among them.
        None if unpaired is None else unpaired_note(rows),
    )
    notes = _notes(pairs, validation, test, same_space, len(rows.judged.held), rows.leaked)
    notes += tuple(remark for remark in remarks if remark)
    return Aligner(
        projection=projection,
        mode=chosen.mode,
        dimensions=dimensions,
        identities=identities,
        data=_record(pairs, validation, None if unpaired is None else free),
        report=Report(
            verdict=judged.verdict.advice,
            reason="; ".join(filter(None, (judged.verdict.reason, alone.unknown))),
            p_value=judged.verdict.p_value,
            candidates={
                label(c, mode): CandidateResult(
                    c.mode, c.parameters, c.score, scores, c.cpu_seconds
                )
                for c, scores in judged.scores.items()
            },
            base=None if base is None else judged.scores[base],
            bm25=judged.bm25,
            target_encoder=judged.target_encoder,
            target_leads=judged.verdict.target_leads,
            mode=chosen.mode,
            chosen=label(chosen, mode),
            describes=describes,
            n_pairs=len(pairs),
            sizes={
                "fitted": n_shipped,
                "development": rows.n_fitted,
                "test": len(rows.judged.held),
            },
            leaked_rows_left_out=rows.leaked,
            metric=metric,
            seed=seed,
            seconds=time.perf_counter() - started,
            notes=notes,
        ),
        encoders=encoders,
        router=router,
        calibration=calibration,
    )


def _check_options(mode: Any, metric: Any, learned: Any) -> None:
    for option, value in (("mode", mode), ("metric", metric), ("learned", learned)):
        if value not in _CHOICES[option]:
            allowed = ", ".join(map(str, _CHOICES[option]))
            raise DataError(f"{option}={value!r} is not known; choose one of {allowed}.")


def _check_dimensions(
    given: Pairs, identities: Mapping[Side, EncoderIdentity | None], dimensions: dict[str, int]
) -> None:
    """Raise where an encoder gives another dimension than the vectors of its side have."""
    for side, identity in identities.items():
        if identity is not None and identity.dimension != dimensions[side]:
            if given.vectors(side) is None:
                raise EncoderError(
                    f"Encoder {identity.name!r} gives {identity.dimension} dimensions for "
                    f"kakehashi's probe texts and {dimensions[side]} for the {side} texts; every "
                    "text needs as many."
                )
            raise DataError(
                f"The {side} encoder {identity.name!r} gives {identity.dimension} dimensions, the "
                f"stored {side} vectors have {dimensions[side]}; pass the encoder that made them."
            )


def _learned(learned: str, seed: int, progress: bool) -> Learned | None:
    """Return what trains on from a closed form, or None for nothing."""
    if learned == "none":
        return None
    if (failure := import_failure()) is not None:
        if learned == "auto":
            return None
        raise MissingExtraError("torch", "training") from failure
    from .gradient.contrastive import LEARNED, refine

    name, hidden = LEARNED["linear" if learned == "auto" else learned]
    return Learned(name, partial(refine, hidden=hidden, seed=seed, progress=progress))


def _record(pairs: Pairs, validation: Pairs | None, unpaired: Pairs | None) -> DataRecord:
    """Name the data that made the weights: a validation set is fitted in the end, too."""
    sets = [pairs] if validation is None else [pairs, validation]
    hashes = [part.content_hash for part in (*sets, unpaired) if part is not None]
    content = hashes[0]
    if len(hashes) > 1:
        content = hashlib.sha256(" ".join(hashes).encode()).hexdigest()
    names = " + ".join(dict.fromkeys(s.name for s in sets if s.name))
    licences = " + ".join(dict.fromkeys(s.licence for s in sets if s.licence))
    n_unpaired = 0 if unpaired is None else len(unpaired)
    return DataRecord(names, licences, content, sum(map(len, sets)), n_unpaired)


def _notes(
    pairs: Pairs,
    validation: Pairs | None,
    test: Pairs | None,
    same_space: bool,
    n_test: int,
    leaked: int,
) -> tuple[str, ...]:
    notes = [] if same_space else ["raw vectors of the two sides are not comparable"]
    if leaked:
        notes.append(
            f"{leaked} of {len(pairs)} pairs were left out: a side of them also stands in the test "
            "part"
        )
    for name, held_out in (("validation", validation), ("test", test)):
        if held_out is not None and pairs.groups is not None and held_out.groups is not None:
            groups = set(held_out.groups)
            if shared := groups & set(pairs.groups):
                notes.append(
                    f"{len(shared)} of {len(groups)} groups of the {name} set also stand in the "
                    "pairs: the scores say nothing about documents that are new"
                )
    if n_test < FEW_QUERIES:
        notes.append(
            f"{n_test} held-out queries say little, and so few documents are easily told apart: "
            "expect lower scores in a larger index, where the map may even lose to the vectors as "
            "they are"
        )
    return tuple(notes)


class _Judged(NamedTuple):
    """What the test part says: of the chosen candidate, of each of them, and of what is there."""

    verdict: Verdict
    scores: dict[Candidate, Scores]
    bm25: Scores | None
    target_encoder: Scores | None


def _judged(
    candidates: list[Candidate],
    chosen: Candidate,
    base: Candidate | None,
    rows: Plan,
    alone: FloatArray | None,
    metric: Metric,
) -> _Judged:
    """Score every candidate on the test part; judge the chosen one, also against what is there.

    Args:
        alone: (n, d_y), the test queries as the target encoder sees them.
    """
    test = rows.judged.held
    asked, clusters = candidates[0].data.test.relevance, clusters_of(test)
    pool = len(asked.pool)
    found = {c: rank(c.build(c.data.fitted), c.data.test, metric) for c in candidates}
    bm25 = None
    if test.source_texts is not None and test.target_texts is not None:
        bm25 = bm25_ranks(test.source_texts, test.target_texts, relevance=asked)
    now = None
    if alone is not None:
        documents = np.asarray(test.required_vectors("target"), np.float32)
        now = ranks(np.asarray(alone, np.float32), documents, metric, relevance=asked)
    evidence = None
    if base is not None and rows.cross_validated:
        gains = cut_at_ten(chosen.per_query) - cut_at_ten(base.per_query)
        every = clusters_of(test, *(part.held for part in rows.parts))
        evidence = Evidence(gains, every)
    verdict = judge(
        found[chosen],
        None if base is None else found[base],
        bm25,
        target_encoder=now,
        is_identity=chosen is base,
        n_questions=len(np.unique(test.keys("source"))),
        relevance=asked,
        clusters=clusters,
        folds=evidence,
    )

    def scores(rank: NDArray[np.intp]) -> Scores:
        return Scores.of_ranks(rank, pool, clusters=clusters)

    return _Judged(
        verdict,
        {c: scores(found[c]) for c in candidates},
        None if bm25 is None else scores(bm25),
        None if now is None else scores(now),
    )
