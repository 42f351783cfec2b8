"""Noise of a service is learned at a fit, and never taken for another model or for roles."""

from dataclasses import replace

import numpy as np
import pytest
from support.noisy import DIMENSION, Noisy, wide_letters
from support.toy_data import hashed_letters, reversed_letters

import kakehashi
from kakehashi.encoders import EncoderIdentity, as_encoder
from kakehashi.encoders.cache import encode_texts
from kakehashi.encoders.first_use import recognised
from kakehashi.encoders.identity import PROBE_ROWS, PROBES
from kakehashi.errors import BundleTamperedError, EncoderMismatchError

REPORTED = [(0, 1), (1e-4, 0.1), (1e-4, 1), (7e-4, 0.1), (7e-4, 1)]
"""The noise that users of services report: root mean square of a coordinate, share of calls."""
SEEDS = range(5)


def identity(rms, share, seed):
    return EncoderIdentity.of(as_encoder(Noisy(rms, share, seed=seed)))


@pytest.mark.parametrize(("rms", "share"), REPORTED)
def test_an_encoder_is_recognised_through_its_own_noise(rms, share):
    for seed in SEEDS:
        known = identity(rms, share, seed)
        served = Noisy(rms, share, seed=1000 + seed)
        recognised(as_encoder(served), known, "source")
        assert not known.tells_roles


@pytest.mark.parametrize("shift", [0.0125, 0.04, 0.25])
@pytest.mark.parametrize(("rms", "share"), REPORTED)
def test_another_model_is_refused_through_noise(rms, share, shift):
    """A shift of .012 is bfloat16, .04 a change of the weights by 1%, .25 a prompt."""
    for seed in SEEDS:
        known = identity(rms, share, seed)
        served = as_encoder(Noisy(rms, share, seed=1000 + seed, shift=shift))
        with pytest.raises(EncoderMismatchError, match="another model"):
            recognised(served, known, "source")


def test_a_service_with_two_answers_is_recognised_by_either():
    def answer(which):
        return as_encoder(lambda texts: wide_letters(texts) + 7e-4 * (next(which) % 3 == 0))

    known = EncoderIdentity.of(answer(iter(range(100))))
    for start in (0, 1, 2):
        recognised(answer(iter(range(start, 100))), known, "source")


def test_noise_beyond_the_cap_is_refused_and_said():
    known = identity(5e-3, 1, 0)
    with pytest.raises(EncoderMismatchError, match=r"own answers to one text lie 0\.1\d\d apart"):
        recognised(as_encoder(Noisy(5e-3, 1, seed=1, shift=0.1)), known, "source")


def test_roles_are_told_through_noise():
    class Prompted(Noisy):
        model = "prompted"

        def embed_documents(self, texts):
            return self(texts)

        def embed_query(self, text):
            return self([f"query: {text}"])[0]

    assert EncoderIdentity.of(as_encoder(Prompted(7e-4))).tells_roles


def test_a_deterministic_encoder_keeps_one_answer_and_a_noisy_one_all():
    steady = EncoderIdentity.of(as_encoder(wide_letters))
    assert steady.probes.shape == (PROBE_ROWS, DIMENSION)
    assert steady.noise == 0
    noisy = identity(7e-4, 1, 0)
    assert noisy.probes.shape == (6 * PROBE_ROWS, DIMENSION)
    assert noisy.noise == pytest.approx(7e-4 * DIMENSION**0.5, rel=0.2)


@pytest.mark.parametrize(("rms", "at_fit", "at_first_use"), [(0, 3, 1), (7e-4, 6, 6)])
def test_the_cost_of_recognising_is_bounded_and_paid_once(rms, at_fit, at_first_use):
    def answers(service):
        assert {len(call) for call in service.calls} == {len(PROBES), 1}
        return len(service.calls) / 2

    service = Noisy(rms)
    encoder = as_encoder(service)
    known = EncoderIdentity.of(encoder)
    assert EncoderIdentity.of(encoder).matches(known)
    assert answers(service) == at_fit
    other_process = Noisy(rms, seed=1)
    encoder = as_encoder(other_process)
    for _ in range(2):
        recognised(encoder, known, "source")
    assert answers(other_process) == at_first_use


def test_a_model_of_a_framework_is_asked_once_however_often_it_is_passed():
    class Service(Noisy):
        model = "service"

        def embed_documents(self, texts):
            return self(texts)

        def embed_query(self, text):
            return self([text])[0]

    service = Service(0)
    held = as_encoder(service)
    known = EncoderIdentity.of(held)
    asked = len(service.calls)
    assert as_encoder(service) is held
    recognised(as_encoder(service), known, "source")
    assert len(service.calls) == asked


def test_a_cache_knows_a_noisy_encoder_again(tmp_path):
    texts, cache = ["pump", "valve"], tmp_path / "vectors.sqlite"
    first = encode_texts(as_encoder(Noisy(7e-4), name="x"), texts, "query", cache=cache)
    service = Noisy(7e-4, seed=1)
    second = encode_texts(as_encoder(service, name="x"), texts, "query", cache=cache)
    assert np.array_equal(first, second)
    assert texts not in service.calls
    other = Noisy(7e-4, seed=2, shift=0.04)
    encode_texts(as_encoder(other, name="x"), texts, "query", cache=cache)
    assert sorted(texts) in [sorted(call) for call in other.calls]


@pytest.fixture
def noisy_aligner(text_aligner):
    service = as_encoder(narrow(), name="service")
    identities = {**text_aligner.identities, "source": EncoderIdentity.of(service)}
    return replace(text_aligner, identities=identities, path=None)


def narrow(**changes):
    return Noisy(2e-3, encode=hashed_letters, **changes)


def test_a_saved_aligner_keeps_the_noise(noisy_aligner, tmp_path):
    loaded = kakehashi.Aligner.load(noisy_aligner.save(tmp_path / "aligner"))
    known, again = (a.identities["source"] for a in (noisy_aligner, loaded))
    assert len(known.answers) == 6
    assert np.array_equal(known.probes, again.probes)
    loaded.with_encoders(source_encoder=narrow(seed=5)).embed_query("pump")
    for other in (narrow(seed=5, shift=0.04), reversed_letters):
        with pytest.raises(EncoderMismatchError):
            loaded.with_encoders(source_encoder=other).embed_query("pump")


@pytest.mark.parametrize("rows", [0, 5, 7])
def test_a_record_without_whole_answers_is_refused(noisy_aligner, rows, tmp_path):
    source = noisy_aligner.identities["source"]
    source = replace(source, probes=source.probes[:rows])
    broken = replace(noisy_aligner, identities={**noisy_aligner.identities, "source": source})
    with pytest.raises(BundleTamperedError, match=f"{rows} rows of the source are no answers"):
        kakehashi.Aligner.load(broken.save(tmp_path / "aligner"))
