"""The decision of a gate: outcomes by the interval, rivals, and questions that judge nothing."""

from dataclasses import replace

import numpy as np
import pytest

import kakehashi
from kakehashi.errors import DataError
from kakehashi.evaluation.gate import Demand, Other, decide
from kakehashi.evaluation.judgement import NO_VERDICT, Judgement
from kakehashi.evaluation.scoring import Evaluation
from kakehashi.metrics.statistics import Scores


def evaluation(right, n=100, **others):
    """An aligner that finds ``right`` of n answers first and no other; rivals in the same way."""
    texts = [f"question {i}" for i in range(n)]
    pairs = kakehashi.Pairs(texts, [f"answer {i}" for i in range(n)])
    counts = {"aligned": right, **others}
    ranks = {name: np.where(np.arange(n) < found, 1, 50) for name, found in counts.items()}
    scores = {name: Scores.of_ranks(rank, 500) for name, rank in ranks.items()}
    known = {name: scores.get(name) for name in ("base", "bm25", "target_encoder", "rescored")}
    return Evaluation(aligned=scores["aligned"], **known, ranks=ranks, pairs=pairs)


def outcomes(result):
    return [check.outcome for check in result.checks]


@pytest.mark.parametrize(
    ("least", "outcome"), [(0.7, "passes"), (0.8, "cannot tell"), (0.95, "falls short")]
)
def test_the_interval_decides(least, outcome):
    result = decide(evaluation(82), [Demand("recall@1", least)], mode="keep")
    [check] = result.checks
    assert (result.outcome, check.outcome) == (outcome, outcome)
    assert check.measured == 0.82
    low, high = check.interval
    assert (low >= least) == (outcome == "passes")
    assert (high < least) == (outcome == "falls short")


def test_the_questions_that_it_asks_for_would_tell():
    [check] = decide(evaluation(86), [Demand("recall@1", 0.8)], mode="keep").checks
    assert check.outcome == "cannot tell"
    more = int(check.reason.split("about ")[1].split()[0].replace(",", ""))
    assert 20 < more < 100
    n = 100 + more
    [later] = decide(evaluation(round(0.86 * n), n), [Demand("recall@1", 0.8)], mode="keep").checks
    assert later.interval[0] == pytest.approx(0.8, abs=0.01)


def test_a_few_questions_that_show_no_loss_do_not_prove_that_there_is_none():
    """Resampling ten differences, of which one is above zero, never gives one below zero."""
    few = decide(evaluation(9, 10), mode="keep", against=Other("o", evaluation(8, 10), False))
    assert few.outcome == "cannot tell"
    assert few.checks[0].interval[0] < -0.1
    many = decide(evaluation(90), mode="keep", against=Other("o", evaluation(60), False))
    assert many.outcome == "passes"


def test_one_wrong_answer_leaves_more_room_than_resampling_gives():
    [check] = decide(evaluation(99), [Demand("recall@1", 0.96)], mode="keep").checks
    assert check.outcome == "cannot tell"
    [check] = decide(evaluation(1), [Demand("recall@1", 0.035)], mode="keep").checks
    assert check.outcome == "cannot tell"


def test_equal_answers_ask_for_the_questions_that_would_tell():
    ours, theirs = evaluation(80, 100), Other("o", evaluation(80, 100), False)
    [check] = decide(ours, mode="keep", against=theirs).checks
    more = int(check.reason.split("about ")[1].split()[0].replace(",", ""))
    n = 100 + more
    again = decide(evaluation(80, n), mode="keep", against=Other("o", evaluation(80, n), False))
    assert again.outcome == "passes"
    assert more < 110


def test_a_value_at_the_bar_asks_for_no_end_of_questions():
    [check] = decide(evaluation(80), [Demand("recall@1", 0.8)], mode="keep").checks
    assert check.reason.endswith("more questions would hardly tell")


def test_without_a_demand_it_is_held_against_all_that_is_known():
    result = decide(evaluation(80, base=10, bm25=20, target_encoder=95), mode="keep")
    assert [check.demand for check in result.checks] == [
        "no worse than untouched vectors",
        "no worse than target encoder",
        "no worse than BM25",
    ]
    assert outcomes(result) == ["passes", "falls short", "passes"]
    assert result.outcome == "falls short"
    with pytest.raises(DataError, match="--min"):
        decide(evaluation(80), mode="keep")


def test_the_scores_are_those_that_it_serves():
    result = decide(evaluation(10, rescored=90), [Demand("recall@1", 0.5)], mode="keep")
    assert (result.outcome, result.row) == ("passes", "keep, rescored")


def test_another_aligner_is_compared_question_by_question():
    ours, near = evaluation(80), evaluation(81, 100)
    against = Other("old", near, same=False)
    [check] = decide(ours, mode="keep", against=against, tolerance=0.05).checks
    assert (check.outcome, check.measured) == ("passes", pytest.approx(-0.01))
    assert check.demand == "no worse than old"
    [strict] = decide(ours, mode="keep", against=against, tolerance=0).checks
    assert strict.outcome == "cannot tell"
    [worse] = decide(evaluation(50), mode="keep", against=against).checks
    assert worse.outcome == "falls short"


def test_the_same_aligner_passes_however_few_questions_differ():
    [check] = decide(evaluation(80), mode="keep", against=Other("o", evaluation(80), True)).checks
    assert (check.outcome, check.interval) == ("passes", (0.0, 0.0))
    [check] = decide(evaluation(80), mode="keep", against=Other("o", evaluation(80), False)).checks
    assert check.outcome == "cannot tell"


def test_pairs_that_cannot_judge_tell_nothing():
    spoilt = Judgement(NO_VERDICT, "the pairs cannot judge", "evaluate on others", ("seen",))
    demands = [Demand("recall@1", 0.5)]
    seen = replace(evaluation(100), judgement=spoilt)
    result = decide(seen, demands, mode="keep", no_worse=False)
    assert (result.outcome, result.notes) == ("cannot tell", ("seen",))
    assert result.checks[0].reason == "the pairs cannot judge; evaluate on others"
    against = decide(evaluation(100), demands, mode="keep", against=Other("o", seen, False))
    assert outcomes(against) == ["passes", "cannot tell"]
    assert decide(evaluation(9, 9), demands, mode="keep").outcome == "cannot tell"


@pytest.mark.parametrize("text", ["recall@3=.5", "recall@1", "recall@1=85", "recall@1=nan", "=.5"])
def test_a_demand_that_is_none_is_refused(text):
    with pytest.raises(DataError, match="such as recall@1"):
        Demand.parse(text)


def test_a_demand_is_read():
    assert Demand.parse("MRR@10 = .85") == Demand("mrr@10", 0.85)
    with pytest.raises(DataError, match="tolerance=2"):
        decide(evaluation(80), mode="keep", tolerance=2)
