"""The search for the best setting of one kind of map: what is tried, and how it is scored."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from support.toy_data import two_views

from kakehashi import Pairs, fit
from kakehashi.metrics.ranking import reciprocal
from kakehashi.projection import Projection
from kakehashi.projection.head import AffineHead
from kakehashi.projection.linear import ridge
from kakehashi.projection.ngrams import CharacterNgrams
from kakehashi.training import setting_search as search
from kakehashi.training.candidates import Candidate, ClosedFormMap, IdentityMap
from kakehashi.training.closed_forms import ClosedForm, closed_forms
from kakehashi.training.feature_data import FeatureData
from kakehashi.training.features import FeatureSet
from kakehashi.training.hubness_bank import corrected, hubness_grid
from kakehashi.training.map_ranks import rank
from kakehashi.training.sources import TARGETS, Source
from kakehashi.training.split_plan import plan_split
from kakehashi.training.sufficient_statistics import develop


def candidate(name, mode, per_query):
    scores = np.asarray(per_query, float)
    data = FeatureData(FeatureSet(mode), [], [], None)
    return Candidate(name, data, {}, IdentityMap(), scores)


def test_the_best_of_all_folds_comes_first_where_a_few_of_them_tuned(monkeypatch):
    monkeypatch.setattr(search, "_TUNED_ON", 10)
    turned = 0
    for seed in range(8):
        x, y, _ = two_views(60, 8, 6, seed=seed, noise=0.8)
        texts = [f"{i * 37 % 101} {seed}" for i in range(60)]
        pairs = Pairs(texts, texts, source_vectors=x, target_vectors=y)
        features = FeatureSet("keep", {"source": CharacterNgrams(8)})
        data = develop(plan_split(pairs, validation=None, test=None, seed=0), features, seed=0)
        [form] = closed_forms(features)
        ranked = search.tune_closed_form(form, data, "ip")
        assert len(ranked) == search._AGAIN
        assert [len(c.per_query) for c in ranked] == [
            60
        ] * search._AGAIN  # every fold counts in the end
        turned += ranked[0].score < ranked[1].score
    assert turned == 0


@pytest.mark.parametrize("rounds", [1, 2])
def test_one_round_moves_every_hyper_parameter_from_the_best_setting_so_far(rounds):
    """Each of two has to move: a map is the better, the nearer (a, b) is to (1, 2)."""
    x, y, groups = two_views(200, noise=1.0)
    data = develop(
        plan_split(
            Pairs(source_vectors=x, target_vectors=y, groups=groups),
            validation=None,
            test=None,
            seed=0,
        ),
        FeatureSet("keep"),
        seed=0,
    )
    asked = []

    def build(spectrum, mode, *, a, b):
        asked.append((a, b))
        good = ridge(spectrum, mode, reg=0.1, towards="zero").source
        off = np.random.default_rng(0).standard_normal(good.weight.shape)
        return Projection(
            AffineHead.of(good.weight + 0.2 * (abs(a - 1) + abs(b - 2)) * off, good.bias)
        )

    form = ClosedForm(
        "form",
        build,
        [{"a": 0, "b": 0}],
        (
            lambda best: [best | {"a": best["a"] + move} for move in (-1, 1)],
            lambda best: [best | {"b": best["b"] + move} for move in (-1, 1)],
        ),
        rounds=rounds,
    )
    best = search.tune_closed_form(form, data, "cosine")[0]
    assert best.parameters == {"a": 1, "b": rounds}
    assert len(asked) == len(data.parts) * len(set(asked))  # no setting twice


@pytest.mark.slow
def test_ngrams_that_say_nothing_count_little():
    """Vectors tell all, texts are noise: the weight falls below those that the search starts at."""
    x, y, groups = two_views(400, noise=1.2)
    rng = np.random.default_rng(0)
    noise = ["".join(rng.choice(list("abcdefghij"), 30)) for _ in range(400)]
    pairs = Pairs(noise, noise[::-1], source_vectors=x, target_vectors=y, groups=groups)
    report = fit(pairs, mode="keep", ngrams=True).report
    assert report.candidates["cca+ngrams"].parameters["ngrams"] == 0.25


@pytest.mark.parametrize("mode", ["keep", "shared"])
@pytest.mark.parametrize("best", ["first", "last"])
def test_the_correction_is_the_best_of_every_setting_of_every_candidate(mode, best):
    x, y, groups = two_views(200, noise=1.2)
    pairs = Pairs(source_vectors=x, target_vectors=y, groups=groups)
    data = develop(plan_split(pairs, validation=None, test=None, seed=0), FeatureSet(mode), seed=0)

    form = ClosedForm("ridge", partial(ridge, towards="zero"), [])

    def plain(reg):
        recipe = ClosedFormMap(form, {"reg": reg})
        return Candidate("ridge", data, {"reg": reg}, recipe, np.zeros(1))

    def score(c, setting):
        found = []
        for part in data.parts:
            [made] = corrected(c.build(part.statistics), mode, part.statistics.bank, [setting])
            found.append(reciprocal(rank(made, part.queries, "cosine", roughly=True)))
        return np.concatenate(found).mean()

    regs = (30.0, 100.0) if best == "first" else (100.0, 30.0)
    candidates = [plain(reg) for reg in regs]
    tried = [(score(c, h), c, h) for c in candidates for h in hubness_grid(mode)]
    highest, of, setting = max(tried, key=lambda each: each[0])
    assert of is candidates[0 if best == "first" else -1]
    assert setting != hubness_grid(mode)[0]
    found = search.tune_correction("ridge", data, candidates, "cosine")[0]
    assert found.name == "ridge+hubness"
    assert found.parameters == of.parameters | setting
    assert found.score == highest > min(score for score, _, _ in tried)
    [expected] = corrected(of.build(data.everything), mode, data.everything.bank, [setting])
    made = found.build(data.everything)
    for vectors, side, role in ((x, "source", "query"), (y, "target", "document")):
        of_both = (p(vectors, modality=side, role=role) for p in (made, expected))
        assert np.array_equal(*of_both)


def test_a_lead_that_the_best_of_many_has_by_luck_is_none():
    anchor, rng = candidate("cca", "keep", np.full(100, 0.5)), np.random.default_rng(0)
    equals = [
        replace(anchor, per_query=anchor.per_query + rng.normal(0, 0.3, 100)) for _ in range(50)
    ]
    best = max(equals, key=lambda c: c.score)
    assert best.score > anchor.score + 0.03
    assert search._is_luck(best, anchor, 50)
    better = replace(anchor, per_query=anchor.per_query + rng.normal(0.15, 0.3, 100))
    assert not search._is_luck(better, anchor, 50)
    assert search._is_luck(anchor, anchor, 1)
    by_tens = np.repeat([0.5, -0.2] * 5, 10)
    of_tens = replace(anchor, per_query=anchor.per_query + by_tens)
    assert not search._is_luck(of_tens, anchor, 50)
    clustered = replace(anchor.data, clusters=np.arange(100) // 10)
    assert search._is_luck(replace(of_tens, data=clustered), anchor, 50)


def test_the_anchor_stands_alone_unless_it_is_clearly_led():
    x, y, _ = two_views(30, 12, 10, noise=1.0)
    u, v, _ = two_views(300, 12, 10, seed=3, noise=1.0)
    noise = np.random.default_rng(0).standard_normal((300, 10)).astype(np.float32)
    pairs = Pairs(source_vectors=x, target_vectors=y)
    for rows, alone in ((v, True), (noise, False)):
        source = Source("index", Pairs(source_vectors=u, target_vectors=rows))
        plan = plan_split(pairs, validation=None, test=None, sources=(source,), seed=0)
        features = FeatureSet("shared")
        data = develop(plan, features, seed=0)
        form = closed_forms(features, ["index"])[-1]
        ranked = search.tune_closed_form(form, data, "ip")
        assert (len(ranked) == 1 and ranked[0].parameters == form.anchor) == alone
    assert closed_forms(features, [TARGETS])[-1].anchor is None
    assert closed_forms(features)[-1].anchor is None
