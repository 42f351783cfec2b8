"""Small pairs and humble encoders, all seeded."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np

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


def hashed_letters(texts: list[str]) -> np.ndarray:
    """Encode texts by their character trigrams: a real, if humble, deterministic encoder."""
    vectors = np.zeros((len(texts), 32), np.float32)
    for row, text in enumerate(texts):
        padded = f"  {text.lower()} "
        for i in range(len(padded) - 2):
            vectors[row, zlib.crc32(padded[i : i + 3].encode()) % 32] += 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def letters_apart(texts):
    """Encode as above, with a little of each text's own, so that no two are equally near."""
    own = [np.random.default_rng(zlib.crc32(t.encode())).standard_normal(32) for t in texts]
    return (hashed_letters(texts) + 0.05 * np.stack(own)).astype(np.float32)


def other_letters(texts):
    """Encode as ``hashed_letters``, but hash otherwise: another space of the same letters."""
    vectors = np.full((len(texts), 28), 1e-3, np.float32)
    for row, text in enumerate(texts):
        padded = f" {text.lower()} "
        for i in range(len(padded) - 1):
            vectors[row, zlib.crc32(b"x" + padded[i : i + 2].encode()) % 28] += 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def sentences(rng, n):
    words = ["".join(rng.choice(list("aeioubdgklmnprstvz"), 5)) for _ in range(120)]
    return [" ".join(rng.choice(words, 4)) for _ in range(n)]


def reversed_letters(texts: list[str]) -> np.ndarray:
    """Encode as above, in another space."""
    return hashed_letters([text[::-1] for text in texts])[:, :24] + 1e-3


ENCODER_OF = {"source": hashed_letters, "target": reversed_letters}
ENCODERS = {"source_encoder": hashed_letters, "target_encoder": reversed_letters}


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


def reading_aligner(like, folder) -> kakehashi.Aligner:
    """Make an aligner that reads n-grams of both sides, saved, loaded and bound.

    Which map a fit chooses is its own business; this one is always of the kind that is wanted.
    """
    return _bound(replace(like, projection=_map("shared", reads=True), path=None), folder)


def rescoring_aligner(like, folder, *, reads=False, n_hits=20) -> kakehashi.Aligner:
    """Make an aligner of mode keep with a second map of the same pairs, saved, loaded and bound.

    Args:
        reads: whether the second map reads n-grams of both sides.
    """
    from kakehashi.projection.rescoring import Rescoring

    rescoring = Rescoring(_map("shared", reads=reads), n_hits)
    both = {"projection": _map("keep", reads=False), "rescoring": rescoring}
    return _bound(replace(like, mode="keep", path=None, **both), folder)


def _bound(made, folder):
    return kakehashi.Aligner.load(made.save(folder)).with_encoders(**ENCODERS)


def _map(mode, *, reads):
    from kakehashi.projection.cca import cca
    from kakehashi.projection.moments import Moments, Spectrum
    from kakehashi.projection.ngrams import CharacterNgrams
    from kakehashi.training.features import FeatureSet

    features = FeatureSet(mode)
    if reads:
        ngrams = CharacterNgrams(64)
        prior = np.zeros((32 + 64, 24 + 64))
        prior[32:, 24:] = np.eye(64)
        features = FeatureSet(mode, {"source": ngrams, "target": ngrams}, prior=prior)
    read = features.read(encoded())
    spectrum = Spectrum(Moments.of(read.source_vectors, read.target_vectors), features.prior)
    shrunk = {"reg_source": 1.0, "reg_target": 1.0, "power": 1.0, "directions": 20}
    return features.finish(cca(spectrum, mode, **shrunk, prior=0.2 if reads else 0.0))


def embed(aligner, texts, modality, role) -> np.ndarray:
    """Embed texts in a role, by the method that is named after it."""
    method = aligner.embed_queries if role == "query" else aligner.embed_documents
    return method(texts, modality=modality)
