"""The vectors of targets out of an index: a fit, an evaluation and a comparison without the
target encoder."""

import warnings

import numpy as np
import pytest
from support.toy_data import hashed_letters, machine_pairs, reversed_letters

import kakehashi
from kakehashi.data.index import IndexDocuments
from kakehashi.errors import DataError
from kakehashi.evaluation import compare, evaluate
from kakehashi.training.stored_targets import with_stored_targets

PAIRS = machine_pairs()
TEXTS = tuple(PAIRS.target_texts)


@pytest.fixture
def index():
    """The documents of the pairs and others, in another order, as a switched off model left them"""
    others = tuple(f"SPARE PART {n}." for n in range(20))
    texts = (*others, *reversed(TEXTS))
    return IndexDocuments(texts, reversed_letters(list(texts)), name="the index")


def test_each_target_gets_the_vector_of_its_text(index):
    filled = with_stored_targets(PAIRS, [None, index], None)
    np.testing.assert_array_equal(filled.target_vectors, reversed_letters(list(TEXTS)))
    assert filled.source_texts == PAIRS.source_texts
    assert not filled.validation.findings


def test_targets_that_the_index_does_not_hold_are_left_out_and_named(index):
    changed = [*TEXTS[:78], "A NEW EDITION.", "ANOTHER ONE."]
    pairs = kakehashi.Pairs(PAIRS.source_texts, changed, name="log")
    with pytest.warns(UserWarning, match=r"2 of 80 targets of log .* the index.*row 78"):
        filled = with_stored_targets(pairs, [index], None)
    assert filled.target_texts == TEXTS[:78]
    assert [finding.row for finding in filled.validation.findings] == [78, 79]
    with pytest.raises(DataError, match=r"No target of log is a document of the index"):
        with_stored_targets(pairs.select([78, 79]), [index], None)


def test_vectors_and_encoders_at_hand_come_first(index):
    assert with_stored_targets(PAIRS, [index], reversed_letters) is PAIRS
    assert with_stored_targets(PAIRS, [IndexDocuments(TEXTS)], None) is PAIRS
    own = PAIRS.with_vectors(None, reversed_letters(list(TEXTS)))
    assert with_stored_targets(own, [index], None) is own


def test_a_fit_without_the_target_encoder_is_that_with_it(index):
    """No target encoder is passed, recorded or loaded; the vectors of the index are enough."""
    options = {"source_encoder": hashed_letters, "learned": False}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        without = kakehashi.fit(PAIRS, learn_from=[index], **options)
        made = PAIRS.with_vectors(None, reversed_letters(list(TEXTS)))
        with_vectors = kakehashi.fit(made, learn_from=[index], **options)
    assert without.identities["target"] is None
    assert without.fingerprint == with_vectors.fingerprint
    found = evaluate(without, PAIRS, index=index)
    assert found.aligned.means == evaluate(without, made, index=index).aligned.means
    rows = compare(
        PAIRS.select(range(60)),
        PAIRS.select(range(60, 80)),
        ["ridge", "procrustes"],
        source_encoder=hashed_letters,
        index=index,
    ).rows
    assert not any(isinstance(row, str) for row in rows.values())
