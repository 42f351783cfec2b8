"""Reading a saved aligner that is large, forged, or being replaced."""

import json
import multiprocessing
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import kakehashi
from kakehashi import Aligner, MultiAligner, bundle
from kakehashi.bundle import layout
from kakehashi.bundle.layout import record_hash, sha256
from kakehashi.errors import BundleError, BundleTamperedError
from kakehashi.projection.head import AffineHead


@pytest.fixture
def folder(aligner, tmp_path):
    return aligner.save(tmp_path / "aligner")


def rewrite(folder, change, tensors=None):
    """Forge a record, and perhaps the tensors, with hashes and fingerprint that are right again."""
    record = json.loads((folder / "aligner.json").read_text())
    if tensors is not None:
        blob = safetensors.numpy.save(tensors)
        (folder / "weights.safetensors").write_bytes(blob)
        record["weights"].update(bytes=len(blob), sha256=sha256(blob))
    change(record)
    record["sha256"] = record_hash(record)
    (folder / "aligner.json").write_text(json.dumps(record))


@pytest.mark.parametrize("name", ["aligner.json", "weights.safetensors"])
def test_a_file_of_forty_gigabytes_is_refused_before_it_is_read(folder, name):
    os.truncate(folder / name, 40 << 30)  # a hole: it takes no room
    with pytest.raises(BundleError, match=r"has more than 16,777,216 bytes|record says \d+"):
        Aligner.load(folder)


def test_the_record_cannot_ask_for_more_weights_than_any_aligner_has(folder):
    os.truncate(folder / "weights.safetensors", 40 << 30)
    rewrite(folder, lambda record: record["weights"].update(bytes=40 << 30))
    with pytest.raises(BundleTamperedError, match=r"says 42949672960 bytes; up to 1,073,741,824"):
        Aligner.load(folder)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("NaN", "nan"),
        ("-Infinity", "-inf"),
        ("1e308", "1e\\+308"),
        ("1e400", "inf"),
        ("9" * 40, "9999"),
    ],
)
@pytest.mark.parametrize("place", ["report.seconds", "data.n_pairs", "projection.hubness_strength"])
def test_a_number_that_no_fit_gives_is_named(folder, number, said, place):
    part, field = place.split(".")
    rewrite(folder, lambda record: record[part].update({field: "FORGED"}))
    text = (folder / "aligner.json").read_text().replace('"FORGED"', number)
    record = json.loads(text)
    record["sha256"] = record_hash(record)
    (folder / "aligner.json").write_text(json.dumps(record))
    with pytest.raises(BundleTamperedError, match=f"{place} is {said}"):
        Aligner.load(folder)


@pytest.mark.parametrize("number", [np.nan, np.inf, -1e20, 3e38])
@pytest.mark.parametrize("name", ["source.weight", "source.bias", "target.weight"])
def test_weights_that_no_fit_gives_are_refused(aligner, folder, name, number):
    tensors = safetensors.numpy.load_file(folder / "weights.safetensors")
    tensors[name].flat[0] = number
    rewrite(folder, lambda record: None, tensors)
    with pytest.raises(BundleTamperedError, match=f"tensor {name} is not finite|above 1e\\+12"):
        Aligner.load(folder)


def turned_round(aligner):
    """The same aligner with other weights."""
    head = aligner.projection.source
    turned = AffineHead(np.ascontiguousarray(head.weight[:, ::-1]), head.bias[::-1].copy())
    return replace(aligner, projection=replace(aligner.projection, source=turned), path=None)


def save_again_and_again(aligner, other, folder, stop):
    while not stop.is_set():
        aligner.save(folder, overwrite=True)
        other.save(folder, overwrite=True)


def loads_beside_saves(loads, aligner, other, folder):
    """Load while another process saves two (multi) aligners in turn; return the fingerprints."""
    context = multiprocessing.get_context("fork")
    stop = context.Event()
    saves = context.Process(target=save_again_and_again, args=(aligner, other, folder, stop))
    saves.start()
    try:
        return {kakehashi.load(folder).fingerprint for _ in range(loads)}
    finally:
        stop.set()
        saves.join()


@pytest.mark.skipif(os.name == "nt", reason="forks")
def test_no_load_fails_while_another_process_saves_over_it(aligner, folder):
    """`python tests/bundle/test_reading.py 5000` loads as often as it is told."""
    other = turned_round(aligner)
    found = loads_beside_saves(150, aligner, other, folder)
    assert found <= {aligner.fingerprint, other.fingerprint}


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="forks")
def test_nor_does_a_load_of_a_multi_aligner(aligner, tmp_path):
    """Its folder holds folders, so a load that is overtaken mixes aligners, not files."""
    one, other = (
        MultiAligner({"ja": replace(each, mode="keep")})
        for each in (aligner, turned_round(aligner))
    )
    folder = one.save(tmp_path / "multi")
    found = loads_beside_saves(60, one, other, folder)
    assert found <= {one.fingerprint, other.fingerprint}


def test_a_folder_that_is_gone_for_a_moment_is_read_when_it_is_back(aligner, folder, monkeypatch):
    """Where a system cannot exchange two folders, none is there between two renames."""
    aside = folder.with_name(".aligner-0123abcd.part-old")
    folder.rename(aside)
    waited = []

    def back(seconds):
        waited.append(seconds)
        aside.rename(folder)

    monkeypatch.setattr("kakehashi.bundle.consistency.time.sleep", back)
    assert Aligner.load(folder).fingerprint == aligner.fingerprint
    assert len(waited) == 1


def test_a_damaged_folder_that_nobody_saves_is_read_once(folder, monkeypatch):
    (folder / "aligner.json").write_text("{")
    reads, real = [], Path.open
    monkeypatch.setattr(Path, "open", lambda path, *a: reads.append(path.name) or real(path, *a))
    with pytest.raises(BundleError, match="not JSON"):
        bundle.read(folder)
    assert reads == ["aligner.json"]


def test_the_bounds_leave_room_for_the_largest_encoders():
    largest = 2 * (8192 + 1024) * 8192 * np.dtype(np.float32).itemsize
    assert largest < layout.MAX_WEIGHTS_BYTES


if __name__ == "__main__":
    from tempfile import TemporaryDirectory

    from support.toy_data import two_views

    x, y, _ = two_views(400)
    fitted = kakehashi.fit(kakehashi.Pairs(source_vectors=x, target_vectors=y), mode="shared")
    with TemporaryDirectory() as scratch:
        place = fitted.save(Path(scratch) / "aligner")
        loads = int(sys.argv[1])
        print(
            f"{loads} loads, {len(loads_beside_saves(loads, fitted, turned_round(fitted), place))}"
            " aligners in turn, none failed"
        )
