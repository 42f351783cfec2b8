"""A hybrid search finds what scoring every document would give."""

import numpy as np
import pytest

from kakehashi.retrieval.calibration import Calibration
from kakehashi.retrieval.conditional_logit import ScoreWeights
from kakehashi.retrieval.document_modality import search_store
from kakehashi.retrieval.fusion import fusion_of
from kakehashi.retrieval.hits import Hit
from kakehashi.retrieval.hybrid_search import HybridSearch
from kakehashi.retrieval.lexical_search import LexicalSearch
from kakehashi.retrieval.query import Query
from kakehashi.retrieval.search import SearchRequest

NAMES = ("ja", "fr", "en")
WORDS = ["pump", "valve", "tank", "seal", "filter", "gasket", "flange", "nozzle", "FX-200", "E17"]


class Store:
    """A vector store over some documents; a document may stand in it more than once."""

    def __init__(self, name, rows, similarity, modalities, *, split=True, declared=False):
        self.name, self._rows, self._similarity, self._modalities = (
            name,
            rows,
            similarity,
            modalities,
        )
        self._split, self._names = split, (modalities[rows[0]],) if declared else NAMES
        self.searches = 0

    def find(self, request, n, *, per_modality):
        def searched(part, depth):
            self.searches += 1
            rows = [r for r in self._rows if part is None or self._modalities[r] == part]
            rows.sort(key=lambda r: -self._similarity[r])
            return [
                Hit(str(r), r, self._modalities[r], self.name, raw=s, similarity=s)
                for r in rows[:depth]
                for s in (float(self._similarity[r]),)
            ]

        parts = NAMES if per_modality and self._split and len(self._names) > 1 else ()
        return search_store(searched, n, parts=parts, modalities=self._names)


class LexicalStore:
    name = "words"

    def __init__(self, texts, modalities):
        rows = range(len(texts))
        keys = [str(row) for row in rows]
        self._words = LexicalSearch("words", rows, texts=texts, keys=keys, modalities=modalities)

    def find(self, request, n, *, per_modality):
        return self.find_text(request.text, n)

    def find_text(self, text, n):
        return self._words.find(text, n, None)


class World:
    """Documents of three modalities at random, and weights that make any of them the best."""

    def __init__(self, seed, n=240):
        self.rng = rng = np.random.default_rng(seed)
        shares = rng.dirichlet([0.5] * len(NAMES))
        self.modalities = rng.choice(NAMES, n, p=shares).tolist()
        level = dict(zip(NAMES, rng.uniform(0, 0.6, len(NAMES)), strict=True))
        self.similarity = (
            np.array([level[s] for s in self.modalities]) + rng.permutation(n) * 0.4 / n
        )
        self.texts = [" ".join(rng.choice(WORDS, rng.integers(1, 5))) for _ in range(n)]
        for row in rng.choice(n, 6):
            self.texts[row] += " MTR-6300"
        weights = {
            (q, d): ScoreWeights(*rng.uniform([5, -2, 0, -3], [15, 0, 4, 3]))
            for q in NAMES
            for d in NAMES
        }
        self.calibration = Calibration(weights, weights, 100)
        self.text = " ".join(rng.choice([*WORDS, "MTR-6300"], 2))

    def expected(self, rows, *, words):
        """Score every document."""
        lexical = LexicalStore(self.texts, self.modalities) if words else None
        found = None if lexical is None else lexical.find_text(self.text, 1)
        scores = {}
        named = {} if found is None else found.named
        for modality in NAMES:
            own = [row for row in sorted(set(rows)) if self.modalities[row] == modality]
            near = self.similarity[own]
            place = [1 + int((near > s).sum()) for s in near]
            share = None if found is None else [found.share_of((str(r), modality)) for r in own]
            if not found or not found.hits:
                share = None
            lift = np.array([named.get((str(row), modality), 0.0) for row in own])
            near = near + lift * (near.max(initial=0) - near)
            place = np.array(place) ** (1 - lift)
            scored = 2 * lift + self.calibration.scores(
                near, place, share, query="en", document=modality
            )
            scores |= zip(own, scored, strict=True)
        return sorted(scores.items(), key=lambda row: -row[1])

    def check(self, searches, k, *, words=False):
        rows = [row for search in searches if isinstance(search, Store) for row in search._rows]
        hybrid = HybridSearch(fusion_of("calibrated", self.calibration), "raise")
        query = Query(np.zeros(1, np.float32), "en", "declared")
        found = hybrid.run(searches, SearchRequest(query, self.text, k)).documents
        expected = self.expected(rows, words=words)
        assert [f.score for f in found] == pytest.approx([score for _, score in expected[:k]])
        by_row = dict(expected)  # what is named alike scores alike, and may come in any order
        assert [f.score for f in found] == pytest.approx([by_row[f.payload] for f in found])
        assert len({f.payload for f in found}) == min(k, len(by_row))


@pytest.mark.parametrize("seed", range(30))
def test_one_store_that_is_split_or_only_searched_deeper(seed):
    world = World(seed)
    for split in (True, False):
        store = Store("all", list(range(240)), world.similarity, world.modalities, split=split)
        for k in (1, 3, 8):
            world.check([store], k)


@pytest.mark.parametrize("seed", range(30))
def test_words_beside_vectors(seed):
    """What only words have found is searched for; what vectors have found has its words."""
    world = World(seed)
    store = Store("all", list(range(240)), world.similarity, world.modalities)
    for k in (1, 3, 8):
        world.check([store, LexicalStore(world.texts, world.modalities)], k, words=True)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("words", [False, True])
def test_stores_that_overlap_and_hold_copies(seed, words):
    world = World(seed)
    of = lambda share: (world.rng.permutation(240)[: int(240 * share)]).tolist()  # noqa: E731
    first = of(0.6)
    rows = {"a": first + first[:40] * 2, "b": of(0.5)}
    rows["c"] = sorted(set(range(240)) - set(rows["a"]) - set(rows["b"])) or [0]
    searches = [Store(name, own, world.similarity, world.modalities) for name, own in rows.items()]
    if words:
        searches.append(LexicalStore(world.texts, world.modalities))
    for k in (1, 4):
        world.check(searches, k, words=words)


@pytest.mark.parametrize("seed", range(10))
def test_a_store_for_each_modality(seed):
    world = World(seed)
    searches = []
    for modality in set(world.modalities):
        rows = [row for row, own in enumerate(world.modalities) if own == modality]
        searches.append(Store(modality, rows, world.similarity, world.modalities, declared=True))
    for k in (1, 3, 8, 300):
        world.check(searches, k)


def test_words_are_shares_of_the_best_of_each_modality():
    """A part number in the other language is not measured by all the words of the query's own."""
    texts = ["ポンプ FX-200", "弁を開く", "check the pump FX-200", "open the pump", "open it"]
    modalities = ["ja", "ja", "en", "en", "en"]
    words = LexicalStore(texts, modalities)
    found = words.find_text("check the pump FX-200", 1)
    assert {hit.payload: hit.lexical for hit in found.hits} == {0: 1.0, 2: 1.0}
    assert [hit.payload for hit in found.hits] == [2, 0]  # by BM25 itself
    assert set(found.last_hits) == {"ja", "en"}
    assert 0 < found.share_of(("3", "en")) < 1  # not among the first, and known all the same
    assert found.share_of(("1", "ja")) == found.share_of(("4", "en")) == 0
    assert found.share_of(("3", "ja")) is None
    shut_out = words._words.find("check the pump FX-200", 9, [True, True, False, True, True])
    assert shut_out.share_of(("3", "en")) == 1.0
    assert "en" not in shut_out.last_hits


def test_what_is_asked_for_by_number_is_found():
    """However far the vectors have it, and whatever the words were learned to count."""
    n = 2000
    modalities = ["en", "ja"] * (n // 2)
    texts = [f"{'pump' if s == 'en' else 'ポンプ'} {row % 40}" for row, s in enumerate(modalities)]
    wanted = {1500: "Spare part MTR-6300", 1501: "予備品番号はMTR-6300。"}
    for row, text in wanted.items():
        texts[row] = text
    similarity = np.linspace(1, 0, n)
    weights = {(q, d): ScoreWeights(10.0, -1.5, 0.0, 0.0) for q in NAMES for d in NAMES}
    calibration = Calibration(weights, weights, 100, dict.fromkeys(weights, 0.0))
    searches = [
        Store("all", list(range(n)), similarity, modalities),
        LexicalStore(texts, modalities),
    ]
    query = Query(np.zeros(1, np.float32), "ja", "declared")
    for text in ("MTR-6300", "MTR-6300 の在庫は？", "ＭＴＲ－６３００"):
        for method in ("calibrated", "rank"):
            hybrid = HybridSearch(fusion_of(method, calibration), "raise")
            found = hybrid.run(searches, SearchRequest(query, text, 4)).documents
            assert {f.payload for f in found[:2]} == set(wanted), (method, text)
            assert [f.named for f in found] == [1, 1, 0, 0]
    # A number that many hold names nothing, and what is shut out is not let in.
    hybrid = HybridSearch(fusion_of("calibrated", calibration), "raise")
    common = hybrid.run(searches, SearchRequest(query, "pump 7", 4)).documents
    assert [f.payload for f in common] == [0, 1, 2, 3]
    words = searches[1]._words
    assert not words.find("MTR-6300", 4, [row != 1500 for row in range(n)]).named.get(
        ("1500", "en")
    )


class FailingLater(Store):
    """A store that answers once, and is down when it is asked again."""

    def find(self, request, n, *, per_modality):
        if self.searches:
            raise ConnectionError("down")
        return super().find(request, n, per_modality=per_modality)


def test_what_a_search_found_before_it_failed_is_kept():
    world = World(0)
    level = np.array([0.9 if modality == "en" else 0.0 for modality in world.modalities])
    store = FailingLater("all", list(range(240)), world.similarity / 9 + level, world.modalities)
    query = Query(np.zeros(1, np.float32), "en", "declared")
    arguments = [store], SearchRequest(query, world.text, 8)
    found = HybridSearch(fusion_of("rank", None), "degrade").run(*arguments)
    assert len(found.documents) == 8
    assert found.failed == {"all": "ConnectionError: down"}
    with pytest.raises(ConnectionError):
        HybridSearch(fusion_of("rank", None), "raise").run(*arguments)


def test_an_easy_question_is_one_search():
    world = World(0)
    level = dict(zip(NAMES, (0.0, 0.1, 0.2), strict=True))
    even = (
        np.linspace(1, 0, 240) + np.array([level[modality] for modality in world.modalities]) / 1000
    )
    weights = {(q, d): ScoreWeights(10.0, -1.0, 0.0, 0.0) for q in NAMES for d in NAMES}
    world.similarity, world.calibration = even, Calibration(weights, {}, 100)
    store = Store("all", list(range(240)), even, world.modalities)
    world.check([store], 5)
    assert store.searches == 1


def _asked_in_english(weights):
    """A calibration of which only the weights of English questions matter."""
    return Calibration({(q, d): weights["en", d] for q in NAMES for d in NAMES}, {}, 100)


def test_what_is_buried_is_searched_by_itself_and_not_for_ever():
    """A store is asked for each modality, and after three rounds what was found has to do."""
    rows, modalities = list(range(9000)), ["en"] * 8990 + ["ja"] * 10
    similarity = np.linspace(1, 0.5, 9000)
    similarity[-10:] = 0.01
    weights = {
        ("en", modality): ScoreWeights(10.0, 0.0, 0.0, 9.9 if modality == "ja" else 0.0)
        for modality in NAMES
    }
    hybrid = HybridSearch(fusion_of("calibrated", _asked_in_english(weights)), "raise")
    query = Query(np.zeros(1, np.float32), "en", "declared")
    split = Store("all", rows, similarity, modalities)
    found = hybrid.run([split], SearchRequest(query, "", 3)).documents
    assert [f.modality for f in found] == ["ja"] * 3
    assert split.searches == 1 + len(NAMES)
    deeper = Store("all", rows, similarity, modalities, split=False)
    found = hybrid.run([deeper], SearchRequest(query, "", 3)).documents
    assert [f.modality for f in found] == ["en"] * 3  # the ten lie deeper than is looked
    assert deeper.searches == 3


def test_similarities_that_a_store_has_rounded_share_a_place():
    weights = {("en", modality): ScoreWeights(1.0, -1.0, 0.0, 0.0) for modality in NAMES}
    hybrid = HybridSearch(fusion_of("calibrated", _asked_in_english(weights)), "raise")
    query = Query(np.zeros(1, np.float32), "en", "declared")
    store = Store("all", [0, 1, 2], np.array([0.9, 0.5 + 1e-8, 0.5]), ["en"] * 3)
    scores = [f.score for f in hybrid.run([store], SearchRequest(query, "", 3)).documents]
    assert scores == pytest.approx([0.9, 0.5 - np.log(2), 0.5 - np.log(2)], abs=1e-6)
