"""What the retriever of mixed corpora adds to a search, in milliseconds a question.

LangChain's retrievers over real texts, ten documents wanted, on one thread; the encoders look
up vectors, so that encoding costs nothing. The store itself is timed for ten documents, for the 200
that the arms ask for first, and for 40 of one modality, by a filter. Its search and those that the
arms make in it are timed inside the store, the words inside their index, so that what is left is
the wrapper: asking (the projection with it), reading the hits and fusing. Medians over 25
questions, after five that are not counted; beside them the CPU time of the wrapper, which other
work on the machine disturbs least, and how often the store was searched. Then three arms, each a
store that takes 20 ms: sync searches them in turn, async together.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from mixed_corpus import SIDE, Corpus, Encoded, Fits, knowing
from setting import table

from kakehashi.integrations.langchain.filters import joined
from kakehashi.types import Side

ASKED, WARM, K = 30, 5, 10
DEEP, FILTERED = 200, 40
SLOW = 0.02
FIGURES = ("total", "in_store", "words", "wrapper", "wrapper_cpu")
ITSELF = ("store_alone", "store_deep", "store_filtered")
MODALITY: dict[str, Side] = {**SIDE, "fr": "target"}
"""What French texts are of does not matter to a clock: they make the index larger."""


def measure(corpus: Corpus, encoded: Encoded, fits: Fits, args: Any) -> dict[str, Any]:
    """Time both stores at each size, then sync against async."""
    source, target = args.encoders[0].split(":")
    train, test = corpus.split(args.seeds[0])
    aligner = fits(train, source, target, "keep", "ja")
    known: dict[Side, dict[str, np.ndarray]] = {"source": {}, "target": {}}
    for language, side in MODALITY.items():
        if language in corpus.texts:
            texts = corpus.texts[language]
            vectors = encoded(source if side == "source" else target, texts)
            known[side] |= dict(zip(texts, vectors, strict=True))
    aligner = knowing(aligner, known)
    questions = [corpus.texts["ja"][int(i)] for i in test[:ASKED]]
    found = [
        row
        for size in args.sizes
        for kind in ("in memory", "Chroma")
        for row in timed(aligner, documents_of(corpus, size), kind, questions)
    ]
    return {"arms": found, "three slow arms": in_turn_and_together(aligner, questions[:20])}


def documents_of(corpus: Corpus, n: int) -> list[Any]:
    """Return documents, as many of each language as there are, each naming its modality."""
    from langchain_core.documents import Document

    each = -(-n // 2) if n <= 2 * len(corpus.groups) else len(corpus.groups)
    texts = [(t, MODALITY[x]) for x in corpus.texts for t in corpus.texts[x][:each]]
    return [Document(text, metadata={"modality": side}) for text, side in texts[:n]]


def timed(
    aligner: Any, documents: list[Any], kind: str, questions: list[str]
) -> list[dict[str, Any]]:
    """Time the store itself, one store through the aligner, and arms by both fusions."""
    from kakehashi.integrations.langchain import (
        AlignedEmbeddings,
        AlignedRetriever,
        BM25Search,
        HybridRetriever,
    )

    embeddings = AlignedEmbeddings(aligner=aligner)
    with store_of(kind, embeddings) as store:
        for start in range(0, len(documents), 1000):
            embeddings.add_documents(store, documents[start : start + 1000])
        clock = Clock()
        for name in (
            "_similarity_search_with_score_by_vector",
            "similarity_search_by_vector_with_relevance_scores",
            "similarity_search_by_vector",
        ):
            if hasattr(store, name):
                clock.watch(store, name, "store")
        vectors = [embeddings.embed_query(text) for text in questions]
        one_side = joined(store, {"filter": {"modality": "source"}})
        itself = {
            name: _each([partial(store.similarity_search_by_vector, v, **how) for v in vectors])
            for name, how in (
                ("store_alone_ms", {"k": K}),
                ("store_deep_ms", {"k": DEEP}),
                ("store_filtered_ms", {"k": FILTERED, **one_side}),
            )
        }
        lexical = BM25Search(documents=documents)
        hybrid = partial(HybridRetriever, embeddings=embeddings, k=K)
        retrievers: dict[str, Any] = {
            "one store": AlignedRetriever(vectorstore=store, embeddings=embeddings, k=K),
            "vectors, rank": hybrid(searches=[store], fusion="rank"),
            "vectors, calibrated": hybrid(searches=[store]),
            "vectors + words, calibrated": hybrid(searches=[store, lexical]),
        }
        found = []
        for name, retriever in retrievers.items():
            for search in getattr(retriever, "_prepared", []):
                if isinstance(search, BM25Search):
                    assert search._prepared is not None
                    clock.watch(search._prepared.current()[0], "find", "words")
            inside: dict[str, list[Any]] = {"store": [], "words": []}
            total, searches = [], []
            for text in questions:
                clock.spent, clock.calls = dict.fromkeys(inside, 0.0), dict.fromkeys(inside, 0)
                start_time = now()
                retriever.invoke(text)
                total.append(now() - start_time)
                searches.append(clock.calls["store"])
                for part, values in inside.items():
                    values.append(np.broadcast_to(clock.spent[part], 2))
            seconds = {part: np.stack(values) for part, values in inside.items()}
            seconds["total"] = np.stack(total)
            rest = seconds["total"] - seconds["store"] - seconds["words"]
            found.append(
                {
                    "store": kind,
                    "documents": len(documents),
                    "arms": name,
                    **itself,
                    "searches": float(np.mean(searches[WARM:])),
                    "total_ms": _median(seconds["total"][:, 0]),
                    "in_store_ms": _median(seconds["store"][:, 0]),
                    "words_ms": _median(seconds["words"][:, 0]),
                    "wrapper_ms": _median(rest[:, 0]),
                    "wrapper_cpu_ms": _median(rest[:, 1]),
                }
            )
    return found


def now() -> np.ndarray:
    """Return the time and the CPU time of this thread, in seconds."""
    return np.array([time.perf_counter(), time.thread_time()])


class Clock:
    """Adds up the seconds that methods take, by part; calls inside one another count once."""

    def __init__(self) -> None:
        self.spent: dict[str, np.ndarray | float] = {}
        self.calls: dict[str, int] = {}
        self._inside = False

    def watch(self, owner: Any, name: str, part: str) -> None:
        """Replace a method of one object by one that is timed."""
        method = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return method(*args, **kwargs)
            self._inside, start = True, now()
            try:
                return method(*args, **kwargs)
            finally:
                self._inside = False
                self.spent[part] = self.spent.get(part, 0.0) + now() - start
                self.calls[part] = self.calls.get(part, 0) + 1

        setattr(owner, name, timed)


@contextlib.contextmanager
def store_of(kind: str, embeddings: Any) -> Iterator[Any]:
    """Make an empty store; Chroma's lives in memory, too."""
    if kind == "in memory":
        from langchain_core.vectorstores import InMemoryVectorStore

        yield InMemoryVectorStore(embeddings)
        return
    import chromadb
    from langchain_chroma import Chroma

    store = Chroma(
        "mixed",
        embedding_function=embeddings,
        client=chromadb.EphemeralClient(),
        collection_metadata={"hnsw:space": "cosine"},
    )
    try:
        yield store
    finally:
        store.delete_collection()


def in_turn_and_together(aligner: Any, questions: list[str]) -> dict[str, float]:
    """Time three arms that take 20 ms each, sync and async."""
    from langchain_core.documents import Document
    from langchain_core.vectorstores import InMemoryVectorStore

    from kakehashi.integrations.langchain import AlignedEmbeddings, HybridRetriever, VectorSearch

    class Slow(InMemoryVectorStore):
        def _similarity_search_with_score_by_vector(self, *args: Any, **kwargs: Any) -> Any:
            time.sleep(SLOW)
            return super()._similarity_search_with_score_by_vector(*args, **kwargs)

    embeddings = AlignedEmbeddings(aligner=aligner)
    arms: list[Any] = []
    for i in range(3):
        store = Slow(embeddings)
        embeddings.add_documents(
            store, [Document(t, metadata={"modality": "source"}) for t in questions[i::3]]
        )
        arms.append(VectorSearch(vectorstore=store, name=f"arm {i}", modality="source"))
    retriever = HybridRetriever(searches=arms, embeddings=embeddings, k=K)

    async def together() -> list[float]:
        found = []
        for text in questions:
            start = time.perf_counter()
            await retriever.ainvoke(text)
            found.append(time.perf_counter() - start)
        return found

    return {
        "sync_ms": _each([partial(retriever.invoke, t) for t in questions]),
        "async_ms": _median(asyncio.run(together())),
    }


def _each(calls: list[Callable[[], Any]]) -> float:
    found = []
    for call in calls:
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return _median(found)


def _median(seconds: Any) -> float:
    return 1000 * float(np.median(seconds[WARM:]))


def show(found: Mapping[str, Any]) -> str:
    """Return the table, and the line of the slow arms."""
    header = [
        "store",
        "documents",
        "itself, ms: ten, 200, 40 of one modality",
        "through",
        "ms",
        "of it: in the store (searches)",
        "words",
        "wrapper",
        "CPU of it",
    ]
    lines = []
    for row in found["arms"]:
        ms = {name: f"{row[f'{name}_ms']:.2f}" for name in (*ITSELF, *FIGURES)}
        in_store = f"{ms['in_store']} ({row['searches']:.1f})"
        lines.append(
            [
                row["store"],
                row["documents"],
                ", ".join(ms[name] for name in ITSELF),
                row["arms"],
                ms["total"],
                in_store,
                *(ms[name] for name in ("words", "wrapper", "wrapper_cpu")),
            ]
        )
    slow = found["three slow arms"]
    return (
        table(header, lines)
        + f"\n\nthree arms that take 20 ms each: sync {slow['sync_ms']:.1f} ms, "
        f"async {slow['async_ms']:.1f} ms"
    )
