"""Learn a router from pairs: least squares on n-grams, calibrated on held-out texts.

Every text is scored by a classifier that has not seen its group; without groups, none of the rows
that share its text. Platt scaling turns these scores into log-odds. They also give the report and
the threshold. The router itself is fitted on all texts. A text of several rows counts once, and
both sides have the same weight, however many different texts they have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.arguments import checked_seed
from ..data.pairs import Pairs, check_pairs
from ..data.splits import folds
from ..errors import DataError, FitError
from ..types import SIDES
from ..vectors import Float32Array, Float64Array, drawn
from .classifier import BucketRows, platt, ridge_classifier
from .routing_report import MAX_UNSURE, WANTED_ERROR, RoutingReport
from .text_features import CLASSIFIER_BUCKETS, SEEN_BUCKETS, TextFeatures, features_of

_REG = 1.0
_MAX_PAIRS, _MIN_PAIRS, _FOLDS = 2000, 10, 5
_UNFAMILIAR = 0.005
"""Share of the held-out texts that may get no answer because too few of their n-grams were seen."""
_FAMILIAR = 0.5
"""A text with this share of seen n-grams is familiar. With few pairs, a new topic would not be; but
it still has a modality."""


class _Texts(NamedTuple):
    """The different texts of both sides.

    Attributes:
        features: of each of the n texts.
        y: (n,) labels, 1 for source and -1 for target.
        weights: (n,) of each text; those of a side sum to n / 2.
        folds: (n,) number of the fold in which a text is held out.
    """

    features: list[TextFeatures]
    y: Float64Array
    weights: Float64Array
    folds: NDArray[np.intp]


class LearnedParts(NamedTuple):
    """The fields of a :class:`kakehashi.routing.router.Router`, as documented there."""

    weights: Float32Array
    intercept: float
    known: NDArray[np.uint8]
    least_known: float
    report: RoutingReport


def learn_router(pairs: Pairs, seed: int) -> LearnedParts:
    """Learn the fields of a router; see :meth:`kakehashi.routing.router.Router.fit`."""
    check_pairs(pairs)
    seed = checked_seed(seed)
    for side in SIDES:
        if pairs.texts(side) is None:
            raise DataError(
                f"The {side} side has vectors only, and a router reads texts; pass "
                f"Pairs({side}_texts=...)."
            )
    pairs = pairs.select(drawn(len(pairs), _MAX_PAIRS, seed))
    if len(pairs) < _MIN_PAIRS:
        raise FitError(
            f"{len(pairs)} pair(s) cannot teach a router; give at least {_MIN_PAIRS}, or use "
            "ScriptRouter where the modalities are written in different scripts."
        )
    texts = _different_texts(pairs, seed)
    x = BucketRows([f.buckets for f in texts.features], CLASSIFIER_BUCKETS)
    scores, seen_shares = _cross_fit(x, texts)
    slope, offset = platt(scores, texts.y, texts.weights)
    if slope <= 0:  # held-out scores say nothing about the side, and so will the router
        slope = offset = 0.0
    has_letter = np.array([f.has_letter for f in texts.features])
    least_known = _least_seen_share(seen_shares[has_letter])
    familiar = has_letter & (seen_shares >= least_known)
    report = report_on(
        slope * scores + offset, familiar, texts.y, texts.weights, n_pairs=len(pairs)
    )
    weights, intercept = ridge_classifier(x, texts.y, texts.weights, reg=_REG)
    return LearnedParts(
        (slope * weights).astype(np.float32),
        slope * intercept + offset,
        np.packbits(_count_texts(texts.features) > 0),
        least_known,
        report,
    )


def _different_texts(pairs: Pairs, seed: int) -> _Texts:
    splits = folds(pairs, _FOLDS, seed=seed)
    if len(splits) < 2:
        raise FitError(
            f"All {len(pairs)} pairs are linked by texts that they share, so that none can be held "
            "out; give pairs of more texts, or groups."
        )
    fold_of_row = np.empty(len(pairs), np.intp)
    for number, split in enumerate(splits):
        fold_of_row[split.held_out] = number
    features: list[TextFeatures] = []
    labels, fold_numbers = [], []
    for side, label in zip(SIDES, (1.0, -1.0), strict=True):
        first_rows = np.sort(np.unique(pairs.keys(side), return_index=True)[1])
        texts = pairs.texts(side) or ()
        features += [features_of(texts[row]) for row in first_rows]
        labels.append(np.full(len(first_rows), label))
        fold_numbers.append(fold_of_row[first_rows])
    y, n = np.concatenate(labels), len(features)
    weights = np.where(y > 0, n / (2 * (y > 0).sum()), n / (2 * (y < 0).sum()))
    return _Texts(features, y, weights, np.concatenate(fold_numbers))


def _cross_fit(x: BucketRows, texts: _Texts) -> tuple[Float64Array, Float64Array]:
    """Score each text by a classifier of the other folds.

    Returns:
        (n,) scores, and the (n,) share of each text's unigrams and bigrams that occur in the other
        folds; 0 for a text without a letter.
    """
    n = len(texts.features)
    scores, seen_shares = np.empty(n), np.empty(n)
    counts = _count_texts(texts.features)
    for fold in np.unique(texts.folds):
        held_out = texts.folds == fold
        weights, intercept = ridge_classifier(x, texts.y, texts.weights * ~held_out, reg=_REG)
        scores[held_out] = x.times(weights)[held_out] + intercept
        in_fold = [texts.features[row] for row in np.flatnonzero(held_out)]
        seen = counts > _count_texts(in_fold)
        seen_shares[held_out] = [
            seen[f.short_buckets].mean() if f.has_letter else 0 for f in in_fold
        ]
    return scores, seen_shares


def _count_texts(features: Sequence[TextFeatures]) -> NDArray[np.intp]:
    """Return in how many texts each bucket of unigrams and bigrams occurs."""
    buckets = [np.empty(0, np.intp), *(f.short_buckets for f in features)]
    return np.bincount(np.concatenate(buckets), minlength=SEEN_BUCKETS)


def _least_seen_share(seen_shares: Float64Array) -> float:
    """Return the share of seen n-grams below which a text gets no answer."""
    if not len(seen_shares):
        return 0.0
    return min(float(np.quantile(seen_shares, _UNFAMILIAR, method="lower")), _FAMILIAR)


def report_on(
    log_odds: Float64Array,
    familiar: NDArray[np.bool_],
    y: Float64Array,
    weights: Float64Array,
    *,
    n_pairs: int,
) -> RoutingReport:
    """Choose the threshold, and report the errors on n held-out texts.

    Args:
        log_odds: (n,) of each text.
        familiar: (n,) whether enough of its n-grams were seen in training.
        y: (n,) labels, 1 or -1.
        weights: (n,) of each text.
    """
    shares = weights / weights.sum()
    wrong = log_odds * y <= 0
    certainty = np.where(familiar, np.abs(log_odds), 0.0)
    order = np.argsort(certainty, kind="stable")[::-1]
    # Share of all texts, and of wrong answers, among the most certain texts: 0, 1, 2, ... of them.
    answered = np.concatenate([[0.0], np.cumsum(shares[order])])
    mistaken = np.concatenate([[0.0], np.cumsum((shares * wrong)[order])])
    thresholds = np.unique(np.concatenate([[0.0], certainty]))
    n_answered = np.searchsorted(-certainty[order], -thresholds, side="left")
    error_rates = mistaken[n_answered] / np.maximum(answered[n_answered], 1e-12)
    allowed = 1 - answered[n_answered] <= MAX_UNSURE + 1e-9
    good = allowed & (error_rates <= WANTED_ERROR)
    chosen = 0
    if good.any():
        chosen = int(np.argmax(good))
    elif allowed.any():
        chosen = int(np.argmin(np.where(allowed, error_rates, np.inf)))
    source_error, target_error = (float(wrong[y == label].mean()) for label in (1, -1))
    return RoutingReport(
        n_pairs=n_pairs,
        error=(source_error + target_error) / 2,
        source_as_target=source_error,
        target_as_source=target_error,
        error_answered=float(error_rates[chosen]),
        unsure=float(max(0.0, 1 - answered[n_answered[chosen]])),
        threshold=float(thresholds[chosen]),
    )
