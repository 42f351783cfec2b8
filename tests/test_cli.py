import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import two_views


def run(*arguments):
    command = [sys.executable, "-c", "from kakehashi.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


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
