"""Measure search in one index of English and Japanese documents, asked in both, and in French.

    python benchmarks/mixed.py DATA [--seeds 0 1 2] [--encoders use:minilm ...] [--check 5]
                               [--ood] [--latency] [--no-lists] [--cache vectors.sqlite]
                               [--fits FOLDER] [--out result.json]

DATA/pydocs_en_ja_fr.jsonl holds paragraphs in three languages. A third of them (by group and seed)
is the test part; `kakehashi.fit` trains on the rest, Japanese to English, and learns there how to
compare scores; no test row is seen. Questions are the English and the Japanese test texts, each
without its own text in the index; what answers them says mixed_corpus.py. Indexes:

- parallel: every test row in both languages;
- disjoint: every test row in one language only, half of them in Japanese, or a fifth; questions
  that nothing in it answers are left out.

Rows: a perfect list, equal answers in any order: what each pair of languages can reach, for an
answer in the other language may come first by right; an encoder as it is, the multilingual `use`
or the English `minilm`, as one list by cosine or with a list for each language fused by rank; then,
for each source -> target encoder and each mode, an aligner: "one list" by inner product, fused by
"rank", "calibrated", and "+ words", calibrated with a BM25 arm. Every document is scored, and what
is fused are the hits that the retrievers ask for (40 of each language and kind), by the
package's own code. --check asks LangChain's AlignedRetriever over an InMemoryVectorStore a few
questions of each language and row, and counts those to which it gives the same ten documents in
the same order.

Metrics: nDCG@10 of the one list; nDCG@10 and recall@10 of each (question, document) pair of
languages in that same list, the answers in the other language taken out; the share of the other
language among the first ten, and among all answers. A question without answers in a language does
not count there. 95% intervals by bootstrap over groups; several seeds are pooled, and a group of
all of them is drawn together.

French questions look for the two translations of their paragraph (and nothing else is judged): by
a bridge of the French -> English and the Japanese -> English aligner in mode keep, in an index of
English documents as they are and Japanese ones projected. "Apart" is the same of two aligners that
share no training row, nor a row from which scores are learned to compare; "no samples" compares
scores of French and Japanese by the aligners' lines to English alone. Last, all test texts of all
three languages are routed.

--ood: what the fallback to the target encoder does out of domain (mixed_domain.py).
--latency: what the wrapper costs (mixed_latency.py). --no-lists leaves out all of the above.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import mixed_corpus
import numpy as np
from mixed_corpus import (
    SIDE,
    TWIN,
    Corpus,
    Encoded,
    Fits,
    Language,
    Mode,
    knowing,
    neighbours,
)
from setting import describe, setting, table, write

from kakehashi import Aligner, Bridge
from kakehashi.calibration import Calibration
from kakehashi.evaluation.intervals import bootstrap
from kakehashi.fusion import Hit, Method, fuse
from kakehashi.integrations._arms import Plan, Words, as_shares
from kakehashi.pairs import SIDES, Side
from kakehashi.vectors import unit_rows

CORPUS = "pydocs_en_ja_fr"
ENCODERS = ("use:minilm", "minilm:minilm", "use:use")
MODES: tuple[Mode, ...] = ("keep", "shared")
ASKED: tuple[Language, ...] = ("en", "ja")
K = 10
DEPTH = Plan("rank", None, {}, "raise")._depth(K)
JAPANESE = {"parallel": None, "disjoint, 50% Japanese": 0.5, "disjoint, 20% Japanese": 0.2}
PAIRS = [f"{q}-{d}" for q in ASKED for d in ASKED]
PERFECT = "a perfect list"
FUSED = ("one list", "rank", "calibrated", "+ words")
Scores = dict[str, np.ndarray]


@dataclass(frozen=True)
class Index:
    """Which documents are there: columns of the English, then of the Japanese test texts."""

    texts: list[str]
    present: np.ndarray

    @property
    def part(self) -> dict[Side, np.ndarray]:
        """Which columns are of a side, and there."""
        english = np.arange(len(self.texts)) < len(self.texts) // 2
        return {"source": self.present & ~english, "target": self.present & english}

    def words(self) -> tuple[Words, np.ndarray]:
        """Return a BM25 index of the documents, and the column of each."""
        columns = np.flatnonzero(self.present)
        source = self.part["source"]
        sides: list[Side | None] = ["source" if source[i] else "target" for i in columns]
        return Words([self.texts[i] for i in columns], sides), columns


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


def main() -> None:
    """Measure what is asked for; print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the split; pooled")
    parser.add_argument("--encoders", nargs="+", default=ENCODERS, help="source:target")
    parser.add_argument("--check", type=int, default=0, help="questions asked of the retriever")
    parser.add_argument("--ood", action="store_true", help="also out of domain")
    parser.add_argument("--latency", action="store_true", help="also what the wrapper costs")
    parser.add_argument("--no-lists", action="store_true", help="only what --ood, --latency ask")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10000], help="of --latency")
    parser.add_argument("--cache", type=Path, help="keeps encoded vectors between runs")
    parser.add_argument("--fits", type=Path, metavar="FOLDER", help="keeps aligners between runs")
    parser.add_argument("--out", type=Path, metavar="JSON")
    args = parser.parse_args()
    found = setting()
    corpus = Corpus.read(args.data / f"{CORPUS}.jsonl")
    names = sorted({name for both in args.encoders for name in both.split(":")})
    encoders = {name: mixed_corpus.encoder(name) for name in names}
    judge = None if args.no_lists else mixed_corpus.judge()
    encoded = Encoded(encoders | ({} if judge is None else {"judge": judge}), args.cache)
    fits = Fits(corpus, encoded, args.fits)
    result: dict[str, Any] = {"setting": found}
    print(describe(found))
    if not args.no_lists:
        print(f"judge of neighbours: {judge.name if judge else 'none; the twin alone is judged'}")
        runs = [one(corpus, encoded, fits, seed, args) for seed in args.seeds]
        result |= pooled(runs)
        print(f"seeds {args.seeds}; {result['n_train']} training, {result['n_test']} test rows")
        print(f"fits: {'; '.join(result['fits'])}\n\n{show(result)}")
    if args.ood:
        import mixed_domain

        sets = mixed_domain.measure(args.data, corpus, encoded, fits, args)
        result["out_of_domain"] = sets
        print(f"\n{mixed_domain.show(sets)}")
    if args.latency:
        import mixed_latency

        result["latency"] = mixed_latency.measure(corpus, encoded, fits, args)
        print(f"\n{mixed_latency.show(result['latency'])}")
    write(result, args.out)


def one(corpus: Corpus, encoded: Encoded, fits: Fits, seed: int, args: Any) -> dict[str, Any]:
    """Measure one split: for each index and row the scores of each question."""
    train, test = corpus.split(seed)
    texts = {name: [corpus.texts[name][int(i)] for i in test] for name in corpus.texts}
    asked = questions(texts, neighbours(corpus, test, encoded))
    n, documents = len(test), texts["en"] + texts["ja"]
    vectors = {
        name: {language: encoded(name, texts[language]) for language in texts}
        for name in encoded.encoders
        if name != "judge"
    }
    japanese = np.random.default_rng(seed).random(n)
    indexes = {}
    for name, share in JAPANESE.items():
        mine = np.ones(n, bool) if share is None else japanese < share
        other = np.ones(n, bool) if share is None else ~mine
        indexes[name] = Index(documents, np.concatenate([other, mine]))
    found: dict[str, dict[str, Scores]] = {name: {} for name in (*indexes, "French")}
    for index_name, index in indexes.items():
        tops = {str(q.language): perfect(q, index, seed) for q in asked}
        found[index_name][PERFECT] = measured(asked, tops, index)
    fitted, same = [], {}
    asking = {name: [Asking(q, index) for q in asked] for name, index in indexes.items()}
    for name, x in vectors.items():
        matrix = np.concatenate([x["en"], x["ja"]])
        for index_name, index in indexes.items():
            for how, tops in tops_of(asking[index_name], x, matrix, FUSED[:2]).items():
                row = f"{name}, {how}"
                found[index_name][row] = measured(asked, tops, index)
    for both in args.encoders:
        source, target = both.split(":")
        for mode in MODES:
            aligner = fits(train, source, target, mode, "ja")
            fitted.append(f"{source} -> {target} {mode}: {aligner.report.chosen}")
            projected = Projected(aligner, texts, vectors[source], vectors[target])
            matrix = np.concatenate([projected("en", "document"), projected("ja", "document")])
            x = {language: projected(language, "query") for language in ASKED}
            for index_name, index in indexes.items():
                every = tops_of(asking[index_name], x, matrix, FUSED, aligner.calibration)
                for how, tops in every.items():
                    row = f"{source} -> {target} {mode}, {how}"
                    found[index_name][row] = measured(asked, tops, index)
                    if args.check and index_name == "parallel" and how != "one list":
                        same[row] = agreement(aligner, projected, asked, tops, how, args.check)
    found["French"], routed = french(corpus, encoded, fits, train, texts, vectors, args)
    return {
        "n_train": len(train),
        "n_test": n,
        "clusters": corpus.clusters(test),
        "fits": [f"seed {seed}: {', '.join(fitted)}"],
        "same_as_retriever": same,
        "routed": routed,
        "scores": found,
    }


def tops_of(
    asking: Sequence[Asking],
    queries: Mapping[Any, np.ndarray],
    documents: np.ndarray,
    hows: Sequence[str],
    calibration: Calibration | None = None,
) -> dict[str, dict[str, np.ndarray]]:
    """Return by each way to make one list the first ten columns, by language."""
    found: dict[str, dict[str, np.ndarray]] = {how: {} for how in hows}
    for a in asking:
        language = a.asked.language
        for how, columns in a.top(queries[language] @ documents.T, hows, calibration).items():
            found[how][language] = columns
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


def perfect(asked: Questions, index: Index, seed: int) -> np.ndarray:
    """Return the columns in the order of their gains, equal ones as they fall."""
    rng = np.random.default_rng(seed)
    found = np.full((len(asked.texts), K), -1)
    for row, gains in enumerate(asked.gains):
        best = _nearest(gains + rng.random(len(gains)) / 2, asked.allowed(row, index), K)
        found[row, : len(best)] = best
    return found


@dataclass(frozen=True)
class Asking:
    """Questions to an index: what the words find is looked up once, whatever the vectors are.

    ``query`` and ``names`` are what the question and the two sides of the index are called.
    """

    asked: Questions
    index: Index
    query: str = ""
    names: Mapping[str, str] = field(default_factory=lambda: {side: side for side in SIDES})

    @cached_property
    def rows(self) -> list[int]:
        """Return the questions that count: something in the index answers them."""
        answered = self.asked.gains > 0
        return [i for i, row in enumerate(answered) if row[self.asked.allowed(i, self.index)].any()]

    @cached_property
    def by_words(self) -> dict[int, list[Hit]]:
        """Return what a lexical arm finds."""
        words, columns = self.index.words()
        source = self.index.part["source"]
        found = {}
        for row in self.rows:
            allowed = self.asked.allowed(row, self.index)[columns]
            hits = []
            for place, score in words.best(self.asked.texts[row], DEPTH, allowed):
                i = int(columns[place])
                side = self.names["source" if source[i] else "target"]
                hits.append(Hit(str(i), i, side, "words", score))
            found[row] = as_shares(hits)
        return found

    def by_vector(self, scores: np.ndarray) -> dict[int, list[Hit]]:
        """Return what an arm finds that searches each language by itself."""
        found = {}
        for row in self.rows:
            allowed = self.asked.allowed(row, self.index)
            found[row] = [
                Hit(str(i), int(i), self.names[side], "vectors", float(s), similarity=float(s))
                for side, part in self.index.part.items()
                for i in _nearest(scores[row], allowed & part, DEPTH)
                for s in (scores[row, i],)
            ]
        return found

    def top(
        self, scores: np.ndarray, hows: Sequence[str], calibration: Calibration | None = None
    ) -> dict[str, np.ndarray]:
        """Return the first ten columns of each question, (n, 10), by each way to make one list.

        -1 stands where nothing is: there are fewer than ten, or the question does not count.
        """
        found = {how: np.full((len(scores), K), -1) for how in hows}
        by_vector = self.by_vector(scores)
        for how, columns in found.items():
            method: Method = "rank" if how.startswith("rank") else "calibrated"
            for row in self.rows:
                if how == "one list":
                    best = _nearest(scores[row], self.asked.allowed(row, self.index), K)
                else:
                    hits = {"vectors": by_vector[row]}
                    if how.endswith("+ words"):
                        hits["words"] = self.by_words[row]
                    side = self.query or SIDE[self.asked.language]
                    fused = fuse(hits, query=side, method=method, calibration=calibration)
                    best = np.array([document.payload for document in fused[:K]])
                columns[row, : len(best)] = best
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


def french(
    corpus: Corpus,
    encoded: Encoded,
    fits: Fits,
    train: np.ndarray,
    texts: Mapping[str, list[str]],
    vectors: Mapping[str, Mapping[str, np.ndarray]],
    args: Any,
) -> tuple[dict[str, Scores], dict[str, dict[str, float]]]:
    """Ask in French for both translations; say where a bridge routes the texts of each language."""
    routed: dict[str, dict[str, float]] = {}
    if "fr" not in texts:
        return {}, routed
    n = len(texts["fr"])
    asked = Questions("fr", texts["fr"], np.concatenate([np.eye(n), np.eye(n)], axis=1), None)
    index = Index(texts["en"] + texts["ja"], np.ones(2 * n, bool))
    asking = Asking(asked, index, "fr", {"source": "ja", "target": "en"})
    found = {}

    def add(
        name: str,
        queries: np.ndarray,
        documents: np.ndarray,
        hows: Sequence[str],
        calibration: Calibration | None = None,
    ) -> None:
        for how, tops in tops_of([asking], {"fr": queries}, documents, hows, calibration).items():
            found[f"{name}, {how}"] = measured([asked], tops, index)

    for name, x in vectors.items():
        add(name, x["fr"], np.concatenate([x["en"], x["ja"]]), ("one list", "rank"))
    for both in args.encoders:
        source, target = both.split(":")
        if source == target:
            continue
        x, y = vectors[source], vectors[target]
        for name, (for_ja, for_fr) in {"": (train, train), ", apart": corpus.halves(train)}.items():
            japanese = Projected(fits(for_ja, source, target, "keep", "ja"), texts, x, y)
            asks = Projected(fits(for_fr, source, target, "keep", "fr"), texts, x, y)
            bridge = Bridge({"ja": japanese.aligner, "fr": asks.aligner}, "en")
            matrix = np.concatenate([japanese("en", "document"), japanese("ja", "document")])
            row = f"{source} -> {target} keep{name}"
            queries = asks("fr", "query")
            add(row, queries, matrix, ("one list", "rank", "rank + words"))
            if bridge.calibration is not None:  # of few training rows there is none
                add(row, queries, matrix, ("calibrated", "+ words"), bridge.calibration)
                bare = Bridge({n: without_sample(a) for n, a in bridge.aligners.items()}, "en")
                add(f"{row}, no samples", queries, matrix, ("calibrated",), bare.calibration)
            if not name:
                for language in texts:
                    where = bridge.route(texts[language])
                    wrong = [name not in (None, language) for name in where]
                    routed[language] = {
                        "wrong": float(np.mean(wrong)),
                        "unsure": where.count(None) / len(where),
                    }
    return found, routed


def without_sample(aligner: Aligner) -> Aligner:
    """Return an aligner of which a bridge only knows the lines to the target."""
    return replace(aligner, serving=replace(aligner.serving, sample=None))


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
        AlignedRetriever,
        LexicalArm,
        VectorArm,
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
    arms: list[Any] = [VectorArm(vectorstore=store)]
    if how == "+ words":
        arms.append(LexicalArm(documents=documents))
    retriever = AlignedRetriever(
        embeddings=embeddings, k=K, arms=arms, fusion="rank" if how == "rank" else "calibrated"
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


def pooled(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Join the questions of all seeds, and summarise each row."""
    clusters = np.concatenate([run["clusters"] for run in runs])
    rows: dict[str, dict[str, Any]] = {}
    every: dict[str, dict[str, Scores]] = {}
    for index in runs[0]["scores"]:
        rows[index], every[index] = {}, {}
        for row in runs[0]["scores"][index]:
            several = [run["scores"][index][row] for run in runs]
            joined = {m: np.concatenate([scores[m] for scores in several]) for m in several[0]}
            every[index][row] = joined
            rows[index][row] = summary(joined, clusters)
    return {
        "n_train": [run["n_train"] for run in runs],
        "n_test": [run["n_test"] for run in runs],
        "fits": [fit for run in runs for fit in run["fits"]],
        "same_as_retriever": runs[0]["same_as_retriever"],
        "routed": {
            language: {
                what: float(np.mean([run["routed"][language][what] for run in runs]))
                for what in ("wrong", "unsure")
            }
            for language in runs[0]["routed"]
        },
        "rows": rows,
        "gains": {
            index: gains(found, clusters) for index, found in every.items() if index != "French"
        },
    }


def summary(scores: Scores, clusters: np.ndarray) -> dict[str, Any]:
    """Return means with intervals, and the true share of the other language."""
    found: dict[str, Any] = {}
    for name, values in scores.items():
        if not name.startswith("answers"):
            found[name] = with_interval(values, clusters)
    for language in (*ASKED, "fr"):
        if f"answers {language}" in scores:
            n = scores[f"answers {language}"].sum()
            found[f"true share {language}"] = float(
                scores[f"answers of the other {language}"].sum() / n
            )
    pairs = [found[f"ndcg {pair}"]["mean"] for pair in PAIRS if f"ndcg {pair}" in found]
    if pairs:
        found["worst pair"] = min(pairs)
        both = [np.asarray(scores[f"ndcg {language}"]) for language in ASKED]
        found["ndcg"] = with_interval(np.concatenate(both), np.tile(clusters, 2))
    return found


def with_interval(values: np.ndarray, clusters: np.ndarray) -> dict[str, Any]:
    """Return the mean over the questions that count, and its 95% interval over groups."""
    counts = ~np.isnan(values)
    if not counts.any():
        return {"mean": float("nan"), "interval": (float("nan"), float("nan")), "n": 0}
    _, drawn = np.unique(clusters[counts], return_inverse=True)
    interval = bootstrap({"x": values[counts]}, clusters=drawn, seed=0)["x"]
    return {"mean": float(values[counts].mean()), "interval": interval, "n": int(counts.sum())}


def gains(found: Mapping[str, Scores], clusters: np.ndarray) -> dict[str, dict[str, Any]]:
    """Compare each row of an aligner with the best untouched row of each pair of languages."""
    untouched = [row for row in found if "->" not in row and row != PERFECT]
    best = {
        pair: max(untouched, key=lambda row: float(np.nanmean(found[row][f"ndcg {pair}"])))
        for pair in PAIRS
    }
    return {
        row: {
            pair: {"over": best[pair]}
            | with_interval(scores[f"ndcg {pair}"] - found[best[pair]][f"ndcg {pair}"], clusters)
            for pair in PAIRS
        }
        for row, scores in found.items()
        if "->" in row
    }


def show(result: Mapping[str, Any]) -> str:
    """Return a table of each index, one of gains over the untouched rows, and one of French."""
    parts = []
    for index, rows in result["rows"].items():
        if index == "French":
            continue
        lines = []
        for name, row in rows.items():
            cells = [name, _with_range(row["ndcg"])]
            cells += [f"{row[f'ndcg {pair}']['mean']:.3f}" for pair in PAIRS]
            cells += [" ".join(f"{row[f'recall {pair}']['mean']:.3f}" for pair in PAIRS)]
            cells += [f"{row[f'share {language}']['mean']:.2f}" for language in ASKED]
            lines.append(cells)
        true = next(iter(rows.values()))
        shares = [f"other's share {x} (true {true[f'true share {x}']:.2f})" for x in ASKED]
        header = [index, "nDCG@10", *PAIRS, "recall@10 " + " ".join(PAIRS), *shares]
        parts.append(table(header, lines))
    for index, rows in result["gains"].items():
        best = next(iter(rows.values()))
        header = [f"{index}: nDCG@10 over", *(f"{p}: {best[p]['over']}" for p in PAIRS)]
        lines = [[name, *(_signed(row[pair]) for pair in PAIRS)] for name, row in rows.items()]
        parts.append(table(header, lines))
    if result["rows"]["French"]:
        header = ["French questions", "nDCG@10", "fr-en", "fr-ja", "recall@10", "Japanese (.50)"]
        lines = [
            [
                name,
                _with_range(row["ndcg fr"]),
                *(f"{row[f'ndcg fr-{d}']['mean']:.3f}" for d in ASKED),
                " ".join(f"{row[f'recall fr-{d}']['mean']:.3f}" for d in ASKED),
                f"{1 - row['share fr']['mean']:.2f}",
            ]
            for name, row in result["rows"]["French"].items()
        ]
        parts.append(table(header, lines))
    if result["routed"]:
        each = (
            f"{language} {shares['wrong']:.2%} wrong, {shares['unsure']:.2%} unsure"
            for language, shares in result["routed"].items()
        )
        parts.append(f"routed by the bridge: {'; '.join(each)}")
    if result["same_as_retriever"]:
        same = result["same_as_retriever"].items()
        parts.append("same ten from the retriever: " + "; ".join(f"{r}: {s}" for r, s in same))
    return "\n\n".join(parts)


def _with_range(cell: Mapping[str, Any]) -> str:
    low, high = cell["interval"]
    return f"{cell['mean']:.3f} [{low:.3f}, {high:.3f}]"


def _signed(cell: Mapping[str, Any]) -> str:
    low, high = cell["interval"]
    return f"{cell['mean']:+.3f} [{low:+.3f}, {high:+.3f}]"


if __name__ == "__main__":
    main()
