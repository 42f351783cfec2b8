"""`kakehashi compare --second-model`: its rows and its verdict, in English and in Japanese."""

import json

import pytest
from support.command_line import BOTH_ENCODERS
from support.toy_data import machine_pairs
from typer.testing import CliRunner

from kakehashi.cli import main
from kakehashi.cli.app import app

SECOND = ("--second-model", "support.toy_data:letters_apart")


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.jsonl"
    rows = zip(machine_pairs().source_texts, machine_pairs().target_texts, strict=True)
    path.write_text("\n".join(json.dumps({"source": s, "target": t}) for s, t in rows))
    return str(path)


def test_it_needs_an_aligner(pairs, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["kakehashi", "compare", pairs, *SECOND])
    with pytest.raises(SystemExit):
        main()
    assert (
        "--second-model is for the hits of an aligner; pass --fit, too" in capsys.readouterr().err
    )


@pytest.mark.slow
def test_it_says_in_japanese_whether_it_pays(pairs, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("kakehashi.training.fit_inputs.import_failure", ImportError)  # no torch
    command = ["--lang", "ja", "compare", pairs, *BOTH_ENCODERS, *SECOND, "--fit", "--learn", "0"]
    done = CliRunner().invoke(app, [*command, "--baseline", "bm25"], catch_exceptions=False)
    for row in ("second model: support.toy_data.letters_apart", "both: support.toy_data"):
        assert row in done.output
    assert "support.toy_data.letters_apart を 2 つ目のモデルに" in done.output
    assert "費用: 質問 16 件が 80 文書中" in done.output
