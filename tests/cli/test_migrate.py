"""`kakehashi migrate` on a real collection: what it says, and what it leaves."""

from __future__ import annotations

import json
import re

import pytest
from rich.cells import cell_len
from support.command_line import BOTH_ENCODERS
from support.pairs_files import write_pairs
from support.toy_data import machine_pairs, reversed_letters
from typer.testing import CliRunner

from kakehashi import Pairs
from kakehashi.cli.app import app
from kakehashi.errors import DataError
from kakehashi.integrations.stores.movable.chroma import ChromaCollection

chromadb = pytest.importorskip("chromadb")
TEXTS = list(machine_pairs().target_texts)
ENGLISH = re.compile(r"\b(the|of|is|are|and|that|were|with|to)\b")


@pytest.fixture
def store(tmp_path):
    made = chromadb.PersistentClient(str(tmp_path / "db")).create_collection("manual")
    ids = [f"d{i}" for i in range(len(TEXTS))]
    made.add(ids=ids, embeddings=reversed_letters(TEXTS), documents=TEXTS)
    return f"chroma:{tmp_path / 'db'}?collection=manual"


@pytest.fixture
def migrate(store, keeping_aligner):
    def run(*options, lang="en", answer=None):
        command = ["--lang", lang, "migrate", store, "--aligner", keeping_aligner.path, *options]
        words = [*map(str, command), *BOTH_ENCODERS]
        return CliRunner().invoke(app, words, catch_exceptions=False, input=answer)

    return run


@pytest.fixture
def probe(tmp_path):
    pairs = machine_pairs()
    grouped = Pairs(pairs.source_texts, pairs.target_texts, groups=pairs.source_texts)
    return write_pairs(tmp_path / "probe.jsonl", grouped)


def facts(done):
    """Return what was printed, by the name that stands before it; folded lines are one again."""
    parted = (line.partition("  ") for line in re.sub(r"\n +", " ", done.stdout).splitlines())
    return {name: fact.strip() for name, _, fact in parted}


def names(store):
    folder = store.removeprefix("chroma:").partition("?")[0]
    return {each.name for each in chromadb.PersistentClient(folder).list_collections()}


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(migrate, store, probe):
    said = facts(migrate("--dry-run", "--probe", probe))
    assert said["documents"] == "80, 0 of them moved"
    assert said["dimensions"] == "24 -> 20"
    assert re.fullmatch(
        r"about \d+ s: \d+ s to read and \d+ s to project, as timed; \d+ s to write, not timed, at "
        r"1,000 rows a second",
        said["time"],
    )
    assert re.fullmatch(
        r"[\d.]{5} as it is, [\d.]{5} rescored, [\d.]{5} moved \(80 probe pairs\)", said["recall@1"]
    )
    assert said["searched"] == "all 80 documents"
    assert names(store) == {"manual"}
    assert facts(migrate("--dry-run"))["recall@1"].startswith("unknown; name probe pairs")


def test_moves_switches_and_goes_back(migrate, store, probe):
    said = facts(migrate("--probe", probe))
    assert said["documents"] == "80; this run wrote 80 and deleted 0"
    assert said["state"].startswith("verified: questions still go to the old index")
    done = json.loads(migrate("--switch", "--json").stdout)
    assert (done["state"], done["written"], done["recall"]) == ("live", 0, None)
    assert facts(migrate("--rollback"))["state"] == "rolled back: questions go to the old index"
    asked = migrate("--clean-up", answer="n\n")
    assert "Delete the collection 'manual_moved' of Chroma with 80 documents" in asked.stderr
    assert asked.stdout.endswith("deleted  nothing: both indices are as they were\n")
    assert names(store) == {"manual", "manual_moved"}
    assert facts(migrate("--clean-up", "--yes"))["deleted"].endswith("manual_moved")
    assert names(store) == {"manual"}


def test_what_does_not_go_together_is_an_error(migrate, store):
    with pytest.raises(DataError, match="--dry-run and --switch do not go together"):
        migrate("--dry-run", "--switch")
    with pytest.raises(DataError, match="--aligner DIR"):
        CliRunner().invoke(app, ["migrate", store], catch_exceptions=False)


def test_ctrl_c_says_how_to_go_on(migrate, monkeypatch):
    def stop(self, rows, vectors):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ChromaCollection, "write", stop)
        done = migrate()
    assert done.exit_code == 130
    assert "The old index is as it was; the same command goes on from here." in done.stderr
    assert migrate().exit_code == 0


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("options", [["--dry-run"], ["--switch"]])
def test_no_line_is_longer_than_a_terminal(migrate, store, probe, options, lang):
    """A word that is longer itself stays whole: an address and a checksum are copied."""
    lines = migrate(*options, "--probe", probe, lang=lang).stdout.splitlines()
    assert {line.split()[-1] for line in lines if cell_len(line) > 80} <= {store, f"{store}_moved"}
    assert "--dry-run" in options or [line for line in lines if re.search("[0-9a-f]{64}$", line)]


@pytest.mark.parametrize("options", [["--dry-run"], ["--switch"]])
def test_speaks_japanese(migrate, probe, options):
    done = migrate(*options, "--probe", probe, lang="ja")
    assert "文書" in done.stdout
    said = [line for line in done.stdout.splitlines() if "chroma:" not in line]
    assert not [line for line in said if ENGLISH.search(line.replace("dry run", ""))]
