"""The model that a saved aligner names: no code of it may run."""

import json
from pathlib import Path

import pytest
from support.toy_data import hashed_letters

import kakehashi
from kakehashi.bundle.layout import record_hash
from kakehashi.encoders import recorded_model
from kakehashi.errors import EncoderError


@pytest.fixture
def forged(text_aligner, tmp_path):
    """An aligner whose record names a model in its own folder, with code that leaves a trace."""
    folder = text_aligner.save(tmp_path / "aligner")
    trace = tmp_path / "the code ran"
    (folder / "evil.py").write_text(
        f"open({str(trace)!r}, 'w').close()\n"
        "from sentence_transformers.models import Transformer as Evil\n"
    )
    modules = [{"idx": 0, "name": "0", "path": "", "type": "evil.Evil"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "config_sentence_transformers.json").write_text("{}")
    return folder, trace


def name_model(folder, model):
    record = json.loads((folder / "aligner.json").read_text())
    record["encoders"]["source"]["model"] = str(model)
    record["sha256"] = record_hash(record)
    (folder / "aligner.json").write_text(json.dumps(record))
    return kakehashi.load(folder)


@pytest.mark.parametrize("way", ["its path", "a folder in it", "a link", "a relative path"])
def test_a_model_in_an_aligners_folder_is_never_loaded(forged, way, tmp_path, monkeypatch):
    folder, trace = forged
    model = {"its path": folder, "a folder in it": folder / "model"}.get(way, Path("aligner"))
    if way == "a folder in it":
        model.mkdir()
    elif way == "a link":
        model = tmp_path / "link"
        model.symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    loaded = name_model(folder, model)
    with pytest.raises(EncoderError, match="never loaded from there; pass the encoder with"):
        loaded.embed_query("text", modality="source")
    assert not trace.exists()


@pytest.mark.parametrize("installed", ["5.1.2", "2.7.0"])
def test_an_old_sentence_transformers_loads_no_recorded_model(
    forged, installed, tmp_path, monkeypatch
):
    folder, trace = forged
    monkeypatch.setattr(recorded_model, "version", lambda _: installed)
    loaded = name_model(folder, tmp_path)
    with pytest.raises(EncoderError, match=f"sentence-transformers {installed} would run code"):
        loaded.embed_query("text", modality="source")
    assert not trace.exists()


@pytest.mark.slow
def test_a_recent_sentence_transformers_runs_no_code_of_a_recorded_model(forged, tmp_path):
    folder, trace = forged
    elsewhere = tmp_path / "model"
    elsewhere.mkdir()
    for name in ("evil.py", "modules.json", "config_sentence_transformers.json"):
        (folder / name).rename(elsewhere / name)
    with pytest.raises(EncoderError, match="cannot load"):
        name_model(folder, elsewhere).embed_query("text", modality="source")
    assert not trace.exists()


def test_a_passed_encoder_needs_no_recorded_model(forged):
    folder, _ = forged
    bound = name_model(folder, folder).with_encoders(source_encoder=hashed_letters)
    assert bound.embed_query("text", modality="source").shape
