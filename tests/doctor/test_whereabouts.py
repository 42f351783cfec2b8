"""Where some documents stand: by metadata, or by their place in the store."""

import numpy as np

from kakehashi.doctor.reading import Sample
from kakehashi.doctor.whereabouts import whereabouts


def sample_of(metadata):
    n = len(metadata)
    vectors = np.ones((n, 2), np.float32)
    return Sample(
        np.arange(n) * 10, [str(i) for i in range(n)], [""] * n, metadata, vectors, vectors
    )


def test_a_field_and_a_range_of_places_are_named():
    sample = sample_of([{"id": i, "batch": "b" if i >= 80 else "a"} for i in range(100)])
    chosen = np.arange(100) >= 80
    assert whereabouts(sample, chosen) == [
        "they are those with batch='b'",
        "they stand at 801 to 991 in the order of the store",
    ]


def test_scattered_documents_have_no_whereabouts():
    sample = sample_of([{"batch": "ab"[i % 3 == 0]} for i in range(100)])
    chosen = np.random.default_rng(0).random(100) < 0.3
    assert whereabouts(sample, chosen) == []


def test_a_few_rows_of_another_part_do_not_hide_the_range():
    chosen = np.arange(200) >= 100
    chosen[3] = True
    assert "they stand at 1,0" in whereabouts(sample_of([{}] * 200), chosen)[0]
