import asyncio
import contextlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from support.toy_data import ENCODERS, two_views

import kakehashi
from kakehashi import Aligner, bundle, errors
from kakehashi.bundle.layout import record_hash, sha256
from kakehashi.bundle.reading import looks_pickled
from kakehashi.errors import KakehashiError
from kakehashi.projection.moments import Moments
from kakehashi.training.hubness_bank import Bank, corrected
from kakehashi.vectors import unit_rows


@pytest.fixture(scope="module")
def folder(aligner, tmp_path_factory):
    return aligner.save(tmp_path_factory.mktemp("saved") / "bridge")


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def test_a_loaded_aligner_gives_the_same_bits(aligner, folder, vector_pairs):
    loaded = Aligner.load(folder)
    assert loaded.fingerprint == aligner.fingerprint
    assert loaded.report == aligner.report
    for side, role in (("source", "query"), ("target", "document"), ("source", "document")):
        x = vector_pairs.vectors(side)
        expected = aligner.project(x, modality=side, role=role)
        assert np.array_equal(loaded.project(x, modality=side, role=role), expected)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["keep", "shared"])
def test_a_folder_holds_no_vector_of_the_pairs(mode, aligner, vector_pairs, tmp_path):
    """Neither as a row nor as a column of a tensor, as the encoder gave it or projected."""
    if mode == "shared":
        x, y = (vector_pairs.vectors(side) for side in ("source", "target"))
        bank = Bank(x, y, y, [(Moments.of(x, y), len(x))])
        [projection] = corrected(aligner.projection, "shared", bank, [{"strength": 0.5}])
        fitted = replace(aligner, projection=projection, path=None)
    else:
        fitted = kakehashi.fit(vector_pairs, mode=mode, seed=1)
    assert fitted.calibration is not None
    folder = fitted.save(tmp_path / "aligner")
    known = []
    for side in ("source", "target"):
        x = vector_pairs.vectors(side)
        known += [x, fitted.project(x, modality=side), fitted.project(x, modality=side)[:, :-2]]
    compared = 0
    for tensor in safetensors.numpy.load_file(folder / "weights.safetensors").values():
        for saved in (np.atleast_2d(tensor), np.atleast_2d(tensor).T):
            for rows in (x for x in known if x.shape[1] == saved.shape[1] > 1):
                cosines = unit_rows(rows) @ unit_rows(np.ascontiguousarray(saved, np.float32)).T
                assert cosines.max() < 1 - 1e-3
                compared += 1
    assert compared


def test_loading_and_projecting_needs_neither_torch_nor_a_framework(folder):
    code = (
        "import sys\n"
        "for m in ('torch', 'langchain_core', 'llama_index', 'chromadb'):\n"
        "    sys.modules[m] = None\n"
        f"import kakehashi; a = kakehashi.Aligner.load({str(folder)!r})\n"
        "print(a.project([0.5] * 24).shape)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("(")


def test_no_flipped_byte_goes_unnoticed(copy, aligner):
    rng = np.random.default_rng(0)
    for name in ("aligner.json", "weights.safetensors"):
        path = copy / name
        sound = path.read_bytes()
        for position in rng.integers(0, len(sound), 40):
            damaged = bytearray(sound)
            damaged[position] ^= 1 << int(rng.integers(8))
            path.write_bytes(bytes(damaged))
            with contextlib.suppress(KakehashiError):
                assert Aligner.load(copy).fingerprint == aligner.fingerprint
        path.write_bytes(sound)


def test_each_fault_has_its_own_message(copy):
    def refused(error, said, folder=copy):
        with pytest.raises(errors.BundleError, match=said) as caught:
            Aligner.load(folder)
        assert caught.type is error

    unreadable, tampered = errors.BundleError, errors.BundleTamperedError
    record = json.loads((copy / "aligner.json").read_text())
    weights = copy / "weights.safetensors"
    blob = weights.read_bytes()

    weights.write_bytes(blob[:-5])
    refused(unreadable, rf"safetensors is cut off: it has {len(blob) - 5} of {len(blob)} bytes")
    weights.write_bytes(blob + b"more")
    refused(tampered, rf"has {len(blob) + 4} bytes, the record says {len(blob)}")
    weights.write_bytes(pickle.dumps({"weight": [1.0]}))
    refused(unreadable, "is a pickle or a torch archive.* never unpickles")
    weights.write_bytes(blob[:-1] + bytes([blob[-1] ^ 1]))
    refused(tampered, "safetensors: its SHA-256 differs from the record")
    weights.unlink()
    refused(unreadable, "safetensors is missing")
    for change, error, said in (
        ({"format": bundle.FORMAT + 1}, unreadable, "has format 2; this kakehashi reads format 1"),
        ({"format": 0}, unreadable, "has format 0; this kakehashi reads format 1"),
        ({"format": "1"}, unreadable, "has no format number"),
        ({"weights": {"file": "../x.safetensors"}}, unreadable, "outside the aligner's folder"),
        ({"weights": {"file": "x.pkl"}}, unreadable, "names 'x.pkl'.* never unpickles"),
        ({"weights": None}, tampered, "names no weights file"),
        ({"mode": "keep"}, tampered, r"aligner\.json: its SHA-256 differs from the record"),
    ):
        (copy / "aligner.json").write_text(json.dumps(record | change))
        refused(error, said)
    (copy / "aligner.json").write_text(json.dumps(record)[:-9])
    refused(unreadable, r"not JSON \(cut off or damaged\)")
    (copy / "aligner.json").rename(copy / "aligner.pt")
    refused(unreadable, "holds aligner.pt and no aligner.json.* never unpickles")
    refused(unreadable, "holds no aligner.json; is this an aligner", copy / "nowhere")


def test_project_refuses_what_it_cannot_project(aligner):
    with pytest.raises(errors.VectorError, match="expected dimension 24, got 16"):
        aligner.project(np.ones((2, 16)))
    with pytest.raises(errors.VectorError, match="row 1 contains NaN"):
        aligner.project([[1.0] * 24, [np.nan] * 24])
    with pytest.raises(errors.VectorError, match="source vectors: rows have different lengths"):
        aligner.project([[1.0], [1.0, 2.0]])


def test_saving_over_something_is_refused(aligner, folder, tmp_path):
    with pytest.raises(FileExistsError, match="overwrite=True"):
        aligner.save(folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="no aligner"):
        aligner.save(tmp_path / "mine", overwrite=True)


@pytest.fixture(params=[0o022, 0o027, 0o002])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_a_saved_folder_follows_the_umask(aligner, umask, tmp_path):
    for _ in range(2):  # the second one takes the place of the first
        folder = aligner.save(tmp_path / "bridge", overwrite=True)
        assert folder.stat().st_mode & 0o777 == 0o777 & ~umask
        assert {f.stat().st_mode & 0o777 for f in folder.iterdir()} == {0o666 & ~umask}


def test_what_a_killed_save_leaves_is_removed_after_a_day(aligner, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    target = tmp_path / "bridge[1]"
    aligner.save(tmp_path / "kept").rename(tmp_path / ".bridge[1]-20260101")  # somebody's own
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", killed)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        for path in (target, target, tmp_path / "bridge1"):
            with pytest.raises(KeyboardInterrupt):
                aligner.save(path)
    others = {p.name for p in tmp_path.iterdir() if not p.name.endswith(".part")}
    old, young, of_another = sorted(
        (p for p in tmp_path.glob(".*.part")), key=lambda p: "bridge1" in p.name
    )
    for path in (old, of_another, tmp_path / ".bridge[1]-20260101"):
        os.utime(path, (0, 0))
    aligner.save(target)
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {target.name, young.name, of_another.name, *others}


def test_the_frozen_aligner_of_format_1_still_loads():
    """Its README.md says how it was made; loading checks its hashes and its fingerprint, too."""
    data = Path(__file__).parent / "data"
    frozen = Aligner.load(data / "format-1")
    expected = json.loads((data / "format-1.json").read_text(encoding="utf-8"))
    texts = ["弁3を開く", "open the valve 3", "→ 12 ←"]
    x, y = (np.linspace(-1, 1, 3 * d).reshape(3, d) for d in (32, 24))
    found = frozen.project(x, texts=texts)
    np.testing.assert_allclose(found, expected["query"], atol=1e-6)
    found = frozen.project(y, texts=texts, modality="target", role="document")
    np.testing.assert_allclose(found, expected["document"], atol=1e-6)
    assert frozen.route(texts) == expected["routes"] == ["source", "target", None]
    at = {"similarity": [0.5, 0.4], "place": [1, 2], "lexical": [1, 0.2]}
    scores = frozen.calibration.scores(**at, query="source", document="target")
    np.testing.assert_allclose(scores, expected["scores"], atol=1e-6)
    assert frozen.reads("source")
    assert frozen.reads("target")


def test_a_header_of_any_length_is_no_pickle(aligner, tmp_path):
    """The first byte of safetensors is that of its header's length, and a pickle's is 0x80."""
    seen = set()
    for n in range(40):
        _, tensors = aligner.projection.state()
        tensors = {**tensors, "x" * (8 * n + 1): np.zeros(1, np.float32)}
        blob = safetensors.numpy.save(tensors)
        seen.add(blob[0])
        assert not looks_pickled(blob)
    assert 0x80 in seen
    assert looks_pickled(pickle.dumps(list(range(100))))


def test_an_aligner_of_mode_keep_knows_its_documents_without_an_encoder(tmp_path):
    x, y, groups = two_views(300, dy=96)
    pairs = kakehashi.Pairs(source_vectors=x, target_vectors=y, groups=groups)
    kept = kakehashi.fit(pairs, mode="keep", learned=False)
    kept.save(tmp_path / "kept")
    loaded = kakehashi.Aligner.load(tmp_path / "kept")
    rotated = y[:32] @ np.linalg.qr(np.random.default_rng(3).standard_normal((96, 96)))[0]
    for each in (kept, loaded):
        assert each.recognises(y[:32], "target")
        assert not each.recognises(np.float32(rotated), "target")
        assert not each.recognises(y[:32], "source")


class TestRescoring:
    """An aligner of mode keep that holds a second map."""

    def test_a_query_is_encoded_once_and_projected_twice(self, keeping_aligner):
        asked = []

        def counting(texts):
            asked.extend(texts)
            return ENCODERS["source_encoder"](texts)

        aligner = keeping_aligner.with_encoders(source_encoder=counting)
        aligner.encoder("source")
        asked.clear()
        query = aligner.prepare_query("drain the tank 2", "source")
        assert asked == ["drain the tank 2"]
        vectors = ENCODERS["source_encoder"](asked)
        assert np.array_equal(query.vector, aligner.project(vectors)[0])
        assert np.array_equal(query.rescoring, aligner.rescoring.query(vectors)[0])
        assert np.array_equal(aligner.embed_query("drain the tank 2"), query.vector)

    @pytest.mark.parametrize("modality", ["source", "target", "auto"])
    def test_an_awaited_query_is_the_same(self, modality, keeping_aligner):
        text = "OIL THE SEAL 1."
        query = keeping_aligner.prepare_query(text, modality)
        awaited = asyncio.run(keeping_aligner.aprepare_query(text, modality))
        assert awaited[1:3] == query[1:3]
        assert np.array_equal(awaited.vector, query.vector)
        if query.rescoring is None:
            assert awaited.rescoring is None
        else:
            assert np.array_equal(awaited.rescoring, query.rescoring)

    def test_a_query_of_the_target_is_not_rescored(self, keeping_aligner):
        assert keeping_aligner.prepare_query("OIL THE SEAL 1.", "target").rescoring is None
        assert keeping_aligner.rescoring_of("target") is None

    def test_without_a_second_map_there_is_nothing_to_rescore_with(self, text_aligner):
        assert text_aligner.prepare_query("oil the seal 1", "source").rescoring is None
        assert text_aligner.rescoring_of("source") is None
        with pytest.raises(errors.DataError, match="holds no second map"):
            text_aligner.as_shared()

    def test_it_comes_back_as_it_was_saved(self, keeping_aligner, tmp_path):
        loaded = Aligner.load(keeping_aligner.save(tmp_path / "bridge"))
        assert loaded.rescoring.n_hits == keeping_aligner.rescoring.n_hits
        before, after = (a.rescoring.state()[1] for a in (keeping_aligner, loaded))
        assert all(np.array_equal(before[name], after[name]) for name in before | after)
        assert loaded.retrieval_fingerprint == keeping_aligner.retrieval_fingerprint
        card = (tmp_path / "bridge" / "README.md").read_text("utf-8")
        assert "two maps: the second orders the first 20 hits of a search again" in card
        assert "holds: weights of two maps" in card

    def test_the_index_does_not_depend_on_it(self, keeping_aligner):
        alone = replace(keeping_aligner, rescoring=None)
        assert alone.fingerprint == keeping_aligner.fingerprint
        assert alone.retrieval_fingerprint != keeping_aligner.retrieval_fingerprint
        fewer = replace(keeping_aligner.rescoring, n_hits=10)
        other = replace(keeping_aligner, rescoring=fewer)
        assert other.retrieval_fingerprint != keeping_aligner.retrieval_fingerprint

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda record: record["retrieval"].pop("rescoring"), "and no record of one"),
            (lambda record: record.update(mode="shared"), "mode 'shared' has no second map"),
            (lambda record: record["retrieval"]["rescoring"].update(n_hits=10**9), "n_hits=10"),
            (lambda record: record["retrieval"]["rescoring"].update(n_hits=True), "n_hits=True"),
            (lambda record: record["retrieval"].update(rescoring=[]), "does not describe"),
        ],
    )
    def test_a_forged_record_is_refused(self, change, said, keeping_aligner, tmp_path):
        folder = keeping_aligner.save(tmp_path / "bridge")
        record = json.loads((folder / "aligner.json").read_text("utf-8"))
        change(record)
        record["sha256"] = record_hash(record)
        (folder / "aligner.json").write_text(json.dumps(record))
        with pytest.raises(errors.BundleTamperedError, match=said):
            Aligner.load(folder)

    def test_weights_that_do_not_fit_are_refused(self, keeping_aligner, tmp_path):
        folder = keeping_aligner.save(tmp_path / "bridge")
        genuine = safetensors.numpy.load_file(folder / "weights.safetensors")
        weight = genuine["rescoring.target.weight"]
        for name, forged in (
            ("rescoring.target.weight", weight[:-1].copy()),
            ("rescoring.target.weight", weight.astype(np.float64)),
            ("rescoring.target.weight", np.full_like(weight, np.nan)),
            ("rescoring.query_offset", np.zeros(20, np.float32)),
            ("rescoring.more", np.zeros(20, np.float32)),
        ):
            record = json.loads((folder / "aligner.json").read_text("utf-8"))
            blob = safetensors.numpy.save({**genuine, name: forged})
            (folder / "weights.safetensors").write_bytes(blob)
            record["weights"].update(bytes=len(blob), sha256=sha256(blob))
            record["sha256"] = record_hash(record)
            (folder / "aligner.json").write_text(json.dumps(record))
            with pytest.raises(errors.BundleTamperedError, match="does not describe an aligner"):
                Aligner.load(folder)
