"""Folders with an index of FAISS, as a migration reads and writes them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from kakehashi.errors import DataError, ReaderError
from kakehashi.integrations.stores import faiss_index
from kakehashi.integrations.stores.movable.opening import open_movable

faiss = pytest.importorskip("faiss")
faiss.omp_set_num_threads(1)  # its threads wait for one another where a core is busy
D = 16


def vectors(n=300, dimension=D):
    drawn = np.random.default_rng(0).standard_normal((n, dimension)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def folder_of(path, index, n=300):
    path.mkdir()
    if not index.is_trained:
        index.train(vectors(n))
    index.add(vectors(n))
    faiss.write_index(index, str(path / "docs.faiss"))
    lines = [json.dumps({"id": f"{i}", "text": f"文 {i}", "own": [i]}) for i in range(n)]
    (path / "docs.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return f"faiss:{path}"


@pytest.mark.parametrize("kind", ["Flat", "HNSW24", "IVF4,Flat", "SQ8", "PQ4x2"])
@pytest.mark.parametrize("metric", [faiss.METRIC_INNER_PRODUCT, faiss.METRIC_L2])
def test_an_index_stays_of_its_kind(kind, metric, tmp_path):
    index = faiss.index_factory(D, kind, metric)
    if kind == "HNSW24":
        index.hnsw.efSearch = 99
    source = open_movable(folder_of(tmp_path / "old", index))
    moved = source.create_beside("new", 20)
    rows = [row for page in source.pages() for row in page]
    moved.write(rows, vectors(len(rows), 20))
    moved.finish()
    made = faiss.read_index(str(tmp_path / "new" / "docs.faiss"))
    assert moved.settings == source.settings == {"faiss": {"kind": kind, "metric": metric}}
    assert (made.d, made.ntotal) == (20, 300)
    if kind == "HNSW24":
        assert made.hnsw.efSearch == 99
    again = open_movable(f"faiss:{tmp_path / 'new'}").rows(["7"])["7"]
    assert again.untouched == rows[7].untouched
    assert again.text == "文 7"
    exact = kind in ("Flat", "HNSW24", "IVF4,Flat")
    np.testing.assert_allclose(again.vector, vectors(300, 20)[7], atol=1e-6 if exact else 0.5)


def test_a_kind_that_gives_no_vectors_back_is_refused(tmp_path):
    index = faiss.IndexIDMap(faiss.IndexFlatIP(D))
    index.add_with_ids(vectors(3), np.arange(3))
    with pytest.raises(DataError, match="is a IndexIDMap of FAISS, which gives no vectors back"):
        faiss_index.vectors_of(index, "x")


def test_a_kind_that_takes_no_such_dimension_is_refused(tmp_path):
    source = open_movable(folder_of(tmp_path / "old", faiss.index_factory(D, "PQ8x2")))
    with pytest.raises(DataError, match="FAISS makes no IndexPQ like this one for 18 dimensions"):
        source.create_beside("new", 18)
    assert not (tmp_path / "new").exists()


def test_texts_that_are_not_those_of_the_vectors_are_refused(tmp_path):
    address = folder_of(tmp_path / "old", faiss.IndexFlatL2(D), n=3)
    texts = tmp_path / "old" / "docs.jsonl"
    line = '{"id": "a", "text": "x"}\n'
    for written, said in (
        (line, r"holds 3 vectors, and docs.jsonl 1 lines"),
        (line + line, "line 2: the id 'a' is no text, or that of another line"),
        ("{}", "line 1: it holds one line of JSON"),
    ):
        texts.write_text(written)
        with pytest.raises(ReaderError, match=said):
            open_movable(address)
    texts.unlink()
    with pytest.raises(ReaderError, match=r"write docs.jsonl, .* A pickle of LangChain"):
        open_movable(address)
    (tmp_path / "old" / "docs.faiss").write_bytes(b"IxFI")
    texts.touch()
    with pytest.raises(ReaderError, match="is no index of FAISS"):
        open_movable(address)
    (tmp_path / "old" / "docs.faiss").unlink()
    with pytest.raises(ReaderError, match=r"holds 0 files \*.faiss"):
        open_movable(address)


def test_texts_of_langchain_are_written_as_the_documents_say(tmp_path, monkeypatch):
    community = pytest.importorskip("langchain_community.vectorstores")
    from langchain_core.embeddings import DeterministicFakeEmbedding

    texts = ["一つ", "two"]
    embeddings = DeterministicFakeEmbedding(size=D)
    store = community.FAISS.from_texts(texts, embeddings, [{"page": 1}, {}], ids=["a", "b"])
    store.save_local(str(tmp_path / "faiss"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="its texts are a pickle, which is never read"):
        open_movable("faiss")
    page = Path(__file__).parents[4] / "docs" / "reference" / "moving_stores.md"
    [block] = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    exec(block, {"store": store})
    rows = open_movable("faiss").rows(["a", "b"])
    assert [row.text for row in rows.values()] == texts
    assert rows["a"].metadata == {"page": 1}
    np.testing.assert_allclose(rows["b"].vector, embeddings.embed_query("two"), atol=1e-6)
