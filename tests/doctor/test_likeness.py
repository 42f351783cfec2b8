"""The likeness of two groups of vectors: its formula, and what it tells apart."""

import numpy as np
import pytest
from support.toy_models import ToyModel

from kakehashi.doctor.likeness import COORDINATES, LIKE, Group, _mantel, compared


def test_the_moments_of_mantel_are_those_of_all_permutations():
    from itertools import permutations

    rng = np.random.default_rng(0)
    a, b = (Group.of(rng.standard_normal((9, 5)).astype(np.float32)) for _ in range(2))
    x, y = a._off_diagonal.matrix, b._off_diagonal.matrix
    orders = [list(p) for p in permutations(range(5))]
    products = [float(np.vdot(x, y[np.ix_(p, p)])) for p in orders]
    expected = (np.vdot(x, y) - np.mean(products)) / np.std(products)
    assert _mantel(a._off_diagonal, b._off_diagonal) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_languages_of_one_model_are_alike_and_models_are_not(seed):
    one, other = ToyModel(seed), ToyModel(seed + 100)
    english, japanese = (Group.of(one.draw(60, 1, language)) for language in (0, 1))
    assert english.likeness(japanese) > LIKE
    assert english.likeness(Group.of(other.draw(60, 2))) < LIKE


def test_turned_vectors_are_those_of_another_model():
    vectors = ToyModel(0).draw(200, 1)
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((64, 64)))[0]
    turned = (vectors @ turn).astype(np.float32)
    assert Group.of(vectors[:100]).likeness(Group.of(turned[100:])) < LIKE


def test_of_long_vectors_some_coordinates_are_compared():
    assert compared(np.ones((3, 1536), np.float32)).shape == (3, COORDINATES)
    assert compared(np.ones((3, 20), np.float32)).shape == (3, 20)


def test_groups_without_spread_are_not_alike():
    same = Group.of(np.ones((9, 8), np.float32))
    assert same.likeness(same) < LIKE
