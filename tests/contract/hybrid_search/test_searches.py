"""Arms, retrievers and their errors, where the store makes no difference."""

import asyncio
import pickle
import threading
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.runnables import ConfigurableField
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import Document as LlamaDocument
from llama_index.core import MockEmbedding, VectorStoreIndex
from llama_index.core.retrievers import VectorIndexRetriever
from llama_index.core.schema import TextNode
from pydantic import ValidationError
from support import vector_stores
from support.frameworks import (
    PAIRS,
    QUERIES,
    Entry,
    LangChain,
    LlamaIndex,
    assert_same,
    reference,
)

from kakehashi.cli.info import retrieval_facts
from kakehashi.errors import AlignerMismatchError, DataError, DegradedWarning
from kakehashi.integrations import langchain, llama_index
from kakehashi.retrieval.search import SearchRequest
from kakehashi.types import SIDES


class Failing:
    """What makes an search of either framework fail."""

    def find(self, request, n, *, per_modality):
        raise ConnectionError("the store is down")


class FailingInLangChain(Failing, langchain.VectorSearch):
    pass


@dataclass(frozen=True)
class FailingInLlamaIndex(Failing, llama_index.VectorSearch):
    pass


def failing(shop, name="down"):
    if isinstance(shop.f, LangChain):
        return FailingInLangChain(vectorstore=shop.mixed, name=name)
    return FailingInLlamaIndex(shop.mixed, name)


def in_both_ways(shop, retriever, query):
    yield lambda: shop.f.search(retriever, query)
    yield lambda: asyncio.run(shop.f.asearch(retriever, query))


def test_a_search_that_fails_raises_unless_the_others_are_to_answer(plain):
    searches = [failing(plain), plain.f.vectors(plain.mixed)]
    for search in in_both_ways(plain, plain.f.retriever(searches), QUERIES[0]):
        with pytest.raises(ConnectionError, match="the store is down"):
            search()
    degrading = plain.f.retriever(searches, on_error="degrade")
    expected = plain.rows(plain.ask(QUERIES[0], searches[1:]))
    for search in in_both_ways(plain, degrading, QUERIES[0]):
        with pytest.warns(
            DegradedWarning, match="search 'down' failed .*the store is down"
        ) as seen:
            found = search()
        assert len(seen) == 1
        assert plain.rows(found) == expected
        for document in found:
            said = plain.said(document)
            assert said["failed"] == {"down": "ConnectionError: the store is down"}


def test_where_all_searches_fail_there_is_no_answer(plain):
    searches = [failing(plain), failing(plain, "down, too")]
    for search in in_both_ways(plain, plain.f.retriever(searches, on_error="degrade"), QUERIES[0]):
        with pytest.raises(ConnectionError):
            search()


def test_searches_that_work_leave_no_mark(plain):
    with warnings.catch_warnings():
        warnings.simplefilter("error", DegradedWarning)
        found = plain.ask(QUERIES[0], [plain.f.vectors(plain.mixed)], on_error="degrade")
    assert all("failed" not in plain.said(d) for d in found)


class Meeting:
    """An search that waits until another one is searched, too."""

    def find(self, request, n, *, per_modality):
        BARRIER.wait(timeout=20)
        return super().find(request, n, per_modality=per_modality)


BARRIER = threading.Barrier(2)


class MeetingInLangChain(Meeting, langchain.VectorSearch):
    pass


class MeetingInLlamaIndex(Meeting, llama_index.VectorSearch):
    pass


def test_async_searches_all_searches_at_once(plain):
    store = plain.mixed
    if isinstance(plain.f, LangChain):
        searches = [MeetingInLangChain(vectorstore=store, name=name) for name in "ab"]
    else:
        searches = [MeetingInLlamaIndex(store, name) for name in "ab"]
    found = asyncio.run(plain.f.asearch(plain.f.retriever(searches), QUERIES[0]))
    assert all(set(plain.said(d)["searches"]) == {"a", "b"} for d in found)
    assert plain.rows(found) == plain.rows(plain.ask(QUERIES[0], [plain.f.vectors(store)]))


def test_weights_count_in_fusion_by_rank(plain, corpus):
    searches = [plain.f.vectors(plain.mixed), plain.f.words(corpus)]
    by_words = plain.rows(plain.ask(QUERIES[1], searches[1:], fusion="rank"))
    firsts = {text for text, score in by_words if score == by_words[0][1]}
    [(first, _)] = plain.rows(
        plain.ask(QUERIES[1], searches, fusion="rank", weights={"words": 100.0}, k=1)
    )
    assert first in firsts
    even, hardly = (
        plain.rows(plain.ask(QUERIES[1], searches, fusion="rank", weights={"words": weight}))
        for weight in (1.0, 0.001)
    )
    assert even != hardly
    learned = plain.rows(plain.ask(QUERIES[1], searches, fusion="rank"))
    assert learned[0][1] <= 1 / 61 + 1e-12 < even[0][1]  # both kinds share a weight of 1


def test_an_embedded_text_that_names_metadata_is_recognised(shops, corpus):
    """LlamaIndex embeds metadata with the text, so that a node is more than its text."""
    shop = shops("llama_index", "simple")
    nodes = [TextNode(text=e.text, metadata=e.metadata) for e in corpus]
    index = VectorStoreIndex(shop.f.embeddings(nodes), embed_model=MockEmbedding(384))
    assert len(shop.ask(QUERIES[0], [shop.f.vectors(index)])) == 7


def every_way_in(embedding, corpus):
    """Indices of one corpus, filled in each way that LlamaIndex has."""
    documents = [LlamaDocument(text=e.text, metadata=e.metadata) for e in corpus]
    yield VectorStoreIndex.from_documents(documents, embed_model=embedding)
    empty = VectorStoreIndex([], embed_model=embedding)
    for document in documents:
        empty.insert(document)
    yield empty
    yield VectorStoreIndex(
        [TextNode(text=e.text, metadata=e.metadata) for e in corpus],
        embed_model=embedding,
        use_async=True,
    )
    empty = VectorStoreIndex([], embed_model=embedding)
    empty.refresh_ref_docs(documents)
    yield empty


@pytest.mark.parametrize("document_modality", ["target", "auto"])
def test_every_way_into_an_index_embeds_a_document_as_the_modality_that_it_names(
    aligner, corpus, document_modality
):
    f = LlamaIndex(aligner)
    f.embeddings.document_modality = document_modality
    few = corpus[:8] + corpus[PAIRS : PAIRS + 8]
    nodes = [TextNode(text=e.text, metadata=e.metadata) for e in few]
    expected = [n.embedding for n in f.embeddings(nodes)]
    for index in every_way_in(f.embeddings, few):
        stored = index.vector_store.data
        vectors = {
            index.docstore.get_node(i).text: vector for i, vector in stored.embedding_dict.items()
        }
        np.testing.assert_allclose([vectors[e.text] for e in few], expected, atol=1e-5)
        found = f.search(f.retriever([f.vectors(index), f.BM25Search(nodes)]), QUERIES[1])
        assert len(found) == 7


def test_an_index_whose_documents_of_one_modality_are_embedded_as_the_other_is_refused(shops):
    """An index of LlamaIndex passes texts, and here they do not name their modality."""
    shop = shops("llama_index", "simple")
    hidden = shop.f.documents(shop.corpus)
    for node in hidden:
        node.excluded_embed_metadata_keys.append("modality")
    index = VectorStoreIndex(hidden, embed_model=shop.f.embeddings)
    for split in (True, False):
        with pytest.raises(AlignerMismatchError, match="each document as its own modality"):
            shop.ask(QUERIES[1], [shop.f.vectors(index, split=split)])


def test_a_store_that_declares_its_scale_needs_no_encoder_of_its_documents(plain, aligner):
    without_model = replace(aligner.identities["target"], model=None)
    source_alone = replace(
        aligner,
        identities={**aligner.identities, "target": without_model},
        encoders={**aligner.encoders, "target": None},
        _verified=set(),
    )
    f = type(plain.f)(source_alone)
    found = f.search(f.retriever([f.vectors(plain.mixed)]), QUERIES[0])
    assert plain.rows(found) == plain.rows(plain.ask(QUERIES[0], [plain.f.vectors(plain.mixed)]))
    for scores in (None, "similarity"):
        searches = [f.vectors(plain.of("target"), scores=scores)]
        assert len(f.search(f.retriever(searches), QUERIES[0])) == 7


def test_wrong_searches_are_refused_when_the_retriever_is_made(plain, corpus):
    f, search = plain.f, plain.f.vectors(plain.mixed)
    with pytest.raises((ValueError, ValidationError), match=r"searches=\[\] searches nothing"):
        f.retriever([])
    other = "vectorstore" if isinstance(f, LangChain) else "index"
    with pytest.raises((ValueError, ValidationError), match=other):
        f.retriever([search], **{other: plain.mixed})
    with pytest.raises(
        ValueError, match=r"two searches are called 'vectors'; give each its own name="
    ):
        f.retriever([search, f.vectors(plain.of("source"))])
    with pytest.raises(ValueError, match="weights name the search 'bm25'; searches are vectors"):
        f.retriever([search], weights={"bm25": 2.0}, fusion="rank")
    with pytest.raises(ValueError, match="the weight of the search 'vectors' is 0"):
        f.retriever([search], weights={"vectors": 0.0}, fusion="rank")
    with pytest.raises(ValueError, match=r"fusion.*\n?.*'?rank'?"):
        f.retriever([search], fusion="best")
    with pytest.raises(ValueError, match=r"on_error.*\n?.*'?degrade'?"):
        f.retriever([search], on_error="ignore")
    with pytest.raises(ValueError, match="scores='percent' is not known; choose one of similarity"):
        f.retriever([f.vectors(plain.mixed, scores="percent")])
    with pytest.raises(ValueError, match="0"):
        f.retriever([search], k=0)


def test_documents_that_name_an_unknown_modality_fuse_by_rank_only(plain, corpus):
    japanese = [replace(e, modality="Japanese") for e in corpus[PAIRS:]]
    f = plain.f
    search = f.words(japanese)
    with pytest.raises(DataError, match="names no modality"):
        plain.ask(QUERIES[1], [search])
    assert plain.ask(QUERIES[1], [search], fusion="rank")
    declared = f.words(japanese, modality="target")
    assert plain.ask(QUERIES[1], [declared])


def test_the_query_is_read_as_it_is_declared(shops, aligner, corpus):
    shop = shops("langchain", "in memory")
    retriever = shop.f.retriever([shop.f.vectors(shop.mixed)])
    asked = asyncio.run(retriever.ainvoke(QUERIES[0], modality="target"))
    assert shop.rows(asked) == shop.rows(retriever.invoke(QUERIES[0], modality="target"))
    assert shop.rows(asked) != shop.rows(retriever.invoke(QUERIES[0]))
    assert shop.rows(retriever.invoke(QUERIES[0])) == shop.rows(
        retriever.invoke(QUERIES[0], modality="source")
    )
    with pytest.raises(DataError, match="modality='Japanese'"):
        retriever.invoke(QUERIES[0], modality="Japanese")
    declared = LlamaIndex(aligner)
    declared.embeddings.query_modality = "target"
    simple = shops("llama_index", "simple")
    found = declared.search(declared.retriever([declared.vectors(simple.mixed)]), QUERIES[0])
    assert_same(simple.rows(found), shop.rows(asked))


def test_k_and_filter_of_a_call(shops):
    shop = shops("langchain", "in memory")
    retriever = shop.f.retriever([shop.f.vectors(shop.mixed)])
    five = shop.rows(retriever.invoke(QUERIES[0], k=5))
    assert five == shop.rows(retriever.invoke(QUERIES[0]))[:5]
    assert shop.rows(asyncio.run(retriever.ainvoke(QUERIES[0], k=1))) == five[:1]
    configurable = retriever.configurable_fields(k=ConfigurableField(id="k"))
    assert shop.rows(configurable.with_config(configurable={"k": 2}).invoke(QUERIES[0])) == five[:2]
    only = retriever.invoke(QUERIES[0], filter={"part": "c"})
    assert {d.metadata["part"] for d in only} == {"c"}
    with pytest.raises(DataError, match="k=0; ask for a whole number"):
        retriever.invoke(QUERIES[0], k=0)


def test_a_copy_with_other_searches_searches_those(shops, corpus):
    shop = shops("langchain", "in memory")
    retriever = shop.f.retriever([shop.f.vectors(shop.mixed)])
    retriever.invoke(QUERIES[0])
    words = retriever.model_copy(update={"searches": [shop.f.words(corpus)]})
    assert {name for d in words.invoke(QUERIES[1]) for name in shop.said(d)["searches"]} == {
        "words"
    }
    ranked = retriever.model_copy(update={"fusion": "rank"})
    assert {shop.said(d)["fusion"] for d in ranked.invoke(QUERIES[0])} == {"rank"}


def test_a_retriever_with_searches_can_be_pickled(text_aligner):
    f = LangChain(text_aligner)
    entries = [Entry("reset the pump", "source", "a", 0), Entry("CHECK IT.", "target", "b", 1)]
    store = f.filled(vector_stores.lc_in_memory, entries, None, None)
    retriever = f.retriever([f.vectors(store), f.words(entries)], fusion="rank")
    again = pickle.loads(pickle.dumps(retriever))
    assert again.invoke("pump", modality="source") == retriever.invoke("pump", modality="source")


def test_searches_are_printed_without_their_documents(plain, corpus):
    f = plain.f
    retriever = f.retriever([f.vectors(plain.mixed), f.words(corpus)])
    for printed in (repr(f.words(corpus)), repr(f.vectors(plain.mixed)), repr(retriever)):
        assert len(printed) < 1000
        assert not any(entry.text in printed for entry in corpus)


def test_traces_name_every_store_once(shops, corpus):
    shop = shops("langchain", "in memory")
    searches = [shop.f.vectors(shop.of(side), name=side) for side in SIDES]
    params = shop.f.retriever([*searches, shop.f.words(corpus)])._get_ls_params()
    assert params["ls_vector_store_provider"] == "InMemoryVectorStore"


def test_a_store_that_overwrites_is_not_filled_in_two_parts(shops, corpus):
    shop = shops("langchain", "in memory")

    class Overwriting(InMemoryVectorStore):
        mode = "overwrite"

    store = Overwriting(shop.f.embeddings)
    with pytest.raises(DataError, match="make it with mode='append'"):
        shop.f.embeddings.add_documents(store, shop.f.documents(corpus))
    assert not store.store
    shop.f.embeddings.add_documents(store, shop.f.documents(corpus[:2]))


# What an adversary tried


def test_documents_are_added_through_an_aligner_without_a_router(aligner):
    bare = replace(aligner, router=None)
    embeddings = langchain.AlignedEmbeddings(aligner=bare)
    store = InMemoryVectorStore(embeddings)
    entries = [Document("部品", metadata={"modality": "source"}), Document("a part")]
    assert len(embeddings.add_documents(store, entries)) == 2
    assert embeddings.add_documents(store, []) == []
    assert [d["metadata"]["modality"] for d in store.store.values()] == ["source", "target"]
    assert "modality" not in entries[1].metadata
    routed = langchain.AlignedEmbeddings(aligner=bare, document_modality="auto")
    with pytest.raises(DataError, match="no router"):
        routed.add_documents(InMemoryVectorStore(routed), entries)


def test_a_store_that_embeds_out_of_sight_is_warned_of(aligner):
    embeddings = langchain.AlignedEmbeddings(aligner=aligner)

    class Elsewhere(InMemoryVectorStore):
        def add_documents(self, documents, **kwargs):
            found = []
            add = super().add_documents
            thread = threading.Thread(target=lambda: found.extend(add(documents, **kwargs)))
            thread.start()
            thread.join()
            return found

    with pytest.warns(UserWarning, match="1 document.s. of 'source' without having this object"):
        embeddings.add_documents(
            Elsewhere(embeddings), [Document("部品", metadata={"modality": "source"})]
        )


@pytest.mark.parametrize(
    "name", [("langchain", "chroma"), ("langchain", "faiss"), ("llama_index", "chroma")]
)
def test_one_document_that_is_the_query_itself_does_not_settle_what_scores_are(
    name, shops, aligner, corpus
):
    """A distance of 0 is one of many scales; the next search has to tell them apart."""
    shop, query = shops(*name), corpus[PAIRS].text
    retriever = shop.f.retriever([shop.f.vectors(shop.mixed)])
    langchains = isinstance(shop.f, LangChain)
    [search] = retriever._prepared_searches() if langchains else retriever._searches
    only = {"filter" if langchains else "filters": shop.f.filter(page=0, modality="target")}
    request = SearchRequest(aligner.prepare_query(query, "target"), query, 5, only)
    found = search.find(request, 5, per_modality=False)
    assert [hit.similarity for hit in found.hits] == pytest.approx([1], abs=1e-3)
    assert_same(shop.rows(shop.f.search(retriever, query)), reference(aligner, query, corpus)[:7])


def test_a_lexical_search_searches_what_it_was_given(plain, corpus):
    f = plain.f
    entries = f.documents(corpus)
    search = f.BM25Search(**{"documents" if isinstance(f, LangChain) else "nodes": list(entries)})
    given = search.documents if isinstance(f, LangChain) else search.nodes
    retriever = f.retriever([search])
    expected = plain.rows(f.search(retriever, QUERIES[1]))
    given.pop(0)
    given.reverse()
    assert plain.rows(f.search(retriever, QUERIES[1])) == expected
    given.clear()
    assert plain.rows(f.search(retriever, QUERIES[1])) == expected


def words_of(f, entries, **fields):
    return f.BM25Search(
        **{"documents" if isinstance(f, LangChain) else "nodes": f.documents(entries)}, **fields
    )


def test_a_lexical_search_is_refreshed_in_every_retriever_that_holds_it(plain, corpus):
    f, search = plain.f, words_of(plain.f, corpus[PAIRS:])
    both = [f.vectors(plain.mixed), search]
    holding = [f.retriever([search]), f.retriever(both, fusion="rank", k=99)]
    added = replace(corpus[PAIRS], text="A note on the zirconium bracket.")
    filters = f.filter(part=added.part)
    for _ in range(2):
        for retriever in holding:
            assert added.text not in plain.texts(f.search(retriever, "zirconium"))
        search.refresh(iter(f.documents([*corpus[PAIRS:], added])))
        for retriever in holding:
            assert added.text in plain.texts(f.search(retriever, "zirconium"))
        restricted = f.retriever([search], filter=filters)
        assert plain.texts(f.search(restricted, "zirconium")) == [added.text]
        search.refresh(f.documents(corpus[PAIRS:]))
    with pytest.raises(ValueError, match="hold 'a pump'; give"):
        search.refresh(["a pump"])
    assert f.search(holding[0], QUERIES[1])


def test_a_tokenizer_decides_what_a_word_is(plain, corpus):
    """By default Japanese is cut into pairs of characters; a tokenizer may find words."""
    f = plain.f
    notes = [
        replace(corpus[0], text=text, page=page) for page, text in enumerate(("東京都", "京都府"))
    ]
    words = {"東京都": ["東京", "都"], "京都府": ["京都", "府"], "京都": ["京都"]}

    def found(query, **fields):
        retriever = f.retriever([words_of(f, notes, **fields)], fusion="rank")
        return plain.texts(f.search(retriever, query))

    assert set(found("京都")) == {"東京都", "京都府"}
    assert found("京都", tokenizer=words.get) == ["京都府"]
    for wrong in (lambda text: text, lambda text: [1]):
        with pytest.raises(ValueError, match="it has to return a list of strings"):
            found("京都", tokenizer=wrong)
    with pytest.raises(ValueError, match="tokenizer"):
        found("京都", tokenizer="sudachi")


def test_sudachipy_cuts_japanese_into_words(shops, corpus):
    dictionary = pytest.importorskip("sudachipy").Dictionary(dict="small")
    sudachi = dictionary.create()
    f = shops("langchain", "in memory").f
    notes = [replace(corpus[0], text=text) for text in ("東京都に行く", "京都府に行った")]
    cut = words_of(f, notes, tokenizer=lambda text: [m.surface() for m in sudachi.tokenize(text)])
    found = f.search(f.retriever([cut], fusion="rank"), "京都")
    assert [f.text(d) for d in found] == ["京都府に行った"]


def test_two_retrievers_may_share_a_lexical_search(aligner, corpus):
    without_modality = [Document(e.text) for e in corpus if e.modality == "source"]
    search = langchain.BM25Search(documents=without_modality)

    def retriever(modality):
        embeddings = langchain.AlignedEmbeddings(
            aligner=aligner, query_modality="auto", document_modality=modality
        )
        return langchain.HybridRetriever(
            searches=[search], embeddings=embeddings, k=3, explain=True
        )

    first = retriever("source")
    before = first.invoke(QUERIES[0])
    assert {d.metadata["kakehashi"]["modality"] for d in before} == {"source"}
    other = retriever("target").invoke(QUERIES[0])
    assert {d.metadata["kakehashi"]["modality"] for d in other} == {"target"}
    assert first.invoke(QUERIES[0]) == before


def test_texts_that_differ_in_what_cannot_be_encoded_are_two(aligner):
    documents = [Document(f"reset {letter} pump") for letter in ("\ud800", "\udfff", "?")]
    search = langchain.BM25Search(documents=documents)
    embeddings = langchain.AlignedEmbeddings(aligner=aligner, query_modality="target")
    retriever = langchain.HybridRetriever(searches=[search], embeddings=embeddings, fusion="rank")
    assert len(retriever.invoke("pump")) == 3


class Scoring(InMemoryVectorStore):
    """A store whose scores are broken."""

    score = float("nan")

    def _similarity_search_with_score_by_vector(self, *args, **kwargs):
        found = super()._similarity_search_with_score_by_vector(*args, **kwargs)
        return [(row[0], self.score) for row in found]

    similarity_search_with_score_by_vector = _similarity_search_with_score_by_vector


def test_scores_that_are_none_or_not_finite(aligner, corpus):
    f = LangChain(aligner)
    store = Scoring(f.embeddings)
    f.embeddings.add_documents(store, f.documents(corpus[:6]))
    retriever = f.retriever([f.vectors(store, scores="similarity")])
    for score in (float("nan"), float("inf")):
        store.score = score
        with pytest.raises(DataError, match="scores that are not finite"):
            f.search(retriever, QUERIES[0])
    store.score = None
    with pytest.raises(DataError, match="gives no scores"):
        f.search(retriever, QUERIES[0])
    assert len(f.search(f.retriever([f.vectors(store)], fusion="rank"), QUERIES[0])) == 6


def test_node_ids_restrict_every_search(shops, corpus):
    shop = shops("llama_index", "simple")
    nodes = shop.f.documents(corpus)
    for number, node in enumerate(nodes):
        node.id_ = f"n{number}"
    index = VectorStoreIndex(shop.f.embeddings(nodes), embed_model=MockEmbedding(384))
    wanted = ["n24", "n25", "n1"]
    searches = [shop.f.vectors(index), shop.f.BM25Search(nodes)]
    found = shop.ask(QUERIES[1], searches, node_ids=wanted, k=9)
    assert {d.node.node_id for d in found} == set(wanted)
    alone = llama_index.AlignedRetriever(index, shop.f.embeddings, node_ids=wanted)
    assert {d.node.node_id for d in alone.retrieve(QUERIES[1])} == set(wanted)


def test_chroma_of_llama_index_reads_ids_where_it_passes_over_node_ids(shops, corpus):
    """So it does in the framework's own retriever; ours changes nothing of it."""
    shop = shops("llama_index", "chroma")
    index, embedding = shop.fill(corpus), shop.f.embeddings
    wanted = index.vector_store._collection.get(limit=3)["ids"]
    for options in ({"node_ids": wanted}, {"vector_store_kwargs": {"ids": wanted}}):
        options["similarity_top_k"] = 9
        theirs = VectorIndexRetriever(index, embed_model=embedding, **options).retrieve(QUERIES[1])
        ours = llama_index.AlignedRetriever(index, embedding, **options).retrieve(QUERIES[1])
        assert [row.node_id for row in ours] == [row.node_id for row in theirs]
        assert (len(ours) == 3) == ("node_ids" not in options)


@pytest.mark.parametrize("k", [2.5, "3", True, 0, -1, 10**9])
def test_k_is_a_whole_number_of_documents(k, plain):
    f = plain.f
    if isinstance(f, LangChain):
        retriever = f.retriever([f.vectors(plain.mixed)])
        with pytest.raises(DataError, match="ask for a whole number of documents"):
            retriever.invoke(QUERIES[0], k=k)
    else:
        with pytest.raises(DataError, match="ask for a whole number of documents"):
            f.retriever([f.vectors(plain.mixed)], k=k)


def test_what_is_no_search_and_weights_that_nothing_reads_are_refused(plain):
    f = plain.f
    search = f.vectors(plain.mixed)
    with pytest.raises(ValueError, match=r"are for fusion='rank'"):
        f.retriever([search], weights={"vectors": 2.0})
    with pytest.raises(ValueError, match="searches hold None; give VectorSearch"):
        f.retriever([None])
    from_iterator = f.retriever(iter([search]))
    assert plain.rows(f.search(from_iterator, QUERIES[0]))


def test_a_modality_of_none_names_none(aligner):
    named_none = {"modality": None}
    embeddings = langchain.AlignedEmbeddings(aligner=aligner)
    store = InMemoryVectorStore(embeddings)
    assert embeddings.add_documents(store, [Document("a part", metadata=named_none)])
    embedding = llama_index.AlignedEmbedding(aligner=aligner)
    [node] = embedding([TextNode(text="a part", metadata=named_none)])
    assert node.embedding


# What a newcomer tried


def test_without_a_calibration_the_retriever_is_not_made(plain, aligner):
    bare = replace(aligner, calibration=None)
    f = type(plain.f)(bare)
    with pytest.raises(ValueError, match=r"30 held-out pairs .* so pass 150 pairs"):
        f.retriever([f.vectors(plain.mixed)])
    assert f.search(f.retriever([f.vectors(plain.mixed)], fusion="rank"), QUERIES[0])
    assert "none: it takes 30" in retrieval_facts(bare)["calibration"]


def test_what_llama_index_would_swallow_is_refused(shops):
    shop = shops("llama_index", "simple")
    search = shop.f.vectors(shop.mixed)
    for option in ({"filter": {"part": "a"}}, {"k": 9}, {"search_kwargs": {}}):
        if "k" in option:
            with pytest.raises(DataError, match="k=9 is no option of a retriever of LlamaIndex"):
                llama_index.HybridRetriever([search], shop.f.embeddings, **option)
            continue
        with pytest.raises(DataError, match=r"is no option of a retriever .* filters, .*"):
            llama_index.HybridRetriever([search], shop.f.embeddings, **option)
        with pytest.raises(DataError, match="is no option of a retriever"):
            llama_index.AlignedRetriever(shop.mixed, shop.f.embeddings, **option)
    with pytest.raises(DataError, match="give llama_index's MetadataFilters"):
        shop.f.retriever([search], filters={"part": "a"})
    with pytest.raises(DataError, match="is no AlignedEmbedding"):
        llama_index.AlignedRetriever(shop.f.embeddings, shop.mixed)


def test_a_store_that_embeds_with_something_else_is_not_written_to(aligner):
    embeddings = langchain.AlignedEmbeddings(aligner=aligner)
    for other in (DeterministicFakeEmbedding(size=384), None):
        store = InMemoryVectorStore(other)
        with pytest.raises(DataError, match="not with this object; open it with these embeddings"):
            embeddings.add_documents(store, [Document("a part")])
        assert not store.store


def test_documents_that_do_not_read_like_what_they_are_taken_for_are_warned_of(aligner, corpus):
    embeddings = langchain.AlignedEmbeddings(aligner=aligner)
    notes = [Document(e.text) for e in corpus]
    with pytest.warns(UserWarning, match="24 of 48 documents that name no modality do not read"):
        embeddings.add_documents(InMemoryVectorStore(embeddings), notes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        embeddings.add_documents(InMemoryVectorStore(embeddings), notes[PAIRS:])


def test_a_filter_and_options_that_langchain_would_trip_over_are_refused(shops):
    shop = shops("langchain", "in memory")
    with pytest.raises(ValueError, match="search_kwargs holds k; give k="):
        shop.f.retriever([shop.f.vectors(shop.mixed)], search_kwargs={"k": 7})
    with pytest.raises(DataError, match="give a dictionary in the way of Chroma, or a function"):
        shop.ask(QUERIES[0], [shop.f.vectors(shop.mixed)], filter=["part"])
