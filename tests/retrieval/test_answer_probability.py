"""The probability that a document answers: its fit, and the threshold that follows from it."""

import numpy as np
import pytest
from scipy.optimize import minimize

from kakehashi.errors import DataError
from kakehashi.retrieval.answer_probability import KEPT, check_min_score, fit_probability


@pytest.fixture(scope="module")
def judged():
    """Scores of 400 questions, whose first document is right as a known probability says."""
    rng = np.random.default_rng(0)
    scores = np.sort(rng.normal(0, 1.5, (400, 5)), axis=1)[:, ::-1]
    right = rng.random((400, 5)) < 1 / (1 + np.exp(-(2 * scores - 1)))
    return scores, right, np.sort(rng.normal(-3, 0.5, (400, 5)), axis=1)[:, ::-1]


def test_the_fit_is_that_of_a_logistic_regression(judged):
    scores, right, unanswered = judged
    fitted = fit_probability(*judged)
    x = np.concatenate([scores.ravel(), unanswered.ravel()])
    y = np.concatenate([right.ravel(), np.zeros(2000)])

    def loss(beta):
        z = beta[0] * x + beta[1]
        return (np.logaddexp(0, z) - y * z).sum()

    np.testing.assert_allclose(fitted[:2], minimize(loss, [0, 0]).x, rtol=1e-3)
    assert fitted[:2] == pytest.approx((2, -1), abs=0.2)  # as the scores were drawn


def test_a_higher_score_is_a_higher_probability(judged):
    probabilities = fit_probability(*judged).of(np.linspace(-1e6, 1e6, 101))
    assert (np.diff(probabilities) >= 0).all()
    assert probabilities[[0, -1]] == pytest.approx([0, 1])


def test_nine_of_ten_right_first_documents_reach_the_recommended_probability(judged):
    scores, right, _ = judged
    fitted = fit_probability(*judged)
    first = fitted.of(scores[right[:, 0], 0])
    assert (first >= fitted.least("recommended")).mean() == pytest.approx(KEPT, abs=0.01)
    assert fitted.least(0.25) == 0.25


def test_nothing_is_learned_from_too_few_or_where_scores_say_nothing(judged):
    scores, right, unanswered = judged
    assert fit_probability(scores, right & False, unanswered) is None
    assert fit_probability(-scores, right, -unanswered) is None
    apart = fit_probability(np.full((20, 1), 3.0), np.ones((20, 1), bool), np.full((20, 1), -3.0))
    assert np.isfinite(apart).all()


def test_a_place_that_no_document_takes_tells_nothing(judged):
    scores, right, unanswered = judged
    missing = np.full((len(unanswered), 1), -np.inf)
    found = fit_probability(scores, right, np.hstack([unanswered, missing]))
    assert found == fit_probability(scores, right, unanswered)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan"), "high", True, None, [0.5]])
def test_what_is_no_probability_is_refused(wrong):
    with pytest.raises(DataError, match=r"min_score=.*0 to 1, or 'recommended'"):
        check_min_score(wrong)
    for valid in (0, 0.5, 1, np.float32(0.5), "recommended"):
        check_min_score(valid)
