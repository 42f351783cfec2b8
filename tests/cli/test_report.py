"""`kakehashi report` and `fit --report`: the page, its command, and what is refused before work."""

import html
import json
import re
import shlex

import pytest
from support.cipher import cipher_aligner, ciphered
from support.command_line import run
from support.pairs_files import write_pairs

from kakehashi.cli.saving import saying_what_is_saved

pytestmark = pytest.mark.slow

LETTERS = ("--source-encoder", "support.toy_data:hashed_letters")
LETTERS += ("--target-encoder", "support.toy_data:hashed_letters")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    cipher_aligner(120).save(folder / "bridge")
    write_pairs(folder / "train.jsonl", ciphered(120))
    write_pairs(folder / "test.jsonl", ciphered(40, seed=9))
    return folder


def test_the_command_writes_a_page_and_names_itself(files, tmp_path):
    command = ["report", files / "bridge", files / "test.jsonl", *LETTERS, "--lang", "ja"]
    command += ["--trained-on", files / "train.jsonl", "--out", tmp_path / "r.html"]
    done = run(*command)
    assert done.returncode == 0, done.stderr[-2000:]
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert '<html lang="ja">' in page
    shown = html.unescape(page).replace("\n", " ")
    assert shlex.join(["kakehashi", *map(str, command)][-4:]) in shown
    again = run(*command)
    assert again.returncode == 2
    assert "r.html" in again.stderr
    assert "--overwrite" in again.stderr


def test_a_fit_writes_the_page_at_once(files, tmp_path):
    command = ["fit", files / "train.jsonl", *LETTERS, "--test", files / "test.jsonl"]
    command += ["--no-ngrams", "--no-learned", "--out", tmp_path / "bridge"]
    done = run(*command, "--report", tmp_path / "r.html")
    assert done.returncode == 0, done.stderr[-2000:]
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert re.search(r"<h1>The first answer is right for \d+ of 40 questions; before", page)
    assert f"kakehashi search {tmp_path / 'bridge'}" in html.unescape(page)
    assert '<section id="failures"' in page


def test_without_a_test_set_the_page_has_the_questions_that_were_asked_out_of_fold(files, tmp_path):
    command = ["fit", files / "train.jsonl", *LETTERS, "--no-ngrams", "--no-learned"]
    done = run(*command, "--out", tmp_path / "bridge", "--report", tmp_path / "r.html", "--json")
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    page = html.unescape((tmp_path / "r.html").read_text(encoding="utf-8"))
    served = (
        told["second"]["rescored"] if told["second"]["serves"] else told["rungs"][told["chosen"]]
    )
    missed = round(120 * (1 - served["recall@1"]))
    assert f"The first answer is right for {120 - missed} of 120 questions" in page
    assert f"{missed} of 120 questions do not find their document first" in page
    assert "Found first" not in page  # the maps of the folds are gone
    assert '<section id="gap"' not in page


def test_a_page_that_cannot_be_written_is_refused_before_the_fit(files, tmp_path):
    (tmp_path / "r.html").write_text("mine")
    command = ["fit", files / "train.jsonl", *LETTERS, "--out", tmp_path / "bridge"]
    done = run(*command, "--report", tmp_path / "r.html")
    assert done.returncode == 2
    assert not (tmp_path / "bridge").exists()
    assert (tmp_path / "r.html").read_text() == "mine"


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ("folder", "is a folder"),
        ("bridge", "lies in the aligner's folder"),
        ("train.jsonl", "is read by this command"),
    ],
)
def test_no_place_of_the_report_costs_a_fit_or_a_file(report, said, tmp_path):
    (tmp_path / "folder").mkdir()
    write_pairs(tmp_path / "train.jsonl", ciphered(30))
    before = (tmp_path / "train.jsonl").read_bytes()
    command = ["fit", tmp_path / "train.jsonl", *LETTERS, "--out", tmp_path / "bridge"]
    done = run(*command, "--report", tmp_path / report, "--overwrite")
    assert done.returncode == 2
    assert said in done.stderr
    assert (tmp_path / "train.jsonl").read_bytes() == before
    assert not (tmp_path / "bridge").exists()


def test_a_page_that_fails_after_the_fit_does_not_hide_the_aligner(tmp_path, capsys):
    with pytest.raises(OSError, match="full"), saying_what_is_saved(tmp_path / "bridge"):
        raise OSError("the disk is full")
    assert "bridge holds the new aligner, whole" in capsys.readouterr().err.replace("\n", "")


def test_questions_are_read_in_the_encoding_that_is_named(files, tmp_path):
    (tmp_path / "q.txt").write_bytes("質問\n別の質問\n".encode("cp932"))
    command = ["report", files / "bridge", *LETTERS, "--out", tmp_path / "r.html"]
    done = run(*command, "--questions", tmp_path / "q.txt", "--encoding", "cp932")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "別の質問" in (tmp_path / "r.html").read_text("utf-8")
