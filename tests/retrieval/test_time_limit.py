"""A time limit: what is late is dropped, and what fails fails as it would have."""

import threading
from contextvars import ContextVar

import pytest

from kakehashi.errors import DataError, SearchTimeoutError
from kakehashi.retrieval.time_limit import call_within, check_timeout

NAME = ContextVar("name", default="")


def test_a_call_in_time_returns_what_it_returns_and_sees_its_context():
    NAME.set("here")
    assert call_within(20, NAME.get, "it") == "here"


def test_a_call_in_time_raises_what_it_raises():
    with pytest.raises(ZeroDivisionError):
        call_within(20, lambda: 1 // 0, "it")


def test_a_late_call_is_given_up():
    never = threading.Event()
    with pytest.raises(SearchTimeoutError, match=r"the search 'a' took more than 0.01 s"):
        call_within(0.01, never.wait, "the search 'a'")
    never.set()


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), "1", True])
def test_what_is_no_time_is_refused(wrong):
    with pytest.raises(DataError, match=r"timeout=.*; give seconds for each search"):
        check_timeout(wrong)
    check_timeout(None)
