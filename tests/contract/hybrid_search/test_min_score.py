"""min_score and timeout: what is unlikely is left out, and what is late is given up."""

import asyncio
import threading
from dataclasses import dataclass, replace

import pytest
from support.frameworks import QUERIES, LangChain

from kakehashi import Aligner
from kakehashi.errors import DataError, DegradedWarning, SearchTimeoutError
from kakehashi.integrations import langchain, llama_index
from kakehashi.retrieval.answer_probability import AnswerProbability
from kakehashi.retrieval.calibration import Calibration
from kakehashi.retrieval.multi_calibration import combine_calibrations
from kakehashi.types import SIDES

LEAST = 0.4


@pytest.fixture(scope="module")
def likely(aligner) -> Aligner:
    """The aligner with probabilities that split the documents of a question."""
    answers = dict.fromkeys(SIDES, AnswerProbability(1.0, 0.0, LEAST))
    return replace(aligner, calibration=replace(aligner.calibration, answers=answers))


@pytest.fixture
def f(plain, likely):
    return type(plain.f)(likely)


def alone(f, store, **fields):
    """The retriever of a single store or index."""
    if isinstance(f, LangChain):
        return langchain.AlignedRetriever(vectorstore=store, embeddings=f.embeddings, k=7, **fields)
    return llama_index.AlignedRetriever(store, f.embeddings, similarity_top_k=7, **fields)


def texts(f, found):
    return [f.text(document) for document in found]


@pytest.mark.parametrize("query", QUERIES, ids=["ja", "en"])
@pytest.mark.parametrize("words", [False, True], ids=["vectors", "and words"])
def test_documents_below_the_least_probability_are_left_out(plain, f, corpus, query, words):
    searches = [f.vectors(plain.mixed), *([f.words(corpus)] if words else [])]
    found = f.search(f.retriever(searches), query)
    said = [f.metadata(d)["kakehashi"]["probability"] for d in found]
    assert min(said) < LEAST < max(said)
    for least, named in ((LEAST, "recommended"), (LEAST, LEAST), (0.0, 0), (1.0, 1)):
        retriever = f.retriever(searches, min_score=named)
        expected = [f.text(d) for d, p in zip(found, said, strict=True) if p >= least]
        assert texts(f, f.search(retriever, query)) == expected
        assert texts(f, asyncio.run(f.asearch(retriever, query))) == expected
    if not words:
        single = alone(f, plain.of("target"), min_score="recommended")
        hybrid = f.retriever([f.vectors(plain.of("target"))], min_score="recommended")
        expected = texts(f, f.search(hybrid, query))
        assert texts(f, f.search(single, query)) == expected
        assert texts(f, asyncio.run(f.asearch(single, query))) == expected


def test_a_document_that_holds_the_part_number_is_kept(plain, f, corpus):
    noted = [*corpus, replace(corpus[0], text="MTR-6300 は3個", page=99)]
    searches = [f.vectors(plain.mixed), f.words(noted)]
    found = f.search(f.retriever(searches, min_score=1), "MTR-6300")
    assert texts(f, found) == ["MTR-6300 は3個"]


def test_what_tells_no_probability_refuses_a_least_one(plain, f, aligner, corpus):
    search = f.vectors(plain.mixed)
    with pytest.raises(ValueError, match="fusion by rank does not tell; take"):
        f.retriever([search], fusion="rank", min_score=0.5)
    with pytest.raises(ValueError, match="min_score needs a search by vector"):
        f.retriever([f.words(corpus)], min_score=0.5)
    for wrong in (1.5, "best"):
        with pytest.raises(ValueError, match="min_score"):
            f.retriever([search], min_score=wrong)
        with pytest.raises(ValueError, match="min_score"):
            alone(f, plain.mixed, min_score=wrong)
    bare = replace(aligner, calibration=replace(aligner.calibration, answers={}))
    unlearned = type(f)(bare)
    with pytest.raises(ValueError, match="has learned no probability that a document answers"):
        unlearned.retriever([search], min_score=0.5)
    assert all(
        plain.said(d)["probability"] is None
        for d in unlearned.search(unlearned.retriever([search]), QUERIES[0])
    )


def test_an_aligner_keeps_its_probabilities_and_several_share_the_target(likely, tmp_path):
    again = Aligner.load(likely.save(tmp_path / "aligner"))
    assert again.calibration.answers == likely.calibration.answers
    assert again.retrieval_fingerprint == likely.retrieval_fingerprint
    other = replace(
        likely.calibration, answers=dict.fromkeys(SIDES, AnswerProbability(3.0, 1.0, 0.5))
    )
    both = combine_calibrations({"ja": likely.calibration, "fr": other}, "en")
    assert both.answers["fr"] == (3.0, 1.0, 0.5)
    assert both.answers["en"] == pytest.approx((2.0, 0.5, (LEAST + 0.5) / 2))
    assert combine_calibrations({"ja": replace(other, answers={}), "fr": other}, "en").answers == {}
    for wrong in ([0.0, 0.0, 0.5], [1.0, 0.0, 1.5], [1.0, float("nan"), 0.5]):
        record = {**likely.calibration.to_dict(), "answers": dict.fromkeys(SIDES, wrong)}
        with pytest.raises(ValueError, match="a probability of the calibration cannot be"):
            Calibration.from_dict(record)


# timeout


NEVER = threading.Event()


class Hanging:
    """A search that does not come back."""

    def find(self, request, n, *, per_modality):
        NEVER.wait(60)


class HangingInLangChain(Hanging, langchain.VectorSearch):
    pass


@dataclass(frozen=True)
class HangingInLlamaIndex(Hanging, llama_index.VectorSearch):
    pass


def test_a_search_that_hangs_is_given_up(plain):
    f, store = plain.f, plain.mixed
    hanging = (
        HangingInLangChain(vectorstore=store, name="slow")
        if isinstance(f, LangChain)
        else HangingInLlamaIndex(store, "slow")
    )
    searches = [hanging, f.vectors(store)]
    expected = plain.rows(plain.ask(QUERIES[0], searches[1:]))
    degrading = f.retriever(searches, on_error="degrade", timeout=0.2)
    for search in (f.search, lambda *asked: asyncio.run(f.asearch(*asked))):
        with pytest.warns(DegradedWarning, match=r"'slow' failed .* took more than 0.2 s"):
            assert plain.rows(search(degrading, QUERIES[0])) == expected
    with pytest.raises(SearchTimeoutError, match=r"the search 'slow' took more than 0.01 s"):
        f.search(f.retriever(searches, timeout=0.01), QUERIES[0])
    with pytest.raises(ValueError, match=r"timeout=0.*; give seconds"):
        f.retriever(searches, timeout=0)


def test_a_probability_is_learned_by_a_fit(aligner):
    """A hundred and fifty pairs are few; where it is learned, both modalities have one."""
    answers = aligner.calibration.answers
    assert set(answers) in (set(), set(SIDES))
    for answer in answers.values():
        assert answer.slope > 0
        assert 0 < answer.recommended < 1


def test_the_least_probability_may_not_go_with_another_threshold(shops):
    shop = shops("langchain", "in memory")
    for field in ({"score_threshold": 0.5}, {"search_type": "mmr"}):
        with pytest.raises(ValueError, match="min_score goes with search_type='similarity'"):
            alone(shop.f, shop.mixed, min_score=0.5, **field)
    with pytest.raises(DataError, match="k=0"):
        alone(shop.f, shop.mixed).invoke("pump", k=0)
