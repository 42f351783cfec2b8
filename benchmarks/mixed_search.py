"""How mixed.py searches: arms over known scores, fused by the package's own plan, and metrics.

Every document is scored, and asked for as the retrievers ask their stores (as one list first, then
each language by itself where that may change the first ten); what is fused is fused by the package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from mixed_corpus import SIDE, TWIN, Language, knowing

from kakehashi import Aligner
from kakehashi.retrieval.calibration import Calibration
from kakehashi.retrieval.document_modality import search_store
from kakehashi.retrieval.fusion import Method, fusion_of
from kakehashi.retrieval.hits import Hit, SearchResult
from kakehashi.retrieval.hybrid_search import HybridSearch
from kakehashi.retrieval.lexical_search import LexicalSearch
from kakehashi.retrieval.query import Query
from kakehashi.retrieval.rescore import Rescorer
from kakehashi.retrieval.search import SearchRequest
from kakehashi.retrieval.second_similarity import RescoringSpace, SecondSimilarity
from kakehashi.types import SIDES, Side
from kakehashi.vectors import unit_rows

ASKED: tuple[Language, ...] = ("en", "ja")
K = 10
Scores = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Index:
    """Which documents are there: columns of the English, then of the Japanese test texts."""

    texts: list[str]
    present: np.ndarray

    @property
    def part(self) -> dict[Side, np.ndarray]:
        """Which columns are of a side, and there."""
        english = np.arange(len(self.texts)) < len(self.texts) // 2
        return {"source": self.present & ~english, "target": self.present & english}

    @property
    def sides(self) -> list[Side]:
        """The side of each column."""
        half = len(self.texts) // 2
        return ["target"] * half + ["source"] * half

    @lru_cache(maxsize=4)  # noqa: B019  # an index lives as long as its questions
    def words(self, sides: tuple[str, ...]) -> tuple[LexicalSearch, np.ndarray]:
        """Return a BM25 index of the documents that are there, and the column of each.

        Args:
            sides: what the modality of each column is called.
        """
        columns = np.flatnonzero(self.present)
        words = LexicalSearch(
            "words",
            columns.tolist(),
            texts=[self.texts[i] for i in columns],
            keys=[str(i) for i in columns],
            modalities=[sides[i] for i in columns],
        )
        return words, columns


@dataclass(frozen=True)
class Questions:
    """The texts asked, the (n, columns) gain of each document, and the column of the own text."""

    language: Language
    texts: list[str]
    gains: np.ndarray
    own: np.ndarray | None

    def allowed(self, row: int, index: Index) -> np.ndarray:
        """Say which columns may be found: those that are there, without the question itself."""
        found = index.present.copy()
        if self.own is not None:
            found[self.own[row]] = False
        return found


def questions(texts: Mapping[str, list[str]], grades: np.ndarray) -> list[Questions]:
    """Return the English and the Japanese questions; the twin answers best."""
    n = len(grades)
    found = []
    for place, language in enumerate(ASKED):
        gains = np.concatenate([grades, grades], axis=1)
        rows = np.arange(n)
        gains[rows, rows + (n if place == 0 else 0)] = TWIN
        found.append(Questions(language, texts[language], gains, rows + place * n))
    return found


@dataclass(frozen=True)
class Projected:
    """What an aligner makes of the test texts."""

    aligner: Aligner
    texts: Mapping[str, list[str]]
    source: Mapping[str, np.ndarray]
    target: Mapping[str, np.ndarray]

    def __call__(self, language: str, role: Any) -> np.ndarray:
        """Return the (n, d) unit vectors of a language."""
        side = SIDE.get(language, "source")
        x = (self.source if side == "source" else self.target)[language]
        texts = self.texts[language]
        return unit_rows(self.aligner.project(x, texts=texts, modality=side, role=role))

    def rescored(self, space: RescoringSpace, asked: Mapping[Language, Projected]) -> Again:
        """Return what orders the first English documents again for questions of each language."""
        vectors, texts = self.target["en"], self.texts["en"]
        similarity = SecondSimilarity(
            space,
            lambda columns: [vectors[column] for column in columns],
            lambda column: texts[column],
            search="vectors",
            store="known vectors",
        )
        rescorer = Rescorer(similarity, True)
        return Again(rescorer, {name: by.queries_again(name) for name, by in asked.items()})

    def queries_again(self, language: Language) -> np.ndarray | None:
        """Return the (n, d) questions of a language by the second map, if there is one."""
        rescoring = self.aligner.rescoring_of(SIDE.get(language, "source"))
        if rescoring is None:
            return None
        return rescoring.query(self.source[language], texts=self.texts[language])


@dataclass(frozen=True)
class Again:
    """What orders first hits again.

    ``queries`` are (n, d) questions by language, as the second map sees them.
    """

    rescorer: Rescorer
    queries: Mapping[Any, np.ndarray | None]


def perfect(asked: Questions, index: Index, seed: int) -> np.ndarray:
    """Return the columns in the order of their gains, equal ones as they fall."""
    rng = np.random.default_rng(seed)
    found = np.full((len(asked.texts), K), -1)
    for row, gains in enumerate(asked.gains):
        best = _nearest(gains + rng.random(len(gains)) / 2, asked.allowed(row, index), K)
        found[row, : len(best)] = best
    return found


class VectorSearch:
    """Search by the scores of one question, as an arm of the package does in a store."""

    name = "vectors"

    def __init__(
        self,
        scores: np.ndarray,
        allowed: np.ndarray,
        sides: Sequence[str],
        rescorer: Rescorer | None,
    ) -> None:
        self._scores, self._allowed, self._sides = scores, allowed, np.array(sides)
        self._rescorer = rescorer

    def find(self, request: SearchRequest, n: int, *, per_modality: bool) -> SearchResult:
        """Return about n hits of each modality, the best first."""
        names = list(dict.fromkeys(self._sides.tolist()))

        def searched(part: str | None, depth: int) -> list[Hit]:
            own = self._allowed if part is None else self._allowed & (self._sides == part)
            return [
                Hit(str(i), i, str(self._sides[i]), self.name, s, similarity=s)
                for i in _nearest(self._scores, own, depth).tolist()
                for s in (float(self._scores[i]),)
            ]

        def find(n: int, at_least: int, by_part: bool) -> SearchResult:
            parts = names if by_part else ()
            return search_store(searched, n, parts=parts, modalities=names, at_least=at_least)

        if self._rescorer is None:
            return find(n, 0, per_modality)
        query, k = request.query, request.k
        return self._rescorer.search(query, k, find, n, per_modality=per_modality)


class WordSearch:
    """Search by words; what they find does not depend on the vectors, and is kept."""

    name = "words"

    def __init__(self, allowed: np.ndarray, sides: Sequence[str], index: Index) -> None:
        self._words, columns = index.words(tuple(sides))
        self._allowed = allowed[columns].tolist()
        self._found: dict[int, SearchResult] = {}

    def find(self, request: SearchRequest, n: int, *, per_modality: bool) -> SearchResult:
        """Return at most n hits of each modality, the best first."""
        if n not in self._found:
            self._found[n] = self._words.find(request.text, n, self._allowed)
        return self._found[n]


@dataclass(frozen=True)
class Asking:
    """Questions to an index.

    ``query`` and ``names`` are what the question and the two sides of the index are called.
    """

    asked: Questions
    index: Index
    query: str = ""
    names: Mapping[str, str] = field(default_factory=lambda: {side: side for side in SIDES})

    @cached_property
    def rows(self) -> list[int]:
        """The questions that count: something in the index answers them."""
        answered = self.asked.gains > 0
        return [i for i, row in enumerate(answered) if row[self.asked.allowed(i, self.index)].any()]

    @cached_property
    def sides(self) -> list[str]:
        """What the modality of each column is called."""
        return [self.names[side] for side in self.index.sides]

    @cached_property
    def words(self) -> dict[int, WordSearch]:
        """The search by words of each question."""
        return {
            row: WordSearch(self.asked.allowed(row, self.index), self.sides, self.index)
            for row in self.rows
        }

    def top(
        self,
        scores: np.ndarray,
        hows: Sequence[str],
        calibration: Calibration | None = None,
        again: Again | None = None,
    ) -> dict[str, np.ndarray]:
        """Return the first ten columns of each question, (n, 10), by each way to make one list.

        ``again`` orders first hits again, but not in "one list". -1 stands where nothing is: there
        are fewer than ten, or the question does not count.
        """
        found = {how: np.full((len(scores), K), -1) for how in hows}
        modality = self.query or SIDE[self.asked.language]
        rescorer = None if again is None else again.rescorer
        projected = None if again is None else again.queries[self.asked.language]
        for row in self.rows:
            rescoring = None if projected is None else projected[row]
            query = Query(np.empty(0, np.float32), modality, "declared", rescoring)
            allowed = self.asked.allowed(row, self.index)
            vectors = VectorSearch(scores[row], allowed, self.sides, rescorer)
            for how, columns in found.items():
                if how == "one list":
                    best = _nearest(scores[row], allowed, K).tolist()
                else:
                    method: Method = "rank" if how.startswith("rank") else "calibrated"
                    plan = HybridSearch(fusion_of(method, calibration), "raise")
                    arms: list[Any] = [vectors]
                    if "+ words" in how:
                        arms.append(self.words[row])
                    fused = plan.run(arms, SearchRequest(query, self.asked.texts[row], K))
                    best = [document.payload for document in fused.documents]
                columns[row, : len(best)] = best
        return found


def tops_of(
    asking: Sequence[Asking],
    queries: Mapping[Any, np.ndarray],
    documents: np.ndarray,
    hows: Sequence[str],
    calibration: Calibration | None = None,
    again: Again | None = None,
) -> dict[str, dict[str, np.ndarray]]:
    """Return by each way to make one list the first ten columns, by language."""
    found: dict[str, dict[str, np.ndarray]] = {how: {} for how in hows}
    for a in asking:
        language = a.asked.language
        scores = queries[language] @ documents.T
        for how, columns in a.top(scores, hows, calibration, again).items():
            found[how][language] = columns
    return found


def _nearest(scores: np.ndarray, allowed: np.ndarray, n: int) -> np.ndarray:
    columns = np.flatnonzero(allowed)
    return columns[np.argsort(-scores[columns], kind="stable")[:n]]


def ndcg(order: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Return nDCG@10 of each row of columns, (n,); NaN where nothing answers."""
    discounts = 1 / np.log2(np.arange(2, K + 2))
    best = -np.sort(-gains, axis=1)[:, :K]
    ideal = best @ discounts[: best.shape[1]]
    with np.errstate(invalid="ignore", divide="ignore"):
        found: np.ndarray = gained(order, gains) @ discounts / ideal
    return np.where(ideal > 0, found, np.nan)


def recall(order: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Return recall@10 of each row of columns, (n,); NaN where nothing answers."""
    n = (gains > 0).sum(axis=1)
    found: np.ndarray = (gained(order, gains) > 0).sum(axis=1) / np.maximum(n, 1)
    return np.where(n > 0, found, np.nan)


def within(order: np.ndarray, gains: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return nDCG@10 of the columns that are kept, the others taken out of the order, (n,)."""
    is_kept = (order >= 0) & kept[order]
    first = np.argsort(~is_kept, axis=1, kind="stable")
    return ndcg(
        np.where(np.take_along_axis(is_kept, first, 1), np.take_along_axis(order, first, 1), -1),
        gains * kept,
    )


def gained(order: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Return the gain at each place; none where no document is."""
    found: np.ndarray = np.where(order >= 0, np.take_along_axis(gains, order, 1), 0)
    return found


def measured(asked: Sequence[Questions], tops: Mapping[str, np.ndarray], index: Index) -> Scores:
    """Return every metric of every question, by name; NaN where it does not count."""
    found: Scores = {}
    side_of = {"en": index.part["target"], "ja": index.part["source"]}
    for q in asked:
        order = tops[q.language]
        gains = q.gains * index.present
        if q.own is not None:
            gains[np.arange(len(gains)), q.own] = 0
        found[f"ndcg {q.language}"] = ndcg(order, gains)
        for language, columns in side_of.items():
            there = gains * columns
            found[f"ndcg {q.language}-{language}"] = ndcg(order, there)
            found[f"within {q.language}-{language}"] = within(order, gains, columns)
            found[f"recall {q.language}-{language}"] = recall(order, there)
        other = side_of["ja" if q.language == "en" else "en"]
        counts = (gains > 0).any(axis=1)
        in_ten = (np.where(order >= 0, other[order], False).sum(axis=1)) / np.maximum(
            (order >= 0).sum(axis=1), 1
        )
        found[f"share {q.language}"] = np.where(counts, in_ten, np.nan)
        found[f"answers {q.language}"] = (gains > 0).sum(axis=1).astype(float)
        found[f"answers of the other {q.language}"] = (gains * other > 0).sum(axis=1).astype(float)
    return found


def agreement(
    aligner: Aligner,
    projected: Projected,
    asked: Sequence[Questions],
    tops: Mapping[str, np.ndarray],
    how: str,
    n: int,
) -> str:
    """Count the questions to which the retriever gives the same ten documents in this order."""
    from langchain_core.documents import Document
    from langchain_core.vectorstores import InMemoryVectorStore

    from kakehashi.integrations.langchain import (
        AlignedEmbeddings,
        BM25Search,
        HybridRetriever,
        VectorSearch,
    )

    texts = projected.texts
    known: dict[Side, dict[str, np.ndarray]] = {
        "source": dict(zip(texts["ja"], projected.source["ja"], strict=True)),
        "target": dict(zip(texts["en"], projected.target["en"], strict=True)),
    }
    embeddings = AlignedEmbeddings(aligner=knowing(aligner, known))
    documents = [
        Document(text, metadata={"modality": SIDE[language]})
        for language in ASKED
        for text in texts[language]
    ]
    store = InMemoryVectorStore(embeddings)
    embeddings.add_documents(store, documents)
    arms: list[Any] = [VectorSearch(vectorstore=store)]
    if how == "+ words":
        arms.append(BM25Search(documents=documents))
    retriever = HybridRetriever(
        embeddings=embeddings, k=K, searches=arms, fusion="rank" if how == "rank" else "calibrated"
    )
    same = 0
    for q in asked:
        for row in range(0, len(q.texts), max(1, len(q.texts) // n))[:n]:
            text = q.texts[row]
            found = retriever.invoke(
                text,
                modality=SIDE[q.language],
                filter=lambda document, text=text: document.page_content != text,
            )
            wanted = [documents[i].page_content for i in tops[q.language][row]]
            same += [d.page_content for d in found] == wanted
    return f"{same} of {n * len(asked)}"
