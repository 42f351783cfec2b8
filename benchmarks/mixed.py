"""Measure search in one index of English and Japanese documents, asked in both, and in French.

    python benchmarks/mixed.py DATA [--seeds 0 1 2] [--encoders use:minilm ...] [--check 5]
                               [--latency] [--no-lists] [--cache vectors.sqlite]
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
"rank", "calibrated", and "+ words", calibrated with a BM25 arm, as the retrievers search and fuse
(mixed_search.py): where the aligner rescores, the first hits are ordered again, but not in "one
list". --check asks LangChain's
HybridRetriever over an InMemoryVectorStore a few questions of each language and row, and counts
those to which it gives the same ten documents in the same order.

Metrics: nDCG@10 of the one list; of each (question, document) pair of languages nDCG@10 within the
ten, the documents of the other language taken out of them (a condensed list: Sakai, Alternatives to
bpref, SIGIR 2007), recall@10, and nDCG@10 in the list as it is, where an answer in the other
language that comes first by right counts as a loss; the share of the other language among the
first ten, and among all answers. A question without answers in a language does
not count there. 95% intervals by bootstrap over groups; several seeds are pooled, and a group of
all of them is drawn together.

French questions look for the two translations of their paragraph (and nothing else is judged): by
a bridge of the French -> English and the Japanese -> English aligner in mode keep, in an index of
English documents as they are and Japanese ones projected. "Apart" is the same of two aligners that
share no training row, nor a row from which scores are learned to compare; "evenly" is fusion by
rank whose arms count 1 each. Last, all test texts of all three languages are routed.

--latency: what the wrapper costs (mixed_latency.py). --no-lists leaves out all of the above.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import datasets
import numpy as np
from mixed_corpus import Corpus, Encoded, Fits, Mode, neighbours
from mixed_french import french
from mixed_search import (
    ASKED,
    Asking,
    Index,
    Projected,
    Scores,
    agreement,
    measured,
    perfect,
    questions,
    tops_of,
)
from setting import describe, setting, table, write

from kakehashi.metrics.statistics import bootstrap

CORPUS = "pydocs_en_ja_fr"
ENCODERS = ("use:minilm", "minilm:minilm", "use:use")
MODES: tuple[Mode, ...] = ("keep", "shared")
JAPANESE = {"parallel": None, "disjoint, 50% Japanese": 0.5, "disjoint, 20% Japanese": 0.2}
PAIRS = [f"{q}-{d}" for q in ASKED for d in ASKED]
PERFECT = "a perfect list"
FUSED = ("one list", "rank", "calibrated", "+ words")


def main() -> None:
    """Measure what is asked for; print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the split; pooled")
    parser.add_argument("--encoders", nargs="+", default=ENCODERS, help="source:target")
    parser.add_argument("--check", type=int, default=0, help="questions asked of the retriever")
    parser.add_argument("--latency", action="store_true", help="also what the wrapper costs")
    parser.add_argument("--no-lists", action="store_true", help="only what --latency asks")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10000], help="of --latency")
    parser.add_argument("--cache", type=Path, help="keeps encoded vectors between runs")
    parser.add_argument("--fits", type=Path, metavar="FOLDER", help="keeps aligners between runs")
    parser.add_argument("--out", type=Path, metavar="JSON")
    args = parser.parse_args()
    found = setting()
    corpus = Corpus.read(args.data / f"{CORPUS}.jsonl")
    names = sorted({name for both in args.encoders for name in both.split(":")})
    encoders = {name: datasets.encoder(name) for name in names}
    judge = None if args.no_lists else datasets.judge()
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
            again = projected.rescored(aligner, dict.fromkeys(ASKED, projected))
            for index_name, index in indexes.items():
                fused = FUSED, aligner.calibration, again
                every = tops_of(asking[index_name], x, matrix, *fused)
                for how, tops in every.items():
                    row = f"{source} -> {target} {mode}, {how}"
                    found[index_name][row] = measured(asked, tops, index)
                    if args.check and index_name == "parallel" and how != "one list":
                        same[row] = agreement(aligner, projected, asked, tops, how, args.check)
    found["French"], routed = french(corpus, fits, train, texts, vectors, args)
    return {
        "n_train": len(train),
        "n_test": n,
        "clusters": corpus.clusters(test),
        "fits": [f"seed {seed}: {', '.join(fitted)}"],
        "same_as_retriever": same,
        "routed": routed,
        "scores": found,
    }


def pooled(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Join the questions of all seeds, and summarise each row."""
    clusters = np.concatenate([run["clusters"] for run in runs])
    rows: dict[str, dict[str, Any]] = {}
    for index in runs[0]["scores"]:
        rows[index] = {}
        for row in runs[0]["scores"][index]:
            several = [run["scores"][index][row] for run in runs]
            joined = {m: np.concatenate([scores[m] for scores in several]) for m in several[0]}
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
    pairs = [found[f"within {pair}"]["mean"] for pair in PAIRS if f"within {pair}" in found]
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


def show(result: Mapping[str, Any]) -> str:
    """Return a table of each index, and one of French questions."""
    parts = []
    for index, rows in result["rows"].items():
        if index == "French":
            continue
        lines = []
        for name, row in rows.items():
            cells = [name, _with_range(row["ndcg"])]
            cells += [f"{row[f'within {pair}']['mean']:.3f}" for pair in PAIRS]
            for metric in ("recall", "ndcg"):
                cells += [" ".join(f"{row[f'{metric} {pair}']['mean']:.3f}" for pair in PAIRS)]
            cells += [f"{row[f'share {language}']['mean']:.2f}" for language in ASKED]
            lines.append(cells)
        true = next(iter(rows.values()))
        shares = [f"other's share {x} (true {true[f'true share {x}']:.2f})" for x in ASKED]
        both = [f"{metric} {' '.join(PAIRS)}" for metric in ("recall@10", "in the list")]
        header = [index, "nDCG@10", *(f"within {pair}" for pair in PAIRS), *both, *shares]
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


if __name__ == "__main__":
    main()
