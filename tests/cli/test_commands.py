import errno
import json
import os
import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.command_line import BOTH_ENCODERS, run
from support.toy_data import (
    ENCODER_OF,
    embed,
    encoded,
    hashed_letters,
    machine_pairs,
    reversed_letters,
    two_views,
)
from typer.testing import CliRunner

import kakehashi
from kakehashi.cli.app import app
from kakehashi.cli.next_step import NextStep, after_comparison
from kakehashi.cli.options import load_pairs
from kakehashi.cli.tables import print_report
from kakehashi.data.pairs import Pairs
from kakehashi.errors import DataError, EncoderError, ReaderError
from kakehashi.evaluation.comparison_verdict import ComparisonVerdict
from kakehashi.evaluation.robustness.perturbations import PERTURBATIONS
from kakehashi.metrics.statistics import PairedTest
from kakehashi.training.fit import fit_and_judge


@pytest.fixture(scope="module")
def npz(tmp_path_factory):
    x, y, groups = two_views(300)
    path = tmp_path_factory.mktemp("data") / "pairs.npz"
    np.savez(path, source=x.astype(np.float16), target=y, group=groups)
    return path


@pytest.mark.slow
def test_fit_evaluate_project_info(npz, tmp_path):
    fitted = run("fit", npz, "--out", tmp_path / "aligner", "--mode", "shared", "--json")
    assert fitted.returncode == 0, fitted.stderr
    report = json.loads(fitted.stdout)
    assert {"mode", "chosen", "verdict", "n_pairs", "rungs", "seconds"} <= set(report)
    for row in report["rungs"].values():
        assert {"recall@1", "recall@10", "mrr@10", "ndcg@10", "interval"} <= set(row)

    scored = json.loads(run("evaluate", tmp_path / "aligner", npz, "--json").stdout)
    assert (scored["n_queries"], scored["pool"], scored["base"]) == (300, 300, None)

    assert run("project", tmp_path / "aligner", npz, tmp_path / "out.npz").returncode == 0
    with np.load(tmp_path / "out.npz") as out:
        best = (out["source"] @ out["target"].T).argmax(axis=1)
    assert np.mean(best == np.arange(300)) == pytest.approx(scored["aligned"]["recall@1"])
    assert "verdict" in run("info", tmp_path / "aligner").stdout


def test_an_aligner_with_two_maps_says_so_and_is_scored_by_both(keeping_aligner, npz, tmp_path):
    pairs = encoded()
    vectors = {"source": pairs.source_vectors, "target": pairs.target_vectors}
    np.savez(tmp_path / "p.npz", **vectors)
    command = ["evaluate", str(keeping_aligner.path), str(tmp_path / "p.npz")]
    scored = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert scored["rescored"]["recall@1"] != scored["aligned"]["recall@1"]
    assert "rescored" in CliRunner().invoke(app, command).stdout
    info = CliRunner().invoke(app, ["info", str(keeping_aligner.path)]).stdout
    assert "rescoring    the first 20 hits, by a second map\n" in info


@pytest.mark.slow
def test_info_says_what_an_aligner_is_in_lines_that_can_be_copied(ngram_aligner):
    lines = run("info", ngram_aligner.path).stdout.splitlines()
    reads = "-> 20 dimensions, reads the texts, too"
    assert lines[0] == f"source       support.toy_data.hashed_letters, 32 {reads}"
    assert lines[1] == f"target       support.toy_data.reversed_letters, 24 {reads}"
    assert lines[2] == "data         unnamed, 80 pairs"
    assert lines[3] == "licence      not stated"
    assert f"SHA-256      {ngram_aligner.data.content_hash} (of the data)" in lines
    assert f"fingerprint  {ngram_aligner.fingerprint} (of the aligner)" in lines
    found = json.loads(run("info", ngram_aligner.path, "--json").stdout)
    assert found["dimensions"] == {"source": 32, "target": 24}
    assert (found["output_dimension"], found["reads_texts"]) == (20, ["source", "target"])
    assert f"texts        {ngram_aligner.data.texts_hash} (SHA-256 of the texts alone)" in lines
    assert found["data"]["texts_hash"] == ngram_aligner.data.texts_hash
    assert "texts_sample" not in found["data"]


def test_every_candidate_is_shown_whole_with_its_validation(text_aligner, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    report = text_aligner.report
    candidate = replace(report.candidates[report.chosen], mode="shared", validation=0.4321)
    name = "learned-long+ngrams+hubness"
    candidates = {**report.candidates, f"shared/{name}": candidate}
    print_report(
        replace(report, candidates=candidates, chosen=f"shared/{name}"), all_candidates=True
    )
    printed = capsys.readouterr().out
    row = next(line for line in printed.splitlines() if name in line)
    assert "0.432" in row
    assert "shared, chosen" in printed
    assert "…" not in printed
    assert max(map(len, printed.splitlines())) <= 80
    for other in report.candidates:
        assert other == "identity" or other in printed


FOREIGN = "[/INST] of :smile: [batch, seq]"
"""What rich would take for markup and an emoji, and raise over."""


def test_what_others_wrote_is_printed_as_it_stands(text_aligner, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    odd = replace(text_aligner.report, notes=(FOREIGN,), describes=FOREIGN, reason=FOREIGN)
    made = replace(text_aligner, report=odd, path=None).save(tmp_path / "run[/a]:smile:")
    assert run("info", made).stdout.count(FOREIGN) == 3
    for verdict in ("use", "do not use"):
        aligner = replace(text_aligner, report=replace(odd, verdict=verdict))
        NextStep(aligner, made, {"source": "a[/b]", "target": None}).print()
        assert "run[/a]:smile:" in capsys.readouterr().out


def test_an_error_is_printed_as_it_stands(tmp_path):
    done = run("info", tmp_path / FOREIGN)
    assert done.returncode == 2
    assert FOREIGN in done.stderr


def test_findings_of_a_file_are_printed_under_its_own_name(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    path = tmp_path / "[b]:smile:.csv"
    path.write_text("source,target\na,b\n,c\n")
    load_pairs(path)
    assert f"{path.name}: 2 rows given, 1 dropped" in capsys.readouterr().err


@pytest.mark.slow
def test_curve(npz):
    arguments = ("curve", npz, "--size", 30, "--size", 60, "--repeats", 1)
    found = json.loads(run(*arguments, "--json").stdout)
    assert [point["n_pairs"] for point in found["points"]] == [30, 60]
    low, high = found["next_doubling"]["recall@1"]["interval"]
    assert low <= found["next_doubling"]["recall@1"]["gain"] <= high
    assert "the next doubling (60 -> 120 pairs) is likely to bring" in run(*arguments).stdout
    assert "choose keep or shared" in run(*arguments, "--mode", "auto").stderr


@pytest.mark.parametrize(
    ("command", "passed_to", "given", "passed"),
    [
        ("curve", "learning_curve", ("--index", "index.jsonl"), ["OPEN\nTHE DOOR."]),
        ("curve", "learning_curve", (), None),
        ("compare", "fit", ("--fit", "--index", "index.jsonl"), ["OPEN\nTHE DOOR."]),
        ("compare", "fit", ("--fit", "--learn", "0"), []),
        ("compare", "fit", ("--fit",), None),
        ("curve", "learning_curve", ("--starter", "own.jsonl"), ["CLOSE IT."]),
        (
            "compare",
            "fit",
            ("--fit", "--index", "index.jsonl", "--starter", "own.jsonl"),
            ["OPEN\nTHE DOOR.", "CLOSE IT."],
        ),
    ],
)
def test_curve_and_compare_learn_from_the_index_and_starter_pairs(
    command, passed_to, given, passed, texts_npz, tmp_path, monkeypatch
):
    class EnoughError(Exception):
        pass

    def spy(*pairs, learn_from, **options):
        found = learn_from and [
            text
            for source in learn_from
            for text in (source.target_texts if isinstance(source, Pairs) else source.texts)
        ]
        assert found == passed
        raise EnoughError

    monkeypatch.setattr(f"kakehashi.cli.{command}.{passed_to}", spy)
    monkeypatch.chdir(tmp_path)
    Path("index.jsonl").write_text(json.dumps("OPEN\nTHE DOOR."))
    pair = {"source": "close it", "target": "CLOSE IT.", "origin": "here", "licence": "MIT"}
    Path("own.jsonl").write_text(json.dumps(pair))
    done = CliRunner().invoke(app, [command, str(texts_npz), *BOTH_ENCODERS, *given])
    assert isinstance(done.exception, EnoughError), done.output


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        (("curve", "--learn", "7"), DataError, "--learn 7 counts texts of an index"),
        (("compare", "--learn", "0"), DataError, "--learn is for the aligner's row; pass --fit"),
        (("compare", "--starter", "ja-en"), DataError, "--starter is for the aligner's row"),
    ],
)
def test_texts_that_nothing_would_read_are_refused(arguments, kind, said, npz):
    done = CliRunner().invoke(app, [*arguments, str(npz)])
    assert isinstance(done.exception, kind)
    assert said in str(done.exception)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            "curve",
            (
                "closed forms",
                "train no head with torch, as fit does",
                "from pairs alone",
                "Ten fits by default",
            ),
        ),
        ("compare", ("ridge is solved 36 times", "a whole fit")),
        ("robustness", ("Nothing is fitted", f"each of the {len(PERTURBATIONS)} perturbations")),
    ],
)
def test_help_says_what_takes_time(command, said):
    shown = " ".join(CliRunner().invoke(app, [command, "--help"]).output.split())
    for words in said:
        assert words in shown


def test_help_names_no_option_that_the_command_lacks():
    shown = CliRunner().invoke(app, ["project", "--help"]).output
    assert "--overwrite" in shown
    assert "--out " not in shown


@pytest.mark.parametrize(
    "arguments",
    [
        ("fit", "missing.npz", "--out", "x"),
        ("fit", "missing.npz", "--out", "x", "--index", "missing.txt"),
        ("info", "missing"),
        ("project", "missing", "a", "b"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [("fit", "--out", "x"), ("curve",), ("compare",)])
def test_a_seed_that_cannot_be_is_refused_by_every_command(command, npz):
    done = CliRunner().invoke(app, [*command, str(npz), "--seed", "-1"])
    assert isinstance(done.exception, DataError)
    assert "seed=-1: choose a whole number" in str(done.exception)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "busy",
            "ConnectionError: 429, too many (raised by encoder 'support.command_line.busy' over 5",
        ),
        ("nothing", "vectors of encoder 'support.command_line.nothing': "),
    ],
)
def test_a_bad_encoder_is_one_line_and_exit_code_2(name, said, texts):
    encoders = ("--source-encoder", f"support.command_line:{name}", *BOTH_ENCODERS[2:])
    done = run("fit", texts, "--out", texts.parent / "aligner", *encoders)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {said}")
    assert done.stderr.count("\n") == 1


def test_texts_without_an_encoder_ask_for_the_option_of_the_command_line(texts, npz):
    wanted = r"has texts and no vectors of the source; name their encoder with --source-encoder"
    for arguments in (
        ("fit", texts, "--out", texts.parent / "aligner"),
        ("fit", npz, "--test", texts, "--out", texts.parent / "aligner"),
        ("curve", texts),
        ("curve", npz, "--test", texts),
        ("compare", texts, "--fit"),
    ):
        with pytest.raises(EncoderError, match=wanted):
            CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    bare = CliRunner().invoke(app, ["compare", str(texts)], catch_exceptions=False).stdout
    assert "cosine has no row: no source vectors: name an encoder (source_encoder=, or" in bare
    assert re.search(r"bm25 +1\.000", bare)


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "pairs.jsonl"
    rows = zip(machine_pairs().source_texts, machine_pairs().target_texts, strict=True)
    path.write_text("".join(json.dumps({"source": s, "target": t}) + "\n" for s, t in rows))
    return path


@pytest.fixture
def texts_npz(tmp_path):
    pairs = machine_pairs()
    path = tmp_path / "vectors.npz"
    arrays = {f"{s}_texts": np.array(pairs.texts(s)) for s in ("source", "target")}
    vectors = {s: ENCODER_OF[s](list(pairs.texts(s))) for s in ("source", "target")}
    np.savez(path, **arrays, **vectors)
    return path


def test_project_reads_the_texts_beside_the_vectors(ngram_aligner, texts_npz, tmp_path):
    done = run("project", ngram_aligner.path, texts_npz, tmp_path / "out.npz", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["shapes"] == {"source": [80, 20], "target": [80, 20]}
    pairs = machine_pairs()
    with np.load(tmp_path / "out.npz") as out:
        for side, role in (("source", "query"), ("target", "document")):
            expected = embed(ngram_aligner, list(pairs.texts(side)), side, role)
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


@pytest.fixture
def project(ngram_aligner):
    """Run `kakehashi project` here, with an aligner that is at hand."""

    def run_here(vectors, out, *options):
        command = ["project", *map(str, (ngram_aligner.path, vectors, out, *options))]
        done = CliRunner().invoke(app, command)
        if done.exception is not None:
            raise done.exception

    return run_here


def test_project_overwrites_only_when_told_to(project, texts_npz, tmp_path):
    out = tmp_path / "new" / "out.npz"
    project(texts_npz, out)
    made = out.read_bytes()
    out.write_bytes(b"years of work")
    with pytest.raises(FileExistsError, match=r"out\.npz exists; pass --overwrite or another"):
        project(texts_npz, out)
    assert out.read_bytes() == b"years of work"
    project(texts_npz, out, "--overwrite")
    assert out.read_bytes() == made
    assert [path.name for path in out.parent.iterdir()] == ["out.npz"]


@pytest.mark.parametrize("link", [None, os.symlink, os.link])
def test_project_never_overwrites_what_it_reads(link, project, texts_npz, tmp_path):
    before, out = texts_npz.read_bytes(), texts_npz
    if link is not None:
        out = tmp_path / "other.npz"
        link(texts_npz, out)
    for options in ((), ("--overwrite",)):
        with pytest.raises(FileExistsError, match="is the file that is read; name another"):
            project(texts_npz, out, *options)
    assert texts_npz.read_bytes() == before


def test_project_overwrites_files_alone(project, texts_npz, tmp_path):
    (tmp_path / "link.npz").symlink_to(tmp_path / "nowhere.npz")
    (tmp_path / "folder.npz").mkdir()
    for name in ("link.npz", "folder.npz", os.devnull):
        with pytest.raises(FileExistsError, match="is no plain file"):
            project(texts_npz, tmp_path / name, "--overwrite")


def test_a_projection_that_cannot_be_written_leaves_the_file_before_it(
    project, texts_npz, tmp_path, monkeypatch
):
    def full(file, **arrays):
        file.write(b"PK")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    (tmp_path / "out.npz").write_bytes(b"the one before")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OSError, match=r"No space left on device.*out\.npz"):
        project(texts_npz, tmp_path / "out.npz", "--overwrite")
    assert (tmp_path / "out.npz").read_bytes() == b"the one before"
    assert sorted(tmp_path.iterdir()) == before


def test_project_refuses_a_damaged_archive_in_one_line(ngram_aligner, texts_npz, tmp_path):
    texts_npz.write_bytes(texts_npz.read_bytes()[:700])
    done = run("project", ngram_aligner.path, texts_npz, tmp_path / "out.npz")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "vectors.npz is not an .npz of plain arrays" in done.stderr


@pytest.mark.slow
def test_evaluate_reads_the_texts_of_pairs_and_those_beside_vectors(
    ngram_aligner, texts_npz, tmp_path
):
    pairs = machine_pairs()
    lines = [
        json.dumps({"source": s, "target": t})
        for s, t in zip(pairs.source_texts, pairs.target_texts, strict=True)
    ]
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines))
    q = ngram_aligner.embed_queries(list(pairs.source_texts), modality="source")
    d = ngram_aligner.embed_documents(list(pairs.target_texts), modality="target")
    expected = np.mean((q @ d.T).argmax(axis=1) == np.arange(80))
    for arguments in ((tmp_path / "pairs.jsonl", *BOTH_ENCODERS), (texts_npz,)):
        done = run("evaluate", ngram_aligner.path, *arguments, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["aligned"]["recall@1"] == pytest.approx(expected)
    unknown = "what the target encoder finds by itself is not known"
    assert json.loads(done.stdout)["note"].startswith(unknown)  # it is not at hand beside the .npz
    said = " ".join(run("evaluate", ngram_aligner.path, texts_npz).stdout.split())
    assert f"note: {unknown}; it raised EncoderError" in said
    with np.load(texts_npz) as arrays:
        np.savez(tmp_path / "bare.npz", source=arrays["source"], target=arrays["target"])
    without = run("evaluate", ngram_aligner.path, tmp_path / "bare.npz")
    assert without.returncode == 2
    assert "also reads the source texts" in without.stderr


@pytest.fixture
def fit(monkeypatch, texts_npz, tmp_path):
    """Run `kakehashi fit` here; return what it passed to kakehashi.fit, and what that made."""

    def run_here(*arguments, pairs=texts_npz):
        passed = {}

        def spy(pairs, **options):
            passed.update(options)
            return fit_and_judge(pairs, **options)

        monkeypatch.setattr("kakehashi.cli.fit.fit_and_judge", spy)
        out = tmp_path / "aligner"
        done = CliRunner().invoke(app, ["fit", *map(str, (pairs, "--out", out, *arguments))])
        if done.exception is not None:
            raise done.exception
        return passed, kakehashi.Aligner.load(out)

    return run_here


@pytest.mark.parametrize(
    ("arguments", "passed", "read"),
    [
        ((), None, False),
        (BOTH_ENCODERS, None, True),
        (("--ngrams",), True, True),
        ((*BOTH_ENCODERS, "--no-ngrams"), False, False),
    ],
)
@pytest.mark.slow
def test_fit_reads_ngrams_as_asked_or_where_encoders_are(arguments, passed, read, fit):
    options, made = fit(*arguments, "--mode", "keep")
    assert options["ngrams"] is passed
    assert ("cca+ngrams" in made.report.candidates) is read


@pytest.mark.parametrize(
    ("arguments", "passed", "trained"),
    [
        ((), None, True),
        (("--no-learned",), False, False),
        (("--mode", "shared"), None, False),
        (("--mode", "shared", "--learned"), True, True),
    ],
)
def test_a_head_is_trained_in_keep_mode_or_where_it_is_asked_for(arguments, passed, trained, fit):
    pytest.importorskip("torch")
    options, made = fit(*arguments)
    assert options["learned"] is passed
    assert ("learned" in made.report.candidates) is trained


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("notes", "exists and is no aligner"),
        ("file", "is no folder; it is not overwritten"),
        ("dangling", "is no folder; it is not overwritten"),
        (".", r"has no name of its own|is no aligner"),
        ("file/aligner", "file is no folder"),
        ("dangling/aligner", "dangling is no folder"),
        ("file/new/aligner", "file is no folder"),
    ],
)
def test_fit_finds_out_where_it_writes_to_before_it_reads(out, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("notes").mkdir()
    Path("notes/of_years.txt").write_text("mine")
    Path("file").write_text("mine")
    Path("dangling").symlink_to("nowhere")
    done = CliRunner().invoke(app, ["fit", "no_pairs.jsonl", "--out", out, "--overwrite"])
    assert isinstance(done.exception, OSError)
    assert re.search(said, str(done.exception))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "file", "notes"]


def test_an_aligner_takes_no_folder_without_a_name_or_that_is_not_ours(
    text_aligner, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileExistsError, match="has no name of its own; give a path"):
        text_aligner.save(".", overwrite=True)
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(PermissionError, match="is not ours to write to"):
        text_aligner.save(tmp_path / "new" / "aligner")
    assert list(tmp_path.iterdir()) == []


def test_project_finds_out_where_it_writes_to_before_it_reads(project, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(NotADirectoryError, match="file is no folder"):
        project(tmp_path / "no_vectors.npz", tmp_path / "file" / "out.npz")


@pytest.mark.slow
def test_fit_learns_from_a_file_of_texts(fit, tmp_path):
    path = tmp_path / "index.txt"
    path.write_bytes(
        "\ufeffOPEN THE DOOR.\r\n\r\n \t\n  弁を\u2028締める。 \nSTOP.\nSTOP.".encode()
    )
    quick = ("--mode", "keep", *BOTH_ENCODERS)
    options, made = fit(*quick, "--index", path)
    [index] = options["learn_from"]
    assert index.texts == ("OPEN THE DOOR.", "弁を\u2028締める。", "STOP.", "STOP.")
    assert made.report.learned_from[str(path)].rows == 3
    lines = ({"en": "Open\nthe door.", "id": 1}, "STOP.", "GO.")
    (tmp_path / "index.jsonl").write_text("\n".join(map(json.dumps, lines)))
    pairs = machine_pairs()
    x, y = hashed_letters(pairs.source_texts), reversed_letters(pairs.target_texts)
    np.savez(tmp_path / "en.npz", source=x, en=y)
    columns = ("--index", tmp_path / "index.jsonl", "--target", "en", "--overwrite")
    options, made = fit(*quick, *columns, "--learn", 2, pairs=tmp_path / "en.npz")
    assert options["learn_from"][0].texts == ("Open\nthe door.", "STOP.", "GO.")
    assert made.report.learned_from[str(tmp_path / "index.jsonl")].rows == 2
    for given, passed in (((), None), (("--learn", "0"), ())):
        options, made = fit(*quick, *given, "--overwrite")
        assert options["learn_from"] == passed
        assert [*made.report.learned_from] == ([] if given else ["targets of the pairs"])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("no.txt", None, r"no\.txt is not a file"),
        ("x.txt", b"", r"x\.txt has no texts"),
        ("x.JSONL", b'{"en": "a"}', r"no field 'target'; it has en\. Rename it, or name"),
    ],
)
def test_fit_refuses_a_file_that_holds_no_texts(name, content, said, fit, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ReaderError, match=said):
        fit(*BOTH_ENCODERS, "--index", tmp_path / name)


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        (("--mode", "both"), DataError, "mode='both' .* one of keep, shared"),
        (("--index", "index.txt"), DataError, "pass target_encoder= .--target-encoder"),
        (("--learn", "9"), DataError, "--learn 9 counts texts of an index; name it with --index"),
    ],
)
def test_fit_refuses_options_that_cannot_be(arguments, kind, said, fit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("index.txt").write_text("STOP.")
    with pytest.raises(kind, match=said):
        fit(*arguments)


def test_fit_cannot_read_ngrams_without_texts(npz, fit):
    with pytest.raises(DataError, match="ngrams=True in keep mode reads the source texts"):
        fit("--ngrams", "--mode", "keep", pairs=npz)


@pytest.mark.slow
def test_fit_says_what_it_does_where_no_terminal_is(npz, tmp_path):
    options = ("--no-learned", "--overwrite", "--out", tmp_path / "aligner")
    stages = ["keep: closed forms over vectors", "second map: closed forms"]
    assert run("fit", npz, *options).stderr.splitlines() == stages
    assert run("fit", npz, *options, "--json").stderr == ""


def test_next_steps_name_the_encoders_that_the_aligner_does_not_record(
    text_aligner, monkeypatch, capsys
):
    monkeypatch.setenv("COLUMNS", "40")  # what is to be copied is not wrapped
    names = {
        "source": "support.toy_data:hashed_letters",
        "target": "support.toy_data:reversed_letters",
    }
    pairs = machine_pairs()
    NextStep(text_aligner, Path("my aligner"), names, pairs=pairs).print()
    said = capsys.readouterr().out
    given = "".join(f'    {side}_encoder="{name}",\n' for side, name in names.items())
    assert f'AlignedEmbeddings.load(\n    "my aligner",\n{given})\n' in said
    assert f"evaluate 'my aligner' OTHER_PAIRS {' '.join(BOTH_ENCODERS)}\n" in said
    recorded = {side: replace(e, model="some/model") for side, e in text_aligner.identities.items()}
    for known, passed in ((recorded, names), (text_aligner.identities, dict.fromkeys(names))):
        aligner = replace(text_aligner, identities=known)
        NextStep(aligner, Path("mk"), passed, pairs=pairs).print()
        said = capsys.readouterr().out
        assert 'AlignedEmbedding.load("mk")\n' in said
        assert "kakehashi evaluate mk OTHER_PAIRS\n" in said


def test_the_next_steps_run_as_they_are_printed(text_aligner, texts, capsys):
    names = dict(zip(("source", "target"), BOTH_ENCODERS[1::2], strict=True))
    NextStep(text_aligner, text_aligner.path, names, test=texts).print()
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.startswith(" ")]
    projection, scoring, page = lines
    assert projection.endswith("VECTORS.npz PROJECTED.npz")
    assert page == f"kakehashi report {text_aligner.path}"
    program, *arguments = shlex.split(scoring)
    assert program == "kakehashi"
    assert run(*arguments).returncode == 0


def after(leader, *, fit, shown=True):
    test = PairedTest(0.1, 0.01 if shown else 0.5)
    verdict = ComparisonVerdict(leader, None if leader is None else "other", test, 40)
    given = {"source_encoder": "a:b(c=1)", "index": "chroma:db", "learn": 0, "seed": 3}
    given["starter"] = ["ja-en", "my own.jsonl"]
    return after_comparison(verdict, Path("my pairs.csv"), given | {"group": None, "fit": fit})


def test_a_comparison_ends_with_a_step_that_can_be_pasted():
    options = "--source-encoder 'a:b(c=1)' --index chroma:db --learn 0 --seed 3"
    options += " --starter ja-en --starter 'my own.jsonl'"
    fits = f"fit on all pairs: kakehashi fit 'my pairs.csv' {options} --out my-aligner"
    assert after("aligner", fit=True) == after("ridge", fit=True, shown=False) == fits
    beside = f"hold an aligner against these: kakehashi compare 'my pairs.csv' {options} --fit"
    assert after("ridge", fit=False) == beside
    assert after(None, fit=False).startswith("collect more questions")
    curve = f"kakehashi curve 'my pairs.csv' {options}"
    assert after("ridge", fit=True) == f"see what more pairs are likely to bring: {curve}"
    assert after("both: USE", fit=True).startswith("fill the index with USE, and ask it with USE")
    assert after("bm25", fit=True).startswith("search by words, too")
    assert after("cosine", fit=True).startswith("ask the index with the source encoder")


@pytest.mark.slow
def test_the_step_after_a_comparison_runs_as_it_is_printed(texts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["compare", str(texts), *BOTH_ENCODERS, "--baseline", "ridge"])
    *_, verdict, step = done.stdout.splitlines()
    assert verdict == "verdict: ridge alone was scored: there is nothing to hold against it"
    program, *arguments = shlex.split(step.partition("against these: ")[2])
    assert (program, arguments[0], arguments[-1]) == ("kakehashi", "compare", "--fit")
    found = CliRunner().invoke(app, [*arguments, "--baseline", "ridge", "--json"])
    fits = json.loads(found.stdout)["next_step"].partition("fit on all pairs: ")[2]
    _, *arguments = shlex.split(fits)
    assert CliRunner().invoke(app, [*arguments, "--dry-run"]).exit_code == 0


def test_an_encoder_that_is_not_recorded_is_asked_for(text_aligner, texts):
    aligner = kakehashi.Aligner.load(text_aligner.path)
    lacks = r"he aligner's source encoder 'support.toy_data.hashed_letters' .*'\) cannot be "
    with pytest.raises(EncoderError, match=rf"{lacks}.*with_encoders\(source_encoder="):
        aligner.embed_queries(["a"], modality="source")
    with pytest.raises(EncoderError, match=rf"{lacks}.*; pass it with --source-encoder"):
        CliRunner().invoke(app, ["evaluate", str(aligner.path), str(texts)], catch_exceptions=False)
    bare = replace(aligner, identities={"source": None, "target": None})
    with pytest.raises(EncoderError, match="fitted on stored source vectors and knows no encoder"):
        bare.embed_queries(["a"], modality="source")


def test_compare_finds_a_wrong_encoder_before_it_reads_the_pairs():
    for name, kind in (
        ("support.command_line:busy", ConnectionError),
        ("support:no", EncoderError),
    ):
        done = CliRunner().invoke(app, ["compare", "missing.jsonl", "--both", name])
        assert isinstance(done.exception, kind), done.exception


@pytest.mark.slow
def test_an_index_is_searched_by_a_fit_and_a_comparison(npz, tmp_path):
    """The file of pairs brings 300 documents, the index 40 others and some of the same."""
    with np.load(npz) as arrays:
        stored = arrays["target"]
    others = np.random.default_rng(0).standard_normal((40, stored.shape[1])).astype(np.float32)
    index = tmp_path / "index.npz"
    np.savez(index, target=np.concatenate([stored[:50], others]))
    out = ("--out", tmp_path / "bridge", "--no-learned")
    fitted = json.loads(run("fit", npz, *out, "--index", index, "--json").stdout)
    assert not [note for note in fitted["notes"] if "is taken to hold" in note]
    compared = json.loads(
        run("compare", npz, "--baseline", "procrustes", "--fit", "--index", index, "--json").stdout
    )
    assert compared["pool"] == len(stored) + 40


def test_a_report_names_the_small_pool_beside_the_whole_index(aligner, capsys, tmp_path):
    report = aligner.report
    print_report(report, all_candidates=False)
    printed = " ".join(capsys.readouterr().out.split())
    assert "400 questions, asked out of fold in the whole index: 400 documents" in printed
    assert "among the documents that no fitted pair names: 400 questions, 80 documents" in printed
    card = (aligner.save(tmp_path / "a") / "README.md").read_text()
    assert "Scores of 400 questions, asked out of fold in the whole index, 400 documents:" in card
    assert "Among the documents that no fitted pair names (400 questions, 80 documents):" in card
    assert card.count("| recall@1 | recall@5 | recall@10 |") == 2
