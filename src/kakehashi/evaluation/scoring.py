"""evaluate(): a finished aligner on pairs, beside the untouched vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..aligner import Aligner
from ..data.index import IndexDocuments, as_index
from ..data.pairs import Pairs, check_pairs
from ..encoders import Encoder
from ..errors import DataError, EncoderError, EncoderMismatchError
from ..metrics.pool import Pool
from ..metrics.ranking import ranks
from ..metrics.relevance import clusters_of, groups_of
from ..metrics.statistics import Scores
from ..retrieval.bm25 import bm25_ranks
from ..training.guards import few_groups
from ..training.index_rows import index_rows
from ..training.inputs import ROLES, with_vectors
from ..training.spaces import share_space
from ..training.stored_targets import with_stored_targets
from ..training.target_encoder import TargetEncoderQueries, encode_by_target_encoder
from ..types import SIDES
from ..vectors import Float32Array
from .judgement import Judgement, judge
from .questions import first_documents, question_records
from .rescoring import rescored_search


@dataclass(frozen=True)
class Evaluation:
    """The scores of an aligner on pairs that it was not fitted on.

    Attributes:
        base: scores of the untouched vectors; None where the two spaces cannot be compared.
        aligned: scores of the aligner's vectors.
        rescored: scores where its second map orders the first hits again, as it serves; None where
            it has none.
        target_encoder: scores of the target encoder when it encodes the source texts itself. None
            where the aligner was not judged against it, or it is not at hand.
        note: which queries the target encoder could not encode, or why it has no scores; and where
            few groups make the scores less sure.
        bm25: scores of BM25; None where there are no texts.
        ranks: of each system that has scores, the rank of the best answer to each query, (n,).
        judgement: the verdict, what speaks against it, and the next step.
        shared: scores where its second map moves the whole index (:meth:`.Aligner.as_shared`);
            None where it has none.
        pairs, found: as they were given, and the text that the aligner finds first for each, for
            :meth:`questions`.
    """

    base: Scores | None
    aligned: Scores
    target_encoder: Scores | None = None
    note: str | None = None
    bm25: Scores | None = None
    ranks: Mapping[str, NDArray[np.intp]] = field(default_factory=dict)
    judgement: Judgement | None = None
    pairs: Pairs | None = field(default=None, repr=False)
    found: tuple[str, ...] | None = field(default=None, repr=False)
    rescored: Scores | None = None
    shared: Scores | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready record, without single questions."""
        record: dict[str, Any] = {"note": self.note}
        for name in (
            "base",
            "aligned",
            "rescored",
            "shared",
            "target_encoder",
            "bm25",
            "judgement",
        ):
            value = getattr(self, name)
            record[name] = None if value is None else asdict(value)
        return record

    def questions(self) -> list[dict[str, Any]]:
        """Return a JSON-ready record of each question.

        It holds its row, id, group and texts as far as there are any, the rank of its best answer
        by each system, and the text of the document that the aligner finds first.
        """
        assert self.pairs is not None
        return question_records(self.pairs, self.ranks, self.found)


def evaluate(
    aligner: Aligner,
    pairs: Pairs,
    *,
    index: IndexDocuments | Sequence[str] | None = None,
    trained_on: Pairs | None = None,
    cache: str | Path | None = None,
) -> Evaluation:
    """Score an aligner: each query searches all different documents.

    Every target that is paired with a query's text answers it, as in the report of
    :func:`kakehashi.fit`. The aligner's encoders encode a side that has texts only. Without the
    target encoder, the vectors of targets are those that ``index`` holds under their texts. The
    metric is that of the fit.

    Args:
        pairs: pairs that the aligner was not fitted on. It recognises its own, and then gives no
            verdict.
        index: the documents of the index, from :func:`kakehashi.read_index`, or their texts. They
            are searched, too, as they are where the aligner serves. Without them only the targets
            of the pairs are.
        trained_on: the pairs of the fit, to find near copies of them, too. Their targets are
            documents of the index.
        cache: a file that keeps encoded vectors between runs.

    Raises:
        DataError: no Aligner or no Pairs, vectors of another dimension, texts that the aligner
            reads are missing, or an index of another encoder.
        EncoderError: an encoder is needed, and is not at hand or is another one.
        CacheError: the cache is damaged, or no cache.
    """
    check_aligner(aligner)
    check_pairs(pairs, optional=[trained_on])
    index = None if index is None else as_index(index)
    if pairs.target_vectors is None and index is not None:
        pairs = with_stored_targets(pairs, [index], _target_encoder(aligner, index))
    missing = [side for side in SIDES if pairs.vectors(side) is None]
    encoders = {side: aligner.encoder(side) if side in missing else None for side in SIDES}
    encoded = with_vectors(pairs, encoders, cache)
    others = documents_beside(aligner, index, trained_on, cache)
    pool, clusters = Pool.of([encoded], others), clusters_of(encoded)
    relevance = pool.relevance(encoded)
    asked = _queries(aligner, encoded, cache)
    stored = np.asarray(pool.vectors, np.float32)
    documents = aligner.project(stored, texts=pool.texts, modality="target", role=ROLES["target"])
    by_system = {
        name: ranks(
            queries,
            documents if name == "aligned" else stored,
            aligner.report.metric,
            relevance=relevance,
        )
        for name, queries in asked.vectors.items()
    }
    first = first_documents(asked.vectors["aligned"], documents, aligner.report.metric)
    moved = None
    if (search := rescored_search(aligner, pool)) is not None:
        x = np.asarray(encoded.required_vectors("source"), np.float32)
        kept = by_system["aligned"]
        hits = search.hits(x, pairs.source_texts, kept=kept, relevance=relevance)
        by_system["rescored"], first = hits.rescored(), hits.first
        moved = search.ranks_if_moved(x, pairs.source_texts, relevance)
    if pairs.source_texts is not None and pool.texts is not None:
        by_system["bm25"] = bm25_ranks(pairs.source_texts, pool.texts, relevance=relevance)
    scored = {**by_system, **({} if moved is None else {"shared": moved})}
    scores = {
        name: Scores.of_ranks(rank, len(pool), clusters=groups_of(encoded))
        for name, rank in scored.items()
    }
    about_index = _ONLY_PAIRS if index is None else _added(encoded, others[0])
    notes = (asked.note, few_groups(pairs), about_index)
    judgement = judge(
        aligner, pairs, by_system, relevance=relevance, clusters=clusters, trained_on=trained_on
    )
    return Evaluation(
        base=scores.get("base"),
        aligned=scores["aligned"],
        target_encoder=scores.get("target_encoder"),
        note="; ".join(filter(None, notes)) or None,
        bm25=scores.get("bm25"),
        ranks=by_system,
        judgement=judgement,
        pairs=pairs,
        found=None if pool.texts is None else tuple(pool.texts[i] for i in first),
        rescored=scores.get("rescored"),
        shared=scores.get("shared"),
    )


class _Queries(NamedTuple):
    """The vectors of the queries for each system, (n, d), and what is not known of one."""

    vectors: dict[str, Float32Array]
    note: str | None


def _queries(aligner: Aligner, pairs: Pairs, cache: str | Path | None) -> _Queries:
    x, texts = np.asarray(pairs.required_vectors("source"), np.float32), pairs.source_texts
    projected = aligner.project(x, texts=texts, modality="source", role=ROLES["source"])
    asked = {"aligned": projected}
    report = aligner.report
    comparable = report.base is not None
    if not report.judged:  # nothing is known of the rivals before these pairs
        comparable = share_space(pairs, aligner.identities, seed=0)
    if comparable:
        asked["base"] = x
    by_target_encoder = TargetEncoderQueries()
    if texts is not None and (report.target_encoder is not None or _may_differ(aligner)):
        by_target_encoder = encode_by_target_encoder(
            lambda: aligner.encoder("target"), texts, cache
        )
    if by_target_encoder.vectors is not None:
        asked["target_encoder"] = np.asarray(by_target_encoder.vectors, np.float32)
    return _Queries(asked, by_target_encoder.note)


def _may_differ(aligner: Aligner) -> bool:
    """Whether a fit without pairs was given a target encoder that is not the source encoder."""
    source, target = (aligner.identities[side] for side in SIDES)
    one = source is not None and target is not None and source.matches(target)
    return not aligner.report.judged and target is not None and not one


def documents_beside(
    aligner: Aligner, index: Any, trained_on: Pairs | None, cache: str | Path | None
) -> list[Pairs]:
    """Return what is searched beside the answers: the index, and targets of the fit."""
    given = [] if index is None else [as_index(index)]
    if trained_on is not None:
        targets = (trained_on.target_texts, trained_on.target_vectors)
        given.append(IndexDocuments(*targets, name="trained_on"))
    return [searched_documents(aligner, each, cache) for each in given]


def searched_documents(aligner: Aligner, index: IndexDocuments, cache: str | Path | None) -> Pairs:
    """Return the documents of an index; stored vectors need no encoder, which may not be here."""
    encoder = None if index.texts is None else _target_encoder(aligner, index)
    dimension, moved = aligner.dimensions["target"], aligner.mode == "shared"
    return index_rows(index, encoder, dimension=dimension, moved=moved, cache=cache)


def _target_encoder(aligner: Aligner, index: IndexDocuments) -> Encoder | None:
    """Return the target encoder; None where it is not at hand, and stored vectors serve."""
    try:
        return aligner.encoder("target")
    except EncoderMismatchError:
        raise
    except EncoderError:
        if index.vectors is None:
            raise
    return None


_ONLY_PAIRS = (
    "only documents of the pairs were searched, and a larger index finds less: name it with index= "
    "(--index)"
)


def _added(pairs: Pairs, index: Pairs) -> str | None:
    """Say how many answers the index does not hold: it may hold them cut in another way."""
    if pairs.target_texts is None or index.target_texts is None:
        return None
    lacks = ~np.isin(pairs.keys("target"), index.keys("target"))
    if not lacks.any():
        return None
    return (
        f"{int(lacks.sum())} of {len(pairs)} answers are no documents of the index, by their text, "
        "and were added to it"
    )


def check_aligner(aligner: Any) -> None:
    """Raise DataError unless it is an Aligner; a folder is to be loaded first."""
    if not isinstance(aligner, Aligner):
        raise DataError(
            f"aligner={aligner!r:.80} is no Aligner; pass Aligner.load(folder), or one of the "
            "aligners of a MultiAligner."
        )


def served(aligner: Aligner, pairs: Pairs) -> tuple[Float32Array, Float32Array]:
    """Return the projected queries and documents of pairs with vectors, (n, d) each."""
    queries, documents = (
        aligner.project(
            pairs.required_vectors(side), texts=pairs.texts(side), modality=side, role=ROLES[side]
        )
        for side in SIDES
    )
    return queries, documents
