"""The choice of the best map: which are tried, and which is chosen."""

import numpy as np
import pytest
from support.toy_data import encoded, two_views

from kakehashi import Pairs
from kakehashi.projection.ngrams import CharacterNgrams
from kakehashi.training import model_selection as search
from kakehashi.training.candidates import Candidate, IdentityMap
from kakehashi.training.closed_forms import closed_forms
from kakehashi.training.feature_data import FeatureData
from kakehashi.training.features import FeatureSet
from kakehashi.training.model_selection import choose
from kakehashi.training.split_plan import Part, plan_split
from kakehashi.training.sufficient_statistics import develop


def candidate(name, mode, per_query):
    scores = np.asarray(per_query, float)
    data = FeatureData(FeatureSet(mode), [], [], None)
    return Candidate(name, data, {}, IdentityMap(), scores)


def leading(reference, name, mode, errors):
    """Make a candidate that leads by so many standard errors of its hundred differences."""
    noise = np.random.default_rng(1).standard_normal(100)
    noise = (noise - noise.mean()) / noise.std()
    return candidate(name, mode, reference.per_query + 0.01 * (noise + errors / 10))


def test_a_choice_has_to_lead_by_more_than_its_own_uncertainty():
    base = candidate("identity", "keep", np.random.default_rng(0).random(100))
    lucky = leading(base, "lucky", "keep", 0.5)
    better = leading(base, "better", "keep", 2)
    assert choose([base, lucky], base, None) is base
    assert choose([base, lucky, better], base, None) is better


def test_a_fold_does_not_choose_the_map_that_it_judges():
    """A map that is perfect on the first fold alone is chosen for the others, and not for it."""
    rng = np.random.default_rng(0)
    steady = candidate("steady", "keep", rng.uniform(0.5, 0.6, 100))
    lucky = candidate("lucky", "keep", np.where(np.arange(100) < 20, 1.0, 0.5))
    own = np.arange(100) < 20
    assert choose([steady, lucky], None, None) is lucky
    assert choose([steady, lucky], None, None, by=~own) is steady
    clusters = np.arange(100) // 2
    assert choose([steady, lucky], steady, clusters, by=~own) is steady
    sizes = [20, 30, 50]
    parts = [Part(np.arange(0), encoded().select(np.arange(n) % 80)) for n in sizes]
    masks = list(search.without_each(parts))
    assert [int((~mask).sum()) for mask in masks] == sizes
    assert np.array_equal(~masks[0], own)


def test_a_lead_of_one_document_is_no_lead():
    """Forty that gain outweigh sixty that lose a little, unless the forty are one document's."""
    base = candidate("identity", "keep", np.full(100, 0.5))
    better = candidate("better", "keep", np.repeat([0.9, 0.4], [40, 60]))
    each = np.arange(100)
    together = np.where(each < 40, 0, each)
    for clusters, chosen in ((None, better), (each, better), (together, base)):
        assert choose([base, better], base, clusters) is chosen


def test_the_correction_is_tried_on_the_two_best_settings_of_every_closed_form(monkeypatch):
    x, y, groups = two_views(200)
    pairs = Pairs(source_vectors=x, target_vectors=y, groups=groups)
    data = develop(
        plan_split(pairs, validation=None, test=None, seed=0), FeatureSet("keep"), seed=0
    )
    tuned, corrections = {}, {}
    real = search.tune_closed_form, search.tune_correction

    def tuning(form, *args):
        tuned[form.name] = real[0](form, *args)
        return tuned[form.name]

    def correcting(name, data, plain, metric):
        corrections[name] = plain
        return real[1](name, data, plain, metric)

    monkeypatch.setattr(search, "tune_closed_form", tuning)
    monkeypatch.setattr(search, "tune_correction", correcting)
    found, _ = search.tune_candidates([data], "cosine")
    assert [of_one[0].name for of_one in found] == [
        n for name in tuned for n in (name, name + "+hubness")
    ]
    assert corrections.keys() == tuned.keys()
    for name, plain in corrections.items():
        best = sorted(tuned[name], key=lambda c: -c.score)[:2]
        assert [c.parameters for c in plain] == [c.parameters for c in best]


def test_maps_with_ngrams_start_from_the_weights_that_maps_of_vectors_chose():
    features = FeatureSet("keep", {"source": CharacterNgrams(8)})
    [form] = closed_forms(features, ["index", "starter"], {"index": 300.0, "other": 2.0})
    assert all(p["weights"] == {"index": 300.0, "starter": 0.0} for p in form.grid)
    moved = [p["weights"] for p in form.steps[-1](form.grid[0])]
    assert moved == [
        {"index": weight, "starter": 0.0} for weight in (0.0, pytest.approx(100), 900.0)
    ]
    [plain] = [form for form in closed_forms(FeatureSet("keep"), ["index"]) if form.name == "cca"]
    assert {p["weights"]["index"] for p in plain.grid} == {0.0, 1000.0}
    assert [p["weights"] for p in plain.steps[-1](plain.grid[0])] == [
        {"index": pytest.approx(1000 / 3, abs=1e-3)},
        {"index": 3000.0},
    ]
