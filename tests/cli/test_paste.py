"""The code that `fit` ends with runs as it is printed."""

import json
from dataclasses import replace

import pytest
from support.toy_data import machine_pairs
from typer.testing import CliRunner

from kakehashi import Pairs
from kakehashi.cli import paste
from kakehashi.cli.app import app
from kakehashi.cli.paste import blocks

NAMES = {"source": "support.toy_data:hashed_letters", "target": "support.toy_data:reversed_letters"}


def run(code, capsys):
    exec(compile(code, "pasted", "exec"), {})
    return capsys.readouterr().out.strip()


@pytest.fixture
def saved(text_aligner, tmp_path):
    return replace(text_aligner, path=None).save(tmp_path / 'it is "mine"')


@pytest.mark.parametrize(
    ("framework", "installed"),
    [("LangChain", ["langchain_core"]), ("LlamaIndex", ["llama_index.core"]), ("NumPy", [])],
)
def test_the_code_of_a_framework_that_is_installed_runs(
    framework, installed, text_aligner, saved, capsys, monkeypatch
):
    monkeypatch.setattr(paste, "_is_installed", lambda name: name in installed)
    pairs = machine_pairs()
    [(name, code)] = blocks(text_aligner, saved, NAMES, pairs)
    assert name == framework
    assert run(code, capsys) in pairs.target_texts[:3]


def test_frameworks_that_are_here_are_found(text_aligner, saved):
    found = [name for name, _ in blocks(text_aligner, saved, NAMES, machine_pairs())]
    assert found == ["LangChain", "LlamaIndex"]
    assert not paste._is_installed("no_such_package.core")


def test_vectors_without_texts_are_projected(aligner, tmp_path, capsys):
    saved = replace(aligner, path=None).save(tmp_path / "aligner")
    [(name, code)] = blocks(aligner, saved, {}, None)
    assert name == "NumPy"
    assert run(code, capsys) == str((1, aligner.output_dimension))


def test_texts_of_others_are_data_in_the_code(text_aligner, saved, capsys):
    texts = ['pump") + exit(1', "valve\n'''{x}\\", "fan\u2028motor"]
    [(_, code), _] = blocks(text_aligner, saved, NAMES, Pairs(texts, texts[::-1]))
    assert run(code, capsys) in [each.strip() for each in texts]


def test_long_texts_are_left_out_where_there_are_short_ones():
    texts = ["x" * 1000, "open the valve", "y" * 2000]
    assert paste._example(Pairs(texts, ["z" * 500, "弁", "b"])) == (
        "open the valve",
        ["弁", "b", "z" * 500],
    )


def test_fit_prints_it(tmp_path, monkeypatch, capsys):

    pairs = machine_pairs()
    rows = zip(pairs.source_texts, pairs.target_texts, strict=True)
    lines = [json.dumps({"source": source, "target": target}) for source, target in rows]
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    options = [f"--{side}-encoder={name}" for side, name in NAMES.items()]
    done = CliRunner().invoke(app, ["fit", "pairs.jsonl", "--out", "a", "--no-learned", *options])
    code = done.stdout.partition("(LangChain):\n")[2].partition("Ask it from Python")[0]
    assert run(code, capsys) in pairs.target_texts
