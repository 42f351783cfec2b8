"""A second model: what it embeds and keeps, what it finds, and what happens where it fails."""

import multiprocessing
import pickle
import sqlite3
import threading
import warnings

import numpy as np
import pytest
from support.embedding_server import EmbeddingServer
from support.toy_data import hashed_letters, letters_apart, machine_pairs, other_letters

from kakehashi.encoders.cache import encode_texts, key_of
from kakehashi.encoders.identity import EncoderIdentity
from kakehashi.errors import CacheError, DataError, DegradedWarning
from kakehashi.retrieval.hits import Hit
from kakehashi.retrieval.query import Query
from kakehashi.retrieval.search import SearchRequest
from kakehashi.retrieval.second_model import encoder as second_encoder
from kakehashi.retrieval.second_model import model as second_model
from kakehashi.retrieval.second_model.candidates import MAP_SHARE
from kakehashi.retrieval.second_model.model import SecondModel
from kakehashi.retrieval.second_model.side_table import SideTable
from kakehashi.retrieval.second_model.stage import Payloads, SecondStage
from kakehashi.vectors import unit_rows

TEXTS = list(machine_pairs().target_texts)
QUERY = "drain the tank 1"


class Letters:
    """The toy encoder, which counts the documents that it embeds, and fails when told to."""

    name = "letters"

    def __init__(self):
        self.seen, self.error, self.wait = [], None, None
        self.asked, self.refuses = 0, set()

    def encode(self, texts, role="document"):
        if self.error is not None:
            raise self.error
        if role == "document" and texts[0] in INDEX.values():
            self.asked += 1
            if self.refuses & {*texts}:
                raise ValueError("400: a text is too long")
            self.seen += texts
            if self.wait is not None:
                self.wait.wait(10)
        return letters_apart(texts)


INDEX = {f"d{number}": text for number, text in enumerate(TEXTS)}


def as_hit(payload, similarity=None):
    return Hit(payload, payload, "target", "vectors", similarity=similarity)


def stage(model, index=INDEX):
    """The second stage over a dictionary of texts by id; a payload is an id."""

    def by_ids(ids, options):
        return [i for i in ids if i in index and not index[i].startswith(options.get("not", "\0"))]

    return SecondStage(model, Payloads(index.get, str, by_ids))


def ordered(model, ids, k=4, index=INDEX, by_map=None, **options):
    """What the stage returns of hits; those of a map are rescored by it."""
    request = SearchRequest(Query(np.ones(2, np.float32), "source", "declared"), QUERY, k, options)
    hits = [as_hit(name, 0.5 - place / 100) for place, name in enumerate(ids)]
    if by_map is not None:
        hits = [hit._replace(similarity=by_map[hit.payload], rescored=True) for hit in hits]

    def of_map(hits):
        return None if by_map is None else np.array([by_map[hit.payload] for hit in hits])

    return stage(model, index).ordered(request, hits, as_hit, of_map, wanted=k)


def brute_force(ids, index=INDEX):
    texts = [index[name] for name in ids]
    scores = unit_rows(letters_apart(texts)) @ letters_apart([QUERY])[0]
    return [ids[row] for row in np.argsort(-scores, kind="stable")]


def names(hits):
    return [hit.payload for hit in hits]


@pytest.fixture
def encoder():
    return Letters()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "second.sqlite"


def test_the_first_hits_are_ordered_by_the_second_model_and_embedded_once(encoder, path):
    model = SecondModel(encoder, path, n_hits=10)
    first = [*INDEX][:30]
    found = ordered(model, first)
    assert names(found) == brute_force(first[:10])
    assert encoder.seen == TEXTS[:10]
    assert found[0].unrescored in [0.5 - place / 100 for place in range(10)]
    ordered(model, first)
    assert (len(encoder.seen), len(model)) == (10, 10)
    assert len(ordered(model, first, k=12)) == 12
    again = SecondModel(encoder, path, n_hits=10)
    assert names(ordered(again, first)) == brute_force(first[:12])[:12]
    assert len(encoder.seen) == 12


def test_the_second_map_has_its_share_in_the_order(encoder, path):
    """Also for a document that no search found, but that was embedded before."""
    model, names_of_all = SecondModel(encoder, path, n_hits=10), [*INDEX][:30]
    model.embed(names_of_all, [INDEX[name] for name in names_of_all])
    drawn = np.random.default_rng(0).uniform(0, 1, 30)
    by_map = dict(zip(names_of_all, drawn.tolist(), strict=True))
    first = names_of_all[:10]
    candidates = first + [n for n in brute_force(names_of_all)[:10] if n not in first]
    by_model = (
        unit_rows(letters_apart([INDEX[n] for n in candidates]))
        @ unit_rows(letters_apart([QUERY])).ravel()
    )
    mean = (1 - MAP_SHARE) * by_model + MAP_SHARE * np.array([by_map[n] for n in candidates])
    expected = [candidates[row] for row in np.argsort(-mean, kind="stable")]
    found = ordered(model, first, by_map=by_map)
    assert names(found)[:4] == expected[:4]
    assert found[0].similarity == pytest.approx(mean.max())
    assert expected[:4] != [n for n in brute_force(names_of_all) if n in candidates][:4]


def test_documents_that_were_embedded_before_are_found_beside_the_hits(encoder, path):
    model = SecondModel(encoder, path, n_hits=5)
    assert model.embed([*INDEX], TEXTS) == len(TEXTS)
    assert model.embed([*INDEX], TEXTS) == 0
    far = brute_force([*INDEX])[-5:]
    assert names(ordered(model, far))[:5] == brute_force([*INDEX])[:5]
    only_hits = SecondModel(encoder, path, n_hits=5, search_embedded=False)
    assert names(ordered(only_hits, far)) == brute_force(far)


def test_what_was_embedded_fills_a_new_index(encoder, path):
    model = SecondModel(encoder, path)
    model.embed([*INDEX][:60], TEXTS[:60])
    for at_hand in (model, SecondModel(encoder, path)):
        vectors = at_hand.vectors([TEXTS[5], TEXTS[50], TEXTS[5]])
        wanted = unit_rows(letters_apart([TEXTS[5], TEXTS[50], TEXTS[5]]))
        np.testing.assert_allclose(vectors, wanted, atol=1e-6)
    with pytest.raises(DataError, match=r"was not embedded; embed\(ids, texts\)"):
        model.vectors(TEXTS[58:62])


def test_a_filter_holds_for_documents_that_the_search_did_not_return(encoder, path):
    model = SecondModel(encoder, path, n_hits=5)
    model.embed([*INDEX], TEXTS)
    [best, *_] = brute_force([*INDEX])
    far = brute_force([*INDEX])[-5:]
    assert names(ordered(model, far))[0] == best
    assert best not in names(ordered(model, far, **{"not": INDEX[best][:5]}))


def test_a_document_that_was_deleted_or_changed_is_not_found_by_its_old_text(encoder, path):
    model = SecondModel(encoder, path, n_hits=5)
    model.embed([*INDEX], TEXTS)
    [first, second, third, *_] = brute_force([*INDEX])
    far = brute_force([*INDEX])[-5:]
    changed = INDEX | {second: "ANOTHER TEXT ALTOGETHER."}
    del changed[first]
    assert names(ordered(model, far, index=changed))[0] == third
    found = ordered(model, [second, *far], index=changed)
    assert second in names(found)
    assert encoder.seen[-1] != "ANOTHER TEXT ALTOGETHER."  # not in INDEX, so not counted
    assert len(model) == len(INDEX)
    table = SideTable(path)
    table.use(EncoderIdentity.of(encoder))
    nearest = table.nearest(letters_apart(["ANOTHER TEXT ALTOGETHER."])[0], 1)
    assert (nearest[0].id, nearest[0].text) == (second, key_of("ANOTHER TEXT ALTOGETHER."))


def test_a_spent_budget_leaves_documents_at_their_places_and_without_a_score(encoder, path):
    model = SecondModel(encoder, path, n_hits=6, max_texts=3)
    first = [*INDEX][:6]
    found = ordered(model, first)
    assert names(found) == [*brute_force(first[:3]), *first[3:]]
    assert [hit.similarity is None for hit in found] == [False] * 3 + [True] * 3
    assert [hit.unrescored for hit in found[3:]] == pytest.approx([0.47, 0.46, 0.45])
    swapped = [first[5], *first[:3]]
    assert names(ordered(model, swapped)) == [first[5], *brute_force(first[:3])]
    assert ordered(SecondModel(encoder, path.with_name("b"), max_texts=0), first) is None


def test_a_model_that_fails_leaves_the_first_order_with_one_warning(encoder, path, monkeypatch):
    clock, first = [100.0], [*INDEX][:5]
    monkeypatch.setattr(second_model.time, "monotonic", lambda: clock[0])
    model = SecondModel(encoder, path)
    encoder.error = ConnectionError("no route")
    with pytest.warns(DegradedWarning, match="'letters' failed.*ConnectionError: no route"):
        assert ordered(model, first) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ordered(model, first) is None
        encoder.error = None
        assert ordered(model, first) is None  # after two in a row it is not asked for a while
        clock[0] += 31
        assert names(ordered(model, first)) == brute_force(first)
    encoder.error = ConnectionError("again")
    with pytest.warns(DegradedWarning, match="again"):
        ordered(model, first)
    encoder.error = None
    assert names(ordered(model, first)) == brute_force(first)  # one failure is no pause
    encoder.error = ConnectionError("again")
    with pytest.raises(ConnectionError):
        model.embed(["x"], ["a new text"])


def test_a_document_that_the_model_refuses_keeps_its_place_and_costs_no_other(encoder, path):
    first = [*INDEX][:6]
    encoder.refuses = {TEXTS[1], TEXTS[4]}
    found = ordered(SecondModel(encoder, path), first)
    embedded = brute_force([name for name in first if name not in ("d1", "d4")])
    assert names(found) == [embedded[0], "d1", embedded[1], embedded[2], "d4", embedded[3]]
    model = SecondModel(encoder, path)
    ordered(model, first)
    tries = encoder.asked
    for _ in range(3):
        assert names(ordered(model, first))[1] == "d1"
    assert encoder.asked == tries  # it is not asked for them again


def test_a_document_that_is_refused_alone_costs_nothing_and_is_tried_again_later(
    encoder, path, monkeypatch
):
    clock = [100.0]
    monkeypatch.setattr(second_encoder.time, "monotonic", lambda: clock[0])
    model = SecondModel(encoder, path)
    model.embed(["d0", "d1"], TEXTS[:2])
    encoder.refuses = {TEXTS[2]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert names(ordered(model, ["d2", "d0", "d1"]))[0] == "d2"
        encoder.refuses = set()
        assert ordered(model, ["d2", "d0", "d1"])[0].similarity is None
        clock[0] += 601
        assert names(ordered(model, ["d2", "d0", "d1"])) == brute_force(["d0", "d1", "d2"])


def test_a_model_that_takes_too_long_is_not_waited_for_and_its_vectors_are_kept(encoder, path):
    model = SecondModel(encoder, path, timeout=0.1)
    encoder.wait, before = threading.Event(), set(threading.enumerate())
    with pytest.warns(DegradedWarning, match=r"took more than 0\.1 s"):
        assert ordered(model, [*INDEX][:5]) is None
    late = set(threading.enumerate()) - before
    encoder.wait.set()
    for thread in late:
        thread.join(10)
    assert len(SecondModel(encoder, path)) == 5


def test_a_damaged_vector_is_made_again(encoder, path):
    ordered(SecondModel(encoder, path), [*INDEX][:5])
    with sqlite3.connect(path) as database:
        database.execute(
            "UPDATE vectors SET vector = zeroblob(136) WHERE text = ?", (key_of(TEXTS[2]),)
        )
    model = SecondModel(encoder, path)
    assert names(ordered(model, [*INDEX][:5])) == brute_force([*INDEX][:5])
    assert encoder.seen == [*TEXTS[:5], TEXTS[2]]


def test_vectors_of_another_encoder_are_never_taken(encoder, path):
    ordered(SecondModel(encoder, path), [*INDEX][:5])
    other = SecondModel(other_letters, path)
    assert len(other) == 0
    found = ordered(other, [*INDEX][:5])
    texts = TEXTS[:5]
    scores = other_letters(texts) @ other_letters([QUERY])[0]
    assert [hit.similarity for hit in found] == pytest.approx(sorted(scores, reverse=True))
    assert len(SecondModel(encoder, path)) == 5


def test_a_cache_of_a_comparison_serves_as_its_file(encoder, path):
    encode_texts(encoder, TEXTS[:20], "document", cache=path)
    encoder.seen.clear()
    model = SecondModel(encoder, path, n_hits=20)
    assert names(ordered(model, [*INDEX][:20])) == brute_force([*INDEX][:20])
    assert encoder.seen == []
    assert len(encode_texts(encoder, TEXTS[:20], "document", cache=path)) == 20


def test_a_file_of_something_else_is_refused(encoder, path):
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE orders (number INTEGER)")
    with pytest.raises(CacheError, match="orders"):
        SecondModel(encoder, path)


@pytest.mark.slow  # the client takes seconds to import
def test_a_hosted_model_is_paid_for_a_document_once(path):
    openai = pytest.importorskip("langchain_openai")
    with EmbeddingServer(lambda texts, model: letters_apart(texts)) as service:
        hosted = openai.OpenAIEmbeddings(
            model="letters",
            base_url=service.url,
            api_key="none",
            max_retries=0,
            check_embedding_ctx_length=False,
        )
        model = SecondModel(hosted, path, n_hits=8)
        first = [*INDEX][:8]
        assert names(ordered(model, first)) == brute_force(first)
        assert service.calls[-2:] == [[QUERY], TEXTS[:8]]
        n_calls = len(service.calls)
        assert names(ordered(model, first))[:8] == brute_force(first)
        assert service.calls[n_calls:] == [[QUERY]]
        service.answers = [503]
        with pytest.warns(DegradedWarning, match="503"):
            assert ordered(model, first) is None
        assert names(ordered(model, first)) == brute_force(first)


def test_texts_that_no_encoder_reads_keep_their_places(encoder, path):
    index = {"a": TEXTS[0], "b": "", "c": "\ud800", "d": TEXTS[40]}
    found = ordered(SecondModel(encoder, path), [*index], index=index)
    assert names(found)[1:3] == ["b", "c"]


def test_threads_and_processes_share_a_file(encoder, path):
    model = SecondModel(encoder, path, n_hits=8)
    wanted = {start: brute_force([*INDEX][start : start + 8]) for start in range(0, 80, 8)}
    results = {}

    def ask(start):
        hits = ordered(model, [*INDEX][start : start + 8])
        results[start] = [name for name in names(hits) if name in wanted[start]]

    threads = [threading.Thread(target=ask, args=(start,)) for start in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == wanted
    assert len(model) == 80
    child = multiprocessing.get_context("fork").Process(target=_embeds_more, args=(model,))
    child.start()
    child.join(30)
    assert child.exitcode == 0
    assert len(model) == 81


def _embeds_more(model):
    model.embed(["new"], ["A NEW DOCUMENT."])


def test_it_is_pickled_by_its_settings(path):
    model = SecondModel(letters_apart, path, n_hits=7, max_texts=50)
    copy = pickle.loads(pickle.dumps(model))
    assert (copy.n_hits, copy.max_texts, copy.path) == (7, 50, path)
    assert names(ordered(copy, [*INDEX][:5])) == brute_force([*INDEX][:5])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n_hits": 0}, "1 to 1000"),
        ({"n_hits": 2000}, "1 to 1000"),
        ({"max_texts": -1}, "0 or more"),
        ({"timeout": 0}, "more than 0"),
    ],
)
def test_numbers_are_checked(options, said, path):
    with pytest.raises(DataError, match=said):
        SecondModel(hashed_letters, path, **options)
    with pytest.raises(DataError, match="one for each"):
        SecondModel(hashed_letters, path).embed(["a"], ["b", "c"])
