from functools import partial
from pathlib import Path

import numpy as np
import pytest

from kakehashi import Pairs, fit
from kakehashi.data.duplicates import find_leaks, same_vectors
from kakehashi.errors import DataError, PairsError
from kakehashi.evaluation import compare, evaluate, learning_curve, measure_robustness


def test_every_finding_names_its_row():
    with pytest.raises(PairsError, match=r"row 1, source: empty text; row 2, target: only white"):
        Pairs(["a", "", "c"], ["x", "y", "  "])


def test_dropping_reports_the_rows():
    pairs = Pairs(["a", "", "c", "\ud800"], ["x", "y", "z", "w"], on_invalid="drop")
    assert pairs.source_texts == ("a", "c")
    assert pairs.validation.dropped == (1, 3)


@pytest.mark.parametrize(
    ("value", "problem"), [(np.nan, "NaN"), (np.inf, "infinite"), (0.0, "all zeros")]
)
def test_bad_vectors_are_found(value, problem):
    x = np.ones((4, 3), np.float32)
    x[2] = value
    with pytest.raises(PairsError, match=f"row 2, target: vector .*{problem}"):
        Pairs(source_vectors=np.ones((4, 3)), target_vectors=x)


def test_mixed_dimensions_name_the_odd_row():
    with pytest.raises(PairsError, match="row 1, source: vector of dimension 2"):
        Pairs(source_vectors=[[1.0, 2, 3], [1.0, 2], [1.0, 2, 3]], target_vectors=np.ones((3, 2)))


def test_lengths_must_agree():
    with pytest.raises(PairsError, match="source_texts has 2, target_texts has 1"):
        Pairs(["a", "b"], ["x"])


def test_duplicates_are_kept_and_reported_unless_asked():
    texts = ["a", "b", "a"], ["x", "y", "z"]
    assert [str(f) for f in Pairs(*texts).validation.findings] == [
        "row 2, source: duplicate (of row 0)"
    ]
    assert len(Pairs(*texts, on_duplicate="drop")) == 2
    with pytest.raises(PairsError, match="on_duplicate='drop'"):
        Pairs(*texts, on_duplicate="raise")


def test_the_hash_is_of_the_set_not_of_the_order():
    one = Pairs(["a", "b"], ["x", "y"])
    assert one.content_hash == Pairs(["b", "a"], ["y", "x"]).content_hash
    assert one.content_hash != Pairs(["a", "b"], ["y", "x"]).content_hash


def test_leaks_are_found_on_either_side():
    train = Pairs(["a", "b", "c"], ["x", "y", "z"])
    assert list(find_leaks(train, Pairs(["a", "q"], ["r", "z"]))) == [0, 2]


def around_a_mean(n, dimension, cosine, seed=0):
    """Vectors that are independent but for a common mean, so that any two have this cosine."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((n, dimension))
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    mean = np.zeros(dimension)
    mean[0] = 1
    return (np.sqrt(cosine) * mean + np.sqrt(1 - cosine) * own).astype(np.float32)


@pytest.mark.parametrize("cosine", [0.0, 0.9, 0.99, 0.998])
@pytest.mark.parametrize("dimension", [32, 384])
def test_vectors_are_the_same_but_for_rounding_however_close_all_are(cosine, dimension):
    x = around_a_mean(600, dimension, cosine)
    for quantised in (False, True):
        assert len(same_vectors(x[:500], x[500:], quantised=quantised)) == 0
    noise = 1e-7 * np.random.default_rng(1).standard_normal(x.shape).astype(np.float32)
    for again in (x + noise, x.astype(np.float16), 3 * x, 1e-6 * x):
        assert list(same_vectors(x, again[100:200])) == list(range(100, 200))


def in_eight_bits(x):
    return np.round(x / np.abs(x).max(axis=1, keepdims=True) * 127)


@pytest.mark.parametrize("cosine", [0.0, 0.5])
def test_a_copy_in_eight_bits_is_found_where_texts_cannot_tell(cosine):
    mean, own = around_a_mean(1, 384, 0.0, seed=1), around_a_mean(2000, 384, 0.0)
    x = np.sqrt(cosine) * mean + np.sqrt(1 - cosine) * own
    y = around_a_mean(2000, 384, 0.0, seed=2)
    rough = in_eight_bits(x).astype(np.float32)
    assert len(same_vectors(x, rough[:500])) < 250
    found = same_vectors(x, rough[:500], quantised=True)
    assert len(found) > 490
    assert set(found) <= set(range(500))
    train = Pairs(source_vectors=x, target_vectors=y)
    copy = Pairs(source_vectors=rough[:500], target_vectors=in_eight_bits(y[:500]))
    assert set(range(495)) - set(find_leaks(train, copy)) == set()
    texts = [f"text {i}" for i in range(2000)]
    named = Pairs(texts, source_vectors=x, target_vectors=y)
    other = Pairs(texts[500:1000], source_vectors=rough[:500], target_vectors=y[-500:])
    assert set(range(500, 1000)) <= set(find_leaks(named, other))
    assert len(set(range(500)) & set(find_leaks(named, other))) < 250


def test_vectors_that_are_all_the_same_are_found_and_none_among_none():
    x = np.tile(around_a_mean(1, 8, 0.5), (30, 1))
    assert len(same_vectors(x, x[:3])) == 30
    assert len(same_vectors(x, x[:0])) == len(same_vectors(x[:0], x)) == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("mine.csv", r"got str; read the file with kakehashi.read_pairs\('mine.csv'\)"),
        (Path("mine.csv"), r"got .*Path; read the file with kakehashi.read_pairs\('mine.csv'\)"),
        ([("a", "b")], r"got list; make them with kakehashi.Pairs"),
        (None, "got NoneType; make them"),
    ],
)
def test_whatever_takes_pairs_refuses_a_path(given, said, aligner, vector_pairs):
    takers = [learning_curve, partial(compare, vector_pairs), partial(evaluate, aligner)]
    takers += [lambda pairs: compare(pairs, vector_pairs), partial(measure_robustness, aligner)]
    if given is not None:
        takers += [fit, lambda pairs: fit(vector_pairs, validation=pairs)]  # fit takes none
        takers += [lambda pairs, f=f: f(vector_pairs, test=pairs) for f in (fit, learning_curve)]
    for taker in takers:
        with pytest.raises(DataError, match=rf"expected Pairs, {said}"):
            taker(given)
