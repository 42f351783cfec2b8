"""What falling back to the target encoder does to questions in and out of the aligner's domain.

Aligners fitted on the training rows of pydocs_en_ja_fr (Japanese to English, the first seed) are
asked its test rows, the first 500 rows of other sets of Japanese questions with English answers,
and the English test texts taken for Japanese by mistake, each of which looks for itself. By every
policy a question goes through the map, or to the target encoder alone where its similarity to the
training questions (`aligner.serving.domain`) is below a threshold: the one that the fit learned,
mostly none, or the 1%, 5% or 20% quantile of the test rows' similarities. The pool is the
targets of the set; ties count against the question. A fit learns to apply a threshold to routed
questions alone, and every question here counts as routed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mixed_corpus import Corpus, Encoded, Fits
from setting import table

from kakehashi import Aligner
from kakehashi.data.hashing import numbered
from kakehashi.metrics.statistics import bootstrap
from kakehashi.vectors import unit_rows

ELSEWHERE = ("kicad_ja_en", "tldr_ja_en", "tatoeba_ja_en")
N = 500
QUANTILES = (0.01, 0.05, 0.2)
IN, MISREAD = "in domain", "English taken for Japanese"
ALWAYS = ("map", "target encoder alone")
MODES: Any = ("keep", "shared")


def measure(
    data: Path, corpus: Corpus, encoded: Encoded, fits: Fits, args: Any
) -> list[dict[str, Any]]:
    """Measure every policy on every set, for each pair of encoders whose spaces differ or not."""
    train, test = corpus.split(args.seeds[0])
    english, japanese = ([corpus.texts[x][int(i)] for i in test] for x in ("en", "ja"))
    groups = corpus.clusters(test)
    sets = {IN: (japanese, english, groups), MISREAD: (english, english, groups)}
    for name in ELSEWHERE:
        path = data / f"{name}.jsonl"
        if path.exists():
            lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line][:N]
            rows = [json.loads(line) for line in lines]
            sets[name] = (
                [r["source"] for r in rows],
                [r["target"] for r in rows],
                numbered([r["group"] for r in rows]),
            )
    found = []
    for both in args.encoders:
        source, target = both.split(":")
        for mode in MODES:
            aligner = fits(train, source, target, mode, "ja")
            domain = aligner.serving.domain
            assert domain is not None
            held = domain.similarity(encoded(source, japanese))
            thresholds = {"learned threshold": domain.threshold} | {
                f"{q:.0%} quantile": float(np.quantile(held, q)) for q in QUANTILES
            }
            for name, (asked, answers, groups) in sets.items():
                vectors = {e: encoded(e, asked) for e in (source, target)}
                ranks = by_map_and_alone(
                    aligner,
                    asked,
                    answers,
                    vectors[source],
                    vectors[target],
                    encoded(target, answers),
                )
                row = {"aligner": f"{source} -> {target} {mode}", "set": name}
                row |= policies(ranks, domain.similarity(vectors[source]), thresholds, groups)
                found.append(row)
    return found


def by_map_and_alone(
    aligner: Aligner,
    asked: Sequence[str],
    answers: Sequence[str],
    as_source: np.ndarray,
    as_target: np.ndarray,
    documents: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rank of each answer, through the map and by the target encoder alone."""
    y = _projected(aligner, documents, answers, "target", "document")
    return (
        _ranks(_projected(aligner, as_source, asked, "source", "query"), y),
        _ranks(_projected(aligner, as_target, asked, "target", "query"), y),
    )


def policies(
    ranks: tuple[np.ndarray, np.ndarray],
    similarity: np.ndarray,
    thresholds: Mapping[str, float | None],
    groups: np.ndarray,
) -> dict[str, Any]:
    """Return recall@1, MRR and the share that falls back, of each policy."""
    mapped, alone = ranks
    clusters = np.unique(groups, return_inverse=True)[1]
    falls = {"map": np.zeros(len(mapped), bool), "target encoder alone": np.ones(len(mapped), bool)}
    falls |= {
        name: np.zeros(len(mapped), bool) if t is None else similarity < t
        for name, t in thresholds.items()
    }
    found = {}
    for name, fall in falls.items():
        rank = np.where(fall, alone, mapped)
        metrics = {"recall@1": (rank == 1).astype(float), "mrr": 1 / rank}
        found[name] = {
            "falls_back": float(fall.mean()),
            **{metric: float(values.mean()) for metric, values in metrics.items()},
            "intervals": bootstrap(metrics, clusters=clusters, seed=0),
        }
    return {"n": len(mapped), "thresholds": dict(thresholds), "policies": found}


def _projected(aligner: Aligner, x: np.ndarray, texts: Any, side: Any, role: Any) -> np.ndarray:
    return unit_rows(aligner.project(x, texts=list(texts), modality=side, role=role))


def _ranks(queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
    scores = queries @ documents.T
    own = np.diagonal(scores)[:, None]
    found: np.ndarray = np.maximum(1, (scores >= own - 1e-6).sum(axis=1))
    return found


def show(found: Sequence[Mapping[str, Any]]) -> str:
    """Return one table: recall@1, MRR and the share that falls back."""
    names = list(found[0]["policies"])
    lines = []
    for row in found:
        cells = []
        for name in names:
            policy = row["policies"][name]
            share = (
                f" ({policy['falls_back']:.0%})" if "alone" not in name and name != "map" else ""
            )
            cells.append(f"{policy['recall@1']:.3f} {policy['mrr']:.3f}{share}")
        lines.append([row["aligner"], f"{row['set']} ({row['n']})", *cells])
    return "recall@1, MRR (share that falls back)\n\n" + table(
        ["aligner", "questions", *names], lines
    )
