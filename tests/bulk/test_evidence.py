"""Warnings while stored vectors are compared: ours is answered, those of others are passed on."""

import warnings

import pyarrow.parquet as pq
import pytest
from support.parquet_files import write_texts
from support.toy_data import reversed_letters

from kakehashi import Aligner
from kakehashi.bulk.evidence import require_own_vectors
from kakehashi.errors import UncheckedIndexWarning


@pytest.fixture
def rows(tmp_path):
    return pq.read_table(write_texts(tmp_path / "a.parquet", vectors=True))


def warning_letters(texts):
    warnings.warn("the tokenizer is old", FutureWarning, stacklevel=1)
    return reversed_letters(texts)


def test_a_warning_of_the_encoder_is_not_swallowed(rows, keeping_aligner):
    aligner = keeping_aligner.with_encoders(target_encoder=warning_letters)
    with pytest.warns(FutureWarning, match="the tokenizer is old"):
        require_own_vectors(aligner, rows, "a.parquet")


def test_one_warning_says_that_nothing_tells(rows, keeping_aligner):
    aligner = Aligner.load(keeping_aligner.path)
    with pytest.warns(UncheckedIndexWarning) as caught:
        require_own_vectors(aligner, rows, "a.parquet")
    assert [str(each.message)[:44] for each in caught] == [
        "Nothing at hand shows that a.parquet holds t"
    ]
