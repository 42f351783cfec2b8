"""Which parts of an index answer, as the notes of migrations say."""

import threading
from types import SimpleNamespace

import pytest

from kakehashi.errors import AlignerMismatchError, DataError, DegradedWarning
from kakehashi.retrieval.move_following import MoveFollower
from kakehashi.retrieval.move_note import MoveNote


def note(state, source="old"):
    return MoveNote(source, "f" * 64, state, 3, "2026-12-01T00:00:00+00:00").to_json()


class Part:
    """A part whose note a test writes; ``asked`` counts the readings."""

    def __init__(self, name, note=None, collection=None, aligner="e" * 64):
        self.space = SimpleNamespace(fingerprint=aligner)
        self.name, self.said, self.asked, self._collection = name, note, 0, collection

    def collection(self):
        return self._collection

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


def test_a_chain_of_moves_is_followed():
    second, third = Part("second", note("live", "first")), Part("third", note("live", "second"))
    assert answering([Part("first"), second, third]) == ["third"]
    third.said = note("copying", "second")
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
    new = Part("new", OSError("no route"))
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


@pytest.mark.parametrize("state", ["copying", "verified", "live", "rolled back"])
def test_an_old_part_is_not_asked_through_the_map_that_moved_it(state):
    """While the new part is live, the old one is silent: the fault would show at a way back."""
    parts = [Part("old", aligner="f" * 64), Part("new", note(state), aligner="f" * 64)]
    with pytest.raises(AlignerMismatchError, match=r"'old'.*moved its vectors into the part 'new'"):
        answering(parts)
