"""One contract for the mixed retrievers of both frameworks, over every vector store.

Whatever the store calls its scores, and however it filters: the documents, their order and their
scores are those of a search by brute force.
"""

import asyncio
import pickle
import threading
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pytest
import stores
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.runnables import ConfigurableField
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)
from pydantic import ValidationError

from kakehashi.encoders import as_encoder
from kakehashi.errors import DataError, DegradedWarning
from kakehashi.evaluation.lexical import LexicalIndex
from kakehashi.integrations import _arms, _plan, langchain, llama_index
from kakehashi.pairs import SIDES

PAIRS = 24
QUERIES = ["シンボルの配置と編集", "How do I place a footprint on the board?"]


class Memo:
    """An encoder that reads a text once, however often the suite asks."""

    def __init__(self, encoder):
        self.name, self._encoder, self._known = encoder.name, encoder, {}

    def encode(self, texts, role="document"):
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._encoder.encode(new), strict=True))
        return np.stack([self._known[text] for text in texts])


@pytest.fixture(scope="module")
def aligner(real_aligner, use, minilm):
    return real_aligner.bind(source=Memo(as_encoder(use)), target=Memo(as_encoder(minilm)))


@dataclass(frozen=True)
class Entry:
    """A document of the corpus, of no framework."""

    text: str
    modality: str | None
    part: str
    page: int

    @property
    def metadata(self):
        named = {} if self.modality is None else {"modality": self.modality}
        return {**named, "part": self.part, "page": self.page}


@pytest.fixture(scope="module")
def corpus(kicad):
    """Both sides of a few pairs; enough of each language to fill any list by itself."""
    return [
        Entry(text, side, "abc"[i % 3], i)
        for side in SIDES
        for i, text in enumerate(kicad.texts(side)[:PAIRS])
    ]


class LangChain:
    """How the suite uses the retriever of LangChain."""

    stores = stores.LANGCHAIN
    VectorArm, LexicalArm = langchain.VectorArm, langchain.LexicalArm

    def __init__(self, aligner):
        self.embeddings = langchain.AlignedEmbeddings(aligner=aligner, query_modality="auto")

    def empty(self, make, folder, server):
        return make(self.embeddings, folder, server)

    def documents(self, entries):
        return [Document(e.text, metadata=e.metadata) for e in entries]

    def filled(self, make, entries, folder, server):
        store = self.empty(make, folder, server)
        self.embeddings.add_documents(store, self.documents(e for e in entries if e.modality))
        if older := self.documents(e for e in entries if not e.modality):
            store.add_documents(older)
        return store

    def filled_by_another(self, make, entries, folder, server):
        store = self.empty(make, folder, server)
        # Every store calls the embeddings that it was made with by another name.
        [name] = [n for n, value in vars(store).items() if value is self.embeddings]
        setattr(store, name, DeterministicFakeEmbedding(size=384))
        store.add_documents(self.documents(entries))
        return store

    def retriever(self, arms, k=7, filter=None, **fields):
        kwargs = {} if filter is None else {"search_kwargs": {"filter": filter}}
        return langchain.AlignedRetriever(
            embeddings=self.embeddings, arms=arms, k=k, **kwargs, **fields
        )

    def search(self, retriever, query):
        return retriever.invoke(query)

    async def asearch(self, retriever, query):
        return await retriever.ainvoke(query)

    def arm(self, store, **fields):
        return self.VectorArm(vectorstore=store, **fields)

    def words(self, entries, **fields):
        return self.LexicalArm(documents=self.documents(entries), **fields)

    def text(self, found):
        return found.page_content

    def metadata(self, found):
        return found.metadata

    def filter(self, **wanted):
        return wanted


class LlamaIndex:
    """How the suite uses the retriever of LlamaIndex."""

    stores = stores.LLAMA_INDEX
    VectorArm, LexicalArm = llama_index.VectorArm, llama_index.LexicalArm

    def __init__(self, aligner):
        self.embeddings = llama_index.AlignedEmbedding(aligner=aligner, query_modality="auto")

    def documents(self, entries):
        # What is embedded of a node is its metadata, too, unless they are left out.
        out = {"excluded_embed_metadata_keys": ["part", "page"]}
        return [TextNode(text=e.text, metadata=e.metadata, **out) for e in entries]

    def filled(self, make, entries, folder, server, *, by=None):
        nodes = (by or self.embeddings)(self.documents(entries))
        context = StorageContext.from_defaults(vector_store=make(self.embeddings, folder, server))
        return VectorStoreIndex(nodes, storage_context=context, embed_model=MockEmbedding(384))

    def filled_by_another(self, make, entries, folder, server):
        return self.filled(make, entries, folder, server, by=RandomNodes())

    def retriever(self, arms, k=7, filter=None, **fields):
        options = {} if filter is None else {"filters": filter}
        return llama_index.AlignedRetriever(
            embedding=self.embeddings, arms=arms, similarity_top_k=k, **options, **fields
        )

    def search(self, retriever, query):
        return retriever.retrieve(query)

    async def asearch(self, retriever, query):
        return await retriever.aretrieve(query)

    def arm(self, index, **fields):
        return self.VectorArm(index, **fields)

    def words(self, entries, **fields):
        return self.LexicalArm(self.documents(entries), **fields)

    def text(self, found):
        return found.node.get_content()

    def metadata(self, found):
        return found.node.metadata

    def filter(self, **wanted):
        return MetadataFilters(
            filters=[MetadataFilter(key=name, value=value) for name, value in wanted.items()]
        )


class RandomNodes:
    """What fills an index with vectors that have nothing to do with the texts."""

    def __call__(self, nodes):
        rows = DeterministicFakeEmbedding(size=384).embed_documents([n.text for n in nodes])
        for node, row in zip(nodes, rows, strict=True):
            node.embedding = (np.array(row) / np.linalg.norm(row)).tolist()
        return nodes


FRAMEWORKS = {"langchain": LangChain, "llama_index": LlamaIndex}
EVERY = [(f, name) for f, framework in FRAMEWORKS.items() for name in framework.stores]
PLAIN = [("langchain", "in memory"), ("llama_index", "simple")]


@pytest.fixture(scope="session")
def chroma_server(tmp_path_factory):
    """Return what starts a server once, and only where a test asks for it."""
    running = []

    def client():
        if not running:
            context = stores.chroma_server(tmp_path_factory.mktemp("server"))
            running.extend([context, context.__enter__()])
        return running[1]

    yield client
    if running:
        running[0].__exit__(None, None, None)


class Shop:
    """A framework and one of its stores, with what the suite fills it with, once each."""

    def __init__(self, framework, make, corpus, folder, server):
        self.f, self.make, self.corpus = framework, make, corpus
        self._folder, self._server, self._filled = folder, server, {}

    def fill(self, entries, *, by_another=False):
        how = self.f.filled_by_another if by_another else self.f.filled
        return how(self.make, entries, self._folder, self._server)

    def once(self, name, entries):
        if name not in self._filled:
            self._filled[name] = self.fill(entries)
        return self._filled[name]

    @property
    def mixed(self):
        return self.once("mixed", self.corpus)

    def of(self, side):
        return self.once(side, [e for e in self.corpus if e.modality == side])

    def ask(self, query, arms, **fields):
        return self.f.search(self.f.retriever(arms, **fields), query)

    def rows(self, found):
        """What is compared: each text with its score."""
        return [(self.f.text(d), self.said(d)["score"]) for d in found]

    def said(self, document):
        return self.f.metadata(document)["kakehashi"]


@pytest.fixture(scope="module")
def shops(aligner, corpus, tmp_path_factory, chroma_server):
    made = {}

    def shop(framework, name):
        if (framework, name) not in made:
            f = FRAMEWORKS[framework]
            folder = tmp_path_factory.mktemp("stores")
            made[framework, name] = Shop(f(aligner), f.stores[name], corpus, folder, chroma_server)
        return made[framework, name]

    return shop


@pytest.fixture(params=EVERY, ids=lambda p: f"{p[0]}: {p[1]}")
def shop(request, shops):
    return shops(*request.param)


@pytest.fixture(params=PLAIN, ids=lambda p: p[0])
def plain(request, shops):
    return shops(*request.param)


def modality_of(aligner, query):
    [side] = aligner.serving.router.route([query])
    return side


def reference(aligner, query, entries, *, words=False):
    """Search by brute force: (text, score) of every entry, the best first."""
    asked = modality_of(aligner, query)
    [vector] = aligner.embed([query], modality=asked, role="query")
    calibration = aligner.serving.calibration
    lines = calibration.hybrid if words else calibration.plain
    lexical = np.array(LexicalIndex([e.text for e in entries]).scores(query))
    found = []
    for side in SIDES:
        rows = [i for i, entry in enumerate(entries) if entry.modality == side]
        if not rows:
            continue
        texts = [entries[i].text for i in rows]
        documents = aligner.embed(texts, modality=side, role="document")
        near = documents @ vector / np.linalg.norm(documents, axis=1) / np.linalg.norm(vector)
        share = lexical[rows] / max(float(lexical[rows].max()), 1e-12)
        line = lines[asked, side]
        for text, similarity, of_best in zip(texts, near, share, strict=True):
            place = 1 + (near > similarity + 1e-6).sum()
            score = line.dense * similarity + line.place * np.log(place) + line.offset
            found.append((text, float(score + (line.lexical * of_best if words else 0))))
    return sorted(found, key=lambda row: -row[1])


def assert_same(found, expected):
    assert [text for text, _ in found] == [text for text, _ in expected]
    assert [s for _, s in found] == pytest.approx([s for _, s in expected], abs=1e-3)


# Over every store


@pytest.mark.parametrize("query", QUERIES, ids=["ja", "en"])
def test_the_answers_are_those_of_a_search_by_brute_force(query, shop, aligner, corpus):
    found = shop.ask(query, [shop.f.arm(shop.mixed)])
    assert_same(shop.rows(found), reference(aligner, query, corpus)[:7])
    assert {shop.said(d)["modality"] for d in found} == {"source", "target"}


@pytest.mark.parametrize("query", QUERIES, ids=["ja", "en"])
def test_words_count_beside_vectors(query, shop, aligner, corpus):
    arms = [shop.f.arm(shop.mixed), shop.f.words(corpus)]
    found = shop.ask(query, arms)
    assert_same(shop.rows(found), reference(aligner, query, corpus, words=True)[:7])


@pytest.mark.parametrize("k", [1, 3, 7, 1000])
def test_k_is_exact(k, shop, corpus):
    found = shop.ask(QUERIES[0], [shop.f.arm(shop.mixed)], k=k)
    assert len(found) == min(k, len(corpus))
    assert len({shop.f.text(d) for d in found}) == len(found)


def test_a_document_that_is_stored_twice_is_found_once(shop, aligner, corpus):
    few = corpus[:6] + corpus[PAIRS : PAIRS + 6]
    twice = shop.once("twice", few * 2)
    arms = [shop.f.arm(twice), shop.f.arm(shop.mixed, name="all")]
    found = shop.ask(QUERIES[1], arms, k=30)
    assert_same(shop.rows(found), reference(aligner, QUERIES[1], corpus)[:30])
    of_both = {shop.f.text(d) for d in found if set(shop.said(d)["arms"]) == {"vectors", "all"}}
    assert of_both == {e.text for e in few} & {shop.f.text(d) for d in found}
    assert len(shop.ask(QUERIES[1], [shop.f.arm(twice)], k=9)) == 9


def test_a_filter_reaches_every_arm(shop, aligner, corpus):
    arms = [shop.f.arm(shop.mixed), shop.f.words(corpus)]
    allowed = [e for e in corpus if e.part == "b"]
    if shop.make is stores.li_faiss:
        with pytest.raises(ValueError, match="filters not implemented"):
            shop.ask(QUERIES[0], arms, filter=shop.f.filter(part="b"))
        return
    found = shop.ask(QUERIES[0], arms, filter=shop.f.filter(part="b"))
    assert {shop.f.metadata(d)["part"] for d in found} == {"b"}
    assert len(found) == 7
    vectors = shop.ask(QUERIES[0], arms[:1], filter=shop.f.filter(part="b"), k=16)
    assert_same(shop.rows(vectors), reference(aligner, QUERIES[0], allowed))
    one_side = shop.f.filter(part="b", modality="target")
    vectors = shop.ask(QUERIES[0], arms[:1], filter=one_side)
    targets = [e for e in allowed if e.modality == "target"]
    assert_same(shop.rows(vectors), reference(aligner, QUERIES[0], targets)[:7])


def test_a_filter_that_nothing_passes_finds_nothing(shop, corpus):
    if shop.make is stores.li_faiss:
        pytest.skip("knows no metadata")
    arms = [shop.f.arm(shop.mixed), shop.f.words(corpus)]
    assert shop.ask(QUERIES[0], arms, filter=shop.f.filter(part="z")) == []


@pytest.fixture
def shallow(monkeypatch):
    """First searches find so little that what is buried has to be searched for by itself."""
    for module, name in ((_plan, "_LEAST"), (_plan, "_DEPTH"), (_arms, "_WIDER")):
        monkeypatch.setattr(module, name, 1)


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("query", QUERIES, ids=["ja", "en"])
def test_what_another_modality_buries_is_found(query, k, shop, aligner, corpus, shallow):
    found = shop.ask(query, [shop.f.arm(shop.mixed)], k=k)
    assert_same(shop.rows(found), reference(aligner, query, corpus)[:k])


@pytest.mark.parametrize("query", QUERIES, ids=["ja", "en"])
def test_documents_that_name_no_modality_are_of_the_objects_own(
    query, shop, aligner, corpus, shallow
):
    """As where documents of the other modality join an index that was there before."""
    if shop.make in (stores.lc_milvus, stores.lc_lancedb, stores.li_lancedb):
        pytest.skip("has every document name what one names")
    older = [replace(e, modality=None) if e.modality == "target" else e for e in corpus]
    found = shop.ask(query, [shop.f.arm(shop.once("older", older))], k=9)
    assert_same(shop.rows(found), reference(aligner, query, corpus)[:9])
    assert {shop.said(d)["modality"] for d in found} == set(SIDES)


@pytest.mark.parametrize("fusion", ["calibrated", "rank"])
def test_documents_that_name_no_modality_are_read_by_the_router(
    fusion, plain, aligner, corpus, shallow
):
    """A store is filled as it always was, and both modalities are told apart all the same."""
    f = type(plain.f)(aligner)
    f.embeddings.document_modality = "auto"
    shop = Shop(f, plain.make, corpus, None, None)
    filled = shop.fill([replace(e, modality=None) for e in corpus])
    for query in QUERIES:
        found = shop.ask(query, [f.arm(filled)], k=48, fusion=fusion)
        named = {shop.f.text(d): shop.said(d)["modality"] for d in found}
        assert named == {e.text: e.modality for e in corpus}
        if fusion == "calibrated":
            assert_same(shop.rows(found), reference(aligner, query, corpus))
            few = shop.ask(query, [f.arm(filled)], k=3)
            assert_same(shop.rows(few), reference(aligner, query, corpus)[:3])
    if isinstance(f, LangChain):
        store = f.empty(plain.make, None, None)
        f.embeddings.add_documents(store, f.documents([replace(corpus[0], modality=None)]))
        [(_, stored)] = store.store.items()
        assert stored["metadata"]["modality"] == corpus[0].modality


def test_metadata_say_how_a_document_was_found_and_what_is_stored_stays(shop, corpus):
    arms = [shop.f.arm(shop.mixed), shop.f.words(corpus)]
    found = shop.ask(QUERIES[1], arms)
    by_text = {e.text: e for e in corpus}
    for document in found:
        said, metadata = shop.said(document), shop.f.metadata(document)
        entry = by_text[shop.f.text(document)]
        assert {name: metadata[name] for name in entry.metadata} == entry.metadata
        assert said.keys() == {"modality", "arms", "similarity", "lexical", "score", "fusion"}
        assert (said["modality"], said["fusion"]) == (entry.modality, "calibrated")
        assert set(said["arms"]) <= {"vectors", "words"}
        assert -1 <= said["similarity"] <= 1.001
        assert all(isinstance(raw, float) for raw in said["arms"].values())
    again = shop.ask(QUERIES[1], arms, fusion="rank")
    assert all(shop.said(d)["fusion"] == "rank" for d in again)
    assert all("kakehashi" not in entry.metadata for entry in corpus)
    # Nothing of the first search has been written into the store.
    assert shop.rows(shop.ask(QUERIES[1], arms)) == shop.rows(found)


def test_two_indices_give_the_same_as_one(shop, aligner):
    arms = [shop.f.arm(shop.of(side), name=side, modality=side) for side in SIDES]
    for query in QUERIES:
        one = shop.ask(query, [shop.f.arm(shop.mixed)])
        two = shop.ask(query, arms)
        assert_same(shop.rows(two), shop.rows(one))
        assert all(set(shop.said(d)["arms"]) == {shop.said(d)["modality"]} for d in two)


def test_an_index_of_one_modality_needs_no_declaration(shop, aligner, corpus):
    found = shop.ask(QUERIES[0], [shop.f.arm(shop.of("target"))])
    targets = [e for e in corpus if e.modality == "target"]
    assert_same(shop.rows(found), reference(aligner, QUERIES[0], targets)[:7])


def test_async_gives_the_same(shop, corpus):
    arms = [shop.f.arm(shop.mixed), shop.f.words(corpus)]
    retriever = shop.f.retriever(arms)

    async def run():
        return await asyncio.gather(*(shop.f.asearch(retriever, q) for q in QUERIES))

    for query, found in zip(QUERIES, asyncio.run(run()), strict=True):
        assert shop.rows(found) == shop.rows(shop.f.search(retriever, query))


def test_rank_fusion_asks_for_no_scores(shop, aligner, corpus):
    expected = {}
    for side in SIDES:
        ranked = reference(aligner, QUERIES[0], [e for e in corpus if e.modality == side])
        expected |= {text: 1 / (60 + place) for place, (text, _) in enumerate(ranked[:3], 1)}
    found = shop.ask(QUERIES[0], [shop.f.arm(shop.mixed)], fusion="rank", k=6)
    assert dict(shop.rows(found)) == pytest.approx(expected)


def test_a_store_of_other_vectors_is_refused(shop, corpus):
    store = shop.fill(corpus[:4] + corpus[PAIRS : PAIRS + 4], by_another=True)
    with pytest.raises(DataError, match=r"scores of the arm 'vectors' .* are not those of this"):
        shop.ask(QUERIES[0], [shop.f.arm(store)])
    assert len(shop.ask(QUERIES[0], [shop.f.arm(store)], fusion="rank")) == 7


def lc_chroma_by(space):
    def make(embeddings, folder, server):
        from langchain_chroma import Chroma

        by = {"hnsw": {"space": space}}
        return Chroma(stores.fresh(), embeddings, collection_configuration=by)

    return make


def lc_faiss_by_product(embeddings, folder, server):
    store = stores.lc_faiss(embeddings, folder, server)
    store.index = pytest.importorskip("faiss").IndexFlatIP(384)
    return store


def lc_milvus_by_cosine(embeddings, folder, server):
    store = stores.lc_milvus(embeddings, folder, server)
    store.index_params = {"index_type": "FLAT", "metric_type": "COSINE"}
    return store


def li_chroma_by(space):
    def make(embedding, folder, server):
        import chromadb
        from llama_index.vector_stores.chroma import ChromaVectorStore

        by = {"hnsw": {"space": space}}
        client = chromadb.EphemeralClient()
        return ChromaVectorStore(client.create_collection(stores.fresh(), configuration=by))

    return make


def li_faiss_by_product(embedding, folder, server):
    module = pytest.importorskip("llama_index.vector_stores.faiss")
    return module.FaissVectorStore(pytest.importorskip("faiss").IndexFlatIP(384))


def li_milvus_by(metric):
    def make(embedding, folder, server):
        pytest.importorskip("milvus_lite")
        module = pytest.importorskip("llama_index.vector_stores.milvus")
        return module.MilvusVectorStore(
            uri=str(folder / "milvus.db"),
            collection_name=stores.fresh(),
            dim=384,
            similarity_metric=metric,
            index_config={"index_type": "FLAT"},
        )

    return make


METRICS = {
    "langchain: chroma, cosine": (LangChain, lc_chroma_by("cosine")),
    "langchain: chroma, product": (LangChain, lc_chroma_by("ip")),
    "langchain: faiss, product": (LangChain, lc_faiss_by_product),
    "langchain: milvus, cosine": (LangChain, lc_milvus_by_cosine),
    "llama_index: chroma, cosine": (LlamaIndex, li_chroma_by("cosine")),
    "llama_index: chroma, product": (LlamaIndex, li_chroma_by("ip")),
    "llama_index: faiss, product": (LlamaIndex, li_faiss_by_product),
    "llama_index: milvus, l2": (LlamaIndex, li_milvus_by("L2")),
    "llama_index: milvus, cosine": (LlamaIndex, li_milvus_by("COSINE")),
}


@pytest.mark.parametrize("case", METRICS.values(), ids=METRICS)
def test_whatever_the_store_measures_by_the_answers_are_the_same(case, aligner, corpus, tmp_path):
    framework, make = case
    shop = Shop(framework(aligner), make, corpus, tmp_path, None)
    found = shop.ask(QUERIES[0], [shop.f.arm(shop.mixed)])
    assert_same(shop.rows(found), reference(aligner, QUERIES[0], corpus)[:7])


def is_(key, value, operator=FilterOperator.EQ):
    return MetadataFilter(key=key, value=value, operator=operator)


NODE_FILTERS = {
    "in": MetadataFilters(filters=[is_("part", ["a", "c"], FilterOperator.IN)]),
    "range": MetadataFilters(
        filters=[is_("page", 3, FilterOperator.GTE), is_("page", 9, FilterOperator.LT)]
    ),
    "or": MetadataFilters(
        filters=[is_("part", "a"), is_("page", 3, FilterOperator.LT)], condition=FilterCondition.OR
    ),
}
NODE_ENTRIES = {
    "in": lambda e: e.part in "ac",
    "range": lambda e: 3 <= e.page < 9,
    "or": lambda e: e.part == "a" or e.page < 3,
}


@pytest.mark.parametrize("kind", NODE_FILTERS)
@pytest.mark.parametrize("name", [name for name in stores.LLAMA_INDEX if name != "faiss"])
def test_filters_of_llama_index_go_with_the_search_by_modality(name, kind, shops, aligner, corpus):
    shop = shops("llama_index", name)
    arms = [shop.f.arm(shop.mixed), shop.f.words(corpus)]
    allowed = [e for e in corpus if NODE_ENTRIES[kind](e)]
    found = shop.ask(QUERIES[0], arms[:1], filter=NODE_FILTERS[kind], k=8)
    assert_same(shop.rows(found), reference(aligner, QUERIES[0], allowed)[:8])
    both = shop.ask(QUERIES[1], arms, filter=NODE_FILTERS[kind], k=40)
    assert {shop.f.text(d) for d in both} == {e.text for e in allowed}


def test_filters_within_filters_restrict_a_search_by_words(shops, corpus):
    shop = shops("llama_index", "chroma")
    nested = MetadataFilters(filters=[NODE_FILTERS["or"], is_("page", 9, FilterOperator.LT)])
    arms = [shop.f.arm(shop.mixed), shop.f.words(corpus)]
    found = shop.ask(QUERIES[1], arms, filter=nested, k=40)
    allowed = {e.text for e in corpus if NODE_ENTRIES["or"](e) and e.page < 9}
    assert {shop.f.text(d) for d in found} == allowed
    neither = MetadataFilters(filters=[is_("part", "a")], condition=FilterCondition.NOT)
    words = shop.ask(QUERIES[1], arms[1:], filter=neither, fusion="rank", k=40)
    assert {shop.f.metadata(d)["part"] for d in words} == {"b", "c"}
    with pytest.raises(DataError, match="filters='part = 3'; give llama_index's MetadataFilters"):
        shop.ask(QUERIES[1], arms[1:], filter="part = 3")


def test_ids_restrict_a_search_by_words_and_a_stores_own_words_are_refused(shops, corpus):
    shop = shops("llama_index", "simple")
    nodes = shop.f.documents(corpus)
    for number, node in enumerate(nodes):
        node.id_ = f"n{number}"
    words = [shop.f.LexicalArm(nodes)]
    found = shop.ask(QUERIES[1], words, node_ids=["n24", "n25", "n26"], k=9)
    assert found
    assert {d.node.node_id for d in found} <= {"n24", "n25", "n26"}
    assert shop.ask(QUERIES[1], words, doc_ids=["elsewhere"], k=9) == []
    for name in ("where", "qdrant_filters", "string_expr"):
        with pytest.raises(DataError, match=rf"cannot read vector_store_kwargs\['{name}'\]"):
            shop.ask(QUERIES[1], words, vector_store_kwargs={name: "part = 3"})


# What does not depend on the store


class Failing:
    """What makes an arm of either framework fail."""

    def search(self, query, text, n, options, *, apart):
        raise ConnectionError("the store is down")


class FailingInLangChain(Failing, langchain.VectorArm):
    pass


@dataclass(frozen=True)
class FailingInLlamaIndex(Failing, llama_index.VectorArm):
    pass


def failing(shop, name="down"):
    if isinstance(shop.f, LangChain):
        return FailingInLangChain(vectorstore=shop.mixed, name=name)
    return FailingInLlamaIndex(shop.mixed, name)


def in_both_ways(shop, retriever, query):
    yield lambda: shop.f.search(retriever, query)
    yield lambda: asyncio.run(shop.f.asearch(retriever, query))


def test_an_arm_that_fails_raises_unless_the_others_are_to_answer(plain):
    arms = [failing(plain), plain.f.arm(plain.mixed)]
    for search in in_both_ways(plain, plain.f.retriever(arms), QUERIES[0]):
        with pytest.raises(ConnectionError, match="the store is down"):
            search()
    degrading = plain.f.retriever(arms, on_error="degrade")
    expected = plain.rows(plain.ask(QUERIES[0], arms[1:]))
    for search in in_both_ways(plain, degrading, QUERIES[0]):
        with pytest.warns(DegradedWarning, match="arm 'down' failed .*the store is down") as seen:
            found = search()
        assert len(seen) == 1
        assert plain.rows(found) == expected
        for document in found:
            said = plain.said(document)
            assert said["failed"] == {"down": "ConnectionError: the store is down"}


def test_where_all_arms_fail_there_is_no_answer(plain):
    arms = [failing(plain), failing(plain, "down, too")]
    for search in in_both_ways(plain, plain.f.retriever(arms, on_error="degrade"), QUERIES[0]):
        with pytest.raises(ConnectionError):
            search()


def test_arms_that_work_leave_no_mark(plain):
    with warnings.catch_warnings():
        warnings.simplefilter("error", DegradedWarning)
        found = plain.ask(QUERIES[0], [plain.f.arm(plain.mixed)], on_error="degrade")
    assert all("failed" not in plain.said(d) for d in found)


class Meeting:
    """An arm that waits until another one is searched, too."""

    def search(self, query, text, n, options, *, apart):
        BARRIER.wait(timeout=20)
        return super().search(query, text, n, options, apart=apart)


BARRIER = threading.Barrier(2)


class MeetingInLangChain(Meeting, langchain.VectorArm):
    pass


class MeetingInLlamaIndex(Meeting, llama_index.VectorArm):
    pass


def test_async_searches_all_arms_at_once(plain):
    store = plain.mixed
    if isinstance(plain.f, LangChain):
        arms = [MeetingInLangChain(vectorstore=store, name=name) for name in "ab"]
    else:
        arms = [MeetingInLlamaIndex(store, name) for name in "ab"]
    found = asyncio.run(plain.f.asearch(plain.f.retriever(arms), QUERIES[0]))
    assert all(set(plain.said(d)["arms"]) == {"a", "b"} for d in found)
    assert plain.rows(found) == plain.rows(plain.ask(QUERIES[0], [plain.f.arm(store)]))


def test_weights_count_in_fusion_by_rank(plain, corpus):
    arms = [plain.f.arm(plain.mixed), plain.f.words(corpus)]
    by_words = plain.rows(plain.ask(QUERIES[1], arms[1:], fusion="rank"))
    firsts = {text for text, score in by_words if score == by_words[0][1]}
    [(first, _)] = plain.rows(
        plain.ask(QUERIES[1], arms, fusion="rank", weights={"words": 100.0}, k=1)
    )
    assert first in firsts
    even, hardly = (
        plain.rows(plain.ask(QUERIES[1], arms, fusion="rank", weights={"words": weight}))
        for weight in (1.0, 0.001)
    )
    assert even != hardly
    learned = plain.rows(plain.ask(QUERIES[1], arms, fusion="rank"))
    assert learned[0][1] <= 1 / 61 + 1e-12 < even[0][1]  # both kinds share a weight of 1


def test_an_embedded_text_that_names_metadata_is_recognised(shops, corpus):
    """LlamaIndex embeds metadata with the text, so that a node is more than its text."""
    shop = shops("llama_index", "simple")
    nodes = [TextNode(text=e.text, metadata=e.metadata) for e in corpus]
    index = VectorStoreIndex(shop.f.embeddings(nodes), embed_model=MockEmbedding(384))
    assert len(shop.ask(QUERIES[0], [shop.f.arm(index)])) == 7


def test_an_index_whose_documents_of_one_modality_are_embedded_as_the_other_is_refused(shops):
    """An index of LlamaIndex embeds bare texts, all as the modality of documents."""
    shop = shops("llama_index", "simple")
    index = VectorStoreIndex(shop.f.documents(shop.corpus), embed_model=shop.f.embeddings)
    for split in (True, False):
        with pytest.raises(DataError, match="each document as its own modality"):
            shop.ask(QUERIES[1], [shop.f.arm(index, split=split)])


def test_a_scale_is_found_out_with_the_encoders_at_hand(plain, aligner):
    unnamed = replace(aligner.encoders["target"], model=None)
    source_alone = replace(
        aligner,
        encoders={**aligner.encoders, "target": unnamed},
        bound={**aligner.bound, "target": None},
        _verified=set(),
    )
    f = type(plain.f)(source_alone)
    found = f.search(f.retriever([f.arm(plain.mixed)]), QUERIES[0])
    assert plain.rows(found) == plain.rows(plain.ask(QUERIES[0], [plain.f.arm(plain.mixed)]))
    with pytest.raises(DataError, match=r"name them: scores= one of similarity, .*encoder"):
        f.search(f.retriever([f.arm(plain.of("target"))]), QUERIES[0])
    named = f.arm(plain.of("target"), scores="similarity")
    assert len(f.search(f.retriever([named]), QUERIES[0])) == 7


def test_wrong_arms_are_refused_when_the_retriever_is_made(plain, corpus):
    f, arm = plain.f, plain.f.arm(plain.mixed)
    raises = pytest.raises((ValueError, ValidationError), match="give either")
    with raises:
        f.retriever([])
    with raises:
        f.retriever([arm], **{"vectorstore" if isinstance(f, LangChain) else "index": plain.mixed})
    with pytest.raises(ValueError, match=r"two arms are called 'vectors'; give each its own name="):
        f.retriever([arm, f.arm(plain.of("source"))])
    with pytest.raises(ValueError, match="weights name the arm 'bm25'; the arms are vectors"):
        f.retriever([arm], weights={"bm25": 2.0}, fusion="rank")
    with pytest.raises(ValueError, match="the weight of the arm 'vectors' is 0"):
        f.retriever([arm], weights={"vectors": 0.0}, fusion="rank")
    with pytest.raises(ValueError, match=r"fusion.*\n?.*'?rank'?"):
        f.retriever([arm], fusion="best")
    with pytest.raises(ValueError, match=r"on_error.*\n?.*'?degrade'?"):
        f.retriever([arm], on_error="ignore")
    with pytest.raises(ValueError, match="scores='percent' is not known; choose one of similarity"):
        f.retriever([f.arm(plain.mixed, scores="percent")])
    with pytest.raises(ValueError, match="0"):
        f.retriever([arm], k=0)


def test_documents_that_name_an_unknown_modality_fuse_by_rank_only(plain, corpus):
    japanese = [replace(e, modality="Japanese") for e in corpus[PAIRS:]]
    f = plain.f
    arm = f.words(japanese)
    with pytest.raises(DataError, match="names no modality"):
        plain.ask(QUERIES[1], [arm])
    assert plain.ask(QUERIES[1], [arm], fusion="rank")
    declared = f.words(japanese, modality="target")
    assert plain.ask(QUERIES[1], [declared])


def test_the_query_is_read_as_it_is_declared(shops, aligner, corpus):
    shop = shops("langchain", "in memory")
    retriever = shop.f.retriever([shop.f.arm(shop.mixed)])
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
    found = declared.search(declared.retriever([declared.arm(simple.mixed)]), QUERIES[0])
    assert_same(simple.rows(found), shop.rows(asked))


def test_k_and_filter_of_a_call(shops):
    shop = shops("langchain", "in memory")
    retriever = shop.f.retriever([shop.f.arm(shop.mixed)])
    five = shop.rows(retriever.invoke(QUERIES[0], k=5))
    assert five == shop.rows(retriever.invoke(QUERIES[0]))[:5]
    assert shop.rows(asyncio.run(retriever.ainvoke(QUERIES[0], k=1))) == five[:1]
    configurable = retriever.configurable_fields(k=ConfigurableField(id="k"))
    assert shop.rows(configurable.with_config(configurable={"k": 2}).invoke(QUERIES[0])) == five[:2]
    only = retriever.invoke(QUERIES[0], filter={"part": "c"})
    assert {d.metadata["part"] for d in only} == {"c"}
    with pytest.raises(DataError, match="k=0; ask for a whole number"):
        retriever.invoke(QUERIES[0], k=0)


def test_a_copy_with_other_arms_searches_those(shops, corpus):
    shop = shops("langchain", "in memory")
    retriever = shop.f.retriever([shop.f.arm(shop.mixed)])
    retriever.invoke(QUERIES[0])
    words = retriever.model_copy(update={"arms": [shop.f.words(corpus)]})
    assert {name for d in words.invoke(QUERIES[1]) for name in shop.said(d)["arms"]} == {"words"}
    ranked = retriever.model_copy(update={"fusion": "rank"})
    assert {shop.said(d)["fusion"] for d in ranked.invoke(QUERIES[0])} == {"rank"}


def test_a_retriever_with_arms_can_be_pickled(text_aligner):
    f = LangChain(text_aligner)
    entries = [Entry("reset the pump", "source", "a", 0), Entry("CHECK IT.", "target", "b", 1)]
    store = f.filled(stores.lc_in_memory, entries, None, None)
    retriever = f.retriever([f.arm(store), f.words(entries)], fusion="rank")
    again = pickle.loads(pickle.dumps(retriever))
    assert again.invoke("pump", modality="source") == retriever.invoke("pump", modality="source")


def test_arms_are_printed_without_their_documents(plain, corpus):
    f = plain.f
    retriever = f.retriever([f.arm(plain.mixed), f.words(corpus)])
    for printed in (repr(f.words(corpus)), repr(f.arm(plain.mixed)), repr(retriever)):
        assert len(printed) < 1000
        assert not any(entry.text in printed for entry in corpus)


def test_traces_name_every_store_once(shops, corpus):
    shop = shops("langchain", "in memory")
    arms = [shop.f.arm(shop.of(side), name=side) for side in SIDES]
    params = shop.f.retriever([*arms, shop.f.words(corpus)])._get_ls_params()
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
    bare = replace(aligner, serving=replace(aligner.serving, router=None))
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
    retriever = shop.f.retriever([shop.f.arm(shop.mixed)])
    langchains = isinstance(shop.f, LangChain)
    [arm] = retriever._bound_arms() if langchains else retriever._arms
    only = {"filter" if langchains else "filters": shop.f.filter(page=0, modality="target")}
    found = arm.search(aligner.ask(query, "target"), query, 5, only, apart=False)
    assert [hit.similarity for hit in found.hits] == pytest.approx([1], abs=1e-3)
    assert_same(shop.rows(shop.f.search(retriever, query)), reference(aligner, query, corpus)[:7])


def test_a_lexical_arm_searches_what_it_was_given(plain, corpus):
    f = plain.f
    entries = f.documents(corpus)
    arm = f.LexicalArm(**{"documents" if isinstance(f, LangChain) else "nodes": list(entries)})
    given = arm.documents if isinstance(f, LangChain) else arm.nodes
    retriever = f.retriever([arm])
    expected = plain.rows(f.search(retriever, QUERIES[1]))
    given.pop(0)
    given.reverse()
    assert plain.rows(f.search(retriever, QUERIES[1])) == expected
    given.clear()
    assert plain.rows(f.search(retriever, QUERIES[1])) == expected


def test_two_retrievers_may_share_a_lexical_arm(aligner, corpus):
    unnamed = [Document(e.text) for e in corpus if e.modality == "source"]
    arm = langchain.LexicalArm(documents=unnamed)

    def retriever(modality):
        embeddings = langchain.AlignedEmbeddings(
            aligner=aligner, query_modality="auto", document_modality=modality
        )
        return langchain.AlignedRetriever(embeddings=embeddings, arms=[arm], k=3)

    first = retriever("source")
    before = first.invoke(QUERIES[0])
    assert {d.metadata["kakehashi"]["modality"] for d in before} == {"source"}
    other = retriever("target").invoke(QUERIES[0])
    assert {d.metadata["kakehashi"]["modality"] for d in other} == {"target"}
    assert first.invoke(QUERIES[0]) == before


def test_texts_that_differ_in_what_cannot_be_encoded_are_two(aligner):
    documents = [Document(f"reset {letter} pump") for letter in ("\ud800", "\udfff", "?")]
    arm = langchain.LexicalArm(documents=documents)
    embeddings = langchain.AlignedEmbeddings(aligner=aligner, query_modality="target")
    retriever = langchain.AlignedRetriever(embeddings=embeddings, arms=[arm], fusion="rank")
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
    retriever = f.retriever([f.arm(store, scores="similarity")])
    for score in (float("nan"), float("inf")):
        store.score = score
        with pytest.raises(DataError, match="scores that are not finite"):
            f.search(retriever, QUERIES[0])
    store.score = None
    with pytest.raises(DataError, match="gives no scores"):
        f.search(retriever, QUERIES[0])
    assert len(f.search(f.retriever([f.arm(store)], fusion="rank"), QUERIES[0])) == 6


def test_node_ids_restrict_every_arm(shops, corpus):
    shop = shops("llama_index", "simple")
    nodes = shop.f.documents(corpus)
    for number, node in enumerate(nodes):
        node.id_ = f"n{number}"
    index = VectorStoreIndex(shop.f.embeddings(nodes), embed_model=MockEmbedding(384))
    wanted = ["n24", "n25", "n1"]
    arms = [shop.f.arm(index), shop.f.LexicalArm(nodes)]
    found = shop.ask(QUERIES[1], arms, node_ids=wanted, k=9)
    assert {d.node.node_id for d in found} == set(wanted)
    alone = llama_index.AlignedRetriever(index, shop.f.embeddings, node_ids=wanted)
    assert {d.node.node_id for d in alone.retrieve(QUERIES[1])} == set(wanted)


@pytest.mark.parametrize("k", [2.5, "3", True, 0, -1, 10**9])
def test_k_is_a_whole_number_of_documents(k, plain):
    f = plain.f
    if isinstance(f, LangChain):
        retriever = f.retriever([f.arm(plain.mixed)])
        with pytest.raises(DataError, match="ask for a whole number of documents"):
            retriever.invoke(QUERIES[0], k=k)
    else:
        with pytest.raises(DataError, match="ask for a whole number of documents"):
            f.retriever([f.arm(plain.mixed)], k=k)


def test_what_is_no_arm_and_weights_that_nothing_reads_are_refused(plain):
    f = plain.f
    arm = f.arm(plain.mixed)
    with pytest.raises(ValueError, match=r"are for fusion='rank'"):
        f.retriever([arm], weights={"vectors": 2.0})
    if isinstance(f, LlamaIndex):
        with pytest.raises(DataError, match="arms hold None"):
            f.retriever([None])
        from_iterator = f.retriever(iter([arm]))
        assert plain.rows(f.search(from_iterator, QUERIES[0]))


def test_a_modality_of_none_names_none(aligner):
    named_none = {"modality": None}
    embeddings = langchain.AlignedEmbeddings(aligner=aligner)
    store = InMemoryVectorStore(embeddings)
    assert embeddings.add_documents(store, [Document("a part", metadata=named_none)])
    embedding = llama_index.AlignedEmbedding(aligner=aligner)
    [node] = embedding([TextNode(text="a part", metadata=named_none)])
    assert node.embedding
