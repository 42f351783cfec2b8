"""What mixed.py asks in French: a bridge of two aligners, and where it routes each language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mixed_corpus import Corpus, Fits
from mixed_search import Again, Asking, Index, Projected, Questions, Scores, measured, tops_of

from kakehashi import MultiAligner
from kakehashi.retrieval.calibration import Calibration


def french(
    corpus: Corpus,
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
        again: Again | None = None,
    ) -> None:
        of_french = {"fr": queries}
        for how, tops in tops_of([asking], of_french, documents, hows, calibration, again).items():
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
            bridge = MultiAligner({"ja": japanese.aligner, "fr": asks.aligner}, "en")
            matrix = np.concatenate([japanese("en", "document"), japanese("ja", "document")])
            row = f"{source} -> {target} keep{name}"
            queries, again = asks("fr", "query"), japanese.rescored(bridge, {"fr": asks})
            add(row, queries, matrix, ("one list", "rank", "rank + words evenly"), again=again)
            if bridge.calibration is not None:  # of few training rows there is none
                learned = ("rank + words", "calibrated", "+ words")
                add(row, queries, matrix, learned, bridge.calibration, again)
            if not name:
                for language in texts:
                    where = bridge.route(texts[language])
                    wrong = [name not in (None, language) for name in where]
                    routed[language] = {
                        "wrong": float(np.mean(wrong)),
                        "unsure": where.count(None) / len(where),
                    }
    return found, routed
