"""A report says what a store says: the same questions, asked of Chroma over all documents."""

import chromadb
import numpy as np
import pytest
from support.inner_fit import inner_fit

from kakehashi.data.splits import hold_out
from kakehashi.demo.pipeline import _ranks_in
from kakehashi.metrics.ranking import per_query
from kakehashi.metrics.statistics import Scores

QUICK = {"learned": False, "ngrams": False}


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["keep", "shared"])
def test_the_score_of_a_report_is_the_score_through_the_store(
    kicad, use, minilm, vector_cache, mode
):
    held = hold_out(kicad, 0.3, seed=0)
    test, train = kicad.select(held.held_out), kicad.select(held.kept)
    encoders = {"source_encoder": use, "target_encoder": minilm}
    aligner = inner_fit(train, test=test, **encoders, mode=mode, cache=vector_cache, **QUICK)
    documents = list(dict.fromkeys([*test.target_texts, *train.target_texts]))
    collection = chromadb.EphemeralClient().create_collection(
        f"whole-index-{mode}", configuration={"hnsw": {"space": "cosine", "ef_search": 400}}
    )
    ids = [str(i) for i in range(len(documents))]
    collection.add(
        ids=ids,
        documents=documents,
        embeddings=aligner.embed_documents(documents, modality="target"),
    )
    queries = aligner.embed_queries(list(test.source_texts), modality="source")
    found = per_query(np.array(_ranks_in(collection, queries)))
    judged: Scores = aligner.report.candidates[aligner.report.chosen].scores
    assert (judged.n_queries, judged.pool) == (len(test), len(documents))
    for name, mean in judged.means.items():
        assert mean == pytest.approx(found[name].mean(), abs=1e-9), name
    assert 0 < judged.means["recall@1"] < 1
