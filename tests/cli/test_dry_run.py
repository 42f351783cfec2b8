"""`kakehashi fit --dry-run`: the cost, before any."""

import json

import pytest
from support.command_line import BOTH_ENCODERS, run
from support.toy_data import machine_pairs

pytestmark = pytest.mark.slow  # each run is a process


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    both = zip(machine_pairs().source_texts, machine_pairs().target_texts, strict=True)
    path.write_text("".join(json.dumps({"source": s, "target": t}) + "\n" for s, t in both))
    return path


def test_a_dry_run_prints_the_cost_and_asks_no_encoder(pairs, tmp_path):
    out = tmp_path / "aligner"
    encoders = ["--source-encoder", "support.command_line:busy", *BOTH_ENCODERS[2:]]
    done = run("fit", pairs, "--out", out, *encoders, "--dry-run")
    assert done.returncode == 0, done.stderr
    printed = " ".join(done.stdout.split())
    assert "source: support.command_line.busy" in printed
    assert "source texts 80 " in printed
    assert "in all, at most " in printed
    assert "one for four ASCII characters" in printed
    assert "Pass --cache FILE" in printed
    assert not out.exists()


def test_a_dry_run_as_json(pairs, tmp_path):
    done = run("fit", pairs, "--out", tmp_path / "x", *BOTH_ENCODERS, "--dry-run", "--json")
    printed = json.loads(done.stdout)
    assert printed["total"]["texts"] == sum(row["texts"] for row in printed["alike"])
    assert set(printed["total"]) == {"texts", "tokens", "calls"}


def test_a_fit_that_fails_says_where_its_vectors_are(pairs, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    encoders = [*BOTH_ENCODERS[:2], "--target-encoder", "support.command_line:limited"]
    done = run("fit", pairs, "--out", tmp_path / "x", *encoders)
    assert done.returncode == 2
    printed = " ".join(done.stderr.split())
    assert "(raised by encoder 'support.command_line.limited' over 16 texts" in printed
    assert "What was encoded is kept: 144 vectors in " in printed
