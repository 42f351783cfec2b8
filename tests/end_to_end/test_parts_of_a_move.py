"""A process serves an index while another moves it: it follows the switch, and the way back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.toy_data import machine_pairs, reversed_letters
from support.vector_stores import chroma_server

from kakehashi.migration import migrate, roll_back

pytestmark = pytest.mark.slow

TEXTS = list(dict.fromkeys(machine_pairs().target_texts))
SERVING = """
import json, sys
import chromadb
from langchain_chroma import Chroma
from llama_index.core import MockEmbedding, VectorStoreIndex
from llama_index.vector_stores.chroma import ChromaVectorStore
from support.toy_data import ENCODERS
import kakehashi
from kakehashi.integrations import langchain, llama_index

port, folder = sys.argv[1:]
client = chromadb.HttpClient("127.0.0.1", int(port))
aligner = kakehashi.Aligner.load(folder).with_encoders(**ENCODERS)
moved = aligner.as_shared()


def store(name):
    return Chroma(name, client=client, create_collection_if_not_exists=False)


def index(name):
    of_store = ChromaVectorStore(client.get_collection(name, embedding_function=None))
    return VectorStoreIndex.from_vector_store(of_store, embed_model=MockEmbedding(24))


options = {"follow_every": 0, "explain": True}
in_langchain = langchain.PartsRetriever(
    parts=[
        langchain.Part(vectorstore=store("manual"), embeddings=aligner),
        langchain.Part(vectorstore=store("manual_moved"), embeddings=moved),
    ],
    k=5,
    **options,
)
in_llama_index = llama_index.PartsRetriever(
    [
        llama_index.Part(index("manual"), embedding=aligner),
        llama_index.Part(index("manual_moved"), embedding=moved),
    ],
    similarity_top_k=5,
    **options,
)
for question in sys.stdin:
    found = in_langchain.invoke(question.strip())
    nodes = in_llama_index.retrieve(question.strip())
    said = [d.metadata["kakehashi"]["searches"] for d in found]
    of_nodes = [n.node.metadata["kakehashi"]["searches"] for n in nodes]
    print(json.dumps({
        "langchain": [sorted({name for each in said for name in each}), [d.id for d in found]],
        "llama_index": [sorted({name for each in of_nodes for name in each}),
                        [n.node.node_id for n in nodes]],
    }), flush=True)
"""


@pytest.fixture
def serving(tmp_path, keeping_aligner):
    """Yield a client of a server with an index, its address, and what starts a serving process."""
    tests = Path(__file__).parent.parent
    paths = [str(tests), *filter(None, [os.environ.get("PYTHONPATH")])]
    processes = []
    with chroma_server(tmp_path) as client:
        made = client.create_collection("manual", configuration={"hnsw": {"space": "cosine"}})
        ids = [f"d{number}" for number in range(len(TEXTS))]
        made.add(ids=ids, embeddings=reversed_letters(TEXTS), documents=TEXTS)
        port = client.get_settings().chroma_server_http_port

        def start():
            process = subprocess.Popen(
                [sys.executable, "-c", SERVING, str(port), str(keeping_aligner.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            )
            processes.append(process)

            def ask(question):
                process.stdin.write(question + "\n")
                process.stdin.flush()
                return json.loads(process.stdout.readline())

            return ask

        yield client, f"chroma://127.0.0.1:{port}?collection=manual", start
        for process in processes:
            process.kill()
            process.communicate()


def test_a_process_follows_the_switch_and_the_way_back_without_a_restart(serving, keeping_aligner):
    client, address, start = serving
    assert migrate(address, keeping_aligner).state == "verified"
    client.get_collection("manual_moved").delete(ids=["d0", "d1", "d2"])
    ask = start()
    question = "check the valve 2"
    before = ask(question)
    assert "manual" in before["langchain"][0]
    assert migrate(address, keeping_aligner, switch=True).state == "live"
    live = ask(question)
    roll_back(address)
    back = ask(question)
    for framework in ("langchain", "llama_index"):
        assert live[framework][0] == ["manual_moved"]
        assert back[framework][0] == ["manual"]
        assert len({*live[framework][1]}) == len({*back[framework][1]}) == 5
        assert live[framework][1] == before["langchain"][1]
