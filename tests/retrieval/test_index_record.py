"""The record of an index: what it tells, and what it leaves open."""

import json

import pytest

from kakehashi.errors import AlignerMismatchError
from kakehashi.retrieval.index_record import IndexRecord


class Space:
    def __init__(self, fingerprint, mode="keep", dimension=4, target="minilm"):
        self.fingerprint, self.mode, self.output_dimension = fingerprint, mode, dimension
        self.encoder_names = {"source": "use", "target": target}


def test_a_record_comes_back_from_its_json():
    record = IndexRecord.of(Space("a" * 64), "page_content")
    assert IndexRecord.from_json(record.to_json()) == record
    assert json.loads(record.to_json())["target_encoder"] == "minilm"


@pytest.mark.parametrize(
    "other", [None, 3, "", "{}", "[1]", '"x"', '{"fingerprint": 1}', "[" * 10**5]
)
def test_what_is_no_record_is_none(other):
    assert IndexRecord.from_json(other) is None


def test_a_number_in_the_place_of_a_name_is_no_record():
    read = json.loads(IndexRecord.of(Space("a"), "text").to_json())
    assert IndexRecord.from_json(json.dumps({**read, "mode": 3})) is None


def test_the_aligner_that_filled_an_index_may_search_it():
    record = IndexRecord.of(Space("a"), "text")
    assert record.require(Space("a"), "The index", only_target=False)


def test_a_retrained_aligner_may_search_what_both_leave_as_it_is():
    record = IndexRecord.of(Space("a"), "text")
    assert not record.require(Space("b"), "The index", only_target=True)


@pytest.mark.parametrize(
    ("filled", "asked", "only_target"),
    [
        (Space("a"), Space("b"), False),
        (Space("a", "shared"), Space("b", "shared"), True),
        (Space("a"), Space("b", "shared"), True),
        (Space("a"), Space("b", target="e5"), True),
        (Space("a"), Space("b", dimension=3), True),
        (Space("a", target=""), Space("b", target=""), True),
    ],
)
def test_another_aligner_is_refused_by_the_record(filled, asked, only_target):
    record = IndexRecord.of(filled, "text")
    with pytest.raises(AlignerMismatchError, match=r"'a'.*not 'b': vectors of the two do not mix"):
        record.require(asked, "The index", only_target=only_target)


def test_a_forged_record_of_a_store_is_printable_in_the_refusal():
    evil = "\x1b]52;c;aGk=\x07\n\u202e"
    record = IndexRecord(evil, evil, 4, evil, evil, evil)
    with pytest.raises(AlignerMismatchError) as caught:
        record.require(Space("b" * 64), "The index", only_target=True)
    assert str(caught.value).isprintable()
