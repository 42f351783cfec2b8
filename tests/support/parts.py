"""An index in parts, in both frameworks: what fills one, what asks it, and what it says."""

from __future__ import annotations

import uuid
from types import MappingProxyType
from typing import Any, NamedTuple

from langchain_core.documents import Document
from llama_index.core import MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters
from support import vector_stores

from kakehashi.integrations import langchain, llama_index
from kakehashi.integrations.langchain.index import index_of as index_of_store
from kakehashi.integrations.llama_index.index import index_of
from kakehashi.retrieval.move_note import NOTE_KEY, MoveNote


def id_of(number):
    """The id of a document; Qdrant takes UUIDs alone."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, str(number)))


class Row(NamedTuple):
    """A document of a part."""

    number: int
    text: str
    metadata: Any = MappingProxyType({})

    @property
    def id(self):
        return id_of(self.number)


class LangChain:
    """Parts in LangChain's stores."""

    stores = vector_stores.LANGCHAIN

    def filled(self, aligner, rows, make, folder=None, server=None):
        store = make(langchain.AlignedEmbeddings(aligner=aligner), folder, server)
        self.add(store, rows)
        return store

    def add(self, store, rows):
        if rows:
            documents = [Document(row.text, metadata=dict(row.metadata)) for row in rows]
            store.add_documents(documents, ids=[row.id for row in rows])

    def delete(self, store, numbers):
        store.delete([id_of(number) for number in numbers])

    def part(self, store, aligner, modality=None, **fields):
        embeddings = langchain.AlignedEmbeddings(aligner=aligner, query_modality=modality)
        return langchain.Part(vectorstore=store, embeddings=embeddings, **fields)

    def filtered(self, store, aligner, filter, **fields):
        return self.part(store, aligner, search_kwargs={"filter": filter}, **fields)

    def retriever(self, parts, k=5, filter=None, **fields):
        kwargs = {} if filter is None else {"search_kwargs": {"filter": filter}}
        return langchain.PartsRetriever(parts=parts, k=k, explain=True, **kwargs, **fields)

    def ask(self, retriever, query):
        return retriever.invoke(query)

    async def aask(self, retriever, query):
        return await retriever.ainvoke(query)

    def id(self, found):
        return found.id or found.metadata.get("_id")

    def text(self, found):
        return found.page_content

    def said(self, found):
        return found.metadata["kakehashi"]

    def index(self, store):
        return index_of_store(store, 0)


class LlamaIndex:
    """Parts in LlamaIndex's stores."""

    stores = vector_stores.LLAMA_INDEX

    def filled(self, aligner, rows, make, folder=None, server=None):
        embedding = llama_index.AlignedEmbedding(aligner=aligner)
        context = StorageContext.from_defaults(vector_store=make(embedding, folder, server))
        mock = MockEmbedding(aligner.output_dimension)
        index = VectorStoreIndex([], storage_context=context, embed_model=mock)
        self.add(index, rows, embedding)
        return index

    def add(self, index, rows, embedding):
        nodes = [
            TextNode(
                id_=row.id,
                text=row.text,
                metadata=dict(row.metadata),
                excluded_embed_metadata_keys=[*row.metadata],
            )
            for row in rows
        ]
        index.insert_nodes(embedding(nodes))

    def delete(self, index, numbers):
        index.delete_nodes([id_of(number) for number in numbers], delete_from_docstore=True)

    def part(self, index, aligner, modality=None, **fields):
        embedding = llama_index.AlignedEmbedding(aligner=aligner, query_modality=modality)
        return llama_index.Part(index, embedding=embedding, **fields)

    def filtered(self, index, aligner, filter, **fields):
        return self.part(index, aligner, options={"filters": _filters(filter)}, **fields)

    def retriever(self, parts, k=5, filter=None, **fields):
        options = {} if filter is None else {"filters": _filters(filter)}
        return llama_index.PartsRetriever(
            parts, similarity_top_k=k, explain=True, **options, **fields
        )

    def ask(self, retriever, query):
        return retriever.retrieve(query)

    async def aask(self, retriever, query):
        return await retriever.aretrieve(query)

    def id(self, found):
        return found.node.node_id

    def text(self, found):
        return found.node.get_content()

    def said(self, found):
        return found.node.metadata["kakehashi"]

    def index(self, index):
        return index_of(index, lambda node: node.get_content(), 0)


FRAMEWORKS = {"langchain": LangChain(), "llama_index": LlamaIndex()}


def _filters(wanted):
    return MetadataFilters(
        filters=[MetadataFilter(key=name, value=value) for name, value in wanted.items()]
    )


def note(aligner, state, source="old"):
    return MoveNote(source, aligner.fingerprint, state, 0, "2026-12-01T00:00:00+00:00").to_json()


def write_note(index, aligner, state, source="old"):
    """Leave the note of a migration in an index, as the migration does."""
    assert index.keep(NOTE_KEY, note(aligner, state, source))
