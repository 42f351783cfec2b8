"""A migration over real faults: a server that is killed, a disk that is full."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from support.command_line import BOTH_ENCODERS, run
from support.toy_data import machine_pairs, reversed_letters
from support.vector_stores import ChromaServer

from kakehashi.errors import MigrationError
from kakehashi.integrations.stores.movable.chroma import ChromaCollection
from kakehashi.migration import migrate

chromadb = pytest.importorskip("chromadb")
pytestmark = pytest.mark.slow
N, MANY = 1200, 2500
"""Documents, of which a page is 1,000; and those that fill a small disk."""


def fill(client, n=N, length=0):
    """Make a collection of n documents."""
    words = (machine_pairs().target_texts * 32)[:n]
    texts = [f"{text} {i} {'x' * length}" for i, text in enumerate(words)]
    made = client.create_collection("manual")
    vectors = reversed_letters(texts)
    for start in range(0, n, 500):
        part = slice(start, start + 500)
        ids = [str(i) for i in range(n)[part]]
        made.add(ids=ids, embeddings=vectors[part], documents=texts[part])


@pytest.fixture
def server(tmp_path):
    running = ChromaServer(tmp_path)
    fill(running.start())
    yield running
    running.kill()


@pytest.fixture
def killed_at_the_second_write(server, monkeypatch):
    write, calls = ChromaCollection.write, []

    def killing(self, rows, vectors):
        calls.append(len(rows))
        if len(calls) == 2:
            server.kill()
        write(self, rows, vectors)

    monkeypatch.setattr(ChromaCollection, "write", killing)


def test_waits_for_a_server_that_comes_back(server, killed_at_the_second_write, keeping_aligner):
    heard = []

    def say(line):
        heard.append(line)
        server.start()

    address = f"chroma://127.0.0.1:{server.port}?collection=manual"
    done = migrate(address, keeping_aligner, say=say)
    assert (done.rows, done.state) == (N, "verified")
    assert heard == ["The store does not answer; trying again for 60 s."]


def test_a_server_that_stays_away_is_an_error_and_a_rerun_completes(
    server, killed_at_the_second_write, keeping_aligner
):
    address = f"chroma://127.0.0.1:{server.port}?collection=manual"
    with pytest.raises(MigrationError, match=r"did not answer for 1 s .* Nothing is lost"):
        migrate(address, keeping_aligner, patience=1.0)
    server.start()
    done = migrate(address, keeping_aligner)
    assert (done.rows, done.written) == (N, N - 1000)


@pytest.fixture
def small_disk(tmp_path):
    """A folder of 11 MB, and what makes it larger."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        return subprocess.run(command, capture_output=True, check=False).returncode

    if os.name != "posix" or mount("size=11m"):
        pytest.skip("only an administrator mounts a small disk")
    yield place, lambda: mount("remount,size=60m")
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_an_error_and_a_rerun_completes(small_disk, keeping_aligner):
    place, enlarge = small_disk
    client = chromadb.PersistentClient(str(place / "db"))
    fill(client, MANY, length=300)
    client.close()
    address = f"chroma:{place / 'db'}?collection=manual"
    command = ("migrate", address, "--aligner", keeping_aligner.path, *BOTH_ENCODERS)
    full = run(*command)
    assert full.returncode == 2
    assert "error: The store failed: " in full.stderr
    assert "The index that is moved is as it was. Mend the cause (is the disk full?)" in full.stderr
    enlarge()
    done = run(*command)
    assert done.returncode == 0
    [said] = re.findall(r"2,500; this run wrote ([\d,]+) and deleted 0", done.stdout)
    assert int(said.replace(",", "")) < MANY
