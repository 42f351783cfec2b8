"""A run whose process is killed goes on where it was, and ends with the same bytes."""

import signal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command_line import run
from support.killing import ORDER
from support.parquet_files import contents, write_texts

from kakehashi.bulk import embed_parquet

ENCODER = "support.killing:letters"


@pytest.mark.slow
def test_a_killed_command_goes_on_and_writes_the_same_bytes(tmp_path, text_aligner, monkeypatch):
    source = write_texts(tmp_path / "a.parquet", 170)
    whole = embed_parquet(
        source, tmp_path / "whole", aligner=text_aligner.path, target_encoder=ENCODER
    )
    order, out = tmp_path / "die", tmp_path / "out"
    monkeypatch.setenv(ORDER, str(order))
    options = [str(source), str(out), "--aligner", str(text_aligner.path)]
    options += ["--target-encoder", ENCODER]
    for text, n_files in ((" NO. 25", 1), (" NO. 101", 5)):
        order.write_text(text)
        killed = run("bulk", *options)
        assert killed.returncode == -signal.SIGKILL
        assert len(list(out.glob("*.parquet"))) == n_files
    done = run("bulk", *options, "--json")
    assert '"rows": 170, "left_out": 0, "blocks": 9, "written": 4' in done.stdout
    assert contents(out) == contents(whole.out)


@pytest.mark.slow
def test_a_command_that_is_stopped_says_how_to_go_on(tmp_path, text_aligner):
    ids = [str(row) for row in range(36)]
    table = pa.table({"id": ids, "text": [f"{row} PUMPS" for row in ids]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=20)
    options = ["--aligner", text_aligner.path, "--target-encoder", "support.command_line:stopped"]
    stopped = run("bulk", tmp_path / "a.parquet", tmp_path / "out", *options)
    assert stopped.returncode == 130
    assert f"stopped. {tmp_path / 'out'} keeps 1 files; the same command goes on" in stopped.stderr


def test_a_part_is_no_file_of_the_index_whenever_its_writing_stops(
    tmp_path, text_aligner, monkeypatch
):
    source = write_texts(tmp_path / "a.parquet", 60)
    options = {"aligner": text_aligner.path, "target_encoder": ENCODER}

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            embed_parquet(source, tmp_path / "out", **options)
    assert not contents(tmp_path / "out")
    assert embed_parquet(source, tmp_path / "out", **options).written == 3
