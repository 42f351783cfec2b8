"""Every kind of encoder in another process, and what to do about one that cannot go there."""

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import TextNode
from support.embedding_server import EmbeddingServer
from support.encoder_kinds import TEXTS, Session, embeds, models
from support.toy_data import ENCODERS, hashed_letters

from kakehashi.encoders import as_encoder
from kakehashi.integrations.llama_index import AlignedEmbedding

pytest.importorskip("langchain_openai")
pytest.importorskip("llama_index.embeddings.openai")


@pytest.fixture(scope="module")
def server():
    with EmbeddingServer(lambda texts, model: hashed_letters(texts)) as running:
        yield running


@pytest.fixture(scope="module")
def encoders(server):
    """One of each kind, which has been used: clients then hold connections and locks."""
    made = {kind: as_encoder(model) for kind, model in models(server).items()}
    for encoder in made.values():
        encoder.encode(TEXTS)
    return made


def test_every_kind_of_encoder_is_pickled(encoders):
    for kind, encoder in encoders.items():
        again = pickle.loads(pickle.dumps(encoder))
        assert again.name == encoder.name, kind
        for role in ("query", "document"):
            found = again.encode(TEXTS, role)
            assert np.allclose(found, hashed_letters(TEXTS), atol=1e-6), kind


@pytest.mark.slow
def test_every_kind_of_encoder_works_in_two_other_processes(encoders, text_aligner):
    """Processes are spawned, as LlamaIndex does it: nothing is inherited."""
    by_kind = {
        kind: AlignedEmbedding(
            aligner=text_aligner.with_encoders(**{**ENCODERS, "source_encoder": encoder}),
            document_modality="source",
        )
        for kind, encoder in encoders.items()
    }
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        found = dict(zip(by_kind, pool.map(embeds, by_kind.values()), strict=True))
    expected = text_aligner.embed_documents(TEXTS, modality="source")
    for kind, vectors in found.items():
        assert np.allclose(vectors, expected, atol=1e-5), kind


@pytest.mark.slow
def test_a_pipeline_with_two_workers_asks_a_hosted_encoder(encoders, server, text_aligner):
    hosted = {**ENCODERS, "source_encoder": encoders["langchain client"]}
    embedding = AlignedEmbedding(
        aligner=text_aligner.with_encoders(**hosted), document_modality="source"
    )
    pipeline = IngestionPipeline(transformations=[embedding], disable_cache=True)
    server.calls.clear()
    nodes = pipeline.run(nodes=[TextNode(text=text) for text in TEXTS], num_workers=2)
    assert set(TEXTS) <= set(server.texts)
    expected = text_aligner.embed_documents(TEXTS, modality="source")
    assert np.allclose([node.embedding for node in nodes], expected, atol=1e-5)


@pytest.mark.parametrize("model", [lambda texts: hashed_letters(list(texts)), Session()])
def test_what_cannot_be_pickled_is_refused_with_the_next_step(model):
    with pytest.raises(pickle.PicklingError, match=r"handed to another process: .* by a name"):
        pickle.dumps(as_encoder(model))


def test_settings_that_cannot_be_pickled_are_not_dropped(server):
    """A client with a transport of the caller's own would be another client without it."""
    import httpx

    client = models(server)["langchain client"]
    own = type(client)(
        model="letters", base_url=server.url, api_key="none", http_client=httpx.Client()
    )
    with pytest.raises(pickle.PicklingError, match="'letters' cannot be handed to another process"):
        pickle.dumps(as_encoder(own))


def test_a_copy_shares_its_encoder():
    encoder = as_encoder(lambda texts: hashed_letters(list(texts)))
    assert copy.copy(encoder) is encoder
    assert copy.deepcopy({"encoder": encoder})["encoder"] is encoder
