"""Options: a misspelt one is refused by name; a filter has one form however a store is given."""

import asyncio

import pytest
from support.frameworks import QUERIES, LlamaIndex

from kakehashi.errors import DataError
from kakehashi.integrations import langchain, llama_index

STORES = ["in memory", "chroma", "qdrant"]


@pytest.fixture(params=STORES)
def shop(request, shops):
    return shops("langchain", request.param)


def retrievers(shop, **fields):
    yield langchain.AlignedRetriever(
        vectorstore=shop.mixed, embeddings=shop.f.embeddings, k=7, **fields
    )
    yield langchain.HybridRetriever(
        searches=[shop.mixed], embeddings=shop.f.embeddings, k=7, on_error="degrade", **fields
    )


def test_a_misspelt_option_is_refused_by_name(shop):
    for retriever in retrievers(shop):
        for ask in (retriever.invoke, lambda *a, r=retriever, **o: asyncio.run(r.ainvoke(*a, **o))):
            with pytest.raises(DataError, match=r"fitler=.* is no option of .* filter, "):
                ask(QUERIES[0], fitler={"part": "a"})
            with pytest.raises(DataError, match="top_k=3 is no option"):
                ask(QUERIES[0], top_k=3)
    with pytest.raises(ValueError, match="fitler"):
        next(retrievers(shop, search_kwargs={"fitler": {"part": "a"}}))
    with pytest.raises(ValueError, match="fitler"):
        [*retrievers(shop, fitler={"part": "a"})]
    with pytest.raises(ValueError, match="fitler"):
        langchain.HybridRetriever(
            searches=[shop.mixed], embeddings=shop.f.embeddings, search_kwargs={"fitler": {}}
        )
    search = langchain.VectorSearch(vectorstore=shop.mixed, search_kwargs={"fitler": {}})
    with pytest.raises(ValueError, match="fitler"):
        langchain.HybridRetriever(searches=[search], embeddings=shop.f.embeddings)


def test_a_search_by_words_refuses_an_option_though_others_could_answer(shops, corpus):
    shop = shops("langchain", "chroma")
    searches = [shop.f.vectors(shop.mixed), shop.f.words(corpus)]
    retriever = shop.f.retriever(searches, on_error="degrade")
    with pytest.raises(DataError, match="A search by words cannot read where_document="):
        retriever.invoke(QUERIES[0], where_document={"$contains": "a"})


@pytest.mark.parametrize(
    "wanted", [{"part": "b"}, {"$and": [{"part": {"$in": ["a", "b"]}}, {"page": {"$gte": 4}}]}]
)
def test_a_filter_has_one_form_however_a_store_is_given(shop, corpus, wanted):
    least = 4 if "$and" in wanted else 0
    parts = "ab" if "$and" in wanted else "b"
    allowed = {e.text for e in corpus if e.part in parts and e.page >= least}
    around = langchain.AlignedVectorStore(shop.mixed)
    store_itself = around.as_retriever(search_kwargs={"filter": wanted, "k": 48})
    of_search = langchain.VectorSearch(vectorstore=around, search_kwargs={"filter": wanted})
    made = {"embeddings": shop.f.embeddings, "k": 48}
    every = {"filter": wanted, "fetch_k": 48}
    for retriever in (
        store_itself,
        langchain.AlignedRetriever(
            vectorstore=shop.mixed, search_kwargs={"filter": wanted}, **made
        ),
        langchain.AlignedRetriever(
            vectorstore=around, search_kwargs=every, search_type="mmr", **made
        ),
        langchain.HybridRetriever(searches=[of_search], **made),
        langchain.HybridRetriever(
            searches=[shop.mixed, shop.f.words(corpus)], search_kwargs={"filter": wanted}, **made
        ),
    ):
        assert {d.page_content for d in retriever.invoke(QUERIES[0])} <= allowed
        assert len(retriever.invoke(QUERIES[1])) == min(len(allowed), 48)
    single = langchain.AlignedRetriever(vectorstore=shop.mixed, **made)
    assert {d.page_content for d in single.invoke(QUERIES[0], filter=wanted)} == allowed


def test_searches_of_llama_index_check_what_they_are_given(shops):
    shop = shops("llama_index", "simple")
    nodes = shop.f.documents(shop.corpus[:2])
    for wrong, said in (
        ({"name": 3}, "name=3; give a text"),
        ({"modality": 3}, "modality=3; give a text"),
        ({"scores": "percent"}, "scores='percent' is not known; choose one of similarity"),
        ({"split": "auto"}, "split='auto'; give True or False"),
        ({"options": ["filters"]}, r"options=\['filters'\]; give a dictionary"),
        ({"options": {"fitlers": None}}, "fitlers=None is no option"),
    ):
        with pytest.raises(DataError, match=said):
            llama_index.VectorSearch(shop.mixed, **wrong)
    with pytest.raises(TypeError, match="modalty"):
        llama_index.VectorSearch(shop.mixed, modalty="source")
    for wrong in ("a pump", nodes[0], None, 3):
        with pytest.raises(DataError, match=r"nodes=.*; give a list of nodes"):
            llama_index.BM25Search(wrong)
    with pytest.raises(DataError, match=r"nodes hold 'a pump'; give nodes"):
        llama_index.BM25Search(["a pump"])
    with pytest.raises(DataError, match="name=None; give a text"):
        llama_index.BM25Search(nodes, name=None)
    f = LlamaIndex(shop.f.embeddings.aligner)
    with pytest.raises(DataError, match="modality='Japanese'; choose one of source, target"):
        f.retriever([llama_index.BM25Search(nodes, modality="Japanese")], fusion="rank")
    read_once = llama_index.BM25Search(iter(nodes))
    assert len(read_once.nodes) == 2
