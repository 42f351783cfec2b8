"""Choosing what to pair next: the design itself, and what is never chosen."""

import numpy as np
import pytest
from support.toy_data import hashed_letters, two_views

import kakehashi
from kakehashi.pairing.active_selection import greedy


@pytest.fixture(scope="module")
def x():
    return two_views(120)[0]


class Prompted:
    """An encoder that sees a query otherwise than a document."""

    name = "prompted"

    def encode(self, texts, role="document"):
        return hashed_letters([text[::-1] if role == "query" else text for text in texts])


def worth(x, known, covariance, strength):
    """Return what each row lowers the mean variance of all by, from the matrices themselves."""

    def mean_variance(rows):
        a = strength * np.eye(x.shape[1]) + rows.T @ rows
        return np.trace(np.linalg.inv(a) @ covariance)

    before = mean_variance(known)
    return np.array([before - mean_variance(np.vstack([known, row])) for row in x])


def test_every_step_is_the_best_that_the_matrices_allow(x):
    x = x[:40, :6].astype(np.float64)
    known, covariance = x[30:33], x.T @ x / len(x)
    chosen = greedy(x[:30], known, covariance, 12, strength=0.05)
    assert len(set(chosen)) == 12
    for step, row in enumerate(chosen):
        left = np.setdiff1d(np.arange(30), chosen[:step])
        gains = worth(x[left], np.vstack([known, x[chosen[:step]]]), covariance, 0.05)
        assert left[gains.argmax()] == row


def test_rounding_does_not_build_up(x):
    rows = two_views(1500)[0].astype(np.float64)
    covariance = rows.T @ rows / len(rows)
    chosen = greedy(rows, rows[:0], covariance, 1000, strength=1e-3)
    assert len(set(chosen)) == 1000
    left = np.setdiff1d(np.arange(1500), chosen[:-1])
    gains = worth(rows[left], rows[chosen[:-1]], covariance, 1e-3)
    assert gains[left == chosen[-1]] == pytest.approx(gains.max(), rel=1e-6)


def test_the_choice_is_unique_in_range_and_the_same_for_a_seed(x):
    chosen = kakehashi.pairing.select_for_pairing(x, 50)
    assert chosen.shape == (50,)
    assert len(set(chosen)) == 50
    assert 0 <= chosen.min() <= chosen.max() < len(x)
    assert np.array_equal(chosen, kakehashi.pairing.select_for_pairing(x, 50))
    assert np.array_equal(chosen[:20], kakehashi.pairing.select_for_pairing(x, 20))
    halves = kakehashi.pairing.select_for_pairing(x.astype(np.float64), 50)
    assert np.array_equal(chosen, halves)


def test_what_stands_twice_is_chosen_once_and_what_is_paired_never(x):
    twice = np.concatenate([x, x])
    assert len(set(kakehashi.pairing.select_for_pairing(twice, 120) % 120)) == 120
    paired = kakehashi.Pairs(source_vectors=x[10:40].astype(np.float16), target_vectors=x[10:40])
    chosen = kakehashi.pairing.select_for_pairing(x, 90, pairs=paired)
    assert sorted(chosen) == [*range(10), *range(40, 120)]
    with pytest.raises(kakehashi.KakehashiError, match=r"k=91: of the 120 .* from 1 to 90"):
        kakehashi.pairing.select_for_pairing(x, 91, pairs=paired)


def test_what_is_paired_is_not_asked_for_again():
    rng = np.random.default_rng(0)
    about = np.repeat(np.eye(8), 20, axis=0) + 0.05 * rng.standard_normal((160, 8))
    paired = kakehashi.Pairs(source_vectors=about[:80], target_vectors=about[:80])
    assert set(kakehashi.pairing.select_for_pairing(about, 8) // 20) == set(range(8))
    assert set(kakehashi.pairing.select_for_pairing(about[60:], 4, pairs=paired) // 20) == {
        1,
        2,
        3,
        4,
    }


def test_texts_are_encoded_as_queries_and_compared_as_texts():
    texts = [f"{word} {n}" for word in ("pump", "valve", "seal") for n in range(10)]
    paired = kakehashi.Pairs(texts[:20], texts[:20])
    encoder = Prompted()
    chosen = kakehashi.pairing.select_for_pairing(texts, 5, encoder=encoder)
    beside = kakehashi.pairing.select_for_pairing(texts, 5, pairs=paired, encoder=encoder)
    for role in ("query", "document"):
        vectors = encoder.encode(texts, role)
        known = kakehashi.Pairs(source_vectors=vectors[:20], target_vectors=vectors[:20])
        of_role = kakehashi.pairing.select_for_pairing(vectors, 5)
        of_rest = kakehashi.pairing.select_for_pairing(vectors, 5, pairs=known)
        assert np.array_equal(chosen, of_role) is (role == "query")
        assert np.array_equal(beside, of_rest) is (role == "query")
    rest = kakehashi.pairing.select_for_pairing(texts, 10, pairs=paired, encoder=encoder)
    assert sorted(rest) == list(range(20, 30))


def test_what_can_be_read_but_once_is_listed_first(x):
    texts = [f"{word} {n}" for word in ("pump", "valve", "seal") for n in range(10)]
    chosen = kakehashi.pairing.select_for_pairing((t for t in texts), 5, encoder=hashed_letters)
    assert np.array_equal(
        chosen, kakehashi.pairing.select_for_pairing(texts, 5, encoder=hashed_letters)
    )
    assert np.array_equal(
        kakehashi.pairing.select_for_pairing(iter(x), 5), kakehashi.pairing.select_for_pairing(x, 5)
    )


def test_more_texts_than_candidates(x, monkeypatch):
    monkeypatch.setattr("kakehashi.pairing.active_selection._CANDIDATES", 30)
    chosen = kakehashi.pairing.select_for_pairing(x, 10)
    assert len(set(chosen)) == 10
    assert set(chosen) != set(kakehashi.pairing.select_for_pairing(x, 10, seed=1))
    assert len(set(kakehashi.pairing.select_for_pairing(x, 100))) == 100


@pytest.mark.parametrize("k", [0, -1, 121, 2.0, True, None])
def test_a_k_that_cannot_be_is_refused(x, k):
    with pytest.raises(kakehashi.KakehashiError, match=f"k={k!r}: .* from 1 to 120"):
        kakehashi.pairing.select_for_pairing(x, k)


@pytest.mark.parametrize("seed", [-1, 0.5, None])
def test_a_seed_that_cannot_be_is_refused(x, seed):
    with pytest.raises(kakehashi.KakehashiError, match=f"seed={seed!r}: choose a whole number"):
        kakehashi.pairing.select_for_pairing(x, 2, seed=seed)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("one text", "one string"),
        (["a", "b"], "pass encoder="),
        ([], "no unlabelled texts"),
        (iter(()), "no unlabelled texts"),
        ({"a", "b"}, "got set, in which no position .* pass a list"),
        ({"a": 1}, "got dict, in which"),
        (5, "got int, in which"),
        (np.zeros((4, 3)), "row 0 is all zeros"),
        (np.ones(4), "expected a matrix"),
    ],
)
def test_what_cannot_be_chosen_from_is_refused(given, message):
    with pytest.raises(kakehashi.KakehashiError, match=message):
        kakehashi.pairing.select_for_pairing(given, 1)


def test_pairs_of_another_space_are_refused(x):
    other = kakehashi.Pairs(source_vectors=x[:, :9], target_vectors=x)
    with pytest.raises(kakehashi.KakehashiError, match="dimension 9, the unlabelled ones 24"):
        kakehashi.pairing.select_for_pairing(x, 1, pairs=other)
    texts = kakehashi.Pairs(["a"], ["b"])
    with pytest.raises(kakehashi.KakehashiError, match="texts only; pass encoder="):
        kakehashi.pairing.select_for_pairing(x, 1, pairs=texts)
