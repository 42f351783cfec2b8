"""Code to paste after a fit: it loads the aligner, and asks three documents a question."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from ..aligner import Aligner
from ..data.pairs import Pairs
from ..types import SIDES, Side

_WIDTH = 79
_LONG = 100
"""Letters of a text that is not shown where there are shorter ones."""

_LANGCHAIN = """\
from langchain_core.vectorstores import InMemoryVectorStore

from kakehashi.integrations.langchain import AlignedEmbeddings, AlignedRetriever

embeddings = {load}
documents = {documents}
store = InMemoryVectorStore.from_texts(documents, embeddings)  # or yours
retriever = AlignedRetriever(vectorstore=store, embeddings=embeddings, k=1)
print(retriever.invoke({question})[0].page_content)"""

_LLAMA_INDEX = """\
from llama_index.core import VectorStoreIndex
from llama_index.core.schema import TextNode

from kakehashi.integrations.llama_index import AlignedEmbedding, AlignedRetriever

embedding = {load}
documents = {documents}
nodes = [TextNode(text=text) for text in documents]
index = VectorStoreIndex(nodes, embed_model=embedding)  # or yours
retriever = AlignedRetriever(index, embedding, similarity_top_k=1)
print(retriever.retrieve({question})[0].text)"""

_NUMPY = """\
import kakehashi

aligner = kakehashi.load({folder}){encoders}
documents = {documents}
similarity = aligner.embed_documents(documents) @ aligner.embed_query({question})
print(documents[similarity.argmax()])"""

_VECTORS = """\
import numpy as np

import kakehashi

aligner = kakehashi.load({folder})
vectors = np.ones((1, {dimension}), np.float32)  # or those of your questions
print(aligner.project(vectors, modality="source", role="query").shape)"""


def blocks(
    aligner: Aligner, out: Path, encoders: Mapping[Side, str], pairs: Pairs | None
) -> Iterator[tuple[str, str]]:
    """Yield the name of each framework that is installed, with its code; NumPy's if none is.

    Args:
        out: the folder of the aligner.
        encoders: names of those that the aligner cannot load by its record.
        pairs: whose texts are asked and found. Vectors alone are only projected.
    """
    folder = _quoted(str(out))
    keywords = [f"{side}_encoder={_quoted(name)}" for side, name in encoders.items()]
    if pairs is None or not _has_texts(aligner, pairs):
        if not any(map(aligner.reads, SIDES)):
            yield "NumPy", _VECTORS.format(folder=folder, dimension=aligner.dimensions["source"])
        return
    question, documents = _example(pairs)
    example = {
        "question": _quoted(question),
        "documents": _in_brackets("[", list(map(_quoted, documents)), "]"),
    }
    found = [name for name in ("langchain_core", "llama_index.core") if _is_installed(name)]
    if "langchain_core" in found:
        load = _in_brackets("AlignedEmbeddings.load(", [folder, *keywords], ")")
        yield "LangChain", _LANGCHAIN.format(load=load, **example)
    if "llama_index.core" in found:
        load = _in_brackets("AlignedEmbedding.load(", [folder, *keywords], ")")
        yield "LlamaIndex", _LLAMA_INDEX.format(load=load, **example)
    if not found:
        named = _in_brackets("\naligner = aligner.with_encoders(", keywords, ")")
        yield "NumPy", _NUMPY.format(folder=folder, encoders=named if keywords else "", **example)


def _has_texts(aligner: Aligner, pairs: Pairs) -> bool:
    """Whether texts can be asked: the pairs have them, and an encoder reads each side."""
    return all(pairs.texts(s) is not None and aligner.identities[s] is not None for s in SIDES)


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # its parent is not there
        return False


def _example(pairs: Pairs) -> tuple[str, list[str]]:
    """Return a question, and three different documents of which the first answers it."""
    questions, documents = pairs.source_texts or (), pairs.target_texts or ()
    longest = [max(map(len, texts)) for texts in zip(questions, documents, strict=True)]
    row = next((i for i, n in enumerate(longest) if n <= _LONG), longest.index(min(longest)))
    others = sorted(dict.fromkeys(documents), key=lambda text: len(text) > _LONG)
    return questions[row], [documents[row], *(o for o in others if o != documents[row])][:3]


def _in_brackets(opening: str, arguments: Sequence[str], closing: str) -> str:
    """Return arguments on one line, or a line each where that is too long."""
    line = f"{opening}{', '.join(arguments)}{closing}"
    if len(line) + len("embeddings = ") <= _WIDTH:
        return line
    return "\n".join([opening, *(f"    {each}," for each in arguments), closing])


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
