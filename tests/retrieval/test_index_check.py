"""The check of an index: what decides, in which order, and what is done where nothing does."""

from dataclasses import replace

import numpy as np
import pytest
from support.toy_data import hashed_letters, reversed_letters

from kakehashi.errors import AlignerMismatchError, EncoderMismatchError, UncheckedIndexWarning
from kakehashi.retrieval.document_modality import DocumentModality
from kakehashi.retrieval.index_check import check_index
from kakehashi.retrieval.index_record import IndexRecord
from kakehashi.retrieval.stored_index import StoredDocument, declared_scale

TEXTS = [f"{verb} the {part} {n}" for verb in ("reset", "oil") for part in "abcd" for n in range(4)]


class Listed:
    """An index whose documents and vectors can be read."""

    name, scale, by_cosine = "The index", "squared l2", False

    def __init__(self, texts, vectors, record=None, modality="target"):
        self.documents = [
            StoredDocument(text, {"modality": modality}, vector)
            for text, vector in zip(texts, vectors, strict=True)
        ]
        self._record, self.searches = record, 0

    def record(self):
        return self._record

    def sample(self, n):
        return self.documents[:n]

    def nearest(self, vector):
        self.searches += 1
        stored = np.stack([document.vector for document in self.documents])
        return self.documents[int((stored @ vector).argmax())].text


class Unlisted(Listed):
    """An index that can be searched only."""

    def sample(self, n):
        return [document._replace(vector=None) for document in self.documents[:n]]


@pytest.fixture(scope="module")
def space(text_aligner):
    return text_aligner


@pytest.fixture
def counted(space, monkeypatch):
    """The aligner, and the texts that it embeds as documents."""
    embedded = []
    original = type(space).embed_documents

    def counting(self, texts, **options):
        embedded.extend(texts)
        return original(self, texts, **options)

    monkeypatch.setattr(type(space), "embed_documents", counting)
    return embedded


def of(space):
    return DocumentModality("", space, None, "modality", "target")


@pytest.mark.parametrize("kind", [Listed, Unlisted])
def test_an_index_of_this_aligner_passes_by_a_few_embeddings_and_searches(kind, space, counted):
    index = kind(TEXTS, space.embed_documents(TEXTS))
    counted.clear()
    assert check_index(space, index, of(space))
    assert len(counted) <= 5
    assert index.searches <= 3


def test_a_document_that_a_small_index_finds_by_luck_does_not_speak_for_it(space):
    own = space.embed_documents(TEXTS[:8])
    others = np.roll(own, 3, axis=1)
    others[0] = own[0]
    with pytest.raises(AlignerMismatchError, match="does not hold"):
        check_index(space, Unlisted(TEXTS[:8], others), of(space))


@pytest.mark.parametrize("kind", [Listed, Unlisted])
def test_an_index_of_other_vectors_is_refused(kind, space):
    index = kind(TEXTS, np.roll(space.embed_documents(TEXTS), 3, axis=1))
    with pytest.raises(AlignerMismatchError, match=r"The index does not hold.*record\(index\)"):
        check_index(space, index, of(space))


def test_another_dimension_is_refused_before_anything_is_embedded(space, counted):
    index = Listed(TEXTS, hashed_letters(TEXTS))
    with pytest.raises(AlignerMismatchError, match=r"32 dimensions, and this aligner gives 24"):
        check_index(space, index, of(space))
    assert not counted


def test_a_record_of_this_aligner_ends_the_check(space, counted):
    index = Listed(TEXTS, np.ones((len(TEXTS), 3)), IndexRecord.of(space, "text"))
    assert check_index(space, index, of(space))
    assert not counted


def test_a_record_of_another_aligner_is_refused_without_a_look_at_the_vectors(space, counted):
    other = replace(space, mode="keep")
    index = Listed(TEXTS, space.embed_documents(TEXTS), IndexRecord.of(other, "text"))
    counted.clear()
    with pytest.raises(AlignerMismatchError, match="was filled through the aligner"):
        check_index(space, index, of(space))
    assert not counted


def test_a_minority_that_was_edited_does_not_count(space):
    vectors = space.embed_documents(TEXTS)
    edited = [f"something else {i}" if i % 3 == 0 else text for i, text in enumerate(TEXTS)]
    assert check_index(space, Listed(edited, vectors), of(space))
    assert check_index(space, Unlisted(edited, vectors), of(space))


def test_one_document_of_another_modality_that_was_edited_does_not_count(space):
    index = Listed(TEXTS, space.embed_documents(TEXTS))
    edited = Listed(
        ["QUITE ELSE."], space.embed_documents(["PUMP 1"], modality="source"), modality="source"
    )
    index.documents[5:5] = edited.documents
    assert check_index(space, index, of(space))


def test_most_documents_of_a_modality_speak_for_it(space):
    index = Listed(TEXTS[:20], space.embed_documents(TEXTS[:20]))
    taken_for_target = [t.upper() for t in TEXTS[:6]]
    index.documents += Listed(
        taken_for_target, space.embed_documents(taken_for_target), modality="source"
    ).documents
    with pytest.raises(AlignerMismatchError, match="5 of 5 documents"):
        check_index(space, index, of(space))


def test_an_empty_index_is_not_found_to_be_anybodys(space):
    assert not check_index(space, Listed([], []), of(space))
    assert check_index(space, Listed([" "], np.ones((1, 24))), of(space))


def test_an_index_that_nothing_at_hand_tells_is_warned_of(space):
    """The aligner knows no encoder of its documents, and their vectors alone do not show it."""
    blind = replace(
        space,
        identities={**space.identities, "target": None},
        encoders={**space.encoders, "target": None},
        _verified=set(),
    )
    index = Listed(TEXTS, space.embed_documents(TEXTS))
    with pytest.warns(UncheckedIndexWarning, match="no encoder of its documents is at hand"):
        assert check_index(blind, index, of(blind))  # once, and not at every query


def test_a_wrong_encoder_stays_an_error_of_its_own(space):
    wrong = space.with_encoders(target_encoder=lambda texts: reversed_letters(texts)[:, ::-1])
    index = Listed(TEXTS, space.embed_documents(TEXTS))
    with pytest.raises(EncoderMismatchError):
        check_index(wrong, index, of(wrong))


def test_an_index_of_keep_mode_may_hold_other_texts_than_were_embedded(space):
    """A title before the text, say: it is enough that each is nearest to its own."""
    kept = replace(space, mode="keep", projection=replace(space.projection, target=None))
    titled = [f"Manual of parts. {text}" for text in TEXTS]
    stored = reversed_letters(titled)
    own = (stored * reversed_letters(TEXTS)).sum(axis=1)
    assert own.max() < 0.995
    assert check_index(kept, Listed(TEXTS, stored), of(kept))


def test_a_declared_scale_counts_where_the_vectors_have_unit_length(space):
    vectors = reversed_letters(TEXTS)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert declared_scale(Listed(TEXTS, unit)) == "squared l2"
    assert declared_scale(Listed(TEXTS, 2 * unit)) is None
    by_cosine = Listed(TEXTS, 2 * unit)
    by_cosine.by_cosine = True
    assert declared_scale(by_cosine) == "squared l2"
    assert declared_scale(Listed([], [])) is None


def test_an_emptied_index_takes_another_aligner(space):
    """Its record says how the vectors were made that were deleted."""
    record = replace(IndexRecord.of(space, "text"), fingerprint="of another")
    assert not check_index(space, Listed([], [], record), of(space))


def test_an_index_that_cannot_be_read_is_searched_after_a_warning(space):
    class NeedsTenant(Unlisted):
        def sample(self, n):
            raise ValueError("request was without tenant")

    with pytest.warns(UncheckedIndexWarning, match="cannot be read .*without tenant"):
        assert check_index(space, NeedsTenant([], []), of(space))
