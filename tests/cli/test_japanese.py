"""The commands of an operator speak Japanese, and everything for programs stays English."""

import json
import re
import sys
from dataclasses import replace

import pytest
from rich.cells import cell_len
from support.toy_data import machine_pairs
from typer.testing import CliRunner

from kakehashi.cli import main
from kakehashi.cli.app import app
from kakehashi.cli.tables import print_report
from kakehashi.language import translate_sentence, use_language

ENCODERS = ["--source-encoder", "support.toy_data:hashed_letters"]
ENCODERS += ["--target-encoder", "support.toy_data:reversed_letters"]
JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
ENGLISH = re.compile(r"\b(the|of|is|are|and|that|were|with)\b")


@pytest.fixture(autouse=True)
def _terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("KAKEHASHI_LANG", "ja")


@pytest.fixture
def pairs(tmp_path):
    rows = zip(machine_pairs().source_texts, machine_pairs().target_texts, strict=True)
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps({"source": s, "target": t}) + "\n" for s, t in rows))
    return path


def invoke(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)


def prose(output):
    """The lines of an output that are neither code, commands nor quotations of texts."""
    lines = [line for line in output.splitlines() if re.search(r"\w", line)]
    lines = [re.sub(r"'[^']*'|\"[^\"]*\"", "", line) for line in lines]
    return [line for line in lines if not re.match(r"    kakehashi|.*[=()]\s*$|.*\w\(\w*", line)]


def test_a_report_is_japanese_and_its_columns_stand_one_below_the_other(text_aligner, capsys):
    report = replace(text_aligner.report, notes=text_aligner.report.notes)
    with use_language("ja"):
        print_report(report, all_candidates=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("判定: 採用 (use)。評価用の質問")
    assert not [line for line in lines if ENGLISH.search(re.sub("'[^']*'", "", line))]
    first, last = (
        next(i for i, line in enumerate(lines) if words in line) for words in ("recall@5", "検証:")
    )
    table = lines[first:last]
    assert max(map(cell_len, table)) <= 80
    assert len(set(map(cell_len, table))) == 1


@pytest.mark.slow
def test_fit_and_evaluate_speak_japanese(pairs, tmp_path):
    fitted = invoke("fit", pairs, "--out", tmp_path / "a", "--no-learned", *ENCODERS)
    assert "Python から検索する (LangChain):" in fitted.stdout
    scored = invoke("evaluate", tmp_path / "a", pairs, *ENCODERS, "--trained-on", pairs)
    assert "次: 学習に使っていないペアで評価してください" in scored.stdout
    shown = invoke("info", tmp_path / "a")
    for output in (fitted.output, scored.output, shown.output):
        assert not [line for line in prose(output) if ENGLISH.search(line)]


@pytest.mark.slow
def test_json_and_saved_files_stay_english(pairs, tmp_path):
    options = ("--no-learned", "--json", *ENCODERS)
    saved = tmp_path / "a"
    printed = [invoke("fit", pairs, "--out", saved, *options).stdout]
    printed.append(invoke("evaluate", saved, pairs, "--json", *ENCODERS).stdout)
    printed.append(invoke("info", saved, "--json").stdout)
    printed += [(saved / name).read_text() for name in ("aligner.json", "README.md")]
    assert not [text for text in printed if JAPANESE.search(text)]
    assert json.loads(printed[0])["verdict"] == "use"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["fit", "japanese.csv", "--out", "a", *ENCODERS],
            "列 'source' がありません。ある列: 質問, 文書",
        ),
        (["fit", "none.csv", "--out", "a"], "none.csv というファイルがありません。"),
        (["fit", "pairs.jsonl", "--out", "full"], "full はすでにあります。--overwrite を付けるか"),
        (["fit", "pairs.jsonl", "--out", "a"], "--source-encoder でエンコーダーを指定してください"),
        (
            ["fit", "pairs.jsonl", "--out", "a", "--source-encoder", "no:E"],
            "エンコーダー 'no:E' は、",
        ),
        (["info", "full"], "full に aligner.json がありません。"),
        (["fit", "cp932.csv", "--out", "a", *ENCODERS], "--encoding cp932"),
    ],
)
def test_the_errors_that_a_user_meets_most_are_japanese(
    arguments, said, pairs, monkeypatch, capsys
):
    monkeypatch.chdir(pairs.parent)
    (pairs.parent / "japanese.csv").write_text("質問,文書\na,b\n", encoding="utf-8")
    (pairs.parent / "cp932.csv").write_text("source,target\n現場のメモ,b\n", encoding="cp932")
    (pairs.parent / "full").mkdir()
    if "--source-encoder" in arguments and "no:E" in arguments:
        arguments = [*arguments, "--target-encoder", "no:E"]
    monkeypatch.setattr(sys, "argv", ["kakehashi", *arguments])
    with pytest.raises(SystemExit, match="2"):
        main()
    printed = capsys.readouterr().err
    assert printed.startswith("エラー: ")
    assert said in printed
    assert len(printed.splitlines()) == 1


def test_another_encoder_is_named_in_japanese(text_aligner):
    with pytest.raises(Exception, match="encoder is") as refused:
        text_aligner.with_encoders(source_encoder="support.toy_data:reversed_letters").embed_query(
            "a"
        )
    with use_language("ja"):
        said = translate_sentence(str(refused.value))
    assert "このアライナーは" in said
    assert "で学習しました" in said
