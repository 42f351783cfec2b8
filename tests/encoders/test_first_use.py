"""The first use of an encoder: one thread at a time, and others do not wait for it."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from support.toy_data import ENCODERS, hashed_letters

from kakehashi.encoders import as_encoder
from kakehashi.encoders.identity import PROBES


class Slow:
    """Encodes once it may; counts how often it was asked for the probe texts."""

    def __init__(self):
        self.may, self.began, self.probed = threading.Event(), threading.Event(), 0

    def __call__(self, texts):
        self.probed += tuple(texts) == PROBES
        self.began.set()
        assert self.may.wait(20)
        return hashed_letters(texts)


def in_thread(aligner, found):
    def use():
        found.append(aligner.embed_query("pump"))

    thread = threading.Thread(target=use)
    thread.start()
    return thread


@pytest.fixture
def slow():
    slow = Slow()
    yield slow
    slow.may.set()


def test_an_unrelated_aligner_does_not_wait_for_the_first_use_of_another(text_aligner, slow):
    waiting = text_aligner.with_encoders(source_encoder=slow)
    thread = in_thread(waiting, [])
    assert slow.began.wait(20)
    other = replace(text_aligner, encoders={}, _verified=set()).with_encoders(**ENCODERS)
    assert len(other.embed_query("pump")) == text_aligner.output_dimension
    assert thread.is_alive()
    slow.may.set()
    thread.join()


def test_threads_of_one_aligner_probe_its_encoder_once(text_aligner, slow):
    aligner, found = text_aligner.with_encoders(source_encoder=slow), []
    threads = [in_thread(aligner, found) for _ in range(8)]
    assert slow.began.wait(20)
    slow.may.set()
    for thread in threads:
        thread.join()
    assert slow.probed == 1
    assert len(found) == 8
    assert all(np.array_equal(vector, found[0]) for vector in found)


def test_an_encoder_may_be_built_on_an_aligner(text_aligner):
    inner = text_aligner.with_encoders(**ENCODERS)
    built = as_encoder(lambda texts: inner.encoder("source").encode(texts), name="built")
    outer = text_aligner.with_encoders(source_encoder=built)
    assert np.array_equal(outer.embed_query("pump"), text_aligner.embed_query("pump"))
