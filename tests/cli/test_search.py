"""`kakehashi search`: real stores answer without a line of Python."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from support.command_line import BOTH_ENCODERS
from support.postgres_server import postgres_url
from support.toy_data import machine_pairs
from support.vector_stores import lc_postgres, lc_postgres_collection, li_postgres
from typer.testing import CliRunner

from kakehashi.cli.app import app
from kakehashi.errors import AlignerMismatchError, DataError, EncoderError
from kakehashi.retrieval.index_record import IndexRecord
from kakehashi.vectors import unit_rows

DOCUMENTS = list(machine_pairs().target_texts)
QUESTION = "drain the valve 2"


def langchain_documents():
    from langchain_core.documents import Document

    return [Document(page_content=t, metadata={"page": i}) for i, t in enumerate(DOCUMENTS)]


def of_langchain(aligner):
    from kakehashi.integrations.langchain import AlignedEmbeddings

    return AlignedEmbeddings(aligner=aligner)


def chroma(aligner, folder):
    import chromadb
    from langchain_chroma import Chroma

    client = chromadb.PersistentClient(str(folder))
    Chroma("manual", of_langchain(aligner), client=client).add_documents(langchain_documents())
    return f"chroma:{folder}?collection=manual"


def chroma_of_open_collection(aligner, folder):
    import chromadb

    from kakehashi.integrations.chroma import open_collection

    collection = open_collection(chromadb.PersistentClient(str(folder)), "manual", aligner)
    collection.add(ids=[str(i) for i in range(80)], documents=DOCUMENTS)
    return f"chroma:{folder}"


def qdrant(aligner, folder):
    from langchain_qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient, models

    client = QdrantClient(path=str(folder))
    by = models.VectorParams(size=aligner.output_dimension, distance=models.Distance.COSINE)
    client.create_collection("manual", vectors_config=by)
    store = QdrantVectorStore(client, "manual", of_langchain(aligner))
    store.add_documents(langchain_documents())
    client.close()
    return f"qdrant:{folder}?collection=manual"


def dump(aligner, folder):
    from langchain_core.vectorstores import InMemoryVectorStore

    store = InMemoryVectorStore(of_langchain(aligner))
    store.add_documents(langchain_documents())
    store.dump(str(folder / "dump.json"))
    return str(folder / "dump.json")


def parquet(aligner, folder, **record):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    vectors = aligner.embed_documents(DOCUMENTS).tolist()
    pages = [{"page": page} for page in range(len(DOCUMENTS))]
    table = pyarrow.table({"vector": vectors, "text": DOCUMENTS, "metadata": pages})
    pq.write_table(table.replace_schema_metadata(record), folder / "copy.parquet")
    return f"parquet:{folder / 'copy.parquet'}"


def parquet_of_other_columns(aligner, folder):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    vectors = aligner.embed_documents(DOCUMENTS)
    rows = {"title": -vectors, "body": vectors}
    days = [date(2026, 1, 1 + page % 28) for page in range(len(DOCUMENTS))]
    columns = {name: each.tolist() for name, each in rows.items()} | {"page_content": DOCUMENTS}
    table = pyarrow.table({**columns, "page": list(range(len(DOCUMENTS))), "day": days})
    pq.write_table(table, folder / "copy.parquet")
    return f"parquet:{folder / 'copy.parquet'}?vector=body"


def of_llama_index(aligner, store=None):
    from llama_index.core import StorageContext, VectorStoreIndex
    from llama_index.core.schema import TextNode

    from kakehashi.integrations.llama_index import AlignedEmbedding

    nodes = [TextNode(text=text, metadata={"page": i}) for i, text in enumerate(DOCUMENTS)]
    for node in nodes:
        node.excluded_embed_metadata_keys = ["page"]
    context = StorageContext.from_defaults(vector_store=store)
    embedding = AlignedEmbedding(aligner=aligner)
    return VectorStoreIndex(nodes, storage_context=context, embed_model=embedding)


def llama_index(aligner, folder):
    of_llama_index(aligner).storage_context.persist(str(folder))
    return f"llama-index:{folder}"


def llama_index_faiss(aligner, folder):
    faiss = pytest.importorskip("faiss")
    from llama_index.vector_stores.faiss import FaissVectorStore

    store = FaissVectorStore(faiss.IndexFlatIP(aligner.output_dimension))
    of_llama_index(aligner, store).storage_context.persist(str(folder))
    return str(folder)


def llama_index_qdrant(aligner, folder):
    from llama_index.vector_stores.qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient

    client = QdrantClient(path=str(folder))
    of_llama_index(aligner, QdrantVectorStore("manual", client=client))
    client.close()
    return f"qdrant:{folder}"


def lancedb(aligner, folder):
    package = pytest.importorskip("lancedb")
    from langchain_community.vectorstores import LanceDB

    connection = package.connect(str(folder))
    store = LanceDB(connection, of_langchain(aligner), table_name="manual", mode="append")
    store.add_documents(langchain_documents())
    return f"lancedb:{folder}?collection=manual"


def llama_index_lancedb(aligner, folder):
    module = pytest.importorskip("llama_index.vector_stores.lancedb")
    of_llama_index(aligner, module.LanceDBVectorStore(str(folder), "manual"))
    return str(folder)


def faiss_folder(aligner, folder):
    faiss = pytest.importorskip("faiss")
    index = faiss.IndexFlatIP(aligner.output_dimension)
    index.add(unit_rows(aligner.embed_documents(DOCUMENTS)))
    faiss.write_index(index, str(folder / "manual.faiss"))
    lines = [
        json.dumps({"id": str(page), "text": text, "metadata": {"page": page}})
        for page, text in enumerate(DOCUMENTS)
    ]
    (folder / "manual.jsonl").write_text("\n".join(lines))
    return f"faiss:{folder}"


def postgres(aligner, folder):
    store = lc_postgres(of_langchain(aligner), folder, None)
    store.add_documents(langchain_documents())
    return postgres_url(query=f"?table={store.get_table_name()}")


def postgres_collection(aligner, folder):
    store = lc_postgres_collection(of_langchain(aligner), folder, None)
    store.add_documents(langchain_documents())
    return postgres_url(query=f"?collection={store.collection_name}")


def llama_index_postgres(aligner, folder):
    from kakehashi.integrations.llama_index import AlignedEmbedding

    store = li_postgres(AlignedEmbedding(aligner=aligner), folder, None)
    of_llama_index(aligner, store)
    return postgres_url(query=f"?table=data_{store.table_name}")


STORES = [
    lancedb,
    faiss_folder,
    llama_index_lancedb,
    chroma,
    chroma_of_open_collection,
    qdrant,
    dump,
    parquet,
    parquet_of_other_columns,
]
STORES += [llama_index, llama_index_faiss, llama_index_qdrant]
STORES += [postgres, postgres_collection, llama_index_postgres]
RESCORED = [dump, parquet, qdrant, llama_index, llama_index_qdrant, postgres, llama_index_postgres]


def search(aligner, *arguments):
    done = CliRunner().invoke(app, ["search", str(aligner.path), *map(str, arguments)])
    if done.exception is not None:
        raise done.exception
    return done


@pytest.mark.slow
@pytest.mark.parametrize("fill", STORES, ids=lambda fill: fill.__name__)
def test_a_store_is_asked_by_its_address(fill, text_aligner, tmp_path):
    address = fill(text_aligner, tmp_path)
    query = text_aligner.embed_query(QUESTION)
    documents = text_aligner.embed_documents(DOCUMENTS)
    best = [DOCUMENTS[i] for i in np.argsort(-(documents @ query))[:3]]
    found = json.loads(
        search(text_aligner, QUESTION, "--index", address, "-k", 3, *BOTH_ENCODERS, "--json").stdout
    )
    assert [hit["text"] for hit in found["hits"]] == best
    assert (found["modality"], found["how"]) == ("source", "by default")
    assert [hit["rank"] for hit in found["hits"]] == [1, 2, 3]
    hit = found["hits"][0]
    assert hit["metadata"].get("page", DOCUMENTS.index(best[0])) == DOCUMENTS.index(best[0])
    assert not [name for name in hit["metadata"] if name.startswith("_") or name == "kakehashi"]
    assert (hit["modality"], hit["raw"] is not None) == ("target", True)
    expected = unit_rows(documents)[DOCUMENTS.index(best[0])] @ unit_rows(query[None])[0]
    if "lancedb" not in fill.__name__:  # each call names a metric there: its scale is not known
        assert hit["similarity"] == pytest.approx(float(expected), abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("fill", RESCORED)
def test_hits_are_rescored_by_the_vectors_of_the_store(fill, keeping_aligner, tmp_path):
    address = fill(keeping_aligner, tmp_path)
    query = keeping_aligner.prepare_query(QUESTION, "source")
    vectors = keeping_aligner.embed_documents(DOCUMENTS)
    scores = keeping_aligner.rescoring.documents(vectors) @ query.rescoring
    first = np.argsort(-(unit_rows(vectors) @ query.vector))
    asked = (QUESTION, "--index", address, "-k", 3, *BOTH_ENCODERS, "--json")
    for option, n_hits in (((), 20), (("--rescore", 5), 5), (("--rescore", 0), 0)):
        found = json.loads(search(keeping_aligner, *asked, *option).stdout)["hits"]
        order = sorted(first[:n_hits], key=lambda row: -scores[row]) if n_hits else first
        assert [hit["text"] for hit in found] == [DOCUMENTS[row] for row in order[:3]]
        if n_hits:
            assert found[0]["similarity"] == pytest.approx(float(scores[order[0]]), abs=1e-4)


def test_hits_are_printed_with_scores_and_the_modality_of_the_question(text_aligner, tmp_path):
    address = dump(text_aligner, tmp_path)
    said = search(text_aligner, QUESTION, "--index", address, "-k", 2, *BOTH_ENCODERS).stdout
    lines = said.splitlines()
    assert lines[0] == "read as: source (by default)"
    assert lines[1].startswith(" 1  ")
    assert lines[1].endswith("  DRAIN THE VALVE 2.")
    capitals = search(
        text_aligner, QUESTION.upper(), "--index", address, "--modality", "auto", *BOTH_ENCODERS
    ).stdout
    assert capitals.startswith("read as: target (by the router)\n")
    declared = ("--modality", "source", *BOTH_ENCODERS)
    named = search(text_aligner, QUESTION.upper(), "--index", address, "-k", 1, *declared).stdout
    assert named.startswith("read as: source (declared)\n")
    bare = replace(text_aligner, router=None, path=None)
    saved = type(bare).load(bare.save(tmp_path / "bare"))
    said = search(saved, QUESTION, "--index", address, "--modality", "auto", *BOTH_ENCODERS).stdout
    assert said.startswith("read as: source (there is no router)\n")


def test_an_encoder_that_is_missing_is_asked_for_by_its_option(text_aligner, tmp_path):
    with pytest.raises(EncoderError, match="pass it with --source-encoder"):
        search(text_aligner, QUESTION, "--index", dump(text_aligner, tmp_path))


def test_advice_against_an_aligner_is_one_line(text_aligner, tmp_path):
    address = dump(text_aligner, tmp_path)
    report = replace(text_aligner.report, verdict="do not use")
    saved = replace(text_aligner, report=report, path=None).save(tmp_path / "against")
    done = search(type(text_aligner).load(saved), QUESTION, "--index", address, *BOTH_ENCODERS)
    assert done.stderr.startswith("warning: This aligner's report says: do not use (")
    assert done.stderr.count("\n") == 1


def test_what_is_no_store_is_refused(text_aligner, tmp_path):
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(DataError, match="names no store; give KIND:FOLDER"):
        search(text_aligner, QUESTION, "--index", tmp_path / "a.txt", *BOTH_ENCODERS)
    address = dump(text_aligner, tmp_path)
    with pytest.raises(DataError, match="query_modality='ja'; choose one of source, target, or"):
        search(text_aligner, QUESTION, "--index", address, "--modality", "ja", *BOTH_ENCODERS)


def test_a_store_of_another_aligner_is_refused_before_the_first_hit(text_aligner, tmp_path):
    address = dump(text_aligner, tmp_path)
    head = text_aligner.projection.target
    turned = replace(head, weight=head.weight[:, ::-1].copy())
    projection = replace(text_aligner.projection, target=turned)
    other = replace(text_aligner, projection=projection, path=None)
    saved = type(other).load(other.save(tmp_path / "other"))
    with pytest.raises(AlignerMismatchError):
        search(saved, QUESTION, "--index", address, *BOTH_ENCODERS)


def test_the_record_of_a_file_is_read_before_its_vectors(text_aligner, tmp_path):
    record = IndexRecord.of(text_aligner, "text")
    right = parquet(text_aligner, tmp_path, kakehashi=record.to_json())
    said = search(text_aligner, QUESTION, "--index", right, "-k", 1, *BOTH_ENCODERS).stdout
    assert said.endswith("DRAIN THE VALVE 2.\n")
    another = replace(record, fingerprint="0" * 64).to_json()
    wrong = parquet(text_aligner, tmp_path, kakehashi=another)
    with pytest.raises(AlignerMismatchError, match="was filled through the aligner '000000000000'"):
        search(text_aligner, QUESTION, "--index", wrong, *BOTH_ENCODERS)
