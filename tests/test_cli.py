import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ENCODERS, machine_pairs, two_views


def run(*arguments):
    command = [sys.executable, "-c", "from kakehashi.cli import main; main()", *map(str, arguments)]
    # Encoders are named as module:attribute; those of the tests stand beside them.
    found = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": found}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def npz(tmp_path_factory):
    x, y, groups = two_views(300)
    path = tmp_path_factory.mktemp("data") / "pairs.npz"
    np.savez(path, source=x.astype(np.float16), target=y, group=groups)
    return path


def test_fit_evaluate_project_info(npz, tmp_path):
    fitted = run("fit", npz, "--out", tmp_path / "bridge", "--mode", "shared", "--json")
    assert fitted.returncode == 0, fitted.stderr
    report = json.loads(fitted.stdout)
    assert {"mode", "chosen", "verdict", "n_pairs", "rungs", "seconds"} <= set(report)
    for row in report["rungs"].values():
        assert {"recall@1", "recall@10", "mrr@10", "ndcg@10", "interval"} <= set(row)

    scored = json.loads(run("evaluate", tmp_path / "bridge", npz, "--json").stdout)
    assert (scored["n_queries"], scored["pool"], scored["base"]) == (300, 300, None)

    assert run("project", tmp_path / "bridge", npz, tmp_path / "out.npz").returncode == 0
    with np.load(tmp_path / "out.npz") as out:
        best = (out["source"] @ out["target"].T).argmax(axis=1)
    assert np.mean(best == np.arange(300)) == pytest.approx(scored["aligned"]["recall@1"])
    assert "verdict" in run("info", tmp_path / "bridge").stdout


def test_curve(npz):
    arguments = ("curve", npz, "--size", 30, "--size", 60, "--repeats", 1)
    found = json.loads(run(*arguments, "--json").stdout)
    assert [point["n_pairs"] for point in found["points"]] == [30, 60]
    low, high = found["next_doubling"]["recall@1"]["interval"]
    assert low <= found["next_doubling"]["recall@1"]["gain"] <= high
    assert "the next doubling (60 -> 120 pairs) is likely to bring" in run(*arguments).stdout
    assert "choose keep or shared" in run(*arguments, "--mode", "auto").stderr


@pytest.mark.parametrize(
    "arguments",
    [("fit", "missing.npz", "--out", "x"), ("info", "missing"), ("project", "missing", "a", "b")],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.fixture
def texts_npz(ngram_aligner, tmp_path):
    pairs = machine_pairs()
    path = tmp_path / "vectors.npz"
    arrays = {f"{s}_texts": np.array(pairs.texts(s)) for s in ("source", "target")}
    vectors = {s: ENCODERS[s](list(pairs.texts(s))) for s in ("source", "target")}
    np.savez(path, **arrays, **vectors)
    return path


def test_project_reads_the_texts_beside_the_vectors(ngram_aligner, texts_npz, tmp_path):
    done = run("project", ngram_aligner.path, texts_npz, tmp_path / "out.npz", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["shapes"] == {"source": [80, 20], "target": [80, 20]}
    pairs = machine_pairs()
    with np.load(tmp_path / "out.npz") as out:
        for side, role in (("source", "query"), ("target", "document")):
            expected = ngram_aligner.embed(list(pairs.texts(side)), modality=side, role=role)
            assert np.array_equal(out[side], expected)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({}, "also reads the source texts; pass texts="),
        ({"source_texts": np.arange(2)}, "'source_texts' is int64 of shape (2,), not (n,) unicode"),
        ({"source_texts": np.array(["a", "b"], object)}, "'source_texts' cannot be read: Object"),
        ({"source_texts": np.array(["a"])}, "1 texts for 2 rows of 'source'"),
    ],
)
def test_project_says_which_texts_are_missing(arrays, said, ngram_aligner, tmp_path):
    np.savez(tmp_path / "in.npz", source=np.ones((2, 32), np.float32), **arrays)
    done = run("project", ngram_aligner.path, tmp_path / "in.npz", tmp_path / "out.npz")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert said in done.stderr
    assert not (tmp_path / "out.npz").exists()


def test_project_refuses_a_damaged_archive_in_one_line(ngram_aligner, texts_npz, tmp_path):
    texts_npz.write_bytes(texts_npz.read_bytes()[:700])
    done = run("project", ngram_aligner.path, texts_npz, tmp_path / "out.npz")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "vectors.npz is not an .npz of plain arrays" in done.stderr


def test_evaluate_reads_the_texts_of_pairs_and_those_beside_vectors(
    ngram_aligner, texts_npz, tmp_path
):
    pairs = machine_pairs()
    lines = [
        json.dumps({"source": s, "target": t})
        for s, t in zip(pairs.source_texts, pairs.target_texts, strict=True)
    ]
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines))
    encoders = ("--source-encoder", "conftest:hashed_letters")
    encoders += ("--target-encoder", "conftest:reversed_letters")
    q = ngram_aligner.embed(list(pairs.source_texts), modality="source", role="query")
    d = ngram_aligner.embed(list(pairs.target_texts), modality="target", role="document")
    expected = np.mean((q @ d.T).argmax(axis=1) == np.arange(80))
    for arguments in ((tmp_path / "pairs.jsonl", *encoders), (texts_npz,)):
        done = run("evaluate", ngram_aligner.path, *arguments, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["aligned"]["recall@1"] == pytest.approx(expected)
    with np.load(texts_npz) as arrays:
        np.savez(tmp_path / "bare.npz", source=arrays["source"], target=arrays["target"])
    without = run("evaluate", ngram_aligner.path, tmp_path / "bare.npz")
    assert without.returncode == 2
    assert "also reads the source texts" in without.stderr
