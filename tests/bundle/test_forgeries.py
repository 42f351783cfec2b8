"""Records and tensors that are forged at random, with hashes and fingerprint that are right again.

Whatever loads must serve: no error but ours, no vector that is not finite, no string that a
terminal would obey. `python tests/bundle/test_forgeries.py 5000 1` forges as many, with seed 1.
"""

import json
import random
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import safetensors.numpy
from support.toy_data import rescoring_aligner

from kakehashi import Aligner
from kakehashi.bundle.layout import record_hash, sha256
from kakehashi.cli.records import report_json
from kakehashi.errors import BundleError
from kakehashi.types import SIDES

GENUINE = Path(__file__).parents[1] / "data" / "format-1"
VALUES = [None, True, -1, 1, 10**15, 1e15, 0.5, "", "use", "keep", "shared", "source", [], {}, [1]]
VALUES += ["\x1b[2J\n", "\u202e" * 5000, ["a"], {"a": 1}, [[]], {"source": 1, "target": 2}]
NUMBERS = [np.nan, np.inf, 1e38, -1e38, 1e11, -1e11, 0.0, 1e-38]


def places(value, place=()):
    """Yield the place of every value in a record."""
    yield place
    items = value.items() if isinstance(value, dict) else []
    items = list(enumerate(value))[:3] if isinstance(value, list) else items
    for name, item in items:
        yield from places(item, (*place, name))


def forged_record(rng, record):
    """Replace, take away or add a value somewhere."""
    place = rng.choice([p for p in places(record) if p and p[0] != "sha256"])
    holder = record
    for name in place[:-1]:
        holder = holder[name]
    way = rng.random()
    if isinstance(holder, dict) and way < 0.15:
        holder.pop(place[-1])
    elif isinstance(holder, dict) and way < 0.25:
        holder["new\x1b"] = rng.choice(VALUES)
    else:
        holder[place[-1]] = rng.choice(VALUES)


def forged_tensors(rng, tensors):
    """Change one tensor: a number of it, its shape or its type; or take it away."""
    name = rng.choice(sorted(tensors))
    tensor = tensors[name]
    way = rng.randrange(6)
    if way < 2 and tensor.size and tensor.dtype.kind == "f":
        tensor.flat[rng.randrange(tensor.size)] = rng.choice(NUMBERS)
    elif way == 2:
        tensor[...] = 0
    elif way == 3:
        tensors[name] = tensor[..., :-1].copy()
    elif way == 4:
        tensors[name] = tensor.astype(np.float64)
    else:
        del tensors[name]


def forge(rng, folder):
    """Write a forgery of the genuine aligner in a folder."""
    record = json.loads((folder / "aligner.json").read_text("utf-8"))
    forged_record(rng, record)
    if rng.random() < 0.4 and isinstance(record.get("weights"), dict):
        tensors = safetensors.numpy.load_file(folder / "weights.safetensors")
        forged_tensors(rng, tensors)
        blob = safetensors.numpy.save(tensors)
        (folder / "weights.safetensors").write_bytes(blob)
        record["weights"].update(bytes=len(blob), sha256=sha256(blob))
    record["sha256"] = record_hash(record)
    (folder / "aligner.json").write_text(json.dumps(record))


def serve(aligner, folder):
    """Do what people do with an aligner; return everything that is shown of it."""
    rng = np.random.default_rng(0)
    for modality, role in (("source", "query"), ("target", "document"), ("source", "document")):
        x = rng.standard_normal((2, aligner.dimensions[modality]))
        projected = aligner.project(x, texts=["弁", "valve"], modality=modality, role=role)
        assert np.isfinite(projected).all()
    if aligner.rescoring is not None:
        x, y = (rng.standard_normal((2, aligner.dimensions[side])) for side in SIDES)
        asked = aligner.rescoring.query(x, texts=["弁", "valve"])
        assert np.isfinite(asked @ aligner.rescoring.documents(y, texts=["弁", "valve"]).T).all()
        assert aligner.as_shared().output_dimension == asked.shape[1]
    if aligner.router is not None:
        aligner.route(["弁を開く", "open the valve"])
    if aligner.calibration is not None:
        aligner.calibration.scores([0.5], [1], query="source", document="target")
    json.dumps(report_json(aligner.report))
    card = (aligner.save(folder / "again") / "README.md").read_text("utf-8")
    return "\n".join([repr(aligner), str(aligner.report), str(aligner.router), card])


def outcomes(n, seed, monkeypatch, genuine=GENUINE):
    """Forge n aligners; return how many were served, and how many refused."""
    recorded = json.loads((genuine / "aligner.json").read_text("utf-8"))["fingerprint"]
    monkeypatch.setattr("kakehashi.aligner.fingerprint_of", lambda *_, **__: recorded)
    rng, served = random.Random(seed), 0
    with TemporaryDirectory() as scratch:
        for number in range(n):
            folder = shutil.copytree(genuine, Path(scratch) / str(number))
            forge(rng, folder)
            try:
                aligner = Aligner.load(folder)
            except BundleError as error:
                shown = str(error)
            else:
                served += 1
                shown = serve(aligner, folder.with_name(f"{number}-saved"))
            assert all(line.isprintable() for line in shown.split("\n"))
            shutil.rmtree(folder)
    return served, n - served


@pytest.mark.slow
def test_what_loads_of_a_forgery_serves_and_all_else_is_refused(monkeypatch):
    served, refused = outcomes(80, 0, monkeypatch)
    assert served > 4
    assert refused > 40


@pytest.mark.slow
def test_what_loads_of_a_forgery_with_two_maps_serves_and_all_else_is_refused(
    monkeypatch, tmp_path
):
    folder = tmp_path / "bridge"
    rescoring_aligner(Aligner.load(GENUINE), folder, reads=True)
    served, refused = outcomes(80, 1, monkeypatch, folder)
    assert served > 4
    assert refused > 40


def test_a_record_as_deep_as_it_is_long_is_refused_or_read_at_once(tmp_path):
    folder = shutil.copytree(GENUINE, tmp_path / "deep")
    record = json.loads((folder / "aligner.json").read_text("utf-8"))
    value = [1.0] * 1000
    for _ in range(400):
        value = [value]
    record["report"]["notes"] = value
    record["sha256"] = record_hash(record)
    (folder / "aligner.json").write_text(json.dumps(record))
    with pytest.raises(BundleError):
        Aligner.load(folder)


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patched:
        n_served, n_refused = outcomes(int(sys.argv[1]), int(sys.argv[2]), patched)
        print(f"{n_served} served, {n_refused} refused, no other outcome")
