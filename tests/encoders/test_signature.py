"""The signature of a space: it knows its own vectors, and no others."""

import numpy as np
import pytest

from kakehashi.encoders.signature import SpaceSignature


def space(seed, n=400, d=64):
    """Vectors of an encoder that prefers a few directions, as all of them do."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((d, d)))[0]
    spread = 1 / np.arange(1, d + 1)
    return ((0.3 + rng.standard_normal((n, d))) * spread @ axes).astype(np.float32)


def test_it_knows_vectors_of_its_space_by_a_sample():
    vectors = space(0)
    signature = SpaceSignature.of(vectors[:300])
    assert signature.fits(vectors[300:332])
    assert signature.fits(vectors[300:332].astype(np.float16).astype(np.float32))


@pytest.mark.parametrize("seed", range(1, 9))
def test_it_does_not_know_another_space(seed):
    assert not SpaceSignature.of(space(0)).fits(space(seed)[:32])


def test_another_width_does_not_fit():
    signature = SpaceSignature.of(space(0))
    assert not signature.fits(space(0)[:, :32])


def test_no_vector_can_be_read_out_of_few():
    assert SpaceSignature.of(space(0)[:7]) is None
    few = space(0)[:40]
    assert len(SpaceSignature.of(few).directions) == 5


@pytest.mark.parametrize(
    "broken",
    [np.ones(4, np.float32), np.ones((2, 3), np.float32), np.full((2, 4), np.nan, np.float32)],
)
def test_a_broken_tensor_is_refused(broken):
    with pytest.raises(ValueError, match="signature"):
        SpaceSignature.from_state(broken, 4)
