"""`kakehashi demo`: Japanese notes, of another encoder, search an existing English index.

Chroma itself finds the documents, as in a pipeline; only BM25 runs without it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..aligner import Aligner
from ..bundle import check_place
from ..data.arguments import text_problem
from ..data.pairs import Pairs
from ..encoders import Encoder
from ..encoders.cache import encode_texts
from ..errors import DataError
from ..metrics.pool import Pool
from ..metrics.relevance import groups_of
from ..metrics.statistics import Scores
from ..printable import printable
from ..retrieval.bm25 import bm25_ranks
from ..training.fit import fit
from ..types import Role
from ..vectors import Float32Array
from .inputs import encoders, english_model, split

COLLECTION = "english_manual"
COLLECTIONS = {
    COLLECTION: "the index as it was, for before, keep and rescored",
    f"{COLLECTION}_shared": "its vectors projected once",
    f"{COLLECTION}_ceiling": "embedded again by USE, for comparison",
}
N_SHOWN = 6
_FOLDERS = {"keep": "aligner", "shared": "aligner-shared"}
_NEIGHBOURS = 10


LEGEND = {
    "before": "MiniLM, which made the English index, asks it in Japanese",
    "BM25": "words and character bigrams that both languages share",
    "after, keep": "USE asks in Japanese, projected; the index is untouched",
    "after, rescored": "the same, and a second map orders the first hits again, as it is served",
    "after, shared": "the stored vectors are projected once by the second map",
    "ceiling": "the whole index embedded again by USE",
}


@dataclass(frozen=True)
class Question:
    """One held-out query, the document it should find, and the top hit of each pipeline."""

    text: str
    wanted: str
    hits: dict[str, str]


@dataclass(frozen=True)
class DemoResult:
    """The demo's table, some of its questions, and what it left on disk.

    Attributes:
        gained, lost: queries that find their document first only with the aligner (rescored), and
            only without it; ``questions`` are some of both.
    """

    rows: dict[str, Scores]
    questions: list[Question]
    gained: int
    lost: int
    aligner: Path
    chroma: Path
    verdict: str
    n_train: int
    seconds: float


def run(folder: Path) -> DemoResult:
    """Build the pipeline as it was, train, drop the aligner in, and measure before and after.

    Args:
        folder: receives ``train.jsonl`` and ``test.jsonl``, ``aligner/``, ``aligner-shared/``,
            ``chroma/`` and a cache of vectors. A second run encodes nothing again.

    Raises:
        MissingExtraError: the extra ``demo`` is not installed.
        DataError: no folder can have this name.
        OSError: the folder cannot be written to, or holds other files where an aligner must go.
    """
    started = time.perf_counter()
    for name in _FOLDERS.values():  # before the work begins
        check_place(folder / name, overwrite=True)
    if problem := text_problem(str(folder)):  # a collection of Chroma cannot be there
        raise DataError(f"{printable(folder)} is {problem}; name another folder.")
    japanese, english = encoders()
    train, test = split()
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in (("train", train), ("test", test)):
        _write_jsonl(folder / f"{name}.jsonl", part)
    cache = folder / "vectors.sqlite"
    pool = Pool.of([test, train])  # the whole manual; document i answers query i
    stored = _encode(english, pool.texts, "document", "the English index", cache)
    index = _fresh_collections(folder / "chroma")
    ids = [str(i) for i in range(len(pool))]
    index("", ids, pool.texts, stored)
    aligners = _fit(train, test, japanese, english, folder, cache)
    keep = aligners["keep"]
    ranks: dict[str, NDArray[np.intp]] = {}
    sources = _encode(japanese, test.source_texts, "query", "Japanese notes", cache)
    for label, (queries, documents) in _pipelines(
        test, pool, stored, sources, japanese, english, aligners, cache
    ).items():
        suffix = "" if documents is stored else f"_{label.split()[-1]}"
        collection = index(suffix, ids, pool.texts, documents)
        ranks[label] = _ranks_in(collection, queries)
        if label == "after, keep":
            again = _rescored_in(collection, keep, queries, sources, test.source_texts)
            ranks["after, rescored"] = again
        if label == "before":
            assert test.source_texts is not None
            assert pool.texts is not None
            relevance = pool.relevance(test)
            ranks["BM25"] = bm25_ranks(test.source_texts, pool.texts, relevance=relevance)
    clusters = groups_of(test)
    before, after = ranks["before"] == 1, ranks["after, rescored"] == 1
    return DemoResult(
        rows={k: Scores.of_ranks(r, len(pool), clusters=clusters) for k, r in ranks.items()},
        questions=_ask(test, _examples(test, before != after), keep, folder / "chroma"),
        gained=int((after & ~before).sum()),
        lost=int((before & ~after).sum()),
        aligner=folder / _FOLDERS["keep"],
        chroma=folder / "chroma",
        verdict=f"{keep.report.verdict} ({keep.report.reason})",
        n_train=len(train),
        seconds=time.perf_counter() - started,
    )


def _fit(
    train: Pairs, test: Pairs, japanese: Encoder, english: Encoder, folder: Path, cache: Path
) -> dict[str, Aligner]:
    """Fit once; save an aligner for the index as it is, and one for an index that is moved."""
    both: dict[str, Any] = {"source_encoder": japanese, "target_encoder": english}
    fitted = fit(train, **both, test=test, cache=cache)
    if fitted.rescoring is None:  # too few pairs have shown that it helps
        shared = fit(train, **both, test=test, cache=cache, mode="shared")
    else:
        shared = fitted.as_shared()
    by_mode = {"keep": fitted, "shared": shared}
    saved = {
        mode: aligner.save(folder / _FOLDERS[mode], overwrite=True)
        for mode, aligner in by_mode.items()
    }
    return {mode: Aligner.load(path).with_encoders(**both) for mode, path in saved.items()}


def _pipelines(
    test: Pairs,
    pool: Pool,
    stored: Float32Array,
    queries: Float32Array,
    japanese: Encoder,
    english: Encoder,
    aligners: Mapping[str, Aligner],
    cache: Path,
) -> dict[str, tuple[Float32Array, Float32Array]]:
    """Return query vectors and document vectors of each pipeline, in the order of the table.

    Args:
        queries: of the Japanese notes, by the Japanese encoder.
    """
    keep, shared = aligners["keep"], aligners["shared"]
    sources, targets = test.source_texts, pool.texts
    english_queries = _encode(english, sources, "query", "Japanese notes, as it was", cache)
    label = "the index again, for the ceiling"
    multilingual = _encode(japanese, targets, "document", label, cache)
    projected = shared.project(stored, texts=targets, modality="target", role="document")
    return {
        "before": (english_queries, stored),
        "after, keep": (keep.project(queries, texts=sources), stored),
        "after, shared": (shared.project(queries, texts=sources), projected),
        "ceiling": (queries, multilingual),
    }


def _encode(
    encoder: Encoder, texts: Sequence[str] | None, role: Role, about: str, cache: Path
) -> Float32Array:
    assert texts is not None
    return encode_texts(encoder, texts, role, cache=cache, label=f"encoding {about}")


def _fresh_collections(folder: Path) -> Any:
    """Return a function that makes a Chroma collection anew and fills it with vectors."""
    import chromadb

    client = chromadb.PersistentClient(str(folder))

    def make(suffix: str, ids: list[str], texts: Any, vectors: Float32Array) -> Any:
        name = COLLECTION + suffix
        if name in {collection.name for collection in client.list_collections()}:
            client.delete_collection(name)
        # Wide enough that Chroma's approximate search finds what an exact one would.
        hnsw: Any = {"space": "cosine", "ef_construction": 400, "ef_search": 400}
        collection = client.create_collection(name, configuration={"hnsw": hnsw})
        step = client.get_max_batch_size()
        for i in range(0, len(ids), step):
            part = slice(i, i + step)
            collection.add(ids=ids[part], documents=list(texts[part]), embeddings=vectors[part])
        return collection

    return make


def _write_jsonl(path: Path, pairs: Pairs) -> None:
    assert pairs.source_texts is not None
    assert pairs.target_texts is not None
    assert pairs.groups is not None
    rows = zip(pairs.source_texts, pairs.target_texts, pairs.groups, strict=True)
    lines = [{"source": s, "target": t, "group": g} for s, t, g in rows]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")


def _ranks_in(collection: Any, queries: Float32Array) -> Any:
    """Ask Chroma for ten neighbours of each query; document i is the answer to query i."""
    ids = collection.query(query_embeddings=queries, n_results=_NEIGHBOURS, include=[])["ids"]
    beyond = _NEIGHBOURS + 1
    ranks = [hits.index(str(i)) + 1 if str(i) in hits else beyond for i, hits in enumerate(ids)]
    return np.array(ranks)


def _rescored_in(
    collection: Any,
    aligner: Aligner,
    queries: Float32Array,
    encoded: Float32Array,
    texts: Sequence[str] | None,
) -> Any:
    """Ask Chroma for the first hits of each query, and order them again by the second map.

    Args:
        queries, encoded: (n, d) of the queries, projected and as their encoder gives them.
    """
    rescoring = aligner.rescoring
    assert rescoring is not None
    found = collection.query(query_embeddings=queries, n_results=rescoring.n_hits, include=[])
    every = sorted({name for hits in found["ids"] for name in hits}, key=int)
    stored = collection.get(every, include=["embeddings", "documents"])
    documents = rescoring.documents(stored["embeddings"], texts=stored["documents"])
    vector = dict(zip(stored["ids"], documents, strict=True))
    ranks = []
    asked = rescoring.query(encoded, texts=texts)
    for answer, (query, hits) in enumerate(zip(asked, found["ids"], strict=True)):
        order = np.argsort([-float(vector[name] @ query) for name in hits], kind="stable")
        first = [hits[i] for i in order[:_NEIGHBOURS]]
        ranks.append(first.index(str(answer)) + 1 if str(answer) in first else _NEIGHBOURS + 1)
    return np.array(ranks)


def _examples(test: Pairs, differs: NDArray[np.bool_]) -> list[int]:
    """Return rows that differ, better or worse: one for each of evenly spaced sections."""
    assert test.groups is not None
    by_section: dict[str, int] = {}
    for row in np.flatnonzero(differs):
        by_section.setdefault(test.groups[row], int(row))
    rows = list(by_section.values())
    places = np.linspace(0, len(rows) - 1, min(N_SHOWN, len(rows)), dtype=int)
    return [rows[place] for place in places]


def _ask(test: Pairs, rows: list[int], aligner: Aligner, folder: Path) -> list[Question]:
    """Search with the questions of some rows in both frameworks, before and after."""
    import chromadb
    from langchain_chroma import Chroma
    from langchain_huggingface import HuggingFaceEmbeddings
    from llama_index.core import VectorStoreIndex
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    from llama_index.vector_stores.chroma import ChromaVectorStore

    from ..integrations.langchain import AlignedEmbeddings, AlignedRetriever
    from ..integrations.llama_index import AlignedEmbedding
    from ..integrations.llama_index import AlignedRetriever as IndexRetriever

    client = chromadb.PersistentClient(str(folder))
    model = english_model()
    store = Chroma(
        COLLECTION, embedding_function=HuggingFaceEmbeddings(model_name=model), client=client
    )
    chain_before = store.as_retriever(search_kwargs={"k": 1})
    embeddings = AlignedEmbeddings(aligner=aligner)
    chain_after = AlignedRetriever(vectorstore=store, embeddings=embeddings, k=1)

    index = VectorStoreIndex.from_vector_store(
        ChromaVectorStore(client.get_collection(COLLECTION)),
        embed_model=HuggingFaceEmbedding(model_name=model),
    )
    index_before = index.as_retriever(similarity_top_k=1)
    embedding = AlignedEmbedding(aligner=aligner)
    index_after = IndexRetriever(index, embedding, similarity_top_k=1)
    assert test.source_texts is not None
    assert test.target_texts is not None
    questions = []
    for row in rows:
        question = test.source_texts[row]
        hits = {
            "before, LangChain": chain_before.invoke(question)[0].page_content,
            "before, LlamaIndex": index_before.retrieve(question)[0].node.get_content(),
            "after, LangChain": chain_after.invoke(question)[0].page_content,
            "after, LlamaIndex": index_after.retrieve(question)[0].node.get_content(),
        }
        questions.append(Question(question, test.target_texts[row], hits))
    return questions
