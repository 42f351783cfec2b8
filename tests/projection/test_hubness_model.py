"""The model of hubness: it stands in for the bank, and holds no vector of it."""

import numpy as np
import pytest

from kakehashi.projection.centroids import LEAST_MEMBERS, NEAREST, centroids
from kakehashi.projection.hubness import hubness
from kakehashi.projection.hubness_model import HubnessModel, model_of, tensors_of
from kakehashi.vectors import unit_rows


def clustered(rng, n, d, clusters=12):
    """Unit vectors around a few centres of different sizes, as the texts of a field lie."""
    centres = rng.standard_normal((clusters, d)) * np.linspace(2, 0.3, d)
    of = rng.choice(clusters, n, p=np.arange(1, clusters + 1) / (clusters * (clusters + 1) / 2))
    return unit_rows((centres[of] + rng.standard_normal((n, d))).astype(np.float32))


@pytest.fixture(scope="module")
def bank():
    return clustered(np.random.default_rng(0), 600, 24)


def test_it_is_close_to_the_hubness_of_documents_that_it_has_not_seen(bank):
    documents = clustered(np.random.default_rng(0), 1200, 24)
    model = HubnessModel.of(documents[:600], bank)
    expected, found = hubness(documents[600:], bank), model(documents[600:])
    assert np.corrcoef(expected, found)[0, 1] > 0.8
    assert np.abs(expected - found).mean() < 0.5 * expected.std()


def test_a_fit_does_not_count_the_partner_of_a_document(bank):
    """Otherwise the documents of pairs would be taken for hubs of their own question."""
    model = HubnessModel.of(bank, bank)
    alone = bank @ bank.T
    np.fill_diagonal(alone, -np.inf)
    without_partner = np.sort(alone, axis=1)[:, -10:].mean(axis=1)
    assert abs(float((model(bank) - without_partner).mean())) < 1e-3
    assert float((hubness(bank, bank) - without_partner).mean()) > 5e-3


@pytest.mark.parametrize("n", [1, 2, 9, 40, 600])
def test_no_tensor_holds_a_vector_of_the_bank(bank, n):
    few = bank[:n]
    model = HubnessModel.of(few[::-1], few)
    columns = unit_rows(np.ascontiguousarray(model.directions.T))
    centred = unit_rows(few - few.mean(axis=0))
    if n > 1:
        assert np.abs(columns @ few.T).max() < (NEAREST if n > 2 * LEAST_MEMBERS else 1 - 1e-3)
        assert np.abs(columns[: model.spreads.shape[1]] @ centred.T).max(initial=0) < NEAREST
    assert np.isfinite(model(bank)).all()


def test_copies_of_one_text_give_no_centroid():
    rng = np.random.default_rng(1)
    one = unit_rows(rng.standard_normal((1, 32)).astype(np.float32))
    others = unit_rows(rng.standard_normal((300, 32)).astype(np.float32))
    found = centroids(np.concatenate([np.repeat(one, 100, axis=0), others]))
    assert len(found)
    assert (unit_rows(found) @ one.T).max() < NEAREST


def test_the_rough_way_differs_by_rounding_alone(bank):
    model = HubnessModel.of(bank, bank[::-1])
    np.testing.assert_allclose(model(bank, roughly=True), model(bank), atol=1e-5)


def test_it_is_rebuilt_from_its_tensors(bank):
    model = HubnessModel.of(bank, bank[::-1])
    rebuilt = model_of(tensors_of(model, "hubness.source"), "hubness.source")
    rebuilt.check()
    assert np.array_equal(rebuilt(bank), model(bank))


@pytest.mark.parametrize(
    "change",
    [
        lambda m: (m.directions[:, :-1], m.spreads, m.weights[:5]),
        lambda m: (m.directions, m.spreads[:2], m.weights),
        lambda m: (m.directions, m.spreads, m.weights[:6]),
        lambda m: (m.directions[:, :1], m.spreads, m.weights),
        lambda m: (m.directions[0], m.spreads, m.weights),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(bank, change):
    model = HubnessModel.of(bank, bank[::-1])
    with pytest.raises(ValueError, match="model of hubness"):
        HubnessModel(*change(model)).check()
