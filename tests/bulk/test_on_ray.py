"""The same bits on a Ray of two workers, whatever is killed on the way."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.killing import ORDER, letters
from support.parquet_files import contents, many_texts, write_texts
from support.toy_data import other_letters, reversed_letters

from kakehashi.bulk import embed_parquet
from kakehashi.bulk.blocks import read_input
from kakehashi.bulk.cluster import problem_here, ray_up
from kakehashi.bulk.job import Job
from kakehashi.bulk.on_ray import runs_of
from kakehashi.bulk.output import Output
from kakehashi.errors import DataError, VectorError
from kakehashi.retrieval.index_record import IndexRecord

on_ray = [pytest.mark.slow, pytest.mark.xdist_group("ray")]
TESTS = str(Path(__file__).parents[1])


@pytest.fixture(scope="module")
def order(tmp_path_factory):
    """The file that makes one worker die; workers learn its name when Ray starts them."""
    return tmp_path_factory.mktemp("order") / "die"


@pytest.fixture(scope="module")
def two_workers(order):
    """A Ray of our own, which the runs of this file share; no process of it is left behind."""
    pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([TESTS, os.environ.get("PYTHONPATH", "")]))
        patch.setenv(ORDER, str(order))
        with ray_up("local", 2) as n_workers:
            yield n_workers
            processes = psutil.Process().children(recursive=True)
    assert len(processes) > 2
    assert not psutil.wait_procs(processes, timeout=30)[1]


@pytest.fixture
def embed(text_aligner, tmp_path):
    def run(source, name, **options):
        options = {"target_encoder": "support.killing:letters", **options}
        return embed_parquet(source, tmp_path / name, aligner=text_aligner.path, **options)

    return run


class TestOnRay:
    pytestmark = on_ray

    def test_a_killed_workers_blocks_are_done_by_another_with_the_same_bytes(
        self, two_workers, tmp_path, embed, order
    ):
        source = write_texts(tmp_path / "in/a.parquet", 170).parent
        write_texts(source / "b.parquet", 60, first=170)
        order.write_text(" NO. 130")
        there = embed(source, "there", ray="local", workers=two_workers)
        assert not order.exists()  # somebody died over it
        here = embed(source, "here")
        assert there.to_dict() == here.to_dict() | {"out": str(there.out)}
        assert (there.rows, there.written) == (230, 12)
        assert contents(there.out) == contents(here.out)

    def test_projected_vectors_have_the_same_bytes(self, two_workers, tmp_path, embed):
        source = write_texts(tmp_path / "a.parquet", vectors=True)
        there = embed(source, "there", ray="local", workers=two_workers)
        assert contents(there.out) == contents(embed(source, "here").out)

    def test_an_error_of_a_worker_is_that_of_the_local_path(self, two_workers, tmp_path, embed):
        table = pq.read_table(write_texts(tmp_path / "a.parquet"))
        vectors = reversed_letters(many_texts(90))
        vectors[70] = 0
        source = tmp_path / "zero.parquet"
        pq.write_table(
            table.append_column("vector", pa.array(list(vectors))), source, row_group_size=20
        )
        said = set()
        for name, ray in (("here", None), ("there", "local")):
            with pytest.raises(VectorError, match=r"row group 3, .*row 10 is all zeros") as raised:
                embed(source, name, ray=ray)
            said.add(str(raised.value))
        assert len(said) == 1

    def test_a_machine_that_lacks_something_is_named_before_the_first_write(
        self, two_workers, tmp_path, embed
    ):
        source = write_texts(tmp_path / "a.parquet")
        with pytest.raises(DataError, match=r"machine of the cluster: The target encoder is 'sup"):
            embed(source, "there", target_encoder=other_letters, ray="local")
        assert not contents(tmp_path / "there")


def test_bits_of_this_encoder_depend_on_its_batch():
    """Else the tests of this file would show nothing about batches."""
    alone, among = letters(["A"]), letters(["A", "B"])[:1]
    assert not np.array_equal(alone, among)


def test_runs_hold_blocks_of_one_row_group_and_are_enough_for_all_workers(tmp_path):
    write_texts(tmp_path / "a.parquet", 90)
    [first] = read_input(write_texts(tmp_path / "b.parquet", 20)).blocks
    large = [replace(first, row_group=g, start=i) for g in range(3) for i in range(20)]
    assert runs_of(large, 2) == [
        (g * 20 + at, g * 20 + min(at + 7, 20)) for g in range(3) for at in (0, 7, 14)
    ]
    assert runs_of(large, 1000) == [(i, i + 1) for i in range(60)]
    assert runs_of(large[:5], 1) == [(i, i + 1) for i in range(5)]


def test_a_block_that_kills_every_worker_is_given_up(tmp_path, text_aligner):
    [block, other, *_] = read_input(write_texts(tmp_path / "a.parquet")).blocks
    output = Output(tmp_path / "out", IndexRecord.of(text_aligner, ""), False)
    output.folder.mkdir()
    with output.begun(block):
        killed = [output.begun(block) for _ in range(2)]
        for each in killed:
            each.__enter__()
        with pytest.raises(DataError, match="rows 0 to 20: 3 workers were killed over it"):
            output.begun(block).__enter__()
        with output.begun(other):
            pass
    output.tidy()
    assert not contents(output.folder)
    with output.begun(block):
        pass


def test_a_machine_says_what_it_lacks(tmp_path, text_aligner):
    [block, *_] = read_input(write_texts(tmp_path / "a.parquet")).blocks
    job = Job(tmp_path, text_aligner.path, False, reversed_letters, False)
    mark = tmp_path / ".mark"
    from kakehashi import __version__ as ours

    def problem(job=job, fingerprint=text_aligner.fingerprint, block=block, version=ours):
        return problem_here(job, fingerprint, block, mark, version)

    assert "is another folder there" in problem()
    mark.touch()
    assert problem() is None
    assert "the command 0.0" in problem(version="0.0")
    assert "is missing, or another file" in problem(block=replace(block, state="other"))
    assert "is another aligner there" in problem(fingerprint="other")
    assert "aligner.json" in problem(job=replace(job, aligner=tmp_path / "none"))


def test_a_ray_that_cannot_be_joined_says_how_to_start_one(tmp_path, embed):
    pytest.importorskip("ray")
    source = write_texts(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="--ray auto"):
        embed(source, "out", ray="ray://127.0.0.1:10001")
    with pytest.raises(DataError, match="pass --ray local"):
        embed(source, "out", workers=2)
    assert not (tmp_path / "out").exists()
