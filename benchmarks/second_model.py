"""What a second model brings to an index that another model filled, and what it costs.

    python benchmarks/second_model.py DATA [--sets SET ...] [--pairs N] [--hits N ...] [--seed N]
                                           [--time] [--large N] [--cache FILE] [--out JSON]

A SET is NAME:SOURCE-TARGET:NEW. SOURCE asks the index of TARGET through an aligner that N pairs
fitted, and NEW looks at the first hits again. A fifth of the pairs, whole groups, is held out and
judges in the whole index (protocol.py).

Before that, other questions are asked, whose first hits are embedded. They are drawn from the rows
that are not held out, with replacement, the r-th of a random order as often as 1/r: a few are asked
again and again, most of them never. After 200, 1,000 and 4,000 embedded documents the held-out
questions are asked; what they embed themselves is forgotten after each. Two ways stand beside one
another: the hits alone are ordered (`hits`), and the documents embedded so far are searched as a
whole, too (`searched`). The second map of the aligner has its share in the order; `alone` is the
model without it, and with every document embedded that is full re-embedding.

`no map` asks the index by TARGET itself: the way of an aligner whose verdict is that no map helps.

With --time the retriever of LangChain over Chroma is asked by real encoders, from an empty file of
the second model on. `cold` is a question as it comes, whose hits are partly new; `warm` is the same
question again. Milliseconds of CPU time, which other work on the machine disturbs least.

--large N measures the file alone, with N vectors of 512 random numbers: CPU time of writing them,
of reading them at the start of a process, and of a search among them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from datasets import DataSet, encoder
from protocol import Parts
from setting import describe, setting, table, write

from kakehashi import Aligner, Pairs, SecondModel, fit
from kakehashi.encoders.cache import encode_texts
from kakehashi.encoders.identity import EncoderIdentity
from kakehashi.metrics.relevance import groups_of
from kakehashi.metrics.rescored import first_hits
from kakehashi.metrics.statistics import paired_test
from kakehashi.retrieval.second_model.candidates import mean_similarity
from kakehashi.retrieval.second_model.side_table import SideTable
from kakehashi.vectors import unit_rows

SETS = (
    "kicad_ja_en:use-minilm:use",
    "kicad_ja_en:use-minilm:e5",
    "tldr_fr_en:use-minilm:e5",
    "pydocs_ja_en:use-minilm:use",
)
EMBEDDED = (0, 200, 1000, 4000)
TIMED = 40
Rows = np.ndarray[Any, np.dtype[np.intp]]


def first_order(aligner: Aligner, vectors: Any, texts: Any, stored: Any, of: Any, n: int) -> Rows:
    """Return the first n documents of each question, (q, n), in the order that the aligner serves.

    Args:
        of: the texts of the documents.
    """
    asked = aligner.project(vectors, texts=texts, modality="source", role="query")
    again = aligner.rescoring
    depth = n if again is None else max(n, again.n_hits)
    hits = first_hits(asked, stored, "cosine", depth)
    if again is None:
        return hits[:, :n]
    documents = again.documents(stored, texts=of)
    queries = again.query(vectors, texts=texts)
    scores = np.einsum("qd,qkd->qk", queries, documents[hits])
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(hits, order, axis=1)[:, :n]


def asked_before(hits: Rows, until: int, seed: int) -> tuple[set[int], int]:
    """Return the documents that questions embed until there are so many, and how many asked.

    Args:
        hits: (q, n), the first hits of the questions that may be asked.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(hits))
    often = 1 / np.arange(1, len(hits) + 1)
    embedded: set[int] = set()
    n_asked = 0
    while len(embedded) < until and n_asked < 100 * len(hits):
        embedded |= set(hits[rng.choice(order, p=often / often.sum())].tolist())
        n_asked += 1
    return embedded, n_asked


def ranks_among(scores: Any, candidates: Iterable[Rows], answers: Any, n_documents: int) -> Rows:
    """Return the rank of the best answer of each question among its candidates, (q,)."""
    found = np.full(len(scores), n_documents, np.intp)
    for row, (some, right) in enumerate(zip(candidates, answers, strict=True)):
        there = np.intersect1d(right, some)
        if len(there):
            others = np.setdiff1d(some, right)
            best = scores[row, there].max()
            found[row] = 1 + int((scores[row, others] >= best - 1e-6).sum())
    return found


class Setting:
    """One set, split and fitted, with the vectors of the second model."""

    def __init__(self, name: str, data: Path, cache: Path, n_pairs: int, seed: int) -> None:
        base, _, new = name.rpartition(":")
        set_name, _, sides = base.partition(":")
        self.of = DataSet(set_name, *sides.split("-", 1))
        self.new, self.seed, self.cache = new, seed, cache
        self.pairs: Pairs = self.of.load(data, cache)
        parts = Parts.of(self.pairs, n_pairs, seed)
        if parts is None:
            raise SystemExit(f"{name} has fewer than {n_pairs} pairs outside the held-out part")
        self.parts, self.pool = parts, parts.pool
        self.aligner = fit(parts.pairs, learn_from=[], learned=False, seed=seed)
        self.stored = np.asarray(self.pool.vectors, np.float32)
        test = parts.test
        self.questions, self.test_vectors = test.source_texts or (), test.source_vectors
        held_out = set(test.ids or ())
        rest = [i for i, name in enumerate(self.pairs.ids or ()) if name not in held_out]
        self.rest = self.pairs.select(rest)
        self.scores = self._new_scores(data)
        self.mean = mean_similarity(self.scores, self._by_map())

    def _by_map(self) -> Any:
        """Return the same by the second map of the aligner; None where it has none."""
        if (again := self.aligner.rescoring) is None:
            return None
        documents = again.documents(self.stored, texts=self.pool.texts)
        return again.query(self.test_vectors, texts=self.questions) @ documents.T

    def _new_scores(self, data: Path) -> Any:
        """Return the cosine of every held-out question with every document, by the new model."""
        pool = list(self.pool.texts or ())
        path = data / "vectors" / f"{self.of.name}.npz"
        key = f"{self.new}_source"
        if path.exists() and key in (stored := np.load(path, allow_pickle=False)):
            rows = {text: i for i, text in enumerate(self.pairs.target_texts or ())}
            ids = [int(name) for name in self.pairs.ids or ()]
            documents = stored[f"{self.new}_target"][[ids[rows[text]] for text in pool]]
            questions = stored[key][[int(name) for name in self.parts.test.ids or ()]]
        else:
            by = encoder(self.new)
            questions = encode_texts(by, self.questions, "query", cache=self.cache)
            documents = encode_texts(by, pool, "document", cache=self.cache)
        return (
            unit_rows(np.asarray(questions, np.float32))
            @ unit_rows(np.asarray(documents, np.float32)).T
        )

    def no_map(self, n: int) -> Rows:
        """Return the first n documents of each held-out question, as TARGET itself finds them."""
        asked = encode_texts(encoder(self.of.target), self.questions, "query", cache=self.cache)
        return first_hits(unit_rows(asked), self.stored, "cosine", n)

    def rows(self, n_hits: Iterable[int]) -> list[tuple[str, Any, str]]:
        """Return the name, the ranks of the held-out questions and a note, of every way to ask."""
        answers, n = self.parts.relevance.answers, len(self.stored)
        texts, of, x = self.questions, self.pool.texts, self.test_vectors
        every = np.arange(n)
        served = {
            name: self.parts.score(*self.parts.served(aligner))["ranks"]
            for name, aligner in {"aligner, keep": self.aligner}.items()
        }
        found = [("index alone", self._rank_in_order(self.no_map(n), answers, n), "")]
        found += [(name, np.array(ranks), "") for name, ranks in served.items()]
        if (again := self.aligner.rescoring) is not None:
            serves = first_order(self.aligner, x, texts, self.stored, of, again.n_hits)
            found.append(("aligner, rescored", self._rank_in_order(serves, answers, n), ""))
        blind = self.no_map(max(n_hits))
        for hits in n_hits:
            first = first_order(self.aligner, x, texts, self.stored, of, hits)
            alone = ranks_among(self.scores, first, answers, n)
            found.append((f"second model alone, {hits} hits", alone, ""))
            seen = ranks_among(self.mean, first, answers, n)
            found.append((f"second model, {hits} hits", seen, ""))
            seen = ranks_among(self.scores, blind[:, :hits], answers, n)
            found.append((f"no map, second model, {hits} hits", seen, ""))
        hits = max(n_hits)
        serves = first_order(self.aligner, x, texts, self.stored, of, hits)
        asks = first_order(
            self.aligner, self.rest.source_vectors, self.rest.source_texts, self.stored, of, hits
        )
        for until in (*EMBEDDED[1:], n):
            if until > n or (until == n and until in EMBEDDED):
                continue
            embedded, n_asked = (set(every.tolist()), 0)
            if until < n:
                embedded, n_asked = asked_before(asks, until, self.seed)
            known = np.array(sorted(embedded), np.intp)
            ways = (("", serves, self.mean), ("no map, ", blind, self.scores))
            for name, first, scores in ways:
                both = [np.union1d(known, row[:hits]) for row in first]
                ranks = ranks_among(scores, both, answers, n)
                label = f"{name}second model, {hits} hits, {len(embedded):,} searched"
                found.append((label, ranks, f"{n_asked:,} questions" if n_asked else "all"))
        found.append(("embedded again", ranks_among(self.scores, [every] * len(x), answers, n), ""))
        return found

    @staticmethod
    def _rank_in_order(order: Rows, answers: Any, n_documents: int) -> Rows:
        """Return the rank of the best answer in each order, (q,); the last rank where it is not."""
        return np.array(
            [
                1 + int(np.isin(row, right).argmax()) if np.isin(row, right).any() else n_documents
                for row, right in zip(order, answers, strict=True)
            ]
        )


def measured(one: Setting, n_hits: list[int]) -> list[dict[str, Any]]:
    """Return the scores of every way to ask, each with its test against the aligner's."""
    rows = one.rows(n_hits)
    serves = next(r for name, r, _ in reversed(rows) if name.startswith("aligner"))
    again = rows[-1][1]
    result = []
    for name, ranks, note in rows:
        against = [
            paired_test(
                np.asarray(1 / ranks) * (ranks <= 10),
                np.asarray(1 / other) * (other <= 10),
                clusters=groups_of(one.parts.test),
            )
            for other in (serves, again)
        ]
        summary = one.parts.summary(ranks)
        summary.pop("ranks")
        result.append(
            {
                "way": name,
                "note": note,
                **summary,
                "against_aligner": [against[0].difference, against[0].p_value],
                "against_again": [against[1].difference, against[1].p_value],
            }
        )
    return result


def timed(one: Setting, hits: int) -> dict[str, float]:
    """Return median milliseconds of a query through Chroma, alone and with the second model."""
    from langchain_chroma import Chroma

    from kakehashi.integrations.langchain import AlignedRetriever

    aligner = one.aligner.with_encoders(source_encoder=encoder(one.of.source))
    store = Chroma("second-model", collection_metadata={"hnsw:space": "cosine"})
    texts = list(one.pool.texts or ())
    for start in range(0, len(texts), 5000):
        store._collection.add(
            ids=[f"d{i}" for i in range(start, min(start + 5000, len(texts)))],
            documents=texts[start : start + 5000],
            embeddings=one.stored[start : start + 5000],
        )
    options = {"vectorstore": store, "embeddings": aligner, "k": 4}
    questions = list(dict.fromkeys(one.questions))[: TIMED + 1]
    with tempfile.TemporaryDirectory() as folder:
        second = SecondModel(encoder(one.new), Path(folder) / "side.sqlite", n_hits=hits)
        ways = {
            "aligner": AlignedRetriever(**options),
            "cold": (again := AlignedRetriever(**options, rescore_with=second)),
            "warm": again,
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        sizes = []
        for question in questions:
            for name, retriever in ways.items():
                start_time = time.process_time()
                retriever.invoke(question)
                taken[name].append(1000 * (time.process_time() - start_time))
            sizes.append(len(second))
        n_bytes = second.path.stat().st_size / len(second)
    new = np.diff(sizes, prepend=0)[1:].mean()
    return {
        **{name: median(times[1:]) for name, times in taken.items()},
        "documents new to a question": float(new),
        "bytes a document": n_bytes,
    }


def large(n: int) -> dict[str, float]:
    """Return CPU seconds of writing and reading n vectors, milliseconds of a search, and bytes."""
    rng = np.random.default_rng(0)
    identity = EncoderIdentity("random", 512, None, rng.standard_normal((6, 512), np.float32))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "side.sqlite"
        table = SideTable(path)
        table.use(identity)
        started = time.process_time()
        for start in range(0, n, 1000):
            texts = [f"text {row}" for row in range(start, min(start + 1000, n))]
            table.put(texts, rng.standard_normal((len(texts), 512), np.float32))
            table.name([(text, text) for text in texts])
        written = time.process_time()
        again = SideTable(path)
        again.use(identity)
        assert len(again) == n
        read = time.process_time()
        for _ in range(20):
            again.nearest(rng.standard_normal(512, np.float32), 50)
        searched = time.process_time()
        n_bytes = path.stat().st_size / n
    return {
        "write, s": written - started,
        "read, s": read - written,
        "search, ms": 1000 * (searched - read) / 20,
        "bytes a document": n_bytes,
    }


def main() -> None:
    """Measure every set, and print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--hits", type=int, nargs="+", default=[20, 50])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--large", type=int)
    parser.add_argument("--cache", type=Path, default=Path("benchmark-vectors.sqlite"))
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    conditions = setting()
    print(describe(conditions))
    result: dict[str, Any] = {"setting": conditions, "sets": {}}
    if chosen.large is not None:
        result["large"] = large(chosen.large)
        print({name: round(value, 2) for name, value in result["large"].items()})
        chosen.sets = []
    for name in chosen.sets:
        one = Setting(name, chosen.data, chosen.cache, chosen.pairs, chosen.seed)
        rows = measured(one, sorted(chosen.hits))
        print(
            f"\n{name}: {len(one.stored):,} documents, {len(one.questions):,} held-out questions, "
            f"{len(one.parts.pairs):,} pairs; the aligner's verdict: {one.aligner.report.verdict}"
        )
        header = ("way", "recall@1", "interval", "@10", "over the aligner", "over all again", "")
        print(table(header, [_line(row) for row in rows]))
        found: dict[str, Any] = {"rows": rows}
        if chosen.time:
            found["milliseconds"] = timed(one, max(chosen.hits))
            print({name: round(value, 1) for name, value in found["milliseconds"].items()})
        result["sets"][name] = found
    write(result, chosen.out)


def _line(row: dict[str, Any]) -> list[str]:
    low, high = row["interval"]
    tests = [
        f"{difference:+.3f} (p={p:.3f})"
        for difference, p in (row["against_aligner"], row["against_again"])
    ]
    recall = [f"{row['recall@1']:.3f}", f"{low:.3f} to {high:.3f}", f"{row['recall@10']:.3f}"]
    return [row["way"], *recall, *tests, row["note"]]


if __name__ == "__main__":
    main()
