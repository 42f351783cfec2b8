"""The second map of a fit: tuned from the first one, judged out of fold, held where it helps."""

import json

import numpy as np
import pytest
from support.toy_data import ENCODERS, machine_pairs, two_views

from kakehashi import Aligner, Pairs, fit
from kakehashi.cli.records import report_json
from kakehashi.cli.tables import print_report
from kakehashi.metrics.rescored import FirstHits
from kakehashi.projection.cca import cca
from kakehashi.report import KEEP, RESCORED, SHARED, Report
from kakehashi.training import narrowing
from kakehashi.training.closed_forms import form_near
from kakehashi.training.features import FeatureSet
from kakehashi.training.fit_inputs import FitInputs, FitSettings
from kakehashi.training.judge import judge
from kakehashi.training.model_selection import tune
from kakehashi.training.prepare import prepare
from kakehashi.training.rescored_search import N_HITS, choose_n_hits
from kakehashi.training.second_map import tune_second
from kakehashi.training.split_plan import plan_split
from kakehashi.training.sufficient_statistics import develop


@pytest.fixture(scope="module")
def pairs():
    """Three hundred pairs of which the second map finds more than the first."""
    x, y, groups = two_views(300, noise=1.0)
    return Pairs(source_vectors=x, target_vectors=y, groups=groups)


@pytest.fixture(scope="module")
def fitted(pairs):
    return fit(pairs, learned=False)


def test_one_fit_makes_both_maps_and_reports_three_ways_to_serve(fitted, tmp_path):
    report = fitted.report
    assert fitted.mode == "keep"
    assert fitted.rescoring.n_hits == report.second.n_hits
    ways = report.ways
    assert list(ways) == [KEEP, RESCORED, SHARED]
    assert ways[RESCORED] == report.served == report.second.scores
    assert ways[RESCORED].means["recall@1"] > ways[KEEP].means["recall@1"]
    assert report.second.serves
    assert report.second.p_value < 0.05
    assert report.second.advice.startswith("leave the index as it is: rescored it finds 0.")
    printed = str(report)
    assert all(f"  {name} " in printed for name in ways)
    assert f"advice: {report.second.advice}" in printed
    loaded = Aligner.load(fitted.save(tmp_path / "bridge"))
    assert loaded.report == report
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))) == report


@pytest.mark.parametrize("kind", ["parts", "judging", "narrow"])
def test_both_modes_read_the_same_of_vectors(pairs, kind, monkeypatch):
    """The sums of the first maps serve for the second ones: as if they were read again."""
    monkeypatch.setattr(narrowing, "NARROW_VECTORS", 12)
    plan = plan_split(pairs, validation=None, test=None, seed=0)
    keep, shared = (develop(plan, FeatureSet(mode), seed=0) for mode in ("keep", "shared"))
    found = keep.in_mode("shared")
    assert found.features.mode == "shared"
    assert [part.statistics for part in found.parts] == [p.statistics for p in found.judging]
    setting = {"reg_source": 1.0, "reg_target": 1.0, "power": 1.0}
    for ours, theirs in zip(getattr(found, kind), getattr(shared, kind), strict=True):
        assert ours.statistics.features.mode == "shared"
        maps = [cca(each.statistics.spectrum(), "shared", **setting) for each in (ours, theirs)]
        for side in ("source", "target"):
            a, b = (getattr(made, side).weight for made in maps)
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(ours.queries.source, theirs.queries.source)


def test_the_commands_show_all_three(fitted, capsys):
    print_report(fitted.report, all_candidates=False)
    printed = capsys.readouterr().out
    assert f"keep, {fitted.rescoring.n_hits} hits" in printed
    assert "shared" in printed
    assert "advice: leave the index as it is" in printed
    record = report_json(fitted.report)
    assert record["second"]["rescored"]["recall@1"] == fitted.report.served.means["recall@1"]
    assert record["second"]["candidate"] in record["rungs"]


def test_as_shared_is_the_map_that_was_scored_as_such(fitted, tmp_path):
    shared = fitted.as_shared()
    report = shared.report
    assert (shared.mode, report.mode, report.second) == ("shared", "shared", None)
    assert report.served == fitted.report.ways[SHARED]
    assert Aligner.load(shared.save(tmp_path / "moved")).fingerprint == shared.fingerprint


def test_a_second_map_that_finds_no_more_is_not_held():
    x, y, groups = two_views(200, noise=0.05)  # the first map finds all
    report = fit(Pairs(source_vectors=x, target_vectors=y, groups=groups), learned=False).report
    assert report.ways[KEEP].means["recall@1"] > 0.99
    assert not report.second.serves
    assert report.served == report.ways[KEEP]
    assert "is not shown to find more than the first map alone" in report.second.advice


def test_where_no_map_helps_the_untouched_vectors_are_advised():
    x, _, groups = two_views(200)
    nearly = x + 0.01 * np.random.default_rng(0).standard_normal(x.shape).astype(np.float32)
    report = fit(
        Pairs(source_vectors=x, target_vectors=nearly, groups=groups), learned=False
    ).report
    assert report.chosen == "identity"
    assert report.second.advice == "keep the untouched vectors: neither map is shown to help"


@pytest.mark.slow
def test_texts_of_hits_are_read_where_those_of_queries_are():
    pairs = machine_pairs()
    settings = {"ngrams": True, "learned": False, "learn_from": []}
    aligner = fit(pairs, **ENCODERS, **settings)
    assert aligner.report.second is not None
    names = aligner.report.candidates
    assert {"shared/cca", "shared/cca+ngrams"} <= set(names)
    assert "shared/procrustes" not in names


def judged(pairs, **settings):
    prepared = prepare(FitInputs(pairs), None, None, FitSettings(learned=False, **settings))
    tuned = tune(prepared)
    second = tune_second(prepared, tuned)
    return prepared, tuned, second, judge(prepared, tuned, second)


def test_a_fold_judges_what_was_chosen_without_it(pairs):
    """Its questions are asked of both maps as they were fitted without it."""
    prepared, tuned, second, result = judged(pairs)
    assert {c.mode for c in second.candidates} == {"shared"}
    assert result.rescores
    assert list(result.served) == list(result.second.ranks)
    ends = np.cumsum([len(part.questions) for part in prepared.plan.parts])
    assert ends[-1] == len(pairs)
    for k, found in enumerate(np.split(result.second.ranks, ends[:-1])):
        kept, again = (
            scores_of(maps[k], maps[k].data.judging[k]) for maps in (tuned.judged, second.judged)
        )
        relevance = tuned.judged[k].data.judging[k].queries.relevance
        by_number = {n: rescored_by_hand(kept, again, relevance.answers, n) for n in N_HITS}
        assert list(found) in list(by_number.values())


def scores_of(candidate, part):
    project = candidate.lifted(part.statistics)
    queries = project(part.queries.source, modality="source", role="query")
    return queries @ project(part.queries.documents, modality="target", role="document").T


def rescored_by_hand(kept, again, answers, n):
    ranks = []
    for row, of_row in enumerate(answers):
        order = list(np.argsort(-kept[row], kind="stable"))
        first = sorted(order[:n], key=lambda i: -again[row, i])
        ranks.append(1 + min((first + order[n:]).index(i) for i in of_row))
    return ranks


def test_it_can_be_left_out(pairs):
    _, _, second, result = judged(pairs, second_map=False)
    assert second is None
    assert result.second is None
    assert not result.rescores
    _, _, second, _ = judged(pairs, mode="shared")
    assert second is None


def test_the_search_for_it_starts_where_the_first_one_ended():
    best = {
        "reg_source": 9.0,
        "reg_target": 3.0,
        "prior": 0.0,
        "power": 0.25,
        "weights": {"a": 7.0},
    }
    form = form_near(FeatureSet("shared"), best)
    for setting in form.grid:
        assert {name: setting[name] for name in ("reg_source", "reg_target", "weights")} == {
            name: best[name] for name in ("reg_source", "reg_target", "weights")
        }
    assert {setting["power"] for setting in form.grid} == {1.0, 1.75}
    assert form.rounds == 1


def hits(places):
    """Make the first hundred hits of queries whose answer stands at these places of the first."""
    n = len(places)
    answers = np.zeros((n, 100), bool)
    answers[np.arange(n), np.array(places) - 1] = True
    scores = np.where(answers, 1.0, 0.0).astype(np.float32)
    return FirstHits(np.array(places), np.tile(np.arange(100), (n, 1)), scores, answers)


@pytest.mark.parametrize(
    ("deep", "expected"),
    [({}, 20), ({30: 1}, 20), ({30: 9}, 50), ({30: 9, 90: 9}, 100), ({90: 2}, 20)],
)
def test_so_many_hits_are_rescored_as_answers_lie_deep(deep, expected):
    places = [1 + i % 20 for i in range(100 - sum(deep.values()))]
    places += [place for place, n in deep.items() for _ in range(n)]
    assert choose_n_hits([hits(places[:40]), hits(places[40:])], None) == expected
