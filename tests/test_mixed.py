"""One contract for the mixed retrievers of both frameworks, over every vector store.

Whatever the store calls its scores, and however it filters: the documents, their order and their
log odds are those of a search by brute force.
"""

import asyncio
import pickle
import threading
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

from kakehashi.encoders import as_encoder
from kakehashi.errors import DataError, DegradedWarning
from kakehashi.evaluation.lexical import LexicalIndex
from kakehashi.integrations import langchain, llama_index
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
    modality: str
    part: str
    page: int

    @property
    def metadata(self):
        return {"modality": self.modality, "part": self.part, "page": self.page}


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
        self.embeddings.add_documents(store, self.documents(entries))
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
        return {name: value for name, value in wanted.items()}


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
        if type(index.vector_store).__name__ == "FaissVectorStore":
            fields = {"split": False, **fields}  # it knows no metadata
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
    """Search by brute force: (text, log odds) of every entry, the best first."""
    asked = modality_of(aligner, query)
    [vector] = aligner.embed([query], modality=asked, role="query")
    calibration = aligner.serving.calibration
    lines = calibration.hybrid if words else calibration.plain
    lexical = np.array(LexicalIndex([e.text for e in entries]).scores(query))
    lexical = lexical / max(float(lexical.max()), 1e-12)
    found = []
    for entry, share in zip(entries, lexical, strict=True):
        [document] = aligner.embed([entry.text], modality=entry.modality, role="document")
        similarity = float(vector @ document / np.linalg.norm(vector) / np.linalg.norm(document))
        line = lines[asked, entry.modality]
        odds = line.dense * similarity + line.offset + (line.lexical * share if words else 0)
        found.append((entry.text, odds))
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
