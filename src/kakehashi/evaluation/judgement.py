"""The verdict of evaluate(): one sentence, what speaks against it, and the next step."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..aligner import Aligner
from ..data.pairs import Pairs
from ..metrics.relevance import Clusters, Relevance
from ..training.held_out_ranks import HeldOutRanks, mrr
from ..training.verdict import FEW_QUERIES, MIN_QUERIES, by_chance, decide
from .guards import warnings_about

Ranks = Mapping[str, NDArray[np.intp]]
NO_VERDICT = "no verdict"


@dataclass(frozen=True)
class Judgement:
    """What the scores of evaluate() say.

    Attributes:
        verdict: ``"use"``, ``"do not use"``, or ``"no verdict"`` where the pairs cannot judge.
        reason: why, in one sentence.
        next_step: what to do now.
        warnings: what makes the scores say another thing than they seem to.
    """

    verdict: str
    reason: str
    next_step: str
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"warning: {warning}" for warning in self.warnings]
        lines.append(f"verdict: {self.verdict} ({self.reason})")
        return "\n".join([*lines, f"next: {self.next_step}"])


def judge(
    aligner: Aligner,
    pairs: Pairs,
    ranks: Ranks,
    *,
    relevance: Relevance,
    clusters: Clusters,
    trained_on: Pairs | None = None,
) -> Judgement:
    """Judge an aligner by the ranks of each system, with the tests of a fit.

    Args:
        ranks: of the best answer to each query, (n,), by ``aligned``, by ``rescored`` where the
            aligner has a second map, and by their rivals. The second is judged, since it serves.
    """
    found = warnings_about(aligner, pairs, trained_on)
    texts = tuple(warned.text for warned in found)
    spoilt = next((warned for warned in found if warned.spoils), None)
    if spoilt is not None:
        return Judgement(NO_VERDICT, "the pairs cannot judge", spoilt.next_step, texts)
    ours, n = served_ranks(ranks), len(pairs)
    if bm25 := _above("bm25", "BM25", ranks):
        texts = (*texts, bm25)
    verdict = decide(
        HeldOutRanks(
            chosen=ours,
            base=ranks.get("base"),
            bm25=ranks.get("bm25"),
            target_encoder=ranks.get("target_encoder"),
            chance=by_chance(relevance),
            clusters=clusters,
            n_different=len(np.unique(pairs.keys("source"))),
            finished=True,
        ),
        is_identity=False,
    )
    if known := _known_documents(pairs, trained_on):
        texts = (*texts, known)
    if verdict.advice == "use" and aligner.report.judged and not aligner.advised:
        report = aligner.report
        texts = (*texts, f"the report of the fit says otherwise: {report.verdict}, {report.reason}")
    advice = found[0].next_step if found else _next_step(aligner, verdict.advice, ranks, n)
    return Judgement(verdict.advice, verdict.reason, advice, texts)


def _known_documents(pairs: Pairs, trained_on: Pairs | None) -> str | None:
    """Say how many answers are documents that the fit knew: new ones may be harder to find."""
    if trained_on is None:
        return None
    known = int(np.isin(pairs.keys("target"), trained_on.keys("target")).sum())
    if not known:
        return None
    return f"{known} of {len(pairs)} answers are documents of the pairs that were fitted"


def _above(rival: str, name: str, ranks: Ranks) -> str | None:
    """Say that a rival finds more than the aligner, on average."""
    if rival not in ranks:
        return None
    ours, theirs = (float(mrr(of).mean()) for of in (served_ranks(ranks), ranks[rival]))
    if theirs <= ours:
        return None
    return f"{name} finds more than the aligner (MRR@10 {theirs:.3f} against {ours:.3f})"


def _next_step(aligner: Aligner, advice: str, ranks: Ranks, n: int) -> str:
    """Return what to do, by the rival that leads."""
    if n < MIN_QUERIES:
        return f"collect more questions with their answers: at least {FEW_QUERIES}"
    if advice == "use":
        folder = "FOLDER" if aligner.path is None else shlex.quote(str(aligner.path))
        return (
            f"serve it; to see what it finds: kakehashi search {folder} 'a question' "
            "--index STORE, with the encoder options of this command"
        )
    best = max(ranks, key=lambda name: float(mrr(ranks[name]).mean()))
    return {
        "bm25": "search by words, too: HybridRetriever with a BM25Search beside the vectors",
        "target_encoder": "ask the index with its own encoder, without the aligner",
        "base": "ask the index with the source encoder, without the aligner",
    }.get(best, "give more pairs: kakehashi curve says what more are likely to bring")


def served_ranks(ranks: Ranks) -> NDArray[np.intp]:
    """Return the ranks of the aligner as it serves: rescored, where it rescores."""
    return ranks.get("rescored", ranks["aligned"])
