"""The guides: their code runs, their commands exist, and both shells are told the same."""

import csv
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import numpy as np
import pytest
from support import guides
from support.embedding_server import EmbeddingServer
from support.toy_data import hashed_letters
from typer.main import get_command

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# Its code needs an index of FAISS: tests/integrations/stores/movable/test_faiss.py runs it.
ELSEWHERE = DOCS / "reference" / "moving_stores.md"
WITH_CODE = [p for p in sorted(DOCS.rglob("*.md")) if p != ELSEWHERE and guides.blocks(p)]
GUIDES = [page for page in DOCS.glob("how_to/*.md") if page.name != "index.md"]
RAW = "https://raw.githubusercontent.com/kakehashi-rag/kakehashi/main/"
beside_the_demo = pytest.mark.xdist_group("demo")


def wide_letters(texts, model):
    """Encode in more numbers than the letters need."""
    return np.pad(hashed_letters(texts), ((0, 0), (0, 32)))


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


@pytest.fixture(scope="module")
def folder(newcomer, tmp_path_factory) -> Path:
    """A copy of what the demo leaves, with every twelfth of its pairs as a CSV of Excel.

    The cache that the guides name holds the demo's vectors. Beside it lie tables as Excel on a
    Japanese Windows saves them.
    """
    folder = tmp_path_factory.mktemp("guides")
    shutil.copytree(newcomer / "kakehashi-demo", folder / "kakehashi-demo")
    shutil.copy(newcomer / "kakehashi-demo/vectors.sqlite", folder)
    pairs = [json.loads(line) for line in (folder / "kakehashi-demo/train.jsonl").open()][::12]
    with (folder / "pairs.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, ["source", "target", "group"])
        writer.writeheader()
        writer.writerows(pairs)
    test = [json.loads(line) for line in (folder / "kakehashi-demo/test.jsonl").open()][::10]
    for name, rows in (("memo.csv", pairs), ("new.csv", test)):
        write_japanese(folder / name, [("現場メモ", "仕様書", "文書名"), *map(columns_of, rows)])
    documents = [(row["target"],) for row in (*pairs, *test)]
    write_japanese(folder / "documents.csv", [("仕様書",), *documents])
    return folder


def columns_of(row: dict) -> tuple:
    return row["source"], row["target"], row["group"]


def write_japanese(path: Path, rows: list[tuple]) -> None:
    with path.open("w", encoding="cp932", errors="replace", newline="") as file:
        csv.writer(file).writerows(rows)


@beside_the_demo
@pytest.mark.slow
def test_the_code_of_the_guides_runs_and_prints_what_it_says(folder, minilm):
    pytest.importorskip("langchain_openai")
    code = json.dumps([(name_of(page), guides.blocks(page)) for page in WITH_CODE])
    with EmbeddingServer(wide_letters) as service:
        environment = {
            **os.environ,
            "MODEL": minilm,
            "COLUMNS": "100",
            "OPENAI_API_KEY": "none",
            "OPENAI_API_BASE": service.url,
        }
        done = subprocess.run(
            [sys.executable, guides.__file__],
            cwd=folder,
            input=code,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == [name_of(page) for page in WITH_CODE]


@beside_the_demo
@pytest.mark.slow
def test_gunicorn_serves_the_application_of_its_guide(folder):
    pytest.importorskip("gunicorn")
    page = guides.blocks(DOCS / "how_to/run_behind_gunicorn.md")
    [command] = [
        words for language, code in page if language == "bash" for words in guides.commands(code)
    ]
    [code] = [code for language, code in page if language == "python"]
    guides.run_page(
        "gunicorn", [("python", code.replace('"app.py"', repr(str(folder / "app.py"))))]
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", *command, "--bind", address]
    own = {**os.environ, "HOME": str(folder)}  # it writes a socket there
    with subprocess.Popen(
        command, cwd=folder, env=own, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            found = ask(f"http://{address}/?q={quote('ロゴの追加')}", server)
        finally:
            server.terminate()
    assert found[0] == "Adding logos"


def ask(url: str, server: subprocess.Popen) -> list[str]:
    """Ask a server that is starting; it stops with an error where it cannot start."""
    while server.poll() is None:
        try:
            with urlopen(url) as answer:
                return json.load(answer)
        except ConnectionError:
            time.sleep(0.2)
        except URLError as error:
            if not isinstance(error.reason, ConnectionError):
                raise
            time.sleep(0.2)
    raise AssertionError(server.stderr.read()[-3000:])


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_every_command_of_a_document_exists_with_its_options(page):
    pytest.importorskip("typer")
    from kakehashi.cli import app

    top = get_command(app)
    for language, code in guides.blocks(page):
        if language not in ("bash", "powershell", "console"):
            continue
        typed = re.sub(r"^(PS>|\$) ", "", code, flags=re.MULTILINE)
        continued = "`" if language == "powershell" else "\\"
        for words in guides.commands(typed, continued=continued):
            if words[0] != "kakehashi":
                continue
            command, rest = top, words[1:]
            if rest[0] == "--lang":
                rest = rest[2:]
            while hasattr(command, "commands"):
                command, rest = command.commands[rest[0]], rest[1:]
            known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
            used = {word.split("=")[0] for word in rest if word.startswith("-")}
            assert used <= {*known, "--help"}, (words, used - known)


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_powershell_is_told_what_a_shell_is(page):
    code = guides.blocks(page)
    for (language, block), (following, other) in pairwise(code):
        if following == "powershell":
            assert language == "bash"
            assert guides.commands(block) == guides.commands(other, continued="`")


def test_llms_txt_names_every_guide_and_nothing_else():
    text = (DOCS / "llms.txt").read_text(encoding="utf-8")
    links = re.findall(r"\[([^\]]+)\]\(([^)]+)\)", text)
    for title, address in links:
        page = ROOT / address.removeprefix(RAW)
        assert page.read_text(encoding="utf-8").startswith(f"# {title}"), address
    guides_named = {ROOT / address.removeprefix(RAW) for _, address in links}
    assert {*GUIDES, *DOCS.glob("tutorials/*.md")} <= guides_named
