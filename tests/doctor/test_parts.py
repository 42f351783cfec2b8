"""Parts of an index by the model that made them, without an encoder."""

import numpy as np
import pytest
from support.toy_models import ToyModel

from kakehashi.doctor.clusters import clusters_of
from kakehashi.doctor.parts import can_be_divided, parts_of


@pytest.mark.parametrize("seed", range(3))
def test_one_model_is_one_part_whatever_its_languages(seed):
    model = ToyModel(seed)
    languages = [model.draw(200, language, language) for language in range(3)]
    assert parts_of(np.concatenate(languages)).max() == 0


@pytest.mark.parametrize("n_others", [20, 60, 300])
def test_documents_of_another_model_are_a_part_of_their_own(n_others):
    own, others = ToyModel(0).draw(600, 1), ToyModel(100).draw(n_others, 2)
    parts = parts_of(np.concatenate([own, others]))
    assert (parts[:600] == 0).mean() > 0.99
    assert (parts[600:] == 1).mean() > 0.9


def test_three_models_are_three_parts_the_largest_first():
    drawn = [ToyModel(seed).draw(n, 1) for seed, n in ((0, 150), (100, 400), (200, 250))]
    parts = parts_of(np.concatenate(drawn))
    found = [int(np.bincount(part).argmax()) for part in np.split(parts, [150, 550])]
    assert found == [2, 0, 1]


def test_few_documents_or_dimensions_are_not_divided():
    assert not can_be_divided(np.ones((99, 384), np.float32))
    assert not can_be_divided(np.ones((500, 16), np.float32))
    assert can_be_divided(np.ones((100, 32), np.float32))


def test_clusters_of_equal_rows_are_no_error():
    assert set(clusters_of(np.ones((20, 4), np.float32) / 2, 3).tolist()) == {0}
