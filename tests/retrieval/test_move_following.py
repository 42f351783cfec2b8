"""Which parts of an index answer, as the notes of migrations say."""

import json
import threading
from types import SimpleNamespace

import pytest

from kakehashi.errors import AlignerMismatchError, DataError, DegradedWarning
from kakehashi.retrieval.move_following import MoveFollower
from kakehashi.retrieval.move_note import MoveNote

ALIGNER = "f" * 64
"""The aligner that moved the vectors."""


def note(state, source="old", aligner=ALIGNER, **known):
    at = "2026-12-01T00:00:00+00:00"
    return MoveNote(source, aligner, state, 3, at, **known).to_json()


class Part:
    """A part whose note a test writes; ``asked`` counts the readings."""

    def __init__(self, name, note=None, collection=None, aligner=None, id=None, dimension=8):
        given = ("e" * 64 if note is None else ALIGNER) if aligner is None else aligner
        self.space = SimpleNamespace(fingerprint=given, output_dimension=dimension)
        self.name, self.said, self.asked, self._collection = name, note, 0, collection
        self._id = id

    def collection(self):
        return self._collection

    def identity(self):
        return self._id

    def note(self):
        self.asked += 1
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def answering(parts):
    return [*MoveFollower(parts, 10.0).now().answering]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (None, ["old", "new"]),
        ("copying", ["old", "new"]),
        ("verified", ["old", "new"]),
        ("live", ["new"]),
        ("rolled back", ["old"]),
    ],
)
def test_the_state_tells_which_parts_answer(state, expected):
    old, new = Part("old"), Part("new", state and note(state))
    assert answering([old, new]) == expected
    assert answering([new, old]) == [name for name in ("new", "old") if name in expected]
    copied_from = MoveFollower([old, new], 10.0).now().copied_from
    assert copied_from == ({"new": "old"} if state in ("copying", "verified") else {})


def test_the_source_is_known_by_its_collection_or_else_by_its_name():
    live = note("live", "manual")
    assert answering([Part("a", collection="manual"), Part("b", live)]) == ["b"]
    assert answering([Part("manual"), Part("b", live)]) == ["b"]
    renamed = [Part("manual"), Part("a", collection="manual"), Part("b", live)]
    assert answering(renamed) == ["manual", "b"]


def test_a_source_that_is_out_of_reach_is_known_by_its_name():
    old = Part("old")
    old.collection = Part("", OSError("no route")).note
    assert answering([old, Part("new", note("live"))]) == ["new"]


def test_a_part_that_is_no_source_answers_beside_a_live_one():
    assert answering([Part("other"), Part("new", note("live"))]) == ["other", "new"]


def test_an_index_of_the_same_name_is_not_the_source():
    """Its store gave it another id; or, where a store gives none, it has another dimension."""
    known = {"source_id": "1", "source_dimension": 8}
    for other in (Part("manual", id="2"), Part("a", collection="manual", dimension=9)):
        live = Part("new", note("live", "manual", **known))
        assert answering([other, live]) == [other.name, "new"]
        old = Part("old", collection="renamed", id="1", dimension=8)
        assert answering([other, old, live]) == [other.name, "new"]
        copying = Part("new", note("copying", "manual", **known))
        standing = MoveFollower([other, old, copying], 10.0).now()
        assert standing.copied_from == {"new": "old"}
        with pytest.raises(DataError, match="has the name and is another index: its"):
            answering([other, copying])


def test_notes_without_an_id_are_read_by_the_name():
    older = json.loads(note("live"))
    del older["source_id"], older["source_dimension"], older["caught_up"]
    assert answering([Part("old", id="1"), Part("new", json.dumps(older))]) == ["new"]
    out_of_reach = Part("old")
    out_of_reach.identity = Part("", OSError("no route")).note
    assert answering([out_of_reach, Part("new", note("live", source_id="1"))]) == ["new"]


def test_a_chain_of_moves_is_followed():
    second = Part("second", note("live", "first"))
    third = Part("third", note("live", "second", "d" * 64), aligner="d" * 64)
    assert answering([Part("first"), second, third]) == ["third"]
    third.said = note("copying", "second", "d" * 64)
    assert answering([Part("first"), second, third]) == ["second", "third"]


@pytest.mark.parametrize("state", ["copying", "verified", "rolled back"])
def test_a_copy_without_its_source_is_refused(state):
    with pytest.raises(DataError, match=r"being filled from 'old'.*name='old'"):
        answering([Part("new", note(state))])


def test_notes_are_read_at_most_once_in_so_many_seconds_or_when_told():
    old, new, clock = Part("old"), Part("new", note("copying")), Clock()
    follower = MoveFollower([old, new], 10.0, clock=clock)
    for clock.now in (0, 5, 9.9):
        assert [*follower.now().answering] == ["old", "new"]
    assert new.asked == 1
    new.said = note("live")
    assert [*follower.now().answering] == ["old", "new"]
    clock.now = 10
    assert [*follower.now().answering] == ["new"]
    new.said = note("rolled back")
    assert [*follower.read().answering] == ["old"]
    assert new.asked == 3


@pytest.mark.parametrize("failure", [OSError("no route"), "no note of ours"])
def test_what_a_note_said_before_holds_on_where_it_cannot_be_read(failure):
    new = Part("new", note("live"))
    follower = MoveFollower([Part("old"), new], 0.0)
    assert [*follower.now().answering] == ["new"]
    new.said = failure
    with pytest.warns(DegradedWarning, match="it said 'live'"):
        standing = follower.now()
    assert [*standing.answering] == ["new"]
    assert not standing.unknown
    new.said = note("rolled back")
    assert [*follower.now().answering] == ["old"]


def test_a_part_whose_note_was_never_read_does_not_answer_and_is_asked_again_at_once():
    new = Part("new", OSError("no route"), aligner=ALIGNER)
    follower = MoveFollower([Part("old"), new], 10.0, clock=Clock())
    standing = follower.now()
    assert [*standing.answering] == ["old"]
    assert [*standing.unknown] == ["new"]
    new.said = note("live")
    assert [*follower.now().answering] == ["new"]


def test_of_many_threads_one_reads_and_the_others_go_on_with_the_last_reading():
    new, clock = Part("new", note("copying")), Clock()
    follower = MoveFollower([Part("old"), new], 10.0, clock=clock)
    follower.now()
    reading, go_on = threading.Event(), threading.Event()

    def slow():
        reading.set()
        assert go_on.wait(10)
        return note("live")

    new.note, clock.now = slow, 20
    thread = threading.Thread(target=follower.now)
    thread.start()
    assert reading.wait(10)
    assert [*follower.now().answering] == ["old", "new"]
    go_on.set()
    thread.join()
    assert [*follower.now().answering] == ["new"]


def test_a_note_that_takes_too_long_is_not_waited_for():
    new, go_on = Part("new"), threading.Event()
    new.note = go_on.wait
    standing = MoveFollower([Part("old"), new], 10.0, timeout=0.01).now()
    go_on.set()
    assert [*standing.unknown] == ["new"]


@pytest.mark.parametrize("every", [-1, "10", float("nan"), True])
def test_seconds_between_readings_are_checked(every):
    with pytest.raises(DataError, match="follow_every"):
        MoveFollower([Part("old")], every)


@pytest.mark.parametrize("state", ["copying", "verified", "rolled back"])
def test_a_new_part_is_not_asked_through_a_map_that_did_not_move_it(state):
    """Rolled back, it is silent: the fault would show at the next switch."""
    parts = [Part("old"), Part("new", note(state), aligner="d" * 64)]
    with pytest.raises(AlignerMismatchError, match=r"'new' is asked through .*'ffffffffffff' has"):
        answering(parts)
    parts[1].said = note("live")  # the index is checked by itself at its first search
    assert answering(parts) == ["new"]


@pytest.mark.parametrize("state", ["copying", "verified", "live", "rolled back"])
def test_an_old_part_is_not_asked_through_the_map_that_moved_it(state):
    """While the new part is live, the old one is silent: the fault would show at a way back."""
    parts = [Part("old", aligner="f" * 64), Part("new", note(state), aligner="f" * 64)]
    with pytest.raises(AlignerMismatchError, match=r"'old'.*moved its vectors into the part 'new'"):
        answering(parts)
