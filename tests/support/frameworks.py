"""Both frameworks behind one driver, every store filled alike, and a search by brute force."""

from dataclasses import dataclass

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from llama_index.core import MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import (
    MetadataFilter,
    MetadataFilters,
)
from support import vector_stores

from kakehashi.integrations import langchain, llama_index
from kakehashi.retrieval.bm25 import LexicalIndex

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


class LangChain:
    """How the suite uses the retriever of LangChain."""

    stores = vector_stores.LANGCHAIN
    VectorSearch, BM25Search = langchain.VectorSearch, langchain.BM25Search

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
        within = getattr(store, "_PGVectorStore__vs", store)
        [name] = [n for n, value in vars(within).items() if value is self.embeddings]
        setattr(within, name, DeterministicFakeEmbedding(size=384))
        store.add_documents(self.documents(entries))
        return store

    def retriever(self, searches, k=7, filter=None, explain=True, **fields):
        kwargs = {} if filter is None else {"search_kwargs": {"filter": filter}}
        return langchain.HybridRetriever(
            searches=searches, embeddings=self.embeddings, k=k, explain=explain, **kwargs, **fields
        )

    def search(self, retriever, query):
        return retriever.invoke(query)

    async def asearch(self, retriever, query):
        return await retriever.ainvoke(query)

    def vectors(self, store, **fields):
        return self.VectorSearch(vectorstore=store, **fields)

    def words(self, entries, **fields):
        return self.BM25Search(documents=self.documents(entries), **fields)

    def text(self, found):
        return found.page_content

    def metadata(self, found):
        return found.metadata

    def filter(self, **wanted):
        return wanted


class LlamaIndex:
    """How the suite uses the retriever of LlamaIndex."""

    stores = vector_stores.LLAMA_INDEX
    VectorSearch, BM25Search = llama_index.VectorSearch, llama_index.BM25Search

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

    def retriever(self, searches, k=7, filter=None, explain=True, **fields):
        options = {} if filter is None else {"filters": filter}
        return llama_index.HybridRetriever(
            searches, self.embeddings, similarity_top_k=k, explain=explain, **options, **fields
        )

    def search(self, retriever, query):
        return retriever.retrieve(query)

    async def asearch(self, retriever, query):
        return await retriever.aretrieve(query)

    def vectors(self, index, **fields):
        return self.VectorSearch(index, **fields)

    def words(self, entries, **fields):
        return self.BM25Search(self.documents(entries), **fields)

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

    def ask(self, query, searches, **fields):
        return self.f.search(self.f.retriever(searches, **fields), query)

    def rows(self, found):
        """What is compared: each text with its score."""
        return [(self.f.text(d), self.said(d)["score"]) for d in found]

    def texts(self, found):
        return [self.f.text(d) for d in found]

    def said(self, document):
        return self.f.metadata(document)["kakehashi"]


def reference(aligner, query, entries, *, words=False):
    """Search by brute force: (text, score) of every entry, the best first."""
    return brute_force(aligner, query, [(e.text, e.modality) for e in entries], words=words)


def brute_force(space, text, documents, *, words=False):
    """Score every (text, modality) by an aligner or a multi aligner: (text, score), best first."""
    query = space.prepare_query(text)
    weights_of = space.calibration.hybrid if words else space.calibration.plain
    bm25 = np.array(LexicalIndex([text for text, _ in documents]).scores(text))
    scored = []
    for modality in space.modalities:
        rows = [row for row, document in enumerate(documents) if document[1] == modality]
        if not rows:
            continue
        texts = [documents[row][0] for row in rows]
        vectors = space.embed_documents(texts, modality=modality)
        similarities = vectors @ query.vector / np.linalg.norm(vectors, axis=1)
        similarities /= np.linalg.norm(query.vector)
        shares = bm25[rows] / max(float(bm25[rows].max()), 1e-12)
        weights = weights_of[query.modality, modality]
        for document, similarity, share in zip(texts, similarities, shares, strict=True):
            place = 1 + (similarities > similarity + 1e-6).sum()
            score = weights.similarity * similarity + weights.place * np.log(place)
            score += weights.offset + (weights.lexical * share if words else 0)
            scored.append((document, float(score)))
    return sorted(scored, key=lambda row: -row[1])


def assert_same(actual, expected):
    """Compare two lists of (text, score)."""
    assert [text for text, _ in actual] == [text for text, _ in expected]
    assert [s for _, s in actual] == pytest.approx([s for _, s in expected], abs=1e-3)
