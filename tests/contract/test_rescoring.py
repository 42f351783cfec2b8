"""One contract for rescored searches, over every vector store of both frameworks.

The first hits of a store come in the order that brute force over the second map gives them.
"""

import asyncio
import warnings
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from llama_index.core.vector_stores.types import VectorStoreQueryMode
from support import vector_stores
from support.frameworks import EVERY, FRAMEWORKS, Entry, LangChain, Shop
from support.toy_data import machine_pairs, reversed_letters

from kakehashi.errors import DataError, DegradedWarning
from kakehashi.integrations import langchain, llama_index
from kakehashi.multi_aligner import MultiAligner
from kakehashi.retrieval.answer_probability import AnswerProbability
from kakehashi.retrieval.bm25 import LexicalIndex
from kakehashi.retrieval.calibration import Calibration, ScoreWeights
from kakehashi.retrieval.projected_documents import PROJECTED
from kakehashi.types import SIDES
from kakehashi.vectors import unit_rows

pytestmark = pytest.mark.slow  # stores take seconds to import

N_HITS = 20
QUERY = "check the valve 2"


@pytest.fixture(scope="module")
def aligner(keeping_aligner):
    """Calibrated by hand: by similarity and a few words."""
    weights = {pair: ScoreWeights(10.0, -0.1, 1.0, 0.0) for pair in product(SIDES, SIDES)}
    scored = replace(keeping_aligner, calibration=Calibration(weights, weights, 100))
    return scored.with_encoders(target_encoder=unit_letters)


def unit_letters(texts):
    """The toy encoder at unit length, so that every metric gives one order."""
    return unit_rows(reversed_letters(texts))


@pytest.fixture(scope="module")
def corpus():
    """Eighty documents of the target, and a few of the source."""
    pairs = machine_pairs()
    targets = [Entry(t, "target", "abc"[i % 3], i) for i, t in enumerate(pairs.target_texts)]
    return targets + [Entry(t, "source", "s", i) for i, t in enumerate(pairs.source_texts[:6])]


@pytest.fixture(scope="module")
def shops(aligner, corpus, tmp_path_factory, chroma_server):
    made = {}

    def shop(framework, name):
        if (framework, name) not in made:
            f = FRAMEWORKS[framework]
            folder = tmp_path_factory.mktemp("stores")
            driver = f(aligner)
            driver.embeddings.query_modality = "source"
            made[framework, name] = Shop(driver, f.stores[name], corpus, folder, chroma_server)
        return made[framework, name]

    return shop


@pytest.fixture(params=EVERY, ids=lambda p: f"{p[0]}: {p[1]}")
def shop(request, shops):
    return shops(*request.param)


def expected(aligner, entries, *, n_hits=N_HITS):
    """The texts of the target and their scores, by brute force: the first hits in a new order."""
    texts = [e.text for e in entries if e.modality == "target"]
    query, vectors = aligner.prepare_query(QUERY, "source"), aligner.embed_documents(texts)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    first = np.argsort(-unit @ query.vector, kind="stable")[:n_hits]
    again = aligner.rescoring.documents(vectors[first]) @ query.rescoring
    order = np.argsort(-again, kind="stable")
    return [(texts[row], float(s)) for row, s in zip(first[order], again[order], strict=True)]


def plain_retriever(shop, store, k=7, **options):
    """The retriever over one store."""
    if isinstance(shop.f, LangChain):
        return langchain.AlignedRetriever(
            vectorstore=store, embeddings=shop.f.embeddings, k=k, **options
        )
    return llama_index.AlignedRetriever(store, shop.f.embeddings, similarity_top_k=k, **options)


def filtered(shop, **wanted):
    if isinstance(shop.f, LangChain):
        return {"search_kwargs": {"filter": wanted}}
    return {"filters": shop.f.filter(**wanted)}


OWN_CLIENT = (vector_stores.li_qdrant, vector_stores.li_milvus, vector_stores.lc_milvus)
"""Stores whose async search needs a client of its own, in one event loop."""


def answers(shop, retriever):
    """What is found, after a look that the async search finds the same."""
    found = shop.f.search(retriever, QUERY)
    of_one = (llama_index.AlignedRetriever, langchain.AlignedRetriever)
    if shop.make in OWN_CLIENT and isinstance(retriever, of_one):
        return found
    assert shop.texts(asyncio.run(shop.f.asearch(retriever, QUERY))) == shop.texts(found)
    return found


@pytest.mark.parametrize("k", [7, 30])
def test_the_first_hits_are_in_the_order_of_brute_force(k, shop, aligner, corpus):
    wanted = expected(aligner, corpus, n_hits=max(k, N_HITS))[:k]
    targets = shop.of("target")
    assert shop.texts(answers(shop, plain_retriever(shop, targets, k))) == [t for t, _ in wanted]
    for fusion in ("rank", "calibrated"):
        searches = [shop.f.vectors(targets, modality="target")]
        found = answers(shop, shop.f.retriever(searches, k=k, fusion=fusion))
        assert shop.texts(found) == [text for text, _ in wanted]
        said = [shop.said(d) for d in found]
        assert [s["similarity"] for s in said] == pytest.approx([s for _, s in wanted], abs=1e-3)
        assert (said[0]["unrescored"] is None) == (fusion == "rank")


def test_filters_restrict_what_is_rescored(shop, aligner, corpus):
    if shop.make is vector_stores.li_faiss:
        pytest.skip("knows no metadata")
    wanted = expected(aligner, [e for e in corpus if e.part == "b"])
    of_part = filtered(shop, part="b")
    retriever = plain_retriever(shop, shop.of("target"), **of_part)
    assert shop.texts(answers(shop, retriever)) == [text for text, _ in wanted[:7]]
    searches = [shop.f.vectors(shop.of("target"))]
    found = shop.ask(QUERY, searches, filter=shop.f.filter(part="b"))
    assert shop.texts(found) == [text for text, _ in wanted[:7]]


def test_rescore_takes_false_and_a_number_of_hits(shop, aligner, corpus):
    targets = shop.of("target")
    for n_hits in (1, 9):
        wanted = [text for text, _ in expected(aligner, corpus, n_hits=max(n_hits, 3))]
        retriever = plain_retriever(shop, targets, 3, rescore=n_hits)
        assert shop.texts(answers(shop, retriever)) == wanted[:3]
        found = shop.ask(QUERY, [shop.f.vectors(targets, rescore=n_hits)], k=3)
        assert shop.texts(found) == wanted[:3]
    off = plain_retriever(shop, targets, 3, rescore=False)
    alone = replace(aligner, rescoring=None)
    f = type(shop.f)(alone)
    f.embeddings.query_modality = "source"
    without = plain_retriever(Shop(f, shop.make, corpus, None, None), targets, 3)
    assert shop.texts(answers(shop, off)) == shop.texts(answers(shop, without))


def test_documents_of_the_source_keep_their_scores(shop, aligner, corpus):
    """They are projected ones. Of the target, all that rescoring wants are found beside them."""
    wanted = expected(aligner, corpus)
    found = answers(shop, shop.f.retriever([shop.f.vectors(shop.mixed)], k=len(corpus)))
    every = expected(aligner, corpus, n_hits=len(corpus))
    of_target = [shop.f.text(d) for d in found if shop.said(d)["modality"] == "target"]
    assert of_target == [text for text, _ in every]
    off = shop.ask(QUERY, [shop.f.vectors(shop.mixed, rescore=False)], k=len(corpus))
    for rows in (found, off):
        assert len(rows) == len(corpus)
    kept, plain = (
        {shop.f.text(d): shop.said(d)["similarity"] for d in rows if is_source(shop, d)}
        for rows in (found, off)
    )
    assert kept == pytest.approx(plain)
    few = shop.ask(QUERY, [shop.f.vectors(shop.mixed)], k=4, fusion="rank")
    firsts = [shop.f.text(d) for d in few if shop.said(d)["modality"] == "target"]
    assert firsts == [text for text, _ in wanted[: len(firsts)]]


def test_documents_of_both_modalities_have_scores_of_one_scale(shop, aligner, corpus):
    """Of the target that of the second map; of the source that of their place among them."""
    scores = dict(expected(aligner, corpus, n_hits=len(corpus)))
    found = answers(shop, plain_retriever(shop, shop.mixed, len(corpus)))
    assert len(found) == len(corpus)
    if isinstance(shop.f, LangChain):  # shows no scores, and keeps a part of the list by them
        least = float(np.median(list(scores.values())))
        kept = answers(shop, plain_retriever(shop, shop.mixed, 86, score_threshold=least))
        assert shop.texts(kept) == shop.texts(found)[: len(kept)]
        assert 0 < len(kept) < len(found)
        return
    given = [row.score for row in found]
    assert given == sorted(given, reverse=True)
    for row in found:
        if row.node.metadata["modality"] == "target":
            assert row.score == pytest.approx(scores[row.node.text], abs=1e-3)


def is_source(shop, document):
    return shop.said(document)["modality"] == "source"


def test_words_beside_a_rescored_search(shop, aligner, corpus):
    """A document that words alone find stands behind the list that was rescored."""
    targets = [e for e in corpus if e.modality == "target"]
    searches = [shop.f.vectors(shop.of("target"), rescore=5), shop.f.words(targets)]
    found = answers(shop, shop.f.retriever(searches, k=5))
    by_vector = dict(expected(aligner, corpus, n_hits=5))
    for document in found:
        said = shop.said(document)
        assert said["similarity"] == pytest.approx(by_vector.get(shop.f.text(document)), abs=1e-3)
    wanted = reference_with_words(aligner, targets, by_vector)
    assert [shop.said(d)["score"] for d in found] == pytest.approx(wanted[:5], abs=1e-2)


def reference_with_words(aligner, targets, by_vector):
    """The scores of all documents, the best first; the unknown similarities are the last one."""
    bm25 = np.array(LexicalIndex([e.text for e in targets]).scores(QUERY))
    ordered = sorted(by_vector.values(), reverse=True)
    scores = []
    for entry, share in zip(targets, bm25 / bm25.max(), strict=True):
        similarity = by_vector.get(entry.text)
        place = len(ordered) + 1 if similarity is None else ordered.index(similarity) + 1
        known = ordered[-1] if similarity is None else similarity
        scores.append(10 * known - 0.1 * np.log(place) + share)
    return sorted(scores, reverse=True)


PLAIN = [("langchain", "in memory"), ("llama_index", "simple")]


@pytest.fixture(params=PLAIN, ids=lambda p: p[0])
def plain(request, shops):
    return shops(*request.param)


def test_where_a_store_gives_no_vectors_the_target_encoder_does(plain, aligner, corpus, no_vectors):
    wanted = [text for text, _ in expected(aligner, corpus)][:7]
    targets = plain.of("target")
    with warnings.catch_warnings():
        warnings.simplefilter("error", DegradedWarning)
        assert plain.texts(answers(plain, plain_retriever(plain, targets))) == wanted
        assert plain.texts(plain.ask(QUERY, [plain.f.vectors(targets)])) == wanted


def test_a_warning_says_once_that_nothing_gives_vectors(plain, aligner, corpus, no_vectors):
    targets, f = plain.of("target"), type(plain.f)
    off = plain.texts(plain.ask(QUERY, [plain.f.vectors(targets, rescore=False)]))
    blind = f(replace(aligner, encoders={"source": aligner.encoders["source"]}, _verified=set()))
    blind.embeddings.query_modality = "source"
    shop = Shop(blind, plain.make, corpus, None, None)
    one = plain_retriever(shop, targets)
    for retriever in (one, shop.f.retriever([shop.f.vectors(targets)], k=7)):
        with pytest.warns(DegradedWarning, match="gives no stored vectors"):
            assert shop.texts(shop.f.search(retriever, QUERY)) == off
        with warnings.catch_warnings():
            warnings.simplefilter("error", DegradedWarning)
            assert shop.texts(answers(shop, retriever)) == off


def test_an_encoder_that_fails_leaves_the_first_order(plain, aligner, corpus, no_vectors):
    down = []

    def fails(texts):
        if down:
            raise OSError("the service is down")
        return unit_letters(texts)

    shop = Shop(type(plain.f)(aligner.with_encoders(target_encoder=fails)), plain.make, *NOWHERE)
    shop.f.embeddings.query_modality = "source"
    retriever = plain_retriever(shop, plain.of("target"))
    off = answers(shop, plain_retriever(shop, plain.of("target"), rescore=False))
    down.append(True)
    with pytest.warns(DegradedWarning, match="OSError: the service is down"):
        assert shop.texts(answers(shop, retriever)) == shop.texts(off)
    down.clear()
    wanted = [text for text, _ in expected(aligner, corpus)][:7]
    assert shop.texts(answers(shop, retriever)) == wanted


NOWHERE = (None, None, None)


@pytest.fixture
def no_vectors(monkeypatch):
    """Stores search as before, and give no vector of a hit."""
    for module in (langchain.searches, llama_index.searches):
        monkeypatch.setattr(module, "stored_vectors", lambda store, hits: [None] * len(hits))
    monkeypatch.setattr(langchain.searches, "search_with_vectors", lambda store: None)
    PROJECTED.clear()


@pytest.mark.parametrize("rescore", [0, -1, 1001, 2.5, "yes", None])
def test_rescore_is_checked(rescore, plain):
    with pytest.raises(ValueError, match="give True, False, or a number of hits, 1 to 1000"):
        plain_retriever(plain, plain.of("target"), rescore=rescore)
    with pytest.raises(ValueError, match="give True, False, or a number of hits, 1 to 1000"):
        plain.f.retriever([plain.f.vectors(plain.of("target"), rescore=rescore)])


def test_a_number_of_hits_needs_a_second_map(plain, aligner, corpus):
    without = Shop(type(plain.f)(replace(aligner, rescoring=None)), plain.make, corpus, None, None)
    with pytest.raises(ValueError, match="holds no second map"):
        plain_retriever(without, plain.of("target"), rescore=20)
    with pytest.raises(ValueError, match="holds no second map"):
        without.f.retriever([without.f.vectors(plain.of("target"), rescore=20)])


def test_a_least_probability_is_that_of_rescored_scores(plain, aligner):
    probability = AnswerProbability(1.0, 0.0, 0.5)
    answers_of = dict.fromkeys(SIDES, probability)
    judged = replace(aligner, calibration=replace(aligner.calibration, answers=answers_of))
    shop = Shop(type(plain.f)(judged), plain.make, None, None, None)
    targets, off = plain.of("target"), {"rescore": False, "min_score": 0.5}
    with pytest.raises(ValueError, match="which rescore=False turns off; drop one"):
        plain_retriever(shop, targets, **off)
    with pytest.raises(ValueError, match="which rescore=False turns off; drop one"):
        shop.f.retriever([shop.f.vectors(targets, rescore=False)], min_score=0.5)
    shop.f.embeddings.query_modality = "source"
    found = shop.f.search(plain_retriever(shop, targets, min_score=0.9), QUERY)
    wanted = expected(judged, [Entry(t, "target", "a", 0) for t in machine_pairs().target_texts])
    again = [probability.of(10 * s - 0.1 * np.log(n)) for n, (_, s) in enumerate(wanted, 1)]
    assert len(found) == sum(p >= 0.9 for p in again[:7])


def test_diversity_is_chosen_by_the_stored_vectors(plain):
    """A search by MMR is not rescored, and refuses a number of hits to rescore."""
    targets = plain.of("target")
    mmr = {"search_type": "mmr"}
    if not isinstance(plain.f, LangChain):
        mmr = {"vector_store_query_mode": VectorStoreQueryMode.MMR}
    found = answers(plain, plain_retriever(plain, targets, **mmr))
    off = answers(plain, plain_retriever(plain, targets, rescore=False, **mmr))
    assert plain.texts(found) == plain.texts(off)
    with pytest.raises(DataError if mmr.keys() - {"search_type"} else ValueError, match="drop one"):
        plain_retriever(plain, targets, rescore=20, **mmr)


def test_thresholds_and_scores_are_of_the_second_map(plain, aligner, corpus):
    wanted = expected(aligner, corpus)
    targets = plain.of("target")
    if isinstance(plain.f, LangChain):
        least = (wanted[2][1] + wanted[3][1]) / 2
        retriever = plain_retriever(plain, targets, score_threshold=least)
        assert plain.texts(answers(plain, retriever)) == [text for text, _ in wanted[:3]]
        return
    scores = [row.score for row in answers(plain, plain_retriever(plain, targets))]
    assert scores == pytest.approx([score for _, score in wanted[:7]], abs=1e-5)


def test_each_source_of_a_multi_aligner_has_its_own_map(aligner, corpus):
    """A source without a second map is searched as before; a number serves those with one."""
    other = replace(aligner, rescoring=None, path=None)
    space = MultiAligner({"letters": aligner, "plain": other}, target="target")
    store = LangChain(aligner).filled(
        vector_stores.lc_in_memory, [e for e in corpus if e.modality == "target"], None, None
    )
    wanted = [text for text, _ in expected(aligner, corpus)][:7]
    for rescore in (True, N_HITS):
        retriever = langchain.AlignedRetriever(
            vectorstore=store, embeddings=space, k=7, rescore=rescore
        )
        found = retriever.invoke(QUERY, modality="letters")
        assert [document.page_content for document in found] == wanted
        off = retriever.model_copy(update={"rescore": False}).invoke(QUERY, modality="letters")
        assert retriever.invoke(QUERY, modality="plain") == off != found
