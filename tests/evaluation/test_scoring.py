"""evaluate(): the scores of a finished aligner are those of the vectors that it serves."""

from dataclasses import replace

import numpy as np
import pytest
from support.toy_data import (
    hashed_letters,
    machine_pairs,
    rescoring_aligner,
    reversed_letters,
)

from kakehashi import Pairs, read_index
from kakehashi.data.index import IndexDocuments
from kakehashi.errors import DataError, EncoderError
from kakehashi.evaluation import evaluate, measure_robustness
from kakehashi.metrics.ranking import ranks
from kakehashi.metrics.relevance import Relevance
from kakehashi.metrics.statistics import Scores
from kakehashi.training.index_rows import index_rows
from kakehashi.training.verdict import decide


@pytest.mark.parametrize("stored", [False, True])
def test_an_aligner_that_reads_texts_is_scored_as_it_serves(ngram_aligner, stored):
    whole = machine_pairs()
    # A part of a text asks for several documents: what is found depends on every detail.
    pairs = Pairs([text[3:] for text in whole.source_texts], whole.target_texts)
    queries = ngram_aligner.embed_queries(list(pairs.source_texts), modality="source")
    documents = ngram_aligner.embed_documents(list(pairs.target_texts), modality="target")
    first, answers = (queries @ documents.T).argmax(axis=1), Relevance.of(pairs).answers
    expected = np.mean([row in those for row, those in zip(first, answers, strict=True)])
    if stored:
        x, y = hashed_letters(pairs.source_texts), reversed_letters(pairs.target_texts)
        pairs, ngram_aligner = (
            pairs.with_vectors(x, y),
            ngram_aligner.with_encoders(source_encoder=None),
        )
    found = evaluate(ngram_aligner, pairs)
    assert 0.2 < expected < 1
    assert found.aligned.means["recall@1"] == pytest.approx(expected)
    assert (found.aligned.n_queries, found.aligned.pool) == (80, 80)
    assert found.base is None  # two spaces
    assert found.to_dict()["aligned"]["means"] == found.aligned.means
    assert np.mean(found.ranks["aligned"] == 1) == pytest.approx(expected)
    assert {"aligned", "bm25"} <= set(found.ranks)


@pytest.mark.parametrize("reads", [False, True])
def test_an_aligner_with_two_maps_is_scored_with_both(reads, text_aligner, tmp_path):
    aligner = rescoring_aligner(text_aligner, tmp_path / "bridge", reads=reads, n_hits=10)
    pairs = cut_pairs()
    found = evaluate(aligner, pairs)
    documents = reversed_letters(pairs.target_texts)
    again = aligner.rescoring.documents(documents, texts=pairs.target_texts)
    expected, first = [], []
    answers = Relevance.of(pairs).answers
    for text, of_query in zip(pairs.source_texts, answers, strict=True):
        query = aligner.prepare_query(text, "source")
        order = np.argsort(-(documents @ query.vector), kind="stable")
        hits = order[:10]
        hits = hits[np.argsort(-(again[hits] @ query.rescoring), kind="stable")]
        expected.append(1 + int(np.isin([*hits, *order[10:]], of_query).argmax()))
        first.append(pairs.target_texts[hits[0]])
    assert list(found.ranks["rescored"]) == expected
    assert list(found.ranks["aligned"]) != expected
    assert found.to_dict()["rescored"]["means"] == found.rescored.means
    assert [each["found"] for each in found.questions()] == first
    plain = evaluate(replace(aligner, rescoring=None), pairs)
    assert (plain.rescored, plain.shared) == (None, None)
    assert found.shared == evaluate(aligner.as_shared(), pairs).aligned
    assert plain.aligned == found.aligned
    perturbed = measure_robustness(aligner, pairs, names=["cut-end"])
    assert perturbed.aligned == found.rescored


def test_what_serves_is_judged(keeping_aligner, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "kakehashi.evaluation.judgement.decide",
        lambda ranks, **options: seen.append(ranks.chosen) or decide(ranks, **options),
    )
    monkeypatch.setattr("kakehashi.evaluation.judgement.warnings_about", lambda *_: [])
    found = evaluate(keeping_aligner, cut_pairs())
    assert list(seen[0]) == list(found.ranks["rescored"])


def test_a_querys_own_target_counts_among_different_targets(text_aligner):
    pairs = machine_pairs()
    twice = Pairs(pairs.source_texts * 2, pairs.target_texts * 2)
    once, again = (evaluate(text_aligner, p).aligned for p in (pairs, twice))
    assert again.means == pytest.approx(once.means)
    assert (again.n_queries, again.pool) == (160, 80)


def test_intervals_and_the_verdict_count_whole_groups(text_aligner, monkeypatch):
    pairs = cut_pairs()
    grouped = Pairs(pairs.source_texts, pairs.target_texts, groups=[str(i // 5) for i in range(40)])
    clusters, seen = np.arange(40) // 5, []
    monkeypatch.setattr(
        "kakehashi.evaluation.judgement.decide",
        lambda ranks, **options: seen.append(ranks.clusters) or decide(ranks, **options),
    )
    monkeypatch.setattr("kakehashi.evaluation.judgement.warnings_about", lambda *_: [])
    found = evaluate(text_aligner, grouped)
    expected = Scores.of_ranks(found.ranks["aligned"], 40, clusters=clusters)
    assert found.aligned == expected != Scores.of_ranks(found.ranks["aligned"], 40)
    assert [list(labels) for labels in seen] == [list(clusters)]
    report = measure_robustness(text_aligner, grouped, names=["cut-end"])
    assert report.aligned == expected
    one_by_one = measure_robustness(text_aligner, pairs, names=["cut-end"])
    spread, narrow = (r.perturbations["cut-end"].aligned.interval for r in (report, one_by_one))
    assert spread != narrow


def test_few_groups_are_noted(aligner, vector_pairs):
    part = vector_pairs.select(range(0, 400, 4))
    grouped = Pairs(
        source_vectors=part.source_vectors,
        target_vectors=part.target_vectors,
        groups=[str(i % 6) for i in range(100)],
    )
    assert "stand in 6 groups, and whole groups count" in evaluate(aligner, grouped).note


def test_every_target_of_a_question_answers_it_as_in_a_fit(text_aligner):
    pairs = machine_pairs().select(range(0, 80, 2))
    asked = list(pairs.source_texts)
    asked[1::2] = asked[::2]  # each question stands beside two documents
    repeated = Pairs(asked, pairs.target_texts)
    found = evaluate(text_aligner, repeated)
    queries = text_aligner.embed_queries(asked, modality="source")
    documents = text_aligner.embed_documents(list(pairs.target_texts), modality="target")
    expected = ranks(queries, documents, relevance=Relevance.of(repeated))
    assert list(found.ranks["aligned"]) == list(expected)
    assert list(expected[::2]) == list(expected[1::2])
    assert measure_robustness(text_aligner, repeated, names=["cut-end"]).aligned == found.aligned


@pytest.mark.parametrize("measure", [evaluate, measure_robustness])
def test_what_is_no_aligner_is_refused_with_the_way_to_one(measure):
    for wrong in ("my-aligner", None):
        with pytest.raises(DataError, match=r"is no Aligner; pass Aligner.load\(folder\), or one"):
            measure(wrong, machine_pairs())


def test_texts_that_an_aligner_reads_and_encoders_that_it_needs_are_asked_for(ngram_aligner):
    pairs = machine_pairs()
    bare = Pairs(
        source_vectors=hashed_letters(pairs.source_texts),
        target_vectors=reversed_letters(pairs.target_texts),
    )
    with pytest.raises(DataError, match="texts="):
        evaluate(ngram_aligner, bare)
    with pytest.raises(EncoderError):
        evaluate(type(ngram_aligner).load(ngram_aligner.path), pairs)


def cut_pairs():
    """A part of a text asks for several documents: what is found depends on every detail."""
    whole = machine_pairs()
    half = range(0, 80, 2)
    return Pairs([t[3:] for t in whole.source_texts], whole.target_texts).select(half)


def test_the_whole_index_is_searched_as_the_store_searches_it(text_aligner, tmp_path):
    from langchain_core.vectorstores import InMemoryVectorStore

    from kakehashi.integrations.langchain import AlignedEmbeddings

    store = InMemoryVectorStore(AlignedEmbeddings(aligner=text_aligner))
    store.add_texts([*machine_pairs().target_texts, "an unrelated page"])
    store.dump(str(tmp_path / "dump.json"))
    pairs, index = cut_pairs(), read_index(tmp_path / "dump.json")
    found = evaluate(text_aligner, pairs, index=index)  # moved vectors: the texts are encoded
    assert (found.aligned.n_queries, found.aligned.pool, found.note) == (40, 81, None)
    hits = [store.similarity_search(text, k=1)[0].page_content for text in pairs.source_texts]
    first = np.mean([hit == answer for hit, answer in zip(hits, pairs.target_texts, strict=True)])
    assert found.aligned.means["recall@1"] == pytest.approx(first)
    alone = evaluate(text_aligner, pairs)
    assert alone.aligned.pool == 40
    assert alone.aligned.means["mrr@10"] > found.aligned.means["mrr@10"]
    assert found.bm25.pool == 81


def test_documents_of_the_training_are_searched_where_they_are_named(text_aligner):
    whole, pairs = machine_pairs(), cut_pairs()
    fitted = whole.select(range(1, 80, 2))
    alone = evaluate(text_aligner, pairs)
    assert alone.note.startswith("only documents of the pairs were searched")
    found = evaluate(text_aligner, pairs, trained_on=fitted)
    assert (alone.aligned.pool, found.aligned.pool) == (40, 80)
    everything = evaluate(text_aligner, pairs, index=whole.target_texts)
    assert found.aligned.means == pytest.approx(everything.aligned.means)


def test_stored_vectors_of_an_index_need_no_encoder_and_no_texts(aligner, vector_pairs):
    part = vector_pairs.select(range(0, 400, 4))
    index = IndexDocuments(vectors=vector_pairs.target_vectors)
    found = evaluate(aligner, part, index=index)
    assert (found.aligned.n_queries, found.aligned.pool) == (100, 400)
    both = evaluate(aligner, part, index=IndexDocuments(vectors=vector_pairs.target_vectors[::4]))
    assert both.aligned.means == evaluate(aligner, part).aligned.means
    other = IndexDocuments(vectors=np.ones((3, 5), np.float32))
    with pytest.raises(DataError, match="vectors have 5 dimensions, the target encoder's 16"):
        evaluate(aligner, part, index=other)


def test_texts_of_an_index_are_encoded_and_answers_that_it_lacks_are_counted(text_aligner):
    pairs = cut_pairs()
    found = evaluate(text_aligner, pairs, index=[*pairs.target_texts[:30], "a page", "a page"])
    assert found.aligned.pool == 41
    assert found.note == (
        "10 of 40 answers are no documents of the index, by their text, and were added to it"
    )
    with pytest.raises(DataError, match=r"read it with kakehashi.read_index\('chroma:db'\)"):
        evaluate(text_aligner, pairs, index="chroma:db")
    bare = type(text_aligner).load(text_aligner.path)
    encoded = pairs.with_vectors(
        hashed_letters(pairs.source_texts), reversed_letters(pairs.target_texts)
    )
    with pytest.raises(EncoderError):
        evaluate(bare, encoded, index=["a page"])


def test_an_index_of_another_encoder_is_refused(text_aligner):
    pairs = cut_pairs()
    strange = np.random.default_rng(0).standard_normal((40, 24)).astype(np.float32)
    documents = IndexDocuments(pairs.target_texts, strange)
    options = {"dimension": 24, "moved": False}
    encoder = text_aligner.encoder("target")
    with pytest.raises(DataError, match=r"not those of the target encoder .* \(mean cosine"):
        index_rows(documents, encoder, **options)
    made = IndexDocuments(pairs.target_texts, reversed_letters(pairs.target_texts))
    kept = index_rows(made, encoder, **options)
    assert np.array_equal(kept.target_vectors, made.vectors)
    moved = index_rows(documents, encoder, dimension=24, moved=True)
    assert np.array_equal(moved.target_vectors, made.vectors)
