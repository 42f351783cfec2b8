"""Settings are searched in fewer directions, and scored again in all of them."""

import numpy as np
import pytest
from support.toy_data import encoded

from kakehashi.projection.cca import cca
from kakehashi.projection.ngrams import CharacterNgrams
from kakehashi.training import map_ranks, narrowing, setting_search
from kakehashi.training.closed_forms import closed_forms
from kakehashi.training.features import FeatureSet
from kakehashi.training.map_ranks import rank
from kakehashi.training.setting_search import tune_closed_form
from kakehashi.training.split_plan import plan_split
from kakehashi.training.sufficient_statistics import develop

BOTH = {"source": CharacterNgrams(16), "target": CharacterNgrams(16)}


def developed(monkeypatch, features, vectors, ngrams):
    monkeypatch.setattr(narrowing, "NARROW_VECTORS", vectors)
    monkeypatch.setattr(narrowing, "NARROW_NGRAMS", ngrams)
    return develop(plan_split(encoded(), validation=None, test=None, seed=0), features, seed=0)


@pytest.mark.parametrize("mode", ["keep", "shared"])
def test_all_directions_rank_as_the_rows_do(monkeypatch, mode):
    """The vectors are turned, and no direction is left out of them: 24 and 32 dimensions."""
    ngrams = {"source": BOTH["source"]} if mode == "keep" else BOTH
    data = developed(monkeypatch, FeatureSet(mode, ngrams), 32, 15)
    monkeypatch.setattr(narrowing, "NARROW_NGRAMS", 16)
    monkeypatch.setattr(narrowing, "_directions", lambda m, k: np.linalg.eigh(m)[1][:, ::-1])
    everything = data.everything.moments
    settings = {"reg_source": 1.0, "reg_target": 0.5, "power": 1.5}
    monkeypatch.setattr(narrowing, "NARROW_VECTORS", 8)  # it must not count as narrow already
    turned = narrowing.narrowed(data.features, data.parts, everything)
    for part, other in zip(data.parts, turned, strict=True):
        assert other.queries.lengths is not None
        found = []
        for each in (part, other):
            features = each.statistics.features
            made = cca(each.statistics.spectrum(ngrams=0.5), mode, **settings)
            made = features.folded(made, 0.5)
            found.append(rank(made, each.queries, "cosine", roughly=True))
        np.testing.assert_array_equal(*found)


def test_few_directions_are_left_as_they_are(monkeypatch):
    data = developed(monkeypatch, FeatureSet("keep"), 32, 16)
    assert data.narrow == data.parts


def test_the_best_settings_are_scored_again_in_all_directions(monkeypatch):
    data = developed(monkeypatch, FeatureSet("keep"), 12, 16)
    assert [len(part.statistics.moments.sum_x) for part in data.narrow] == [12] * len(data.parts)
    seen, rank_of = set(), map_ranks.rank
    monkeypatch.setattr(
        map_ranks,
        "rank",
        lambda p, queries, *a, **k: (
            seen.add(queries.source.shape[1]) or rank_of(p, queries, *a, **k)
        ),
    )
    form = closed_forms(data.features)[-1]
    found = tune_closed_form(form, data, "cosine")
    assert seen == {12, 32}
    assert len(found) == setting_search._AGAIN
    again = setting_search._scored(form, [c.parameters for c in found], data, data.parts, "cosine")
    assert [c.score for c in found] == [c.score for c in again]
