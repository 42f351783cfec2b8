"""How many async queries a second pass an encoder that waits, as a hosted one does?

    python benchmarks/async_queries.py [--queries 64] [--wait 0.1] [--turns 5]

Some queries are asked at the same time. The encoder is an embedding model of each framework, whose
async methods wait and then return a vector of 384 dimensions; 100 documents lie in the
framework's own store in memory. A hybrid search has two such stores and words. The framework's own
retriever asks the same encoder and the same store, without an aligner. Medians of the turns, after
one turn that does not count. On a busy machine the seconds of the CPU tell more.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import TextNode
from setting import describe, setting, table

import kakehashi
from kakehashi.integrations import langchain, llama_index

DIMENSION, DOCUMENTS = 384, 100
Ask = Callable[[str], Awaitable[Any]]


def vector(text: str) -> list[float]:
    """Return a unit vector that depends on the text alone."""
    rng = np.random.default_rng(list(text.encode()))
    drawn = rng.standard_normal(DIMENSION)
    return list(map(float, drawn / np.linalg.norm(drawn)))


class LangChainService(Embeddings):
    """Waits before each answer to a query."""

    def __init__(self, wait: float) -> None:
        self.wait = wait

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed documents; nothing waits."""
        return [vector(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Embed a query, blocking."""
        time.sleep(self.wait)
        return vector(text)

    async def aembed_query(self, text: str) -> list[float]:
        """Embed a query, awaited."""
        await asyncio.sleep(self.wait)
        return vector(text)


class LlamaIndexService(BaseEmbedding):
    """The same as a model of LlamaIndex."""

    wait: float

    def _get_text_embedding(self, text: str) -> list[float]:
        return vector(text)

    def _get_query_embedding(self, query: str) -> list[float]:
        time.sleep(self.wait)
        return vector(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        await asyncio.sleep(self.wait)
        return vector(query)


def main() -> None:
    """Print a row for each retriever."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=64)
    parser.add_argument("--wait", type=float, default=0.1, help="seconds of the encoder")
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    rows = []
    for name, ask in retrievers(options.wait).items():
        seconds, cpu = asyncio.run(turns(ask, options.queries, options.turns))
        rows.append([name, f"{seconds:.3f}", round(options.queries / seconds), f"{cpu:.3f}"])
    print(describe(setting()))
    print(f"{options.queries} queries at once; the encoder waits {options.wait} s.")
    print(table(["retriever", "seconds", "queries a second", "CPU seconds"], rows))


async def turns(ask: Ask, queries: int, n: int) -> tuple[float, float]:
    """Return the median seconds of n turns after the first, and those of the CPU."""
    taken = []
    for turn in range(n + 1):
        started, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(ask(f"question {turn} {i}") for i in range(queries)))
        taken.append((time.perf_counter() - started, time.process_time() - cpu))
    seconds, cpu_seconds = (statistics.median(each) for each in zip(*taken[1:], strict=True))
    return seconds, cpu_seconds


def retrievers(wait: float) -> dict[str, Ask]:
    """Return what asks, by name."""
    texts = [f"document {i} of the manual" for i in range(DOCUMENTS)]
    hosted: dict[str, Any] = {
        "langchain": LangChainService(wait),
        "llama_index": LlamaIndexService(model_name="service", wait=wait),
    }
    aligner = {name: aligner_over(model) for name, model in hosted.items()}
    documents = [Document(text, metadata={"modality": "target"}) for text in texts]
    nodes = [TextNode(text=text, metadata={"modality": "target"}) for text in texts]

    def store(embeddings: Embeddings) -> InMemoryVectorStore:
        made = InMemoryVectorStore(embeddings)
        made.add_documents(documents)
        return made

    def index(model: Any) -> VectorStoreIndex:
        return VectorStoreIndex(nodes, embed_model=model)

    ours = langchain.AlignedEmbeddings(aligner=aligner["langchain"])
    our = llama_index.AlignedEmbedding(aligner=aligner["llama_index"])
    kept, kept_index = store(ours), index(our)
    lc_searches = [
        langchain.VectorSearch(vectorstore=kept, name="a", modality="target"),
        langchain.VectorSearch(vectorstore=kept, name="b", modality="target"),
        langchain.BM25Search(documents=documents),
    ]
    li_searches = [
        llama_index.VectorSearch(kept_index, "a", "target"),
        llama_index.VectorSearch(kept_index, "b", "target"),
        llama_index.BM25Search(nodes),
    ]
    return {
        "LangChain's own": store(hosted["langchain"]).as_retriever().ainvoke,
        "LangChain, one store": langchain.AlignedRetriever(
            vectorstore=kept, embeddings=ours
        ).ainvoke,
        "LangChain, hybrid": langchain.HybridRetriever(
            searches=lc_searches, embeddings=ours, fusion="rank"
        ).ainvoke,
        "LlamaIndex's own": index(hosted["llama_index"]).as_retriever().aretrieve,
        "LlamaIndex, one index": llama_index.AlignedRetriever(kept_index, our).aretrieve,
        "LlamaIndex, hybrid": llama_index.HybridRetriever(
            li_searches, our, fusion="rank"
        ).aretrieve,
    }


def aligner_over(model: Any) -> kakehashi.Aligner:
    """Fit an aligner whose source encoder is the service."""
    texts = [f"question {i}" for i in range(200)]
    source = np.float32([vector(text) for text in texts])
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((DIMENSION, DIMENSION)))[0]
    pairs = kakehashi.Pairs(texts, texts, source_vectors=source, target_vectors=source @ turn)
    return kakehashi.fit(
        pairs,
        source_encoder=model,
        target_encoder=lambda given: np.float32([vector(text) for text in given]) @ turn,
        ngrams=False,
        learned=False,
        learn_from=[],
    )


if __name__ == "__main__":
    main()
