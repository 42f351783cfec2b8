"""measure_robustness(): scores of perturbed queries, by untouched vectors and by an aligner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...aligner import Aligner
from ...data.index import IndexDocuments, as_index
from ...data.pairs import Pairs, check_pairs
from ...encoders.cache import encode_texts
from ...errors import DataError
from ...metrics.pool import Pool
from ...metrics.ranking import per_query, ranks
from ...metrics.relevance import Clusters, groups_of
from ...metrics.statistics import Interval, Scores, intervals
from ...vectors import Float32Array
from ..rescoring import rescored_search
from ..scoring import check_aligner, searched_documents
from .perturbations import perturbations

SystemName = Literal["base", "aligned"]


@dataclass(frozen=True)
class PerturbedScores:
    """The scores of one system with perturbed queries.

    Attributes:
        scores: means over all queries, with their 95% intervals.
        change: for each metric the mean of perturbed minus unperturbed, over all queries. Divide
            by the share of changed queries for the mean over these only.
        interval: for each metric the 95% interval of the change, paired by query.
    """

    scores: Scores
    change: dict[str, float]
    interval: dict[str, Interval]


@dataclass(frozen=True)
class PerturbationResult:
    """One perturbation: how many queries it changed, and the scores of both systems."""

    description: str
    n_changed: int
    share_changed: float
    base: PerturbedScores | None
    aligned: PerturbedScores


@dataclass(frozen=True)
class RobustnessReport:
    """The scores of unperturbed and perturbed queries.

    Attributes:
        base: unperturbed queries by the untouched vectors; None where the two spaces cannot be
            compared.
        aligned: unperturbed queries by the aligner, as it serves: rescored where it rescores.
        perturbations: the results by name.
        not_run: the reason for each perturbation that could not be run, by name.
    """

    n_queries: int
    pool: int
    metric: str
    seed: int
    base: Scores | None
    aligned: Scores
    perturbations: dict[str, PerturbationResult]
    not_run: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready record."""
        return asdict(self)


def measure_robustness(
    aligner: Aligner,
    pairs: Pairs,
    *,
    index: IndexDocuments | Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
    cache: str | Path | None = None,
) -> RobustnessReport:
    """Perturb the queries of pairs, and score them; the documents stay as they are.

    As in :func:`kakehashi.evaluation.evaluate`, each query searches all different targets, and
    every target that is paired with its text answers it. Take pairs that the aligner was not
    trained on.

    Args:
        aligner: with its source encoder at hand, and its target encoder where the pairs have no
            target vectors (:meth:`kakehashi.Aligner.with_encoders`).
        pairs: with source texts. The texts are encoded even where source vectors are stored, so
            that all queries come from the same encoder.
        index: the documents of the index, as :func:`kakehashi.evaluation.evaluate` takes them; they
            are searched, too.
        names: of the perturbations; by default all, and the report names those that lack target
            texts.
        seed: decides the random choices of the perturbations.
        cache: a file that keeps encoded vectors between runs.

    Raises:
        DataError: no Aligner, no Pairs, no source texts, an unknown name, or mixed languages
            without target texts.
        EncoderError: an encoder is needed and not at hand, or is not that of the training.
        VectorError: stored target vectors of another dimension.
    """
    check_aligner(aligner)
    check_pairs(pairs)
    clean = pairs.source_texts
    if clean is None:
        raise DataError(
            "The pairs have source vectors only; a perturbation changes texts. Pass source texts."
        )
    queries, not_run = _perturbed(pairs, clean, names, seed)
    look_up = _encoded(aligner, [clean, *(texts for _, texts in queries.values())], cache)
    encoded = pairs.with_vectors(None, _documents(aligner, pairs, cache))
    others = [] if index is None else [searched_documents(aligner, as_index(index), cache)]
    systems = _Systems(aligner, encoded, Pool.of([encoded], others))
    reference = systems.rank(look_up(clean), clean)
    results = {}
    for name, (description, texts) in queries.items():
        n_changed = sum(a != b for a, b in zip(texts, clean, strict=True))
        perturbed = systems.rank(look_up(texts), texts)
        both = {s: systems.compare(rank, reference[s]) for s, rank in perturbed.items()}
        results[name] = PerturbationResult(
            description, n_changed, n_changed / len(clean), both.get("base"), both["aligned"]
        )
    scores = {s: systems.scores(rank) for s, rank in reference.items()}
    return RobustnessReport(
        n_queries=len(clean),
        pool=systems.pool,
        metric=systems.metric,
        seed=seed,
        base=scores.get("base"),
        aligned=scores["aligned"],
        perturbations=results,
        not_run=not_run,
    )


def _perturbed(
    pairs: Pairs, clean: Sequence[str], names: Sequence[str] | None, seed: int
) -> tuple[dict[str, tuple[str, list[str]]], dict[str, str]]:
    """Return description and texts of each perturbation, and the reasons of those not run."""
    targets: Sequence[str | None] = pairs.target_texts or [None] * len(clean)
    texts_of, not_run = {}, {}
    for p in perturbations(names):
        try:
            texts = [p(text, seed=seed, target=t) for text, t in zip(clean, targets, strict=True)]
        except DataError as error:
            if names is not None:
                raise
            not_run[p.name] = str(error)
        else:
            texts_of[p.name] = p.description, texts
    return texts_of, not_run


def _encoded(
    aligner: Aligner, lists: list[Sequence[str]], cache: str | Path | None
) -> Callable[[Sequence[str]], Float32Array]:
    """Encode every different text of the lists once; return the function that looks them up."""
    unique = list(dict.fromkeys(text for texts in lists for text in texts))
    encoder, label = aligner.encoder("source"), "encoding queries"
    vectors = encode_texts(encoder, unique, "query", cache=cache, label=label)
    row = {text: i for i, text in enumerate(unique)}

    def look_up(texts: Sequence[str]) -> Float32Array:
        chosen: Float32Array = vectors[[row[text] for text in texts]]
        return chosen

    return look_up


def _documents(aligner: Aligner, pairs: Pairs, cache: str | Path | None) -> Float32Array:
    if pairs.target_vectors is not None:
        return np.asarray(pairs.target_vectors, np.float32)
    encoder, texts = aligner.encoder("target"), pairs.target_texts
    assert texts is not None
    label = "encoding documents"
    return encode_texts(encoder, texts, "document", cache=cache, label=label)


class _Systems:
    """The untouched and the aligned vectors over the same documents."""

    def __init__(self, aligner: Aligner, pairs: Pairs, pool: Pool) -> None:
        self._aligner, self._stored = aligner, np.asarray(pool.vectors, np.float32)
        self._projected = aligner.project(
            self._stored, texts=pool.texts, modality="target", role="document"
        )
        self._again = rescored_search(aligner, pool)
        self._relevance = pool.relevance(pairs)
        self._clusters: Clusters = groups_of(pairs)
        self.metric = aligner.report.metric
        self.pool = len(pool)

    def rank(self, x: Float32Array, texts: Sequence[str]) -> dict[SystemName, NDArray[np.intp]]:
        """Rank the answer to each query; by the base only where the spaces can be compared."""
        rank: dict[SystemName, NDArray[np.intp]] = {}
        if self._aligner.report.base is not None:
            rank["base"] = ranks(x, self._stored, self.metric, relevance=self._relevance)
        ours = self._aligner.project(x, texts=texts, modality="source", role="query")
        found = ranks(ours, self._projected, self.metric, relevance=self._relevance)
        if self._again is not None:
            found = self._again.hits(x, texts, kept=found, relevance=self._relevance).rescored()
        rank["aligned"] = found
        return rank

    def scores(self, rank: NDArray[np.intp]) -> Scores:
        return Scores.of_ranks(rank, self.pool, clusters=self._clusters)

    def compare(self, rank: NDArray[np.intp], reference: NDArray[np.intp]) -> PerturbedScores:
        ours, theirs = per_query(rank), per_query(reference)
        differences = {name: ours[name] - theirs[name] for name in ours}
        return PerturbedScores(
            self.scores(rank),
            {name: float(values.mean()) for name, values in differences.items()},
            intervals(differences, clusters=self._clusters, seed=0, bounds=(-1, 1)),
        )
