"""Another aligner as a source: what is read of it, and what it adds."""

import numpy as np
import pytest
from support.toy_data import (
    ENCODERS,
    encoded,
    hashed_letters,
    other_letters,
    reversed_letters,
    sentences,
    two_views,
)

from kakehashi import Pairs, fit
from kakehashi.errors import DataError, EncoderMismatchError
from kakehashi.projection.moments import Moments, Spectrum
from kakehashi.training.other_aligner import rows_of_aligner
from kakehashi.types import SIDES

VECTORS = {"learned": False, "ngrams": False, "learn_from": []}


@pytest.mark.parametrize("mode", ["keep", "shared"])
def test_its_rows_have_the_map_as_their_covariance(mode):
    x, y, _ = two_views(300, 16, 12)
    aligner = fit(Pairs(source_vectors=x, target_vectors=y, name="both"), mode=mode, **VECTORS)
    rows = rows_of_aligner(aligner, {})
    assert rows.name == "aligner of both"
    found = Spectrum(Moments.of(rows.source_vectors, rows.target_vectors))
    np.testing.assert_allclose(found.cxx, np.eye(16) / 16, atol=1e-6)
    np.testing.assert_allclose(found.mean_x, 0, atol=1e-6)
    heads = [aligner.projection.source, aligner.projection.target]
    weight = heads[0].weight if mode == "keep" else heads[0].weight @ heads[1].weight.T
    cosine = (found.cxy * weight).sum() / np.linalg.norm(found.cxy) / np.linalg.norm(weight)
    assert cosine > 0.95  # but for the length of a row, which is one


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["keep", "shared"])
def test_it_makes_up_for_few_pairs(mode):
    texts = list(dict.fromkeys(sentences(np.random.default_rng(0), 800)))
    few, test, others = (Pairs(part, part) for part in (texts[:20], texts[30:130], texts[130:]))
    encoders = {"source_encoder": hashed_letters, "target_encoder": other_letters}
    other = fit(others, mode=mode, **encoders, **VECTORS)
    scores = {}
    for given in ([], [other]):
        options = VECTORS | {"learn_from": given}
        report = fit(few, mode=mode, test=test, **encoders, **options).report
        scores[len(given)] = report.candidates["cca"].scores.means["mrr@10"]
    assert report.learned_from["aligner"].weight > 0
    assert scores[1] > scores[0] + 0.1


def test_other_encoders_and_no_map_are_refused():
    pairs = encoded()
    aligner = fit(pairs, **ENCODERS, learned=False, learn_from=[])
    encoders = {"source_encoder": hashed_letters, "target_encoder": lambda t: -reversed_letters(t)}
    with pytest.raises(EncoderMismatchError, match="target"):
        fit(pairs, **encoders, learned=False, learn_from=aligner)
    noise = np.random.default_rng(0).standard_normal((60, 6))
    same = fit(Pairs(source_vectors=noise, target_vectors=noise), learned=False)
    assert same.projection.source is None
    with pytest.raises(DataError, match="leaves vectors as they are"):
        fit(pairs, learn_from=same)


def test_its_ngrams_are_left_out():
    aligner = fit(encoded(), **ENCODERS, learned=False, ngrams=True, learn_from=[])
    rows = rows_of_aligner(aligner, {})
    assert [rows.vectors(side).shape[1] for side in SIDES] == [*aligner.dimensions.values()]


def test_an_aligner_that_knows_the_pairs_that_judge_is_refused():
    pairs = encoded()
    aligner = fit(pairs, **ENCODERS, learned=False, ngrams=False, learn_from=[])
    some = pairs.select(np.arange(0, len(pairs), 2))
    with pytest.raises(DataError, match=f"fitted on {len(some)} of {len(some)} pairs"):
        fit(some, **ENCODERS, learn_from=aligner)
    x, y, _ = two_views(60, 8, 6)
    vectors = Pairs(source_vectors=x, target_vectors=y)
    with pytest.raises(DataError, match="these very pairs"):
        fit(vectors, learn_from=[fit(vectors, **VECTORS)])
    others = Pairs(source_vectors=x[::2], target_vectors=y[::2])
    with pytest.raises(DataError, match="these very pairs"):
        fit(others, test=vectors, learn_from=[fit(vectors, **VECTORS)])
