"""While an index is moved, the old part is the truth; then the note says which part answers."""

import asyncio
import threading
from contextlib import ExitStack
from dataclasses import replace

import pytest
from support import vector_stores
from support.parts import FRAMEWORKS, Row, id_of, note, write_note
from support.toy_data import machine_pairs, rescoring_aligner, reversed_letters

from kakehashi.errors import AlignerMismatchError, DataError, DegradedWarning, KakehashiError
from kakehashi.retrieval.move_note import NOTE_KEY, MoveNote
from kakehashi.vectors import unit_rows

pytestmark = pytest.mark.slow  # stores take seconds to import

TEXTS = list(machine_pairs().target_texts)
ROWS = [Row(number, text, {"team": "ab"[number % 2]}) for number, text in enumerate(TEXTS)]
QUERY = "check the valve 2"
NOTED = [("langchain", "chroma"), ("langchain", "qdrant"), ("llama_index", "chroma")]
NOTED += [("llama_index", "qdrant"), ("llama_index", "simple")]
NOTED += [("langchain", "postgres"), ("llama_index", "postgres")]


def unit_letters(texts):
    return unit_rows(reversed_letters(texts))


@pytest.fixture(scope="module")
def aligner(text_aligner, tmp_path_factory):
    made = rescoring_aligner(text_aligner, tmp_path_factory.mktemp("all") / "bridge", n_hits=80)
    return made.with_encoders(target_encoder=unit_letters)


@pytest.fixture(scope="module")
def moved(aligner):
    return aligner.as_shared()


class Move:
    """An index that is being moved: the old part holds everything, the new one what was copied."""

    def __init__(self, framework, store, aligner, moved, copied=ROWS[::2]):
        self.driver = FRAMEWORKS[framework]
        make = self.driver.stores[store]
        self.aligner, self.moved = aligner, moved
        self.old = self.driver.filled(aligner, ROWS, make)
        self.new = self.driver.filled(moved, list(copied), make)

    def state(self, state):
        write_note(self.driver.index(self.new), self.moved, state)

    def retriever(self, **fields):
        parts = [
            self.driver.part(self.old, self.aligner, name="old"),
            self.driver.part(self.new, self.moved, name="new"),
        ]
        return self.driver.retriever(parts, **fields)

    def texts(self, retriever, query=QUERY):
        return [self.driver.text(found) for found in self.driver.ask(retriever, query)]

    def edit(self, number, text, metadata=None):
        self.driver.delete(self.old, [number])
        row = Row(number, text, ROWS[number].metadata if metadata is None else metadata)
        if self.driver is FRAMEWORKS["langchain"]:
            self.driver.add(self.old, [row])
        else:
            self.driver.add(self.old, [row], self.driver.part(self.old, self.aligner).embedding)


@pytest.fixture(params=NOTED, ids=" ".join)
def move(request, aligner, moved):
    return Move(*request.param, aligner, moved)


def test_each_state_is_followed_by_a_retriever_that_was_there_before(move):
    """The new part holds a half: who answers shows in the list."""
    everything = move.texts(move.driver.retriever([move.driver.part(move.old, move.aligner)]))
    half = move.texts(move.driver.retriever([move.driver.part(move.new, move.moved)]))
    assert everything != half
    retriever = move.retriever(follow_every=3600)
    for state, expected, answering in (
        ("copying", everything, ["old", "new"]),
        ("verified", everything, ["old", "new"]),
        ("live", half, ["new"]),
        ("rolled back", everything, ["old"]),
        ("live", half, ["new"]),
    ):
        move.state(state)
        assert [*retriever.follow().answering] == answering
        assert move.texts(retriever) == expected
        assert move.texts(move.retriever()) == expected


def test_while_copying_a_document_comes_as_the_old_part_has_it(move):
    """One was deleted, one has another text, one another team; nobody has copied that yet."""
    move.state("copying")
    best = move.texts(move.retriever())
    numbers = [TEXTS.index(text) for text in best if TEXTS.index(text) % 2 == 0]
    deleted, edited, *_ = numbers
    move.driver.delete(move.old, [deleted])
    move.edit(edited, "QUITE ANOTHER THING")
    found = move.driver.ask(move.retriever(), QUERY)
    assert not {TEXTS[deleted], TEXTS[edited]} & {move.driver.text(d) for d in found}
    assert len({move.driver.id(d) for d in found}) == len(found) == 5
    other = next(row.number for row in ROWS if row.number % 2 == 0 and row.number not in numbers)
    team_of_other = {**ROWS[other].metadata, "team": "b"}
    move.edit(other, ROWS[other].text, team_of_other)
    as_it_was = move.texts(move.retriever(k=80, filter={"team": "a"}))
    assert ROWS[other].text not in as_it_was
    assert ROWS[other].text in move.texts(move.retriever(k=80, filter={"team": "b"}))


def test_without_a_note_the_first_part_counts_and_every_part_adds(move):
    only_new = Row(900, "CHECK THE VALVE 2 AGAIN.", {"team": "a"})
    if move.driver is FRAMEWORKS["langchain"]:
        move.driver.add(move.new, [only_new])
    else:
        move.driver.add(move.new, [only_new], move.driver.part(move.new, move.moved).embedding)
    found = move.driver.ask(move.retriever(k=81), QUERY)
    assert len({move.driver.id(d) for d in found}) == len(found) == 81
    parts_of = {move.driver.id(d): [*move.driver.said(d)["searches"]] for d in found}
    assert parts_of.pop(id_of(900)) == ["new"]
    assert {*map(tuple, parts_of.values())} == {("old",)}


def test_a_copy_alone_is_refused_until_it_is_live(move):
    alone = move.driver.retriever([move.driver.part(move.new, move.moved)], follow_every=0)
    move.state("copying")
    with pytest.raises(DataError, match="being filled from 'old'"):
        move.texts(alone)
    move.state("live")
    assert len(move.texts(alone)) == 5


@pytest.fixture(params=[("langchain", "chroma"), ("llama_index", "chroma")], ids=" ".join)
def chroma(request, aligner, moved):
    return Move(*request.param, aligner, moved)


def fail(*args, **kwargs):
    raise ConnectionError("no route to the server")


def break_part(chroma, which, monkeypatch, how=fail):
    """Let every query of a part fail, as that of a server that restarts does."""
    store = getattr(chroma, which)
    collection = getattr(store, "_collection", None) or store.vector_store._collection
    monkeypatch.setattr(collection, "query", how)


@pytest.mark.parametrize("broken", ["old", "new"])
def test_a_part_that_fails_is_raised_or_the_others_answer(chroma, broken, monkeypatch):
    retriever = chroma.retriever(on_error="degrade")
    whole = chroma.texts(retriever)
    break_part(chroma, broken, monkeypatch)
    with pytest.raises(ConnectionError):
        chroma.texts(chroma.retriever())
    with pytest.warns(DegradedWarning, match=f"search '{broken}' failed"):
        found = chroma.driver.ask(retriever, QUERY)
    assert len(found) == 5
    assert [*chroma.driver.said(found[0])["failed"]] == [broken]
    monkeypatch.undo()
    assert chroma.texts(retriever) == whole


def test_a_part_that_hangs_is_not_waited_for(chroma, monkeypatch):
    go_on = threading.Event()
    retriever = chroma.retriever(on_error="degrade", timeout=0.5)
    chroma.texts(retriever)
    break_part(chroma, "new", monkeypatch, lambda *args, **kwargs: go_on.wait(30))
    with pytest.warns(DegradedWarning, match="SearchTimeoutError"):
        assert len(chroma.texts(retriever)) == 5
    go_on.set()


def test_all_parts_that_fail_raise(chroma, monkeypatch):
    for each in ("old", "new"):
        break_part(chroma, each, monkeypatch)
    with pytest.raises(ConnectionError):
        chroma.texts(chroma.retriever(on_error="degrade"))


def test_a_part_whose_note_was_never_read_does_not_answer(chroma, monkeypatch):
    """Nobody knows whether it is complete; the last note that was read holds on, though."""
    chroma.state("live")
    known = chroma.retriever(on_error="degrade", follow_every=0)
    half = chroma.texts(known)
    unread = chroma.retriever(on_error="degrade")
    store = chroma.new
    collection = getattr(store, "_collection", None) or store.vector_store._collection
    monkeypatch.setattr(collection._client, "get_collection", _only_of_new(collection))
    with pytest.warns(DegradedWarning, match="its note could not be read"):
        found = chroma.driver.ask(unread, QUERY)
    assert {tuple(chroma.driver.said(d)["searches"]) for d in found} == {("old",)}
    with pytest.raises(ConnectionError):
        chroma.texts(chroma.retriever())
    with pytest.warns(DegradedWarning, match="what it said before holds on"):
        assert chroma.texts(known) == half
    monkeypatch.undo()
    assert chroma.texts(unread) == half


def _only_of_new(collection):
    real = collection._client.get_collection

    def get_collection(name, *args, **kwargs):
        if name == collection.name:
            fail()
        return real(name, *args, **kwargs)

    return get_collection


def test_a_collection_of_the_same_name_elsewhere_is_not_the_truth(chroma):
    """Two moves of collections called alike, say: this part is the other one's source."""
    other = chroma.driver.filled(chroma.aligner, ROWS[1::2], chroma.driver.stores["chroma"])
    source = chroma.driver.part(chroma.old, chroma.aligner, name="a")
    known = replace(
        MoveNote.from_json(note(chroma.moved, "copying", source.collection())),
        source_id=source.identity(),
    )
    chroma.driver.index(chroma.new).keep(NOTE_KEY, known.to_json())
    new = chroma.driver.part(chroma.new, chroma.moved, name="new")
    namesake = chroma.driver.part(other, chroma.aligner, name=source.collection())
    standing = chroma.driver.retriever([namesake, source, new]).follow()
    assert standing.copied_from == {"new": "a"}
    with pytest.raises(DataError, match=r"another index: its store gave it the id .*, not"):
        chroma.driver.retriever([namesake, new]).follow()


def test_a_note_of_a_newer_release_is_no_note_of_ours(chroma):
    chroma.driver.index(chroma.new).keep(NOTE_KEY, note(chroma.moved, "live").replace("live", "x"))
    with pytest.raises(DataError, match="newer release"):
        chroma.texts(chroma.retriever())


def test_a_wrong_pairing_is_refused_at_the_first_search(chroma):
    """Each part is asked through the aligner of the other."""
    driver = chroma.driver
    for on_error in ("raise", "degrade"):
        swapped = driver.retriever(
            [
                driver.part(chroma.new, chroma.aligner, name="a"),
                driver.part(chroma.old, chroma.moved),
            ],
            on_error=on_error,
        )
        with pytest.raises(AlignerMismatchError):
            chroma.texts(swapped)


def test_async_queries_and_many_threads_give_the_same_list(chroma):
    chroma.state("copying")
    retriever = chroma.retriever()
    expected = chroma.texts(retriever)
    queries = [QUERY] * 8

    async def ask():
        return await asyncio.gather(*(chroma.driver.aask(chroma.retriever(), q) for q in queries))

    for found in asyncio.run(ask()):
        assert [chroma.driver.text(d) for d in found] == expected
    if chroma.driver is FRAMEWORKS["langchain"]:
        for found in retriever.batch(queries):
            assert [chroma.driver.text(d) for d in found] == expected


def test_parts_that_cannot_be_rescored_are_not_mixed(chroma, monkeypatch):
    """Scores of the first map are on another scale: the part fails, and says why."""
    without = {side: chroma.aligner.encoders[side] for side in ("source",)}
    chroma.aligner = replace(chroma.aligner, encoders=without, _verified=set())
    langchain, llama_index = (
        f"kakehashi.integrations.{f}.searches" for f in ("langchain", "llama_index")
    )
    monkeypatch.setattr(f"{langchain}.search_with_vectors", lambda store: None)
    for module in (langchain, llama_index):
        monkeypatch.setattr(f"{module}.stored_vectors", lambda _, found: [None] * len(found))
    retriever, refused = chroma.retriever(), r"could not be rescored.*target_encoder="
    with pytest.warns(DegradedWarning), pytest.raises(KakehashiError, match=refused):
        chroma.texts(retriever)
    with pytest.raises(KakehashiError, match=refused):  # nothing is tried again
        chroma.texts(retriever)
    with pytest.warns(DegradedWarning, match="search 'old' failed"):
        assert len(chroma.texts(chroma.retriever(on_error="degrade"))) == 5


@pytest.mark.parametrize("framework", ["langchain", "llama_index"])
def test_a_server_that_goes_leaves_the_other_part(framework, aligner, moved, tmp_path):
    """Each part lies on a server of its own; the one of the new part is killed."""
    driver, make = FRAMEWORKS[framework], FRAMEWORKS[framework].stores["chroma over http"]
    stack = ExitStack()
    with vector_stores.chroma_server(tmp_path) as first, stack:
        (tmp_path / "second").mkdir()
        second = stack.enter_context(vector_stores.chroma_server(tmp_path / "second"))
        old = driver.filled(aligner, ROWS[:40], make, server=lambda: first)
        new = driver.filled(moved, ROWS[40:], make, server=lambda: second)
        parts = [driver.part(old, aligner, name="old"), driver.part(new, moved, name="new")]
        retriever = driver.retriever(parts, k=80, on_error="degrade", follow_every=0)
        assert len(driver.ask(retriever, QUERY)) == 80
        stack.close()
        with pytest.warns(DegradedWarning, match="search 'new' failed"):
            found = driver.ask(retriever, QUERY)
        assert {driver.id(d) for d in found} == {row.id for row in ROWS[:40]}
        with pytest.raises(Exception, match=r"(?i)connect"):
            driver.ask(driver.retriever(parts, follow_every=0), QUERY)
