"""The wheel, in an environment that holds one of its extras and nothing else."""

import os
import re
import subprocess
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from support.environments import make_environment, requirements
from support.wheels import build_wheel, unpack

ROOT = Path(__file__).parents[2]
FORMAT_1 = ROOT / "tests" / "data" / "format-1"
EXTRAS = (
    "",
    "readers",
    "training",
    "sentence-transformers",
    "langchain",
    "llama-index",
    "chroma",
    "report",
    "postgres",
    "ray",
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]

LOAD = """
import sys
from pathlib import Path
import numpy as np
import kakehashi
from kakehashi.errors import MissingExtraError

aligner = kakehashi.load(sys.argv[1])
texts = ["弁を開く", "check the pump 3", "74HC595"]
x = np.linspace(-1, 1, 3 * aligner.dimensions["source"]).reshape(3, -1)
print(np.round(aligner.project(x, texts=texts), 6).tolist())
"""

USES = {
    "": """
import importlib.util
from kakehashi.cli import main
for name in ("torch", "pyarrow", "sentence_transformers", "langchain_core", "chromadb"):
    assert importlib.util.find_spec(name) is None, name
pairs = kakehashi.Pairs(source_vectors=np.eye(60), target_vectors=np.eye(60))
assert kakehashi.fit(pairs, mode="keep", ngrams=False).mode == "keep"
sys.argv = ["kakehashi", "info", sys.argv[1]]
main()
""",
    "readers": """
import pyarrow, pyarrow.parquet
Path("a.po").write_text('msgid "Open"\\nmsgstr "開く"\\n', encoding="utf-8")
Path("a.tmx").write_text('<tmx version="1.4"><header/><body><tu><tuv xml:lang="en"><seg>Open</seg>'
    '</tuv><tuv xml:lang="ja"><seg>開く</seg></tuv></tu></body></tmx>', encoding="utf-8")
pyarrow.parquet.write_table(pyarrow.table({"source": ["開く"], "target": ["Open"]}), "a.parquet")
old = Path(sys.argv[1]).with_name("spreadsheets") / "old.xls"
assert len(kakehashi.read_pairs(old)) == 2
for path, names in (("a.po", {}), ("a.tmx", {"source": "ja", "target": "en"}), ("a.parquet", {})):
    assert len(kakehashi.read_pairs(path, **names)) == 1
""",
    "training": """
x = np.random.default_rng(0).standard_normal((80, 8))
pairs = kakehashi.Pairs(source_vectors=x, target_vectors=x[:, ::-1])
kakehashi.fit(pairs, mode="keep", ngrams=False, learned=True)
assert "torch" in sys.modules
""",
    "sentence-transformers": """
from kakehashi.encoders import as_encoder
assert as_encoder(sys.argv[2]).encode(["a b"], "query").shape == (1, 384)
""",
    "langchain": """
from kakehashi.integrations.langchain import AlignedEmbeddings, AlignedRetriever
AlignedEmbeddings(aligner=aligner)
""",
    "llama-index": """
from kakehashi.integrations.llama_index import AlignedEmbedding, AlignedRetriever
AlignedEmbedding(aligner=aligner)
""",
    "chroma": """
import chromadb
from kakehashi.integrations.chroma import AlignedEmbeddingFunction, open_collection
open_collection(chromadb.EphemeralClient(), "notes", AlignedEmbeddingFunction(aligner))
""",
    "report": """
from kakehashi.pages import write_report
assert "<h1>" in write_report(aligner, None, "report.html").read_text(encoding="utf-8")
""",
    "postgres": """
import psycopg
from kakehashi.errors import DataError, ReaderError
try:
    kakehashi.read_index("postgres://nobody@127.0.0.1:9/none?collection=none")
except (DataError, ReaderError) as error:
    assert "127.0.0.1:9" in str(error), error
""",
    "ray": """
import pyarrow.parquet, ray.data
from kakehashi.bulk import embed_parquet
rows = {"id": ["a"], "text": ["b"], "vector": [x[0].astype("f4")]}
pyarrow.parquet.write_table(pyarrow.table(rows), "a.parquet")
try:
    embed_parquet("a.parquet", "out", aligner=sys.argv[1], ray="ray://nobody")
except kakehashi.KakehashiError as error:
    print(error)
""",
}
NEEDED_BY = {
    "langchain": "kakehashi.integrations.langchain",
    "llama-index": "kakehashi.integrations.llama_index",
    "chroma": "kakehashi.integrations.chroma",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> PathDistribution:
    """The wheel of this source tree, built and unpacked by pip, once."""
    folder = tmp_path_factory.mktemp("wheel")
    unpack([build_wheel(ROOT, folder)], folder / "site")
    [record] = (folder / "site").glob("kakehashi-*.dist-info")
    return PathDistribution(record)


def run(python: Path, code: str, folder: Path, *arguments) -> subprocess.CompletedProcess:
    bare = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    command = [python, "-I", "-c", code, *arguments]
    return subprocess.run(
        command, cwd=folder, env=bare, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("extra", EXTRAS, ids=lambda extra: extra or "none")
def test_an_extra_alone_is_enough_for_what_it_is_for(extra, wheel, tmp_path, minilm):
    python = make_environment(tmp_path / "env", wheel, extra)
    code = LOAD + USES[extra]
    for other, module in NEEDED_BY.items():
        if other != extra:
            code += f"""
try:
    import {module}
except MissingExtraError as error:
    assert "[{other}]" in str(error), error
else:
    raise AssertionError("{module} is there without its extra")
"""
    done = run(python, code, tmp_path, FORMAT_1, minilm)
    assert done.returncode == 0, done.stderr[-3000:]


def test_every_extra_is_tried(wheel):
    assert set(wheel.metadata.get_all("Provides-Extra")) - {"all", "demo"} == set(EXTRAS) - {""}
    # Ray is for clusters, and large.
    names = {one.name for extra in EXTRAS if extra != "ray" for one in requirements(wheel, {extra})}
    assert {one.name for one in requirements(wheel, {"all"})} == names


def test_an_environment_lacks_what_its_extra_does_not_require(wheel, tmp_path):
    python = make_environment(tmp_path / "env", wheel, "")
    done = run(python, "import langchain_core", tmp_path)
    assert "No module named 'langchain_core'" in done.stderr


def test_the_page_of_a_package_index_has_links_that_work_there(wheel):
    page = wheel.metadata.get_payload()
    links = re.findall(r"\]\(([^)\s]+)\)", page)
    assert links
    assert all(re.match(r"https://|#", link) for link in links), links
    images = re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", page)
    assert all(i.startswith("https://raw.githubusercontent.com/") for i in images)
    base = "https://github.com/kakehashi-rag/kakehashi/blob/HEAD/"
    for link in links:
        if link.startswith(base):
            assert (ROOT / link.removeprefix(base)).exists(), link


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    tops = {file.parts[0] for file in wheel.files if file.parts[0] != ".."}
    tops -= {part for part in tops if part.endswith(".dist-info") or part == "bin"}
    assert tops == {"kakehashi"}
    names = {str(file) for file in wheel.files}
    messages = "kakehashi/language/ja/LC_MESSAGES/kakehashi.mo"
    assert {"kakehashi/py.typed", "kakehashi/demo/kicad_ja_en.jsonl", messages} <= names
