"""The search for the best rung: what is tried, how it is scored, and what is chosen."""

import numpy as np
from conftest import two_views

from kakehashi import Pairs, search
from kakehashi.development import Development, develop
from kakehashi.planning import plan
from kakehashi.projection import Projection
from kakehashi.projection.ngrams import CharacterNgrams
from kakehashi.rungs import rungs
from kakehashi.search import Candidate, choose
from kakehashi.views import View


def candidate(name, mode, per_query):
    scores = np.asarray(per_query, float)
    data = Development(View(mode), [], None, None, None)
    return Candidate(name, data, {}, scores, lambda fitted: Projection())


def test_a_choice_has_to_lead_by_more_than_its_own_uncertainty():
    rng = np.random.default_rng(0)
    base = candidate("identity", "keep", rng.random(100))
    noise = rng.standard_normal(100)
    noise = (noise - noise.mean()) / noise.std()
    lucky = candidate("lucky", "keep", base.per_query + 0.01 * (noise + 0.05))
    better = candidate("better", "keep", base.per_query + 0.01 * (noise + 0.2))
    assert choose([base, lucky], base, "keep", None) is base
    assert choose([base, lucky, better], base, "keep", None) is better


def test_auto_takes_shared_only_where_it_leads_keep_by_two_standard_errors():
    rng = np.random.default_rng(0)
    keep = candidate("cca", "keep", rng.random(100))
    noise = rng.standard_normal(100)
    noise = (noise - noise.mean()) / noise.std()
    near = candidate("cca", "shared", keep.per_query + 0.01 * (noise + 0.15))
    clear = candidate("cca", "shared", keep.per_query + 0.01 * (noise + 0.25))
    assert choose([keep, near], None, "auto", None) is keep
    assert choose([keep, clear], None, "auto", None) is clear


def test_the_best_of_all_folds_comes_first_where_a_few_of_them_tuned(monkeypatch):
    monkeypatch.setattr(search, "_TUNED_ON", 10)
    turned = 0
    for seed in range(8):
        x, y, _ = two_views(60, 8, 6, seed=seed, noise=0.8)
        texts = [f"{i * 37 % 101} {seed}" for i in range(60)]
        pairs = Pairs(texts, texts, source_vectors=x, target_vectors=y)
        view = View("keep", {"source": CharacterNgrams(8)})
        data = develop(plan(pairs, validation=None, test=None, seed=0), view, seed=0)
        [(name, rung)] = rungs(view, unpaired=False).items()
        ranked = search._tuned(name, data, rung, "ip")
        assert len(ranked) == search._TOP
        assert [len(c.per_query) for c in ranked] == [48, 48]  # every fold counts in the end
        turned += ranked[0].score < ranked[1].score
    assert turned == 0
