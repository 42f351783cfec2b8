"""Shared fixtures: everything is seeded, nothing reaches the network."""

from __future__ import annotations

import os

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
