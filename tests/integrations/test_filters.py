"""A filter in the way of Chroma lets the same documents through every store of LangChain."""

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from support import vector_stores

from kakehashi.errors import DataError
from kakehashi.integrations.langchain.filters import joined
from kakehashi.integrations.langchain.searches import rows_of
from kakehashi.retrieval.filters import document_filter, lexical_filter

DOCUMENTS = [
    Document(f"text {i}", metadata={"part": "abc"[i % 3], "page": i, "share": i / 8, "say": said})
    for i, said in enumerate(["it's", 'a "word"', "ポンプ", "plain"] * 6)
]
FILTERS = {
    "one": {"part": "b"},
    "two": {"part": "b", "page": 4},
    "equal": {"part": {"$eq": "b"}},
    "fraction": {"share": 0.5},
    "not": {"part": {"$ne": "b"}},
    "in": {"page": {"$in": [1, 2, 3]}},
    "of texts": {"part": {"$in": ["a", "c"]}},
    "not in": {"part": {"$nin": ["a", "c"]}},
    "range": {"$and": [{"page": {"$gt": 3}}, {"page": {"$lte": 9}}]},
    "below": {"$and": [{"page": {"$gte": 3}}, {"share": {"$lt": 1.5}}]},
    "or": {"$or": [{"part": "a"}, {"page": {"$lt": 3}}]},
    "nested": {"$or": [{"$and": [{"part": "a"}, {"page": {"$gt": 9}}]}, {"page": 1}]},
    "not one": {"$not": {"part": "b"}},
    "not both": {"$not": {"part": "b", "page": 4}},
    "not either": {"$not": {"$or": [{"part": "a"}, {"page": {"$lt": 3}}]}, "share": {"$gt": 1}},
    "not not": {"$not": {"$not": {"$and": [{"part": "a"}, {"page": {"$gte": 9}}]}}},
    "only one joined": {"$and": [{"part": "a"}]},
    "apostrophe": {"say": "it's"},
    "quotes": {"say": 'a "word"'},
    "Japanese": {"say": "ポンプ"},
    "nothing": {"say": "' OR '1'='1"},
}


class Width(DeterministicFakeEmbedding):
    """Embeddings with what the makers of stores ask of ours."""

    size: int = 8

    @property
    def aligner(self):
        return self

    @property
    def output_dimension(self):
        return self.size


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    made = {}

    def of(name):
        if name not in made:
            folder = tmp_path_factory.mktemp("filters")
            made[name] = vector_stores.LANGCHAIN[name](Width(), folder, None)
            made[name].add_documents(DOCUMENTS)
        return made[name]

    return of


EMBEDDED = [name for name in vector_stores.LANGCHAIN if "http" not in name]


def found(store, *options, k=24):
    rows = rows_of(store, [0.3] * 8, k, joined(store, *options))
    return sorted(document.page_content for document, *_ in rows)


def expected(given):
    return sorted(d.page_content for d in DOCUMENTS if document_filter(given)(d))


@pytest.mark.parametrize("given", FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize("name", EMBEDDED)
@pytest.mark.slow
def test_every_store_lets_the_same_through(name, given, filled):
    assert bool(expected(given)) == (given is not FILTERS["nothing"])
    assert found(filled(name), {"filter": given}) == expected(given)


@pytest.mark.parametrize("name", EMBEDDED)
def test_two_filters_both_hold(name, filled):
    one, other = {"part": "b"}, {"page": {"$gt": 9}}
    both = expected({"$and": [one, other]})
    assert found(filled(name), {"filter": one}, {"filter": other}) == both
    assert found(filled(name), {"filter": one}, {}, {"filter": {}}) == expected(one)


def own_forms(name):
    """Return {"part": "b"} as the store itself takes it, for those that do not take that."""
    if name == "in memory":
        return {"filter": lambda document: document.metadata["part"] == "b"}
    if name == "faiss":
        return {"filter": lambda metadata: metadata["part"] == "b"}
    if name == "qdrant":
        from qdrant_client import models

        match = models.FieldCondition(key="metadata.part", match=models.MatchValue(value="b"))
        return {"filter": models.Filter(must=[match])}
    if name == "lancedb":
        return {"filter": "metadata.part = 'b'", "prefilter": True}
    return {"expr": 'part == "b"'} if name == "milvus lite" else {"filter": {"part": "b"}}


@pytest.mark.parametrize("name", EMBEDDED)
def test_a_filter_in_the_stores_own_form_is_passed_on_and_joined(name, filled):
    store = filled(name)
    own = own_forms(name)
    assert found(store, own) == expected({"part": "b"})
    both = expected({"$and": [{"part": "b"}, {"page": {"$gt": 9}}]})
    assert found(store, own, {"filter": {"page": {"$gt": 9}}}) == both
    assert found(store, {"filter": {"page": {"$gt": 9}}}, own) == both


def test_metadata_of_milvus_may_lie_in_one_field():
    class Milvus:
        _metadata_field = "metadata"

    asked = joined(Milvus(), {"filter": {"part": "b", "page": {"$nin": [1, 2]}}})
    assert asked == {"expr": 'metadata["part"] == "b" and metadata["page"] not in [1, 2]'}


def test_a_store_that_is_not_known_has_its_filter_passed_on():
    class Elsewhere:
        pass

    store = Elsewhere()
    assert joined(store, {"filter": {"a": 1}, "k": 2}) == {"filter": {"a": 1}, "k": 2}
    both = joined(store, {"filter": {"a": 1}}, {"filter": {"b": 2}})
    assert both == {"filter": {"$and": [{"a": 1}, {"b": 2}]}}


def test_what_cannot_be_read_or_joined_is_named(filled):
    with pytest.raises(DataError, match=r"operator '\$near' of a filter is not known; known are"):
        joined(filled("in memory"), {"filter": {"page": {"$near": 3}}})
    with pytest.raises(DataError, match=r"operator '\$xor'"):
        joined(filled("in memory"), {"filter": {"$xor": []}})
    with pytest.raises(DataError, match="cannot be put together"):
        joined(filled("chroma"), {"filter": "part = 'b'"}, {"filter": {"part": "b"}})
    with pytest.raises(DataError, match="A search by words cannot read the filter 'part = 3'"):
        document_filter("part = 3")(DOCUMENTS[0])
    for option in ("expr", "where_document"):
        with pytest.raises(DataError, match=f"A search by words cannot read {option}="):
            lexical_filter({option: "part == 3"})


def test_not_and_a_list_are_those_of_faiss():
    assert document_filter({"$not": {"part": "b"}})(DOCUMENTS[0])
    assert not document_filter({"$not": {"part": "b"}})(DOCUMENTS[1])
    assert document_filter({"part": ["a", "b"]})(DOCUMENTS[1])
    assert document_filter({"part": {"$neq": "b"}})(DOCUMENTS[0])
    assert not document_filter({"gone": {"$gt": 3}})(DOCUMENTS[0])
    assert document_filter(lambda document: document.metadata["page"] == 0)(DOCUMENTS[0])


ODD = {
    "an empty or": {"$or": []},
    "an empty and": {"$and": []},
    "no list": {"$and": {"part": "b"}},
    "a list to not": {"$not": [{"part": "b"}]},
    "nothing within": {"$and": [{}]},
    "no condition": {"page": {}},
    "none": {"page": None},
    "none to compare": {"page": {"$gt": None}},
    "a list to equal": {"page": {"$eq": [3]}},
    "a text for a list": {"say": {"$in": "plain"}},
    "a number for a field": {3: 3},
    "infinite": {"share": float("inf")},
    "no number": {"share": {"$lt": float("nan")}},
    "too deep": {"$not": None},
    "unknown": {"part": {"$near": "b"}},
    "unknown within": {"$or": [{"part": "a"}, {"$nor": [{"part": "b"}]}]},
}
for _ in range(40):
    ODD["too deep"] = {"$not": ODD["too deep"] if ODD["too deep"]["$not"] else {"part": "b"}}


@pytest.mark.parametrize("given", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", EMBEDDED)
def test_what_stores_would_read_each_in_its_way_is_refused(name, given, filled):
    with pytest.raises(DataError, match="filter"):
        found(filled(name), {"filter": given})
    with pytest.raises(DataError, match="filter"):
        lexical_filter({"filter": given})


def test_numbers_of_numpy_and_sets_are_read_as_lists_and_numbers(filled):
    given = {"page": {"$in": {np.int64(1), 2}}, "share": {"$gt": np.float32(0.125)}}
    for name in EMBEDDED:
        assert found(filled(name), {"filter": given}) == ["text 2"]
    assert document_filter(given)(DOCUMENTS[2])
    assert not document_filter({"say": {"$gt": 3}})(
        DOCUMENTS[0]
    )  # a text is not more than a number


@pytest.mark.parametrize("name", ["lancedb", "milvus lite"])
@pytest.mark.parametrize("field", ["page = 9) OR (metadata.page >= 0 OR page", "", "a b", "1st"])
def test_a_field_is_a_name_and_no_expression(name, field, filled):
    """Pasted into the expression of a store, it would lift the filter of the search itself."""
    with pytest.raises(DataError, match="field"):
        found(filled(name), {"filter": {"part": "a"}}, {"filter": {field: 9}})


def test_an_option_that_a_search_by_words_does_not_know_may_be_a_restriction():
    assert lexical_filter({"fetch_k": 20, "filter": None, "pre_filter": None}) is None
    for option in ("where", "pre_filter", "ids", "filters", "namespace"):
        with pytest.raises(DataError, match=f"A search by words cannot read {option}="):
            lexical_filter({option: {"part": "b"}})
