"""What several searches found, as one list."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakehashi.errors import DataError
from kakehashi.retrieval.calibration import Calibration
from kakehashi.retrieval.conditional_logit import ScoreWeights
from kakehashi.retrieval.fusion import fusion_of
from kakehashi.retrieval.hits import Hit, SearchResult
from kakehashi.retrieval.score_scales import SCALES, detect_scale
from kakehashi.types import SIDES

# A query's own modality scores .5 higher for nothing.
PLAIN = {
    (q, d): ScoreWeights(10.0, 0.0, 0.0, -5.0 if q == d else 0.0) for q in SIDES for d in SIDES
}
HYBRID = {key: line._replace(lexical=4.0) for key, line in PLAIN.items()}
CALIBRATION = Calibration(PLAIN, HYBRID, 100)


def vector_hit(key, modality, similarity, search="vectors"):
    return Hit(key, key, modality, search, raw=1 - similarity, similarity=similarity)


def word_hit(key, modality, share):
    return Hit(key, key, modality, "words", raw=9 * share, lexical=share)


def fusion(method="calibrated", calibration=None, weights=None):
    return fusion_of(method, calibration, weights or {})


def fuse(hits, further=None, *, query, k=None, **how):
    """Fuse hits by search; `further`: by search, modalities whose last hit is not the end."""
    return fusion(**how).fuse(searched(hits, further), query, k)


def upper_bounds(found, *, query, **how):
    return fusion(**how).upper_bounds(found, query)


def searched(hits, further=None):
    results = {}
    for name, own in hits.items():
        goes_on = (further or {}).get(name, ())
        shares = {(hit.key, hit.modality): hit.lexical for hit in own}
        of_words = any(share is not None for share in shares.values())
        further_hits = dict.fromkeys(goes_on, own[-1] if own else None)
        results[name] = SearchResult(own, further_hits, shares.get if of_words else None)
    return results


def test_calibrated_scores_put_both_modalities_in_one_list():
    hits = [
        vector_hit("own", "target", 0.8),
        vector_hit("own too", "target", 0.7),
        vector_hit("other", "source", 0.4),
    ]
    fused = fuse({"vectors": hits}, query="target", calibration=CALIBRATION)
    assert [f.payload for f in fused] == ["other", "own", "own too"]
    assert fused[0].score == pytest.approx(4.0)


def test_a_document_of_two_searches_is_one_and_names_both():
    found = {
        "vectors": [vector_hit("a", "target", 0.6), vector_hit("b", "target", 0.7)],
        "words": [word_hit("a", "target", 1.0)],
    }
    first, second = fuse(found, query="target", calibration=CALIBRATION)
    assert (first.payload, second.payload) == ("a", "b")
    assert first.searches == {"vectors": pytest.approx(0.4), "words": 9.0}
    assert (first.similarity, first.lexical) == (0.6, 1.0)
    assert first.score == pytest.approx(6 + 4 - 5)


def test_what_only_the_words_found_is_as_far_as_the_last_of_the_vectors():
    found = {
        "vectors": [vector_hit("a", "target", 0.6), vector_hit("b", "target", 0.3)],
        "words": [word_hit("part number", "target", 1.0)],
    }
    fused = {f.payload: f for f in fuse(found, query="target", calibration=CALIBRATION)}
    assert fused["part number"].score == pytest.approx(3 + 4 - 5)
    assert fused["part number"].similarity is None
    assert "part number" in fuse(found, query="target", calibration=CALIBRATION)[0].payload


def test_what_only_the_words_found_is_as_far_as_all_that_the_vectors_did_not():
    """A store that was searched as it is has passed over nothing nearer than its last hit."""
    found = {
        "vectors": [vector_hit("a", "target", 0.6), vector_hit("b", "source", 0.2)],
        "words": [word_hit("part number", "target", 1.0)],
    }
    how = {"query": "target", "calibration": CALIBRATION}
    fused = {f.payload: f for f in fuse(found, {"vectors": SIDES}, **how)}
    assert fused["part number"].score == pytest.approx(2 + 4 - 5)


def test_what_was_not_found_scores_no_more_than_the_last_hit_would():
    how = {"query": "target", "calibration": CALIBRATION}
    hits = {"vectors": [vector_hit("a", "target", 0.6), vector_hit("b", "target", 0.3)]}
    assert upper_bounds(searched(hits), **how) == {}
    most = upper_bounds(searched(hits, {"vectors": SIDES}), **how)
    assert most == pytest.approx({"source": 3.0, "target": 3 - 5})
    words = [word_hit("x", "target", 1.0), word_hit("y", "target", 0.5)]
    hits = hits | {"words": words}
    # What the vectors have found all of, no words can add to.
    assert upper_bounds(searched(hits, {"words": ["target"]}), **how) == {}
    most = upper_bounds(searched(hits, {"vectors": ["target"], "words": ["target"]}), **how)
    assert most == pytest.approx({"target": 3 + 4 * 0.5 - 5})
    words_alone = upper_bounds(searched({"words": words}, {"words": ["target"]}), **how)
    assert words_alone == pytest.approx({"target": 4 * 0.5 - 5})


def test_what_was_not_found_ranks_behind_all_that_was():
    hits = {
        "vectors": [vector_hit("a", "target", 0.6), vector_hit("a", "target", 0.5)],
        "words": [word_hit("b", "source", 1.0)],
    }
    further = {"vectors": SIDES, "words": ["source"]}
    most = upper_bounds(
        searched(hits, further), query="target", method="rank", weights={"words": 2.0}
    )
    assert most == pytest.approx({"target": 1 / 62, "source": 1 / 61 + 2 / 62})


def test_the_place_among_its_own_modality_counts():
    weights = {key: line._replace(place=-2.0) for key, line in HYBRID.items()}
    calibration = Calibration(weights, weights, 100)
    hits = {
        "vectors": [
            vector_hit("first", "target", 0.6),
            vector_hit("other", "source", 0.5),
            vector_hit("second", "target", 0.4),
            vector_hit("as near", "target", 0.4),
        ],
        "again": [vector_hit("first", "target", 0.6, search="again")],
        "words": [word_hit("named", "target", 1.0)],
    }
    found = searched(hits, {"vectors": SIDES})
    how = {"query": "target", "calibration": calibration}
    scores = {f.payload: f.score for f in fusion(calibration=calibration).fuse(found, "target")}
    assert scores == pytest.approx(
        {
            "first": 6 - 5,
            "second": 4 - 5 - 2 * np.log(2),
            "as near": 4 - 5 - 2 * np.log(2),
            "other": 5.0,
            # No nearer than the last hit, and no better placed than it.
            "named": 4 - 5 + 4 - 2 * np.log(2),
        }
    )
    most = upper_bounds(found, **how)
    assert most["target"] == pytest.approx(4 - 5 - 2 * np.log(2))
    assert most["source"] == pytest.approx(4 - 2 * np.log(2))


def test_rank_fusion_is_reciprocal_and_ranks_each_modality_by_itself():
    found = {
        "vectors": [
            vector_hit("own", "target", 0.9),
            vector_hit("own too", "target", 0.8),
            vector_hit("other", "source", 0.1),
        ],
        "words": [word_hit("other", "source", 1.0)],
    }
    fused = fuse(found, query="target", method="rank", weights={"words": 2.0})
    assert {f.payload: f.score for f in fused} == pytest.approx(
        {"other": 1 / 61 + 2 / 61, "own": 1 / 61, "own too": 1 / 62}
    )
    assert fused[0].payload == "other"


def test_of_equals_what_is_not_of_the_queries_own_modality_comes_first():
    hits = [vector_hit("own", "target", 0.9), vector_hit("other", "source", 0.1)]
    for query, first in (("target", "other"), ("source", "own")):
        fused = fuse({"vectors": hits}, query=query, method="rank")
        assert fused[0].score == fused[1].score
        assert fused[0].payload == first


def test_words_have_the_share_that_was_learned_in_fusion_by_rank():
    shares = {(q, d): 0.4 if q == d else 0.1 for q in SIDES for d in SIDES}
    calibration = Calibration(PLAIN, HYBRID, 100, shares)
    found = {
        "vectors": [vector_hit("own", "target", 0.9), vector_hit("other", "source", 0.1)],
        "words": [word_hit("other", "source", 1.0), word_hit("named", "target", 1.0)],
    }
    how = {"query": "target", "method": "rank", "calibration": calibration}
    assert {f.payload: f.score for f in fuse(found, **how)} == pytest.approx(
        {"other": 1 / 61, "own": 0.6 / 61, "named": 0.4 / 61}
    )
    assert upper_bounds(searched(found, {"words": ["target"]}), **how) == pytest.approx(
        {"target": 0.4 / 62}
    )
    # Alone, or by the caller's weights, a search counts as it did.
    alone = fuse({"words": found["words"]}, **how)
    assert [f.score for f in alone] == pytest.approx([1 / 61, 1 / 61])
    named = {f.payload: f.score for f in fuse(found, **how, weights={"words": 2.0})}
    assert named == pytest.approx({"other": 3 / 61, "own": 1 / 61, "named": 2 / 61})


def test_a_text_that_stands_in_both_modalities_comes_once_as_the_better_copy():
    copies = [vector_hit("FX-200", side, 0.2 if side == "target" else 0.8) for side in SIDES]
    found = {"vectors": [*copies, vector_hit("a", "source", 0.9), vector_hit("b", "target", 0.9)]}
    by_score = fuse(found, query="source", calibration=CALIBRATION)
    assert [f.payload for f in by_score] == ["b", "a", "FX-200"]
    copy = by_score[-1]
    assert (copy.modality, copy.similarity, copy.score) == ("source", 0.8, pytest.approx(3.0))
    by_rank = {f.payload: f.score for f in fuse(found, query="source", method="rank")}
    assert by_rank["FX-200"] == pytest.approx(1 / 61)  # one place, not the sum of two


def test_a_search_that_stopped_before_one_of_the_best_is_not_final():
    ours = fusion(calibration=CALIBRATION)
    hits = {
        "a": [
            vector_hit("x", "target", 0.9, search="a"),
            vector_hit("y", "target", 0.6, search="a"),
        ],
        "b": [vector_hit("z", "target", 0.5, search="b")],
        "words": [word_hit("x", "target", 0.2), word_hit("part number", "target", 1.0)],
    }
    found = searched(hits, {"a": ["target"]})
    best = ours.fuse(found, "source", 1)
    assert [f.payload for f in best] == ["part number"]
    assert ours.not_final(found, "source", best, 1) == {"a"}  # only the words have found it
    words_aside = {name: found[name] for name in "ab"}
    for k, names in ((1, set()), (2, set()), (3, {"a"})):  # z lies beyond what a was asked for
        best = ours.fuse(words_aside, "source", k)
        assert ours.not_final(words_aside, "source", best, k) == names
    every = searched(hits)
    assert ours.not_final(every, "source", ours.fuse(every, "source"), 4) == set()


def test_what_no_vector_search_holds_comes_behind_all_that_they_found():
    """The store of a modality is down, and words alone find its documents."""
    hits = {
        "vectors": [vector_hit("a", "target", 0.6), vector_hit("b", "target", 0.5)],
        "words": [word_hit("c", "source", 1.0)],
    }
    weights = {key: line._replace(place=-2.0) for key, line in HYBRID.items()}
    calibration = Calibration(weights, weights, 100)
    fused = {f.payload: f.score for f in fuse(hits, query="source", calibration=calibration)}
    assert fused["c"] == pytest.approx(5 + 4 - 5 - 2 * np.log(3))


def test_what_cannot_be_fused_says_what_to_do():
    hits = {"vectors": [vector_hit("a", None, 0.5)]}
    with pytest.raises(DataError, match="'a' names no modality"):
        fuse(hits, query="target", calibration=CALIBRATION)
    assert len(fuse(hits, query="target", method="rank")) == 1
    with pytest.raises(DataError, match="There is no calibration of scores"):
        fusion_of("calibrated", None)
    with pytest.raises(DataError, match="fusion='best' is not known"):
        fuse(hits, query="target", method="best")


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(SIDES), st.floats(-1, 1)), max_size=30)
)
def test_every_document_comes_once_and_in_order(rows):
    # A document has one modality.
    side_of = {}
    hits = [vector_hit(str(key), side_of.setdefault(key, side), s) for key, side, s in rows]
    for method in ("calibrated", "rank"):
        fused = fuse({"vectors": hits}, query="source", method=method, calibration=CALIBRATION)
        assert sorted(f.payload for f in fused) == sorted({hit.key for hit in hits})
        scores = [f.score for f in fused]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("name", SCALES)
def test_scores_of_a_store_are_recognised(name):
    true = np.array([0.83, 0.41, 0.12, -0.07])
    given = {
        "similarity": true,
        "negative similarity": -true,
        "cosine distance": 1 - true,
        "squared l2": 2 - 2 * true,
        "l2": np.sqrt(2 - 2 * true),
        "(1 + cosine) / 2": (1 + true) / 2,
        "exp(-cosine distance)": np.exp(true - 1),
        "exp(-squared l2)": np.exp(2 * true - 2),
        "1 / (1 + squared l2)": 1 / (3 - 2 * true),
        "1 / (1 + l2)": 1 / (1 + np.sqrt(2 - 2 * true)),
    }[name]
    assert detect_scale(list(given), list(true)) == name
    assert [SCALES[name](x) for x in given] == pytest.approx(list(true))


def test_scores_of_something_else_are_not_recognised():
    assert detect_scale([17.0, 3.0, 250.0], [0.8, 0.4, 0.1]) is None
