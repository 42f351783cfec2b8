"""The file of a second model that is damaged or misplaced, and documents of odd names."""

import numpy as np
import pytest
from support.toy_data import reversed_letters

from kakehashi.errors import CacheError
from kakehashi.retrieval.second_model import SecondModel


def test_a_schema_that_is_no_text_is_no_cache(tmp_path):
    path = tmp_path / "side.sqlite"
    SecondModel(reversed_letters, path).embed(["a"], ["the pump"])
    damaged = path.read_bytes().replace(b"CREATE TABLE vectors", b"CREATE TABLE \xff\xfectors")
    damaged = damaged.replace(b"tablevectorsvectors", b"table\xff\xfectors\xff\xfectors")
    path.write_bytes(damaged)
    with pytest.raises(CacheError, match="Give another name"):
        SecondModel(reversed_letters, path)


def test_a_place_below_a_file_is_no_cache(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(CacheError, match="cannot be a cache of vectors"):
        SecondModel(reversed_letters, tmp_path / "file" / "below" / "side.sqlite")


def test_a_name_that_is_no_unicode_keeps_no_document_from_its_place(tmp_path):
    model = SecondModel(reversed_letters, tmp_path / "side.sqlite")
    documents = [("\ud800", "the pump"), ("", "a lamp"), (None, "a valve"), ("d", "the hose")]
    look = model.look("the pump", documents, 3)
    assert all(np.isfinite(each) for each in look.similarities)
    assert [found.id for found in look.nearest] == ["d"]
