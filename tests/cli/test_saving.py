"""A full disk and Ctrl-C: what is kept, and that it is said where."""

import errno
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
import typer
from support.command_line import BOTH_ENCODERS, run
from support.toy_data import machine_pairs

from kakehashi import Aligner
from kakehashi.cli import saving
from kakehashi.cli.saving import save_somewhere, saying_what_is_kept


def write_machine_pairs(path):
    pairs = machine_pairs()
    both = zip(pairs.source_texts, pairs.target_texts, strict=True)
    path.write_text("".join(json.dumps({"source": s, "target": t}) + "\n" for s, t in both))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KB, smaller than any aligner."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a small disk takes root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def full_disk(tmp_path, monkeypatch):
    """A folder in which every write fails as on a full disk, at the system call."""
    place, real = tmp_path / "full", os.fsync
    place.mkdir()

    def fsync(number):
        if str(place) in os.readlink(f"/proc/self/fd/{number}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(number)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc")
    monkeypatch.setattr(os, "fsync", fsync)
    return place


@pytest.fixture(params=["small_disk", "full_disk"])
def disk(request):
    return request.getfixturevalue(request.param)


def test_a_full_disk_is_named_and_leaves_nothing_half_written(disk, text_aligner):
    with pytest.raises(OSError, match="No space left on device") as caught:
        text_aligner.save(disk / "aligner")
    assert str(disk / "aligner") in str(caught.value)
    assert not any(disk.iterdir())


def test_a_fitted_aligner_is_kept_where_the_disk_is_full(disk, text_aligner, tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "gettempdir", lambda: str(tmp_path))
    with pytest.raises(OSError, match="make room, and move it") as caught:
        save_somewhere(text_aligner, disk / "aligner", overwrite=False)
    [kept] = tmp_path.glob("kakehashi-*/aligner")
    assert f"kept in {kept}:" in str(caught.value)
    assert str(disk / "aligner") in str(caught.value)
    assert Aligner.load(kept).fingerprint == text_aligner.fingerprint


def test_an_aligner_that_can_be_kept_nowhere_is_said_to_be_lost(full_disk, aligner, monkeypatch):
    monkeypatch.setattr(saving, "gettempdir", lambda: str(full_disk))
    monkeypatch.setenv("HOME", str(full_disk))
    monkeypatch.chdir(full_disk)
    with pytest.raises(OSError, match="could not be kept elsewhere; make room, and fit it again"):
        save_somewhere(aligner, full_disk / "aligner", overwrite=False)
    assert not any(full_disk.iterdir())


def test_a_full_disk_leaves_the_old_aligner(aligner, full_disk, monkeypatch):
    with monkeypatch.context() as room:
        room.setattr(os, "fsync", lambda _: None)
        old = aligner.save(full_disk / "aligner")
    with pytest.raises(OSError, match="No space left"):
        aligner.save(old, overwrite=True)
    assert Aligner.load(old).fingerprint == aligner.fingerprint
    assert [path.name for path in full_disk.iterdir()] == ["aligner"]


@pytest.mark.parametrize("saved", [False, True])
def test_ctrl_c_around_a_save_says_which_aligner_is_there(saved, aligner, tmp_path, capsys):
    out = tmp_path / "aligner"

    def stopped():
        if saved:
            aligner.save(out)
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as caught, saying_what_is_kept(out, None):
        stopped()
    assert caught.value.exit_code == 128 + signal.SIGINT
    said = capsys.readouterr().err
    assert ("holds the new aligner, whole" if saved else "was not written. No vectors") in said


@pytest.mark.slow
@pytest.mark.parametrize("cached", [True, False])
def test_ctrl_c_says_where_the_vectors_are(cached, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    pairs, out, cache = (tmp_path / name for name in ("pairs.jsonl", "aligner", "vectors.sqlite"))
    write_machine_pairs(pairs)
    encoders = [*BOTH_ENCODERS[:2], "--target-encoder", "support.command_line:stopped"]
    done = run("fit", pairs, "--out", out, *encoders, *(["--cache", cache] if cached else []))
    assert done.returncode == 128 + signal.SIGINT
    said = " ".join(done.stderr.split())
    assert f"stopped. {out} was not written." in said
    where = f"{cache} keeps what was encoded" if cached else "What was encoded is kept: "
    assert where in said
    assert "Traceback" not in said
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["fit", "combine"])
def test_an_existing_folder_is_refused_with_the_option_that_replaces_it(command, tmp_path):
    pairs = tmp_path / "pairs.jsonl"
    write_machine_pairs(pairs)
    given = [pairs, *BOTH_ENCODERS] if command == "fit" else ["ja=somewhere"]
    done = run(command, *given, "--out", tmp_path)
    assert done.returncode == 2
    assert "exists; pass --overwrite or another folder." in " ".join(done.stderr.split())
