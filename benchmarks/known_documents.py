"""Measure NUDGE where it applies: later queries ask for documents that earlier ones asked for.

    python benchmarks/known_documents.py DATA OUT [--documents 1500] [--seeds 3]

DATA/pydocs_en_ja_fr.jsonl holds a paragraph in three languages (`en`, `ja`, `fr`) and its `group`.
The store holds the English paragraphs, encoded by MiniLM as all else. Two thirds of them, whole
groups at a time, are known: their Japanese versions are the training queries. A fifth of the known
ones give French validation queries. The test queries are the French versions of all others, the
known and the new apart; the pool is the whole store.

NUDGE-M and NUDGE-N (peers/nudge.py) move the known documents. kakehashi carries the queries, by a
map fitted either on the Japanese training pairs, which are not what is asked later, or on the few
French validation pairs; its own validation and test parts are split off there. Scores are inner
products.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
from datasets import encoder, texts_of
from protocol import Clock, run_script
from setting import describe, setting, table, write

import kakehashi
from kakehashi import Pairs
from kakehashi.data.splits import hold_out
from kakehashi.encoders.cache import encode_texts
from kakehashi.metrics.ranking import ranks
from kakehashi.metrics.relevance import Relevance
from kakehashi.metrics.statistics import bootstrap
from kakehashi.vectors import unit_rows

NEW_SHARE, VALIDATION_SHARE = 1 / 3, 0.2
LANGUAGES = ("en", "ja", "fr")
PEER = Path(__file__).parent / "peers" / "nudge.py"


def main() -> None:
    """Run every system on every seed; print recall@1 of known and of new documents."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--documents", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    found = setting()
    args.out.mkdir(parents=True, exist_ok=True)
    fields = texts_of(args.data / "pydocs_en_ja_fr.jsonl", (*LANGUAGES, "group"))
    texts = {name: values[: args.documents] for name, values in fields.items()}
    groups = texts.pop("group")
    cache, minilm = args.out / "vectors.sqlite", encoder("minilm")
    vectors = {
        language: encode_texts(minilm, texts[language], role, cache=cache)
        for language, role in zip(LANGUAGES, ("document", "query", "query"), strict=True)
    }
    asked = Pairs(texts["fr"], texts["en"], groups=groups)
    hits: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    seconds: dict[str, list[float]] = defaultdict(list)
    for seed in range(args.seeds):
        split = hold_out(asked, NEW_SHARE, seed=seed)
        valid = hold_out(asked, VALIDATION_SHARE, seed=seed + 1, rows=split.kept).held_out
        tested = {"known": np.setdiff1d(split.kept, valid), "new": split.held_out}
        for system, (queries, documents, cpu) in measure(
            vectors, texts, groups, split, valid, seed
        ):
            seconds[system].append(cpu)
            first = ranks(queries, documents, "ip", relevance=Relevance.of(asked)) == 1
            for kind, rows in tested.items():
                hits[system][kind].append((first[rows], [groups[i] for i in rows]))
    result = {
        system: {kind: summary(seeds) for kind, seeds in kinds.items()}
        | {"train_cpu_seconds": float(np.median(seconds[system]))}
        for system, kinds in hits.items()
    }
    rows = [
        [system, _shown(row["known"]), _shown(row["new"]), f"{row['train_cpu_seconds']:.1f} s"]
        for system, row in result.items()
    ]
    header = ["system", "known documents", "new documents", "training"]
    text = f"{describe(found)}\n\n{table(header, rows)}"
    (args.out / "known_documents.md").write_text(text + "\n", encoding="utf-8")
    write({"setting": found, "systems": result}, args.out / "known_documents.json")
    print(text)


def measure(
    vectors: dict[str, Any],
    texts: dict[str, list[str]],
    groups: list[str],
    split: Any,
    valid: Any,
    seed: int,
) -> list[tuple[str, tuple[Any, Any, float]]]:
    """Return (system, (all French queries, all documents, CPU seconds))."""
    english, japanese, french = (unit_rows(vectors[language]) for language in LANGUAGES)
    known = split.kept
    arrays = {
        "train_source": japanese[known],
        "train_target": english[known],
        "valid_source": french[valid],
        "valid_target": english[valid],
        "test_source": french,
        "test_target": english,
    }
    found = [("untouched", (french, english, 0.0))]
    found += [(f"NUDGE-{v.upper()}", nudge(arrays, v)) for v in ("m", "n")]
    for language, rows in (("ja", known), ("fr", valid)):
        pairs = Pairs(
            [texts[language][i] for i in rows],
            [texts["en"][i] for i in rows],
            source_vectors=unit_rows(vectors[language])[rows],
            target_vectors=english[rows],
            groups=[groups[i] for i in rows],
        )
        for mode in ("keep", "shared"):
            with Clock() as clock:
                aligner = kakehashi.fit(pairs, mode=mode, seed=seed)  # type: ignore[arg-type]
            queries = aligner.project(french, modality="source", role="query")
            documents = aligner.project(english, modality="target", role="document")
            name = f"kakehashi {mode}, {language}-en pairs"
            found.append((name, (queries, documents, clock.cpu_seconds)))
    return found


def nudge(arrays: dict[str, Any], variant: str) -> tuple[Any, Any, float]:
    """Run the peer."""
    result, queries, documents = run_script(sys.executable, PEER, arrays, ["--variant", variant])
    return queries, documents, result["train_cpu_seconds"]


def summary(seeds: list[tuple[Any, list[str]]]) -> dict[str, Any]:
    """Return recall@1 over the queries of all seeds, and its interval over whole groups."""
    hits = np.concatenate([hit for hit, _ in seeds]).astype(np.float64)
    groups = [group for _, of_seed in seeds for group in of_seed]
    clusters = np.unique(groups, return_inverse=True)[1]
    interval = bootstrap({"recall@1": hits}, clusters=clusters, seed=0)["recall@1"]
    return {"recall@1": float(hits.mean()), "interval": interval, "queries": len(hits)}


def _shown(row: dict[str, Any]) -> str:
    low, high = row["interval"]
    return f"{row['recall@1']:.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
