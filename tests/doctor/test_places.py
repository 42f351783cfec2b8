"""Whose documents take the ten places, and what the remedies give."""

import numpy as np
import pytest

from kakehashi.doctor.places import Pool, Questions, own, places
from kakehashi.retrieval.calibration import Calibration
from kakehashi.retrieval.conditional_logit import ScoreWeights


def two_languages(gap, n=40, seed=0):
    """A pool of n meanings in two languages that lie a gap apart, and questions of both."""
    rng = np.random.default_rng(seed)
    meaning, apart = rng.standard_normal((n, 16)), rng.standard_normal(16)
    x = np.concatenate([meaning, meaning + gap * apart]) + 0.05 * rng.standard_normal((2 * n, 16))
    unit = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    modality = np.array(["en"] * n + ["ja"] * n)
    keys = [f"{m}{i}" for m in ("en", "ja") for i in range(n)]
    return Pool(unit, modality, keys), Questions(unit, modality, keys)


def test_languages_in_one_place_share_the_ten():
    pool, questions = two_languages(0.0)
    found = own(places(pool, questions))
    assert pool.shares() == {"en": 5.0, "ja": 5.0}
    assert all(3.5 < n < 6 for n in found.values())


def test_languages_apart_keep_the_ten_to_themselves_and_a_mean_vector_helps():
    pool, questions = two_languages(1.0)
    before, after = places(pool, questions), places(pool.less_means("en"), questions)
    assert own(before)["ja"] > 8
    assert own(after)["ja"] < 5
    assert own(after)["en"] < own(before)["en"] - 1
    assert sum(before["ja"].values()) == pytest.approx(10)


def test_a_question_does_not_find_its_own_document():
    pool, questions = two_languages(0.0, n=6)
    alone = Questions(questions.unit[:1], questions.modality[:1], questions.keys[:1])
    assert sum(places(pool, alone)["en"].values()) == 10  # of twelve, without its own
    copies = Pool(pool.unit, pool.modality, ["same"] * 11 + ["other"])
    one = Questions(questions.unit[:1], questions.modality[:1], ["same"])
    found = np.argsort(-np.where(np.array(copies.keys) == "same", -np.inf, 0))[0]
    assert copies.keys[int(found)] == "other"
    assert sum(places(copies, one)["en"].values()) == 10


def test_calibrated_scores_order_the_ten():
    pool, questions = two_languages(3.0)
    weights = {
        (asked, of): ScoreWeights(1.0, -1.0, 0.0, 10.0 * (asked != of))
        for asked in ("en", "ja")
        for of in ("en", "ja")
    }
    found = places(pool, questions, Calibration(weights, {}, 100))
    assert own(found) == {"en": 0.0, "ja": 0.0}  # the other language is ten points ahead
