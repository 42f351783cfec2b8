"""A second model beside the aligner and an index embedded again: rows, verdict, cost."""

from dataclasses import replace

import numpy as np
import pytest
from support.toy_data import ENCODERS, letters_apart, machine_pairs

from kakehashi.data.index import IndexDocuments
from kakehashi.encoders.functions import FunctionEncoder
from kakehashi.errors import DataError
from kakehashi.evaluation import Both, compare
from kakehashi.evaluation.second_look import Second, second_look
from kakehashi.evaluation.second_verdict import SecondVerdict
from kakehashi.metrics.statistics import PairedTest
from kakehashi.retrieval.second_model.candidates import MAP_SHARE
from kakehashi.training.inputs import as_encoders, with_vectors
from kakehashi.vectors import unit_rows

PAIRS = machine_pairs()
TRAIN, TEST = PAIRS.select(range(0, 80, 2)), PAIRS.select(range(1, 80, 2))
BETTER, WORSE, EQUAL = PairedTest(0.1, 0.01), PairedTest(-0.1, 0.01), PairedTest(0.0, 1.0)


@pytest.fixture
def model():
    """A model that counts the documents that it embeds."""
    seen = []

    def documents(texts):
        seen.extend(text for text in texts if text.isupper())
        return letters_apart(texts)

    encoder = FunctionEncoder("letters", documents, letters_apart)
    return encoder, seen


def brute_force(aligner, n_hits, texts):
    """The rank of each answer: the aligner's first hits in the order of the second model."""
    stored = unit_rows(ENCODERS["target_encoder"](texts))
    found = []
    for question, answer in zip(TEST.source_texts, TEST.target_texts, strict=True):
        asked = ENCODERS["source_encoder"]([question])
        first = np.argsort(-stored @ aligner.project(asked)[0], kind="stable")
        top = first[:n_hits]  # a second map changes their order, and not which they are
        scores = letters_apart([texts[i] for i in top]) @ letters_apart([question])[0]
        scores /= np.linalg.norm(letters_apart([texts[i] for i in top]), axis=1)
        if (again := aligner.rescoring) is not None:
            by_map = again.documents(stored[top]) @ again.query(asked)[0]
            length = np.linalg.norm(letters_apart([question]))
            scores = (1 - MAP_SHARE) * scores / length + MAP_SHARE * by_map
        order = [*top[np.argsort(-scores, kind="stable")], *first[n_hits:]]
        found.append(1 + [texts[i] for i in order].index(answer))
    return found


@pytest.mark.parametrize("rescores", [False, True])
def test_its_row_is_that_of_the_first_hits_in_its_order(keeping_aligner, model, rescores):
    again = replace(keeping_aligner.rescoring, n_hits=10) if rescores else None
    aligner, (encoder, _) = replace(keeping_aligner, rescoring=again), model
    few = Second("few", aligner, encoder, n_hits=10)
    result = compare(TRAIN, TEST, ["cosine", few], aligner=aligner, **ENCODERS)
    texts = list(dict.fromkeys([*TEST.target_texts, *TRAIN.target_texts]))
    assert result.rows["few"].ranks.tolist() == brute_force(aligner, 10, texts)
    assert result.rows["few"].latency > 0


def test_compare_says_what_it_brings_and_costs(keeping_aligner, model):
    encoder, seen = model
    index = IndexDocuments(tuple(f"SPARE PART {n}." for n in range(40)))
    result = compare(
        TRAIN,
        TEST,
        ["bm25", Both("both: letters", encoder)],
        aligner=keeping_aligner,
        second_model=encoder,
        index=index,
    )
    assert {*result.rows} >= {"aligner", "second model: letters", "both: letters"}
    # Each once; then the hits of five questions on the clock, and probe texts.
    documents = {*PAIRS.target_texts, *index.texts}
    assert {*seen} >= documents
    assert sum(text in documents for text in seen) <= 120 + 8 * 50
    second = result.second
    assert (second.n_documents, second.n_queries, second.n_hits) == (120, 40, 50)
    assert 50 <= second.n_embedded <= 120
    assert second.seconds_all == pytest.approx(second.seconds_new / 50 * 120)
    assert str(second) in str(result)
    assert result.to_dict()["second"]["n_embedded"] == second.n_embedded


def test_it_looks_at_the_hits_of_an_aligner(model):
    with pytest.raises(DataError, match=r"pass aligner=.*--fit"):
        compare(TRAIN, TEST, ["bm25"], second_model=model[0], **ENCODERS)


def test_a_model_that_fails_costs_its_rows_alone(keeping_aligner):
    def fails(texts):
        raise OSError("down")

    result = compare(TRAIN, TEST, ["bm25"], aligner=keeping_aligner, second_model=fails)
    assert [name for name, row in result.rows.items() if isinstance(row, str)] == [
        f"second model: {__name__}.{fails.__qualname__}",
        f"both: {__name__}.{fails.__qualname__}",
    ]
    assert result.second is None
    encoded = with_vectors(TEST, as_encoders(**ENCODERS), None)
    with pytest.raises(DataError, match=r"cannot be scored: .*OSError: down"):
        second_look(keeping_aligner, encoded, fails)


def test_a_report_reads_the_same_scores(keeping_aligner, model):
    encoder, _ = model
    encoded = with_vectors(TEST, as_encoders(**ENCODERS), None)
    look = second_look(keeping_aligner, encoded, encoder, trained_on=TRAIN)
    result = compare(TRAIN, TEST, ["bm25"], aligner=keeping_aligner, second_model=encoder)
    assert look.hits.means == result.rows["second model: letters"].scores.means
    assert look.again.means == result.rows["both: letters"].scores.means
    assert (look.verdict.gain, look.verdict.short) == (result.second.gain, result.second.short)


@pytest.mark.parametrize(
    ("change", "said", "advised"),
    [
        ({}, "use, it finds more than the aligner (MRR@10 +0.100, p=0.0100), and is not", True),
        ({"short": WORSE}, "an index embedded again finds more still (MRR@10 -0.100", True),
        ({"gain": EQUAL}, "do not use, it is not shown to find more", False),
        ({"n_documents": 900}, "embed the index again: all its documents take about 9 s", False),
        ({"short": BETTER}, "and more than an index embedded again (MRR@10 +0.100", True),
        ({"n_documents": 900, "short": BETTER}, "use, it finds more", True),
        ({"n_queries": 7}, "no verdict, 7 queries are too few", False),
    ],
)
def test_the_verdict_advises_against_it_where_it_does_not_pay(change, said, advised):
    told = {"gain": BETTER, "short": EQUAL, "n_queries": 300, "n_documents": 1_000_000} | change
    verdict = SecondVerdict("m", **told, n_embedded=800, n_hits=50, seconds_new=0.5)
    assert said in str(verdict)
    assert verdict.advised is advised
    assert "questions embedded 800 of" in str(verdict)
    assert "waits about 0.5 s" in str(verdict)
