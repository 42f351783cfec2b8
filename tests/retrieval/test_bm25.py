"""BM25: what is a word, and how documents are ranked by the words they share."""

import numpy as np
import pytest

from kakehashi.retrieval.bm25 import bm25_ranks, tokenize

DOCUMENTS = [
    "Close the valve before the pump starts.",
    "Drain the oil from the tank.",
    "The part number is 74HC595.",
    "圧力センサーを交換する。",
    "油圧ポンプの点検",
]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Close the VALVE, now!", ["close", "the", "valve", "now"]),
        ("74HC595 -40", ["74hc595", "40"]),
        ("snake_case", ["snake", "case"]),
        ("圧力計", ["圧力", "力計"]),
        ("弁", ["弁"]),
        ("ポンプA型", ["ポン", "ンプ", "a", "型"]),
        ("ＡＢＣ１２３", ["abc123"]),
        ("ﾎﾟﾝﾌﾟ", ["ポン", "ンプ"]),
        ("밸브 닫기", ["밸브", "닫기"]),
        ("насос", ["насос"]),
        ("--- !?", []),
        ("", []),
        pytest.param("Öldrücke prüfen", ["öldrücke", "prüfen"]),
        pytest.param("हिन्दी", ["हिन्दी"]),
        pytest.param("ปิดวาล์ว", ["ปิ", "ิด", "ดว", "วา", "าล", "ล์", "์ว"]),
    ],
)
def test_text_is_cut_into_words_and_unspaced_scripts_into_bigrams(text, tokens):
    assert tokenize(text) == tokens


def test_a_query_of_a_documents_own_words_finds_it_first():
    queries = ["valve pump", "OIL", "74hc595", "センサー", "点検"]
    assert list(bm25_ranks(queries, DOCUMENTS)) == [1] * 5


def test_japanese_written_at_half_width_finds_what_is_written_at_full_width():
    documents = ["ポンプを止める", "弁を開ける", "ＡＢＣ"]
    assert list(bm25_ranks(["ﾎﾟﾝﾌﾟ", "弁を開", "abc"], documents)) == [1, 1, 1]


@pytest.mark.parametrize("query", ["unheard", "!?", ""])
def test_a_query_that_shares_no_word_ranks_last(query):
    assert list(bm25_ranks([query], DOCUMENTS)) == [len(DOCUMENTS)]


def test_ties_count_against_the_query():
    documents = ["close valve", "close valve", "close valve", "open tank"]
    assert list(bm25_ranks(["valve", "valve", "valve", "tank"], documents)) == [3, 3, 3, 1]


def test_a_document_without_words_is_found_by_nobody():
    assert list(bm25_ranks(["!", "oil"], ["...", "oil"])) == [2, 1]
    assert list(bm25_ranks(["oil", "oil"], ["...", "oil"])) == [2, 1]


@pytest.mark.filterwarnings("ignore:invalid value")
def test_documents_without_any_word_are_found_by_nobody():
    assert list(bm25_ranks(["oil", "!"], ["...", "?"])) == [2, 2]


def formula(queries, documents):
    """Lucene's BM25 with k1=1.5 and b=0.75, written down."""
    corpus = [text.split() for text in documents]
    mean_length = np.mean([len(words) for words in corpus])
    block = np.zeros((len(queries), len(documents)))
    for i, query in enumerate(queries):
        for word in query.split():
            containing = sum(word in words for words in corpus)
            idf = np.log(1 + (len(corpus) - containing + 0.5) / (containing + 0.5))
            for j, words in enumerate(corpus):
                tf = words.count(word)
                block[i, j] += idf * tf / (tf + 1.5 * (0.25 + 0.75 * len(words) / mean_length))
    return block


@pytest.mark.parametrize("n_queries", [40, 300])
def test_ranks_are_those_of_the_formula(n_queries):
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(30)]
    documents = [" ".join(rng.choice(words, rng.integers(1, 12))) for _ in range(n_queries)]
    queries = [" ".join(rng.choice(words, rng.integers(1, 5))) for _ in range(n_queries)]
    exact = formula(queries, documents)
    own = np.diag(exact)[:, None]
    found = bm25_ranks(queries, documents)
    assert (found >= 1 + (exact > own + 1e-4).sum(axis=1)).all()
    assert (found <= (exact >= own - 1e-4).sum(axis=1)).all()
    assert len(set(found)) > 5
