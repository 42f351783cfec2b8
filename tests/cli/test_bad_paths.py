"""A path or an address that no file can have is an error of ours, in every command."""

from contextlib import suppress

import numpy as np
import pytest
import typer
from support.command_line import BOTH_ENCODERS
from support.pairs_files import write_pairs
from support.parquet_files import write_texts
from support.toy_data import machine_pairs, reversed_letters
from typer.main import get_command

from kakehashi import Pairs, SecondModel
from kakehashi.bundle import check_parent
from kakehashi.cli.app import app
from kakehashi.doctor import examine
from kakehashi.encoders import as_encoder
from kakehashi.errors import CacheError, DataError, EncoderError, KakehashiError

PARSER = get_command(app)
LONG, NUL, SURROGATE = "x" * 5000, "a\0b", "a\ud800b"
COMMANDS = """
    bulk BAD OUT --aligner ALIGNER
    bulk INDEX BAD --aligner ALIGNER SHARED
    bulk INDEX OUT --aligner BAD
    combine x=BAD --out OUT
    combine x=ALIGNER --out BAD
    compare BAD SIDES
    compare PAIRS SIDES --cache BAD
    compare PAIRS SIDES --index BAD
    compare PAIRS SIDES --fit --starter BAD
    curve BAD SIDES
    curve PAIRS SIDES --cache BAD
    curve PAIRS SIDES --test BAD
    demo --out BAD
    doctor BAD
    doctor INDEX --aligner BAD
    doctor INDEX --questions BAD
    evaluate BAD PAIRS
    evaluate ALIGNER BAD SIDES
    evaluate ALIGNER PAIRS SIDES --cache BAD
    evaluate ALIGNER PAIRS SIDES --index BAD
    evaluate ALIGNER PAIRS SIDES --trained-on BAD
    evaluate ALIGNER PAIRS SIDES --questions BAD
    report BAD PAIRS --out OUT.html
    report ALIGNER BAD --out OUT.html SIDES
    report ALIGNER --out BAD
    report ALIGNER PAIRS --out OUT.html SIDES --cache BAD
    fit BAD SIDES --out OUT
    fit PAIRS SIDES --out BAD
    fit PAIRS SIDES --out OUT --cache BAD
    fit PAIRS SIDES --out OUT --test BAD
    fit PAIRS SIDES --out OUT --index BAD
    fit PAIRS SIDES --out OUT --report BAD
    fit PAIRS SIDES --out OUT --starter BAD
    fit SIDES --out OUT --index INDEX --questions BAD
    gate BAD PAIRS
    gate ALIGNER BAD SIDES
    gate ALIGNER PAIRS SIDES --against BAD
    gate ALIGNER PAIRS SIDES --summary BAD
    gate ALIGNER PAIRS SIDES --junit BAD
    gate ALIGNER PAIRS SIDES --cache BAD
    info BAD
    init BAD
    migrate BAD --aligner ALIGNER
    migrate BAD --rollback
    migrate BAD --clean-up
    migrate INDEX --aligner BAD
    migrate INDEX SIDES --aligner ALIGNER --to BAD
    migrate INDEX --rollback --to BAD
    migrate INDEX --clean-up --to BAD
    migrate INDEX --aligner ALIGNER SIDES --probe BAD
    project BAD VECTORS OUT.npz
    project ALIGNER BAD OUT.npz
    project ALIGNER VECTORS BAD
    robustness BAD PAIRS
    robustness ALIGNER BAD SIDES
    robustness ALIGNER PAIRS SIDES --cache BAD
    search BAD question --index INDEX
    search ALIGNER question --index BAD SIDES
    starter build BAD PAIRS --languages ja-en --licence MIT
    starter build OUT.jsonl BAD --languages ja-en --licence MIT
"""
KINDS = ["chroma", "qdrant", "lancedb", "llama-index", "langchain", "faiss", "parquet"]
COMMANDS = [line.strip() for line in COMMANDS.strip().splitlines()]


@pytest.fixture(scope="module")
def files(tmp_path_factory, keeping_aligner):
    folder = tmp_path_factory.mktemp("paths")
    pairs = machine_pairs()
    grouped = Pairs(pairs.source_texts, pairs.target_texts, groups=pairs.source_texts)
    write_texts(folder / "index" / "a.parquet", vectors=True)
    np.savez(folder / "vectors.npz", target=np.ones((3, 24), np.float32))
    return {
        "PAIRS": [write_pairs(folder / "pairs.jsonl", grouped)],
        "INDEX": [folder / "index"],
        "ALIGNER": [keeping_aligner.path],
        "VECTORS": [folder / "vectors.npz"],
        "SIDES": BOTH_ENCODERS,
        "SHARED": ["--second-map"],
    }


@pytest.fixture
def call(files, tmp_path, monkeypatch):
    """Run a command of the table with a path in the place of BAD, in an empty folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(command, bad):
        words = []
        for word in command.split():
            name, equals, value = word.rpartition("=")
            filled = files.get(value, [value.replace("BAD", bad)])
            words += [f"{name}{equals}{each}" for each in filled]
        PARSER.main(words, standalone_mode=False)

    return run


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("bad", [NUL, SURROGATE, LONG], ids=["nul", "surrogate", "long"])
def test_what_no_file_can_be_called_is_an_error_of_ours(command, bad, call, tmp_path):
    with pytest.raises((KakehashiError, typer.BadParameter)):
        call(command, bad)
    assert not list((tmp_path / "here").iterdir())


@pytest.mark.parametrize("bad", [NUL, SURROGATE, LONG], ids=["nul", "surrogate", "long"])
def test_a_file_of_a_second_model_needs_a_name_that_a_file_can_have(bad, tmp_path):
    for path in (bad, tmp_path / bad, tmp_path / bad / "second.sqlite"):
        with pytest.raises(CacheError):
            SecondModel(reversed_letters, path)


def test_a_long_name_of_an_encoder_is_no_path():
    assert as_encoder(LONG).name == LONG
    with pytest.raises(EncoderError, match="'x"):
        as_encoder(f"{LONG}:function")


@pytest.mark.parametrize("bad", [NUL, SURROGATE, LONG], ids=["nul", "surrogate", "long"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_store_in_such_a_folder_is_not_there(kind, bad, tmp_path):
    with pytest.raises(KakehashiError):
        examine(f"{kind}:{tmp_path}/{bad}?collection=x")
    with pytest.raises(KakehashiError):
        examine(f"{kind}:{tmp_path}?collection={bad}")


def test_a_name_leaves_room_for_what_is_hidden_while_it_is_written(tmp_path):
    check_parent(tmp_path / "missing" / ("\u6a4b" * 79))
    for path in (tmp_path / ("\u6a4b" * 84), tmp_path / ("x" * 256) / "a"):
        with pytest.raises(DataError, match="give a shorter name"):
            check_parent(path)


def test_a_page_may_be_in_a_new_folder(call, tmp_path):
    call("report ALIGNER --out BAD", "new/page.html")
    assert (tmp_path / "here/new/page.html").is_file()


def test_a_file_of_questions_may_be_in_a_new_folder_and_is_no_folder(call, tmp_path):
    call("evaluate ALIGNER PAIRS SIDES --questions BAD", "new/questions.jsonl")
    assert (tmp_path / "here/new/questions.jsonl").is_file()
    with pytest.raises(IsADirectoryError, match="new is a folder; name a file"):
        call("evaluate ALIGNER PAIRS SIDES --questions BAD", "new")


@pytest.mark.parametrize("option", ["--summary", "--junit"])
def test_what_the_gate_writes_may_be_in_a_new_folder(option, call, tmp_path):
    with suppress(SystemExit, typer.Exit):  # what the gate says is not asked here
        call(f"gate ALIGNER PAIRS SIDES {option} BAD", "new/file")
    assert (tmp_path / "here/new/file").is_file()
