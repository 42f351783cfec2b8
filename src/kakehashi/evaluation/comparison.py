"""compare(): baselines by name, and an aligner beside them, on the same held-out queries."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..aligner import Aligner
from ..data.arguments import checked_seed
from ..data.duplicates import find_leaks
from ..data.index import IndexDocuments, as_index
from ..data.pairs import Pairs, check_pairs
from ..encoders import Encoder, as_encoder
from ..errors import DataError, EncoderError, FitError, MissingExtraError
from ..metrics.pool import Pool
from ..metrics.relevance import Clusters, clusters_of, groups_of
from ..metrics.statistics import Scores, intervals
from ..training.guards import few_groups, shared_groups
from ..training.index_rows import index_rows
from ..training.inputs import as_encoders, with_vectors
from ..training.split_plan import MIN_PAIRS
from ..training.stored_targets import with_stored_targets
from ..types import SIDES, Mode, Side
from .baselines import Aligned, Baseline, Both, named
from .comparison_result import BaselineResult, Comparison
from .comparison_verdict import ALIGNER, KEPT, verdict_of
from .named_baselines import NAMES
from .paper_metrics import accuracy_in_pool, harmonic_mean
from .scoring import check_aligner
from .second_look import AGAIN, SECOND, Second, kept_for, verdict_of_rows
from .task import CannotRunError, System, Task

_TIMED = 50  # queries, evenly spaced over the test part


def compare(
    train: Pairs,
    test: Pairs,
    baselines: Sequence[str | Baseline] = NAMES,
    *,
    source_encoder: Any = None,
    target_encoder: Any = None,
    aligner: Aligner | None = None,
    second_model: Any = None,
    index: IndexDocuments | Sequence[str] | None = None,
    mode: Mode = "keep",
    seed: int = 0,
    cache: str | Path | None = None,
) -> Comparison:
    """Fit baselines on the training pairs, and score each on the same test queries.

    Each query searches the whole index: the different targets of both sets, and what ``index``
    adds. Every target that is paired with a query's text answers it, and ties count against the
    query, as in the report of :func:`kakehashi.fit`.
    Training pairs that share a side with a test pair are left out. Equal seeds give equal scores.

    Args:
        train, test: pairs to fit on, and pairs to judge by. Sides without vectors are encoded.
        baselines: names, described in :mod:`.named_baselines`; or objects: ``Both``,
            ``Encoders``, ``Translated``, ``Reranked``.
        source_encoder, target_encoder: as :func:`kakehashi.encoders.as_encoder` takes them. A side
            that brings vectors needs none. With an encoder, latency includes encoding the query.
        aligner: scored as the row ``aligner``, and as ``aligner, not rescored`` where it rescores.
            Fit it on ``train`` with ``test=test``, which keeps the test targets out of
            ``learn_from``. Whether it has seen them cannot be checked here.
        second_model: an encoder, scored where it orders the first hits of the aligner again, and
            where it embeds the whole index (:class:`kakehashi.SecondModel`). It reads every
            document once, and the result says whether it pays.
        index: the other documents of the index: texts, or what :func:`kakehashi.read_index` reads.
        mode: ``"keep"`` leaves target vectors as they are; ``"shared"`` also centres them.
        seed: of folds, initial weights, order of the batches, and intervals.
        cache: a file that keeps encoded vectors between runs.

    Returns:
        a row for each baseline, in the order given; or the reason why it cannot run.

    Raises:
        DataError: no Pairs; an unknown or repeated name; an unknown mode; an unusable aligner or
            seed; vectors and encoders that do not fit together; or a translation or reranker
            returns a result that cannot be used.
        FitError: fewer than ten training pairs, or none that is not in the test part.
        EncoderError, VectorError: an encoder of the two sides cannot be used.
    """
    check_pairs(train, test)
    seed = checked_seed(seed)
    second = None if second_model is None else as_encoder(second_model)
    systems = _checked(baselines, aligner, mode, second)
    encoders: dict[Side, Encoder | None] = {} if aligner is None else dict(aligner.encoders)
    passed = as_encoders(source_encoder, target_encoder)
    encoders = {s: encoders.get(s) if passed[s] is None else passed[s] for s in SIDES}
    target, documents = encoders["target"], None
    if index is not None:
        read = as_index(index)
        documents = index_rows(read, target, required=False, cache=cache)
        train, test = (with_stored_targets(part, [read], target) for part in (train, test))
    train, test = (with_vectors(part, encoders, cache, required=False) for part in (train, test))
    pool = _pool(train, test, documents)
    train, n_leaked = _without_leaks(train, test)
    clusters, ran = groups_of(test), dict[str, System]()
    with kept_for(second, cache) as kept:
        task = Task(train, test, pool, encoders, mode, seed, kept)
        _check_dimensions(task)
        rows = {baseline.name: _row(baseline, task, clusters, ran) for baseline in systems}
    notes = (shared_groups(test, train, name="test", where="the pairs"), few_groups(test))
    scored = {name: row.ranks for name, row in rows.items() if not isinstance(row, str)}
    verdict = verdict_of(
        scored, clusters=clusters_of(test), n_queries=len(np.unique(test.keys("source")))
    )
    return Comparison(
        rows,
        len(train),
        n_leaked,
        len(test),
        len(pool),
        tuple(filter(None, notes)),
        verdict,
        None if second is None else verdict_of_rows(second.name, scored, ran),
    )


def _pool(train: Pairs, test: Pairs, documents: Pairs | None) -> Pool:
    """Gather the documents of the index.

    Raises:
        DataError: some have no texts and others no vectors, so that none can be told from another.
    """
    sets = [test, train] if documents is None else [test, train, documents]
    for column in ("target_texts", "target_vectors"):
        if all(getattr(part, column) is not None for part in sets):
            return Pool.of([test, train], sets[2:])
    raise DataError(
        "Of the documents of the index some have no texts, and others no vectors; give the texts "
        "of all, or pass target_encoder=."
    )


def _without_leaks(train: Pairs, test: Pairs) -> tuple[Pairs, int]:
    """Return the training pairs that share no side with a test pair, and the number of others."""
    leaked = find_leaks(train, test)
    kept = train.select(np.delete(np.arange(len(train)), leaked))
    if len(kept) < MIN_PAIRS:
        raise FitError(
            f"{len(kept)} training pairs and {len(leaked)} that share a side with a test pair; "
            f"at least {MIN_PAIRS} of the former are needed."
        )
    return kept, len(leaked)


def _checked(
    baselines: Sequence[str | Baseline], aligner: Any, mode: str, second: Encoder | None
) -> list[Baseline]:
    if mode not in ("keep", "shared"):
        raise DataError(f"mode={mode!r} is not known; choose keep or shared.")
    if aligner is not None:
        check_aligner(aligner)
    if isinstance(baselines, str):
        raise DataError(f"baselines={baselines!r}: expected a list, such as [{baselines!r}].")
    systems = [named(baseline) for baseline in baselines]
    if aligner is not None:
        systems.append(Aligned(ALIGNER, aligner))
        if aligner.rescoring is not None:
            systems.append(Aligned(KEPT, replace(aligner, rescoring=None)))
    if second is not None:
        if aligner is None:
            raise DataError(
                "second_model= looks at the first hits of an aligner; pass aligner=, too (--fit)."
            )
        systems.append(Second(f"{SECOND}{second.name}", aligner, second))
        again = f"{AGAIN}{second.name}"
        if again not in [baseline.name for baseline in systems]:  # it may be asked for, too
            systems.append(Both(again, second))
    names = [baseline.name for baseline in systems]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise DataError(f"{sorted(repeated)} name two rows each; give every row its own name.")
    if not systems:
        raise DataError(f"nothing to compare; choose among {', '.join(NAMES)}.")
    return systems


def _check_dimensions(task: Task) -> None:
    for side in SIDES:
        identity = task.identities[side]
        dimensions = {"encoder": identity.dimension} if identity is not None else {}
        for name, part in (("train", task.train), ("test", task.test)):
            vectors = part.vectors(side)
            if vectors is not None:
                dimensions[name] = vectors.shape[1]
        if len(set(dimensions.values())) > 1:
            raise DataError(
                f"The {side} side has different dimensions: {dimensions}; pass the encoder that "
                "made the stored vectors, and encode both sets alike."
            )


def _row(
    baseline: Baseline, task: Task, clusters: Clusters, ran: dict[str, System]
) -> BaselineResult | str:
    """Score a baseline, and note its system; return why it cannot run, where it cannot."""
    try:
        started = time.perf_counter()
        index = baseline.fit(task)
        train_seconds = time.perf_counter() - started
        if isinstance(baseline, Aligned):
            train_seconds = baseline.aligner.report.seconds
        system = index()
        ranks = system.ranks()
        latency = _latency(system, len(ranks))
        ran[baseline.name] = system
    except (CannotRunError, MissingExtraError, EncoderError) as error:
        return str(error)
    top_1 = accuracy_in_pool(ranks, task.relevance)
    accuracy = float(top_1.mean())
    return BaselineResult(
        scores=Scores.of_ranks(ranks, len(task.relevance.pool), clusters=clusters, seed=task.seed),
        accuracy=accuracy,
        accuracy_interval=intervals({"": top_1}, clusters=clusters, seed=task.seed)[""],
        latency=latency,
        harmonic_mean=harmonic_mean(accuracy, latency),
        train_seconds=train_seconds,
        ranks=ranks,
    )


def _latency(system: System, n_queries: int) -> float:
    """Return the mean seconds of one query, searched by itself."""
    system.ask(0)
    queries = np.unique(np.linspace(0, n_queries - 1, _TIMED, dtype=int))
    started = time.perf_counter()
    for query in queries:
        np.argmax(system.ask(int(query)))
    return (time.perf_counter() - started) / len(queries)
