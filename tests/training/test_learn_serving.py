"""What serving learns on held-out pairs is learned on the scores of a search."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from support.toy_data import ENCODER_OF, encoded

from kakehashi.retrieval.answer_probability import DEPTH, fit_probability
from kakehashi.retrieval.learn_calibration import calibrate
from kakehashi.training.learn_serving import learn_calibration
from kakehashi.types import SIDES
from kakehashi.vectors import unit_rows


@pytest.fixture
def learned(keeping_aligner, monkeypatch):
    """Return a function that learns a calibration, and all that it was learned from."""
    seen = {"asked": []}

    def calibrating(pairs):
        seen["pairs"] = pairs
        return calibrate(pairs)

    def fitting(scores, right, unanswered):
        seen["asked"].append(scores)
        return fit_probability(scores, right, unanswered)

    monkeypatch.setattr("kakehashi.training.learn_serving.calibrate", calibrating)
    monkeypatch.setattr("kakehashi.training.learn_serving.fit_probability", fitting)
    pairs = encoded()

    def learn(rescoring):
        seen["asked"].clear()
        none = dict.fromkeys(SIDES)
        options = {"index": pairs, "seed": 0, "rescoring": rescoring}
        seen["calibration"] = learn_calibration(
            keeping_aligner.projection, pairs, none, none, **options
        )
        return seen

    return learn


def test_scores_of_the_second_map_calibrate_target_documents(keeping_aligner, learned):
    rescoring, pairs = keeping_aligner.rescoring, encoded()
    seen = learned(rescoring)
    alone = keeping_aligner.prepare_query
    for query, document in product(SIDES, SIDES):
        similarity = seen["pairs"].similarity(query, document)
        queries = [alone(text, query) for text in pairs.texts(query)]
        vectors = ENCODER_OF[document](list(pairs.texts(document)))
        if (query, document) == ("source", "target"):
            expected = np.stack([q.rescoring for q in queries]) @ rescoring.documents(vectors).T
        else:
            projected = keeping_aligner.project(vectors, modality=document, role="document")
            asked = unit_rows(np.stack([q.vector for q in queries]))
            expected = asked @ unit_rows(projected).T
        np.testing.assert_allclose(similarity, expected, atol=1e-5)
    assert seen["calibration"] != learned(None)["calibration"]


def test_a_probability_is_learned_among_the_hits_that_are_ordered_again(keeping_aligner, learned):
    pairs, rescoring = encoded(), replace(keeping_aligner.rescoring, n_hits=6)
    seen = learned(rescoring)
    stored = unit_rows(pairs.target_vectors)
    documents = rescoring.documents(pairs.target_vectors)
    expected = []
    for text in pairs.source_texts:
        query = keeping_aligner.prepare_query(text, "source")
        hits = np.argsort(-(stored @ query.vector), kind="stable")[:6]
        best = -np.sort(-(documents[hits] @ query.rescoring))[:DEPTH]
        places = np.arange(1, DEPTH + 1)
        across = {"query": "source", "document": "target"}
        expected.append(seen["calibration"].scores(best, places, **across))
    np.testing.assert_allclose(seen["asked"][0], expected, atol=1e-4)
