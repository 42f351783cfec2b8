"""Measure how well a router tells source texts from target texts.

    python benchmarks/routing.py DATA [--names ...] [--seeds 3] [--sizes 200 0] [--out result.json]

DATA/NAME.jsonl holds one object a line: `source`, `target`, perhaps `group`; files without both
sides are passed over. For each seed a fifth of the pairs, by group, judges, rows that share a text
with it are left out, and `Router` is fitted on 200 of the others and on all (of which it reads
2,000 at most). Means over the seeds:

- source read as target, and the other way round, where every text has to be answered;
- undecided texts, and the wrong ones among the answers;
- promised: the error among the answers that the router's own report foretells;
- seconds of the fit, milliseconds of `route` for 1,000 texts;
- strangers answered: of the target texts in letters of another script (Latin ones become Cyrillic,
  Japanese ones Hangul), the share that is not left undecided.

The same least squares is also fitted on n-grams and MiniLM's vectors side by side, and on the
vectors alone (the sign of the score answers every text, without the logistic that moves its zero;
at most 1,000 pairs).
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
from datasets import DataSet, chosen
from setting import describe, setting, table, write

from kakehashi import Pairs
from kakehashi.data.duplicates import find_leaks
from kakehashi.data.splits import hold_out
from kakehashi.routing.classifier import BucketRows, ridge_classifier
from kakehashi.routing.router import Router
from kakehashi.routing.text_features import features_of
from kakehashi.types import SIDES

TEST_SHARE = 0.2
WITH_VECTORS = 1000
BUCKETS = 2**14
VARIANTS = ("n-grams", "with vectors", "vectors")


def main() -> None:
    """Judge every set at every size; print a table of both measurements."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--names", nargs="+", help="data sets; all by default")
    parser.add_argument("--sizes", type=int, nargs="+", default=[200, 0], help="0: all pairs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=Path("vectors.sqlite"))
    parser.add_argument("--out", type=Path, metavar="JSON")
    args = parser.parse_args()
    found = setting()
    runs: list[dict[str, Any]] = []
    names = args.names or sorted({data_set.name for data_set in chosen(args.data, ["all"])})
    for name in names:
        pairs = DataSet(name, "minilm", "minilm").load(args.data, args.cache)
        for size in args.sizes:
            several = [one(pairs, size, seed) for seed in range(args.seeds)]
            mean = {k: float(np.mean([run[k] for run in several])) for k in several[0]}
            runs.append({"name": name, "size": size or "all", **mean})
            print(runs[-1], file=sys.stderr)
    print(f"{describe(found)}\n\n{args.seeds} seeds\n\n{show(runs)}\n\n{show_vectors(runs)}")
    write({"setting": found, "seeds": args.seeds, "runs": runs}, args.out)


def one(pairs: Pairs, size: int, seed: int) -> dict[str, float]:
    """Fit on some pairs, and judge on a fifth of all."""
    split = hold_out(pairs, TEST_SHARE, seed=seed)
    test = pairs.select(split.held_out)
    texts_only = [Pairs(p.source_texts, p.target_texts) for p in (pairs.select(split.kept), test)]
    left = np.delete(split.kept, find_leaks(*texts_only))
    left = np.random.default_rng(seed).permutation(left)
    train = pairs.select(left[: size or len(left)])
    begun = time.process_time()
    router = Router.fit(train, seed=seed)
    fitted = time.process_time() - begun
    texts = [*texts_of(test, 0), *texts_of(test, 1)]
    begun = time.process_time()
    answers = router.route(texts)
    seconds = time.process_time() - begun
    source = np.arange(len(texts)) < len(test)
    says_source = router.log_odds(texts) > 0
    answered = np.array([answer is not None for answer in answers])
    expected = ["source"] * len(test) + ["target"] * len(test)
    wrong = answered & [a != e for a, e in zip(answers, expected, strict=True)]
    strangers = [text.lower().translate(OTHER_SCRIPT) for text in texts_of(test, 1)]
    return {
        "pairs": router.report.n_pairs,
        "source as target": float((~says_source[source]).mean()),
        "target as source": float(says_source[~source].mean()),
        "undecided": float(1 - answered.mean()),
        "wrong answers": float(wrong.sum() / max(answered.sum(), 1)),
        "promised": router.report.error_answered,
        "strangers answered": float(np.mean([a is not None for a in router.route(strangers)])),
        "fit seconds": fitted,
        "ms per 1,000": 1e6 * seconds / len(texts),
        **with_vectors(train, test),
    }


OTHER_SCRIPT = {
    **{ord("a") + i: chr(ord("а") + i) for i in range(26)},
    **{code: chr(0xAC00 + code % 11000) for code in range(0x3041, 0xA000)},
}


def texts_of(pairs: Pairs, side: int) -> tuple[str, ...]:
    """Return the texts of the first or the second side."""
    return pairs.texts(SIDES[side]) or ()


class Beside:
    """N-grams with dense columns beside them, as a matrix of least squares."""

    def __init__(self, ngrams: BucketRows, dense: Any, weight: float) -> None:
        """Take the n-grams times ``weight``, and the dense columns as they are."""
        self._ngrams, self._dense, self._weight = ngrams, dense, weight
        self.shape = ngrams.shape[0], ngrams.shape[1] + dense.shape[1]

    def times(self, w: Any) -> Any:
        """Return X w."""
        return self._weight * self._ngrams.times(w[:BUCKETS]) + self._dense @ w[BUCKETS:]

    def transposed_times(self, r: Any) -> Any:
        """Return X' r."""
        ngrams = self._weight * self._ngrams.transposed_times(r)
        return np.concatenate([ngrams, self._dense.T @ r])


def with_vectors(train: Pairs, test: Pairs) -> dict[str, float]:
    """Return the error of n-grams, of both side by side, and of vectors, on the same rows."""
    train = train.select(range(min(len(train), WITH_VECTORS)))
    ngrams, dense, labels = zip(*(columns(part) for part in (train, test)), strict=True)
    errors = {}
    for name, weight, kept in zip(VARIANTS, (1.0, 1.0, 0.0), (0.0, 1.0, 1.0), strict=True):
        fitted, judged = (Beside(n, kept * d, weight) for n, d in zip(ngrams, dense, strict=True))
        any_matrix: Any = fitted
        w, b = ridge_classifier(any_matrix, labels[0], np.ones(len(labels[0])), reg=1.0)
        errors[f"error, {name}"] = float(((judged.times(w) + b) * labels[1] <= 0).mean())
    return errors


def columns(pairs: Pairs) -> tuple[BucketRows, Any, Any]:
    """Return n-grams, vectors and labels of both sides, one below the other."""
    texts = [*texts_of(pairs, 0), *texts_of(pairs, 1)]
    rows = BucketRows([features_of(text).buckets for text in texts], BUCKETS)
    dense = np.concatenate([np.asarray(pairs.required_vectors(s), np.float64) for s in SIDES])
    return rows, dense, np.repeat([1.0, -1.0], len(pairs))


def show(runs: list[dict[str, Any]]) -> str:
    """Return a row for each set and size."""
    shares = ("source as target", "target as source", "undecided", "wrong answers", "promised")
    shares += ("strangers answered",)
    rows = [
        [
            run["name"],
            f"{run['pairs']:,.0f}",
            *(f"{run[name]:.3f}" for name in shares),
            f"{run['fit seconds']:.2f}",
            f"{run['ms per 1,000']:.0f}",
        ]
        for run in runs
    ]
    return table(["set", "pairs", *shares, "fit, s", "ms per 1,000 texts"], rows)


def show_vectors(runs: list[dict[str, Any]]) -> str:
    """Return what encoder vectors add."""
    names = [f"error, {name}" for name in VARIANTS]
    rows = [
        [run["name"], f"{min(run['pairs'], WITH_VECTORS):,.0f}", *(f"{run[n]:.3f}" for n in names)]
        for run in runs
    ]
    return table(["set", "pairs", *names], rows)


if __name__ == "__main__":
    main()
