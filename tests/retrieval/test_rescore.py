"""Hits in the order of the second map: which, how many, and from which vectors."""

import numpy as np
import pytest
from support.toy_data import machine_pairs, rescoring_aligner

from kakehashi.errors import DataError, EncoderMismatchError
from kakehashi.retrieval.document_modality import search_store
from kakehashi.retrieval.hits import Hit
from kakehashi.retrieval.projected_documents import PROJECTED
from kakehashi.retrieval.rescore import Rescorer, check_rescore
from kakehashi.retrieval.second_similarity import SecondSimilarity

TEXTS = list(machine_pairs().target_texts)
QUERY = "drain the tank 1"


class Shelf:
    """A store over the texts, with documents of the source among them, that counts its calls."""

    def __init__(self, aligner, n_source=0, repeats=1):
        self.aligner = aligner
        self.query = aligner.prepare_query(QUERY, "source")
        self.vectors = aligner.embed_documents(TEXTS)
        near = self.vectors @ self.query.vector
        # Those of the source are nearer than any of the target: they bury them.
        rows = [(float(s), text, "target") for s, text in zip(near, TEXTS, strict=True)] * repeats
        rows += [(2.0 + n, f"source {n}", "source") for n in range(n_source)]
        self.rows = sorted(rows, key=lambda row: -row[0])
        self.asked, self.searches = [], []

    def vectors_of(self, payloads):
        self.asked.append(len(payloads))
        return [self.vectors[TEXTS.index(text)] for text in payloads]

    def rescorer(self, rescore=True, **options):
        options = {"vectors_of": self.vectors_of, "text_of": str} | options
        similarity = SecondSimilarity(self.aligner, **options, search="vectors", store="Shelf")
        return Rescorer(similarity, rescore)

    def find(self, n, at_least, by_part):
        def part(name, depth):
            self.searches.append((name, depth))
            rows = [row for row in self.rows if name in (None, row[2])]
            return [Hit(t, t, m, "vectors", s, s) for s, t, m in rows[:depth]]

        sides = ("source", "target")
        parts = sides if by_part else ()
        return search_store(part, n, parts=parts, modalities=sides, at_least=at_least)

    def order(self, n):
        texts = list(dict.fromkeys(text for _, text, m in self.rows if m == "target"))[:n]
        vectors = np.stack([self.vectors[TEXTS.index(text)] for text in texts])
        scores = self.aligner.rescoring.documents(vectors, texts=texts) @ self.query.rescoring
        return [texts[row] for row in np.argsort(-scores, kind="stable")]


@pytest.fixture
def shelf(keeping_aligner):
    PROJECTED.clear()
    return Shelf(keeping_aligner)


def targets(result):
    return [hit.payload for hit in result.hits if hit.modality == "target"]


def test_the_list_ends_with_the_hits_that_were_ordered_again(shelf):
    result = shelf.rescorer().search(shelf.query, 4, shelf.find, 4, per_modality=False)
    assert targets(result) == shelf.order(20)
    assert "target" not in result.last_hits
    assert shelf.asked == [20]
    more = shelf.rescorer().search(shelf.query, 33, shelf.find, 33, per_modality=False)
    assert targets(more) == shelf.order(33)


def test_a_document_that_was_projected_is_not_projected_again(shelf, monkeypatch):
    rescorer, projected = shelf.rescorer(9), []
    documents = type(shelf.aligner.rescoring).documents

    def counted(self, vectors, *, texts=None):
        projected.append(len(vectors))
        return documents(self, vectors, texts=texts)

    monkeypatch.setattr(type(shelf.aligner.rescoring), "documents", counted)
    once = rescorer.search(shelf.query, 4, shelf.find, 9, per_modality=False)
    again = rescorer.search(shelf.query, 12, shelf.find, 9, per_modality=False)
    assert projected == [9, 3]
    assert targets(once) == [text for text in targets(again) if text in targets(once)]


def test_documents_that_another_modality_buries_are_searched_for(keeping_aligner):
    shelf = Shelf(keeping_aligner, n_source=500)
    result = shelf.rescorer().search(shelf.query, 4, shelf.find, 4, per_modality=False)
    assert targets(result) == shelf.order(20)
    assert shelf.searches[0] == (None, 20)
    assert ("target", 20) in shelf.searches
    assert "source" in result.last_hits


def test_a_list_that_stays_too_short_ends_with_the_last_of_the_new_order(keeping_aligner):
    shelf = Shelf(keeping_aligner, n_source=310)

    def find(n, at_least, by_part):
        return shelf.find(n, at_least, False)

    result = shelf.rescorer().search(shelf.query, 4, find, 4, per_modality=False)
    assert targets(result) == shelf.order(10)
    [*_, last] = [hit for hit in result.hits if hit.modality == "target"]
    assert result.last_hits["target"] == last
    assert last.similarity != last.unrescored


def test_a_document_that_is_stored_often_counts_once(keeping_aligner):
    shelf = Shelf(keeping_aligner, repeats=5)
    result = shelf.rescorer().search(shelf.query, 4, shelf.find, 4, per_modality=False)
    assert list(dict.fromkeys(targets(result))) == shelf.order(20)


def test_a_store_that_holds_no_more_is_searched_once(keeping_aligner):
    shelf = Shelf(keeping_aligner)
    result = shelf.rescorer(1000).search(shelf.query, 4, shelf.find, 4, per_modality=False)
    assert targets(result) == shelf.order(80)
    assert (len(shelf.searches), result.last_hits) == (1, {})


def test_a_vector_that_cannot_be_projected_is_made_again(shelf):
    broken = dict(zip(TEXTS, shelf.vectors, strict=True))
    first = shelf.order(20)[:3]
    broken |= {first[0]: np.zeros(24), first[1]: np.full(24, np.nan), first[2]: None}
    rescorer = shelf.rescorer(vectors_of=lambda texts: [broken[text] for text in texts])
    result = rescorer.search(shelf.query, 4, shelf.find, 4, per_modality=False)
    assert targets(result) == shelf.order(20)


def test_the_vector_that_came_with_a_hit_is_taken(shelf):
    hits = [
        Hit(t, t, "target", "vectors", vector=v.tolist())
        for t, v in zip(TEXTS[:6], shelf.vectors, strict=False)
    ]
    ordered = shelf.rescorer().rescored(shelf.query, hits)
    assert shelf.asked == []
    assert {hit.payload for hit in ordered} == {*TEXTS[:6]}
    similarities = [hit.similarity for hit in ordered]
    assert similarities == sorted(similarities, reverse=True)


def test_another_target_encoder_is_an_error_and_no_warning(shelf):
    def other(texts):
        return np.random.default_rng(0).standard_normal((len(texts), 24))

    shelf.aligner = shelf.aligner.with_encoders(target_encoder=other)
    rescorer = shelf.rescorer(vectors_of=lambda texts: [None] * len(texts))
    with pytest.raises(EncoderMismatchError):
        rescorer.search(shelf.query, 4, shelf.find, 4, per_modality=False)


def test_queries_of_the_target_are_not_rescored(shelf):
    query = shelf.aligner.prepare_query("DRAIN THE TANK 1.", "target")
    assert shelf.rescorer().n_hits(query, 4) == 0
    assert shelf.rescorer(False).n_hits(shelf.query, 4) == 0
    assert (shelf.rescorer().active, shelf.rescorer(False).active) == (True, False)


def test_a_map_that_reads_texts_is_given_them(text_aligner, tmp_path):
    shelf = Shelf(rescoring_aligner(text_aligner, tmp_path / "reads", reads=True))
    result = shelf.rescorer().search(shelf.query, 4, shelf.find, 4, per_modality=False)
    assert targets(result) == shelf.order(20)


@pytest.mark.parametrize("value", [0, 1001, 1.5, "20", None])
def test_a_number_of_hits_is_checked(value):
    with pytest.raises(DataError, match="1 to 1000"):
        check_rescore(value)
    assert check_rescore(np.int64(7)) == 7
