"""How the vectors of hits come out of each store, and what rescoring adds to a search of it.

    python benchmarks/rescoring_stores.py DATA [--set SET] [--pairs N] [--out JSON] [--cache FILE]

One fit makes both maps. All documents of the set go into every store of both frameworks that is
installed; encoders look vectors up, so that encoding costs nothing. A question is then asked in
several ways in turn through the retriever of one store: for four documents without rescoring, and
with 20 and 50 hits rescored. `new` forgets all projected documents before each question, `again`
knows them. `deeper` is a search for 20 and 50 documents without rescoring: what is left is vectors
and the map. All but `plain` are what they add to it, in milliseconds of CPU time, which other work
on the machine disturbs least; of Chroma's server, of the clock; of PostgreSQL, of the client alone.
Medians over questions.

A last table has the second map itself: milliseconds of a query and of hits, and the bytes that a
projected document takes in memory.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from datasets import chosen
from setting import describe, setting, table, write

from kakehashi import Aligner, Pairs, fit
from kakehashi.integrations import langchain, llama_index
from kakehashi.retrieval.projected_documents import PROJECTED, ProjectedDocuments, keys_of

K, HITS = 4, (20, 50)
WARM, ASKED = 3, 40
MEMORY, SEARCH, CALL = "from memory", "with the search", "one call by ids"
HOW = {
    ("LangChain", "in memory"): SEARCH,
    ("LangChain", "chroma"): SEARCH,
    ("LangChain", "chroma over http"): SEARCH,
    ("LangChain", "qdrant"): SEARCH,
    ("LangChain", "faiss"): MEMORY,
    ("LlamaIndex", "simple"): MEMORY,
    ("LlamaIndex", "faiss"): MEMORY,
    ("LangChain", "lancedb"): SEARCH,
    ("LlamaIndex", "lancedb"): SEARCH,
    ("LangChain", "postgres"): SEARCH,
    ("LangChain", "postgres collection"): SEARCH,
    ("LlamaIndex", "postgres"): SEARCH,
}


def stores() -> dict[str, dict[str, Any]]:
    """Return what makes an empty store, by framework and name: those that the tests run over."""
    tests = str(Path(__file__).parents[1] / "tests")
    sys.path.append(tests)
    from support import vector_stores

    return {"LangChain": vector_stores.LANGCHAIN, "LlamaIndex": vector_stores.LLAMA_INDEX}


def filled(framework: str, make: Any, aligner: Aligner, texts: list[str], *where: Any) -> Any:
    """Return a function of rescore= and k= that returns what asks a question."""
    if framework == "LangChain":
        embeddings = langchain.AlignedEmbeddings(aligner=aligner)
        store = make(embeddings, *where)
        for start in range(0, len(texts), 1000):
            store.add_texts(texts[start : start + 1000])

        def retriever(rescore: bool | int, k: int) -> Callable[[str], Any]:
            return langchain.AlignedRetriever(
                vectorstore=store, embeddings=embeddings, k=k, rescore=rescore
            ).invoke

        return retriever
    from llama_index.core import StorageContext, VectorStoreIndex
    from llama_index.core.schema import TextNode

    embedding = llama_index.AlignedEmbedding(aligner=aligner)
    context = StorageContext.from_defaults(vector_store=make(embedding, *where))
    nodes = embedding([TextNode(text=text) for text in texts])
    index = VectorStoreIndex(
        list(nodes), storage_context=context, embed_model=embedding, insert_batch_size=1000
    )

    def of_index(rescore: bool | int, k: int) -> Callable[[str], Any]:
        return llama_index.AlignedRetriever(
            index, embedding, similarity_top_k=k, rescore=rescore
        ).retrieve

    return of_index


def timed(retriever: Any, questions: list[str], clock: Callable[[], float]) -> dict[str, float]:
    """Return median milliseconds without rescoring, and what it adds, new and again."""
    runs = {"plain": retriever(False, K)}
    for n in HITS:
        runs |= {f"{n} deeper": retriever(False, n)}
        runs |= {f"{n} {how}": retriever(n, K) for how in ("new", "again")}
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for row, question in enumerate(questions[: WARM + ASKED]):
        for name, ask in runs.items():
            if name.endswith("new"):
                PROJECTED.clear()
            start = clock()
            ask(question)
            if row >= WARM:
                spent[name].append(1000 * (clock() - start))
    plain = np.array(spent.pop("plain"))
    added = {name: median(np.array(times) - plain) for name, times in spent.items()}
    return {"plain": median(plain)} | added


def of_map(aligner: Aligner, questions: list[str], texts: list[str]) -> dict[str, float]:
    """Return milliseconds of the second map, and bytes a projected document."""
    rescoring = aligner.rescoring
    assert rescoring is not None
    documents = aligner.embed_documents(texts)
    asked = aligner.encoder("source").encode(questions[:1], "query")
    found = {}

    def middle(run: Callable[[], Any]) -> float:
        times = []
        for _ in range(30):
            start = time.process_time()
            run()
            times.append(1000 * (time.process_time() - start))
        return median(times)

    found["query"] = middle(lambda: rescoring.query(asked, texts=questions[:1]))
    for n in HITS:
        vectors, some = documents[:n], texts[:n]
        found[f"{n} documents"] = middle(lambda v=vectors, t=some: rescoring.documents(v, texts=t))
    projected = rescoring.documents(documents, texts=texts)
    tracemalloc.start()
    keys = keys_of(rescoring.fingerprint, texts, list(documents))
    before, cache = tracemalloc.get_traced_memory()[0], ProjectedDocuments()
    cache.put(dict(zip(keys, projected, strict=True)))
    found["bytes a document"] = (tracemalloc.get_traced_memory()[0] - before) / len(cache)
    found["bytes counted"] = cache.n_bytes / len(cache)
    tracemalloc.stop()
    return found


def fitted(pairs: Pairs, n: int, *, ngrams: bool, cache: Path | None) -> Aligner:
    """Fit on n of the pairs, with a second map in any case, and look vectors up."""
    from kakehashi.projection.rescoring import Rescoring

    some = pairs.select(np.random.default_rng(0).permutation(len(pairs))[:n])
    aligner = fit(some, learned=False, ngrams=ngrams, cache=cache)
    if aligner.rescoring is None:
        shared = fit(some, mode="shared", learned=False, ngrams=ngrams, cache=cache)
        aligner = replace(aligner, rescoring=Rescoring(shared.projection, HITS[0]))
    known = {
        side: dict(zip(pairs.texts(side) or (), pairs.required_vectors(side), strict=True))
        for side in ("source", "target")
    }
    encoders = {f"{side}_encoder": _looks_up(vectors) for side, vectors in known.items()}
    return aligner.with_encoders(**encoders)


def _looks_up(vectors: dict[str, Any]) -> Callable[[list[str]], Any]:
    other = next(iter(vectors.values()))  # Qdrant's store embeds a text of its own when it is made
    return lambda texts: np.stack([vectors.get(text, other) for text in texts])


def main() -> None:
    """Time every store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--set", default="pydocs_ja_en:use-minilm")
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--only", nargs="*", help="names of stores")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--cache", type=Path)
    args = parser.parse_args()
    [dataset] = chosen(args.data, [args.set])
    pairs = dataset.load(args.data, args.cache or Path(tempfile.mkdtemp()) / "vectors.sqlite")
    sys.path.pop(0)  # lancedb imports the package datasets, and this folder has a file of that name
    sys.modules.pop("datasets")
    questions = list(dict.fromkeys(pairs.source_texts or ()))[:500:10]
    texts = list(dict.fromkeys(pairs.target_texts or ()))
    result: dict[str, Any] = {
        "setting": setting(),
        "documents": len(texts),
        "stores": [],
        "map": {},
    }
    print(describe(result["setting"]), f"; {len(texts)} documents", sep="")
    for reads in (False, True):
        aligner = fitted(pairs, args.pairs, ngrams=reads, cache=args.cache)
        result["map"]["n-grams" if reads else "vectors"] = of_map(aligner, questions, texts[:2000])
        if not reads:
            result["stores"] = list(each_store(aligner, texts, questions, args.only))
    columns = ["plain", *(f"{n} {how}" for n in HITS for how in ("deeper", "new", "again"))]
    print(
        table(
            ["store", "how vectors come", *columns],
            ([r["store"], r["how"], *(f"{r[c]:.1f}" for c in columns)] for r in result["stores"]),
        )
    )
    of_maps = result["map"]
    names = list(of_maps["vectors"])
    print(
        table(
            ["the map reads", *names],
            ([k, *(f"{v[n]:.2f}" for n in names)] for k, v in of_maps.items()),
        )
    )
    write(result, args.out)


def each_store(aligner: Aligner, texts: list[str], questions: list[str], only: Any) -> Any:
    """Yield the figures of each store that is installed."""
    import pytest

    for framework, makers in stores().items():
        for name, make in makers.items():
            if only and name not in only:
                continue
            with tempfile.TemporaryDirectory() as folder:
                yield from one_store(
                    framework, name, make, aligner, texts, questions, Path(folder), pytest
                )


def one_store(
    framework: str,
    name: str,
    make: Any,
    aligner: Aligner,
    texts: list[str],
    questions: list[str],
    folder: Path,
    pytest: Any,
) -> Any:
    """Yield the figures of one store, if it is installed."""
    from support.vector_stores import chroma_server

    try:
        if name == "chroma over http":
            with chroma_server(folder) as client:
                retriever = filled(framework, make, aligner, texts, folder, lambda: client)
                figures = timed(retriever, questions, time.perf_counter)
        else:
            retriever = filled(framework, make, aligner, texts, folder, None)
            figures = timed(retriever, questions, time.process_time)
    except pytest.skip.Exception as skipped:
        print(f"{framework}, {name}: {skipped}", file=sys.stderr)
        return
    how = HOW.get((framework, name), CALL)
    yield {"store": f"{framework}: {name}", "how": how, **figures}


if __name__ == "__main__":
    main()
