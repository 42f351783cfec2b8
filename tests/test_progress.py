import sys

import pytest

from kakehashi.progress import track


@pytest.fixture(autouse=True)
def _plain(monkeypatch):
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):  # rich takes either for a terminal
        monkeypatch.delenv(name, raising=False)


def test_without_a_terminal_a_stage_is_a_plain_line_written_before_it(capsys):
    stage = track([1, 2, 3], "fits [x]", enabled=True)
    assert next(stage) == 1
    assert capsys.readouterr().err == "fits [x]\n"
    assert list(stage) == [2, 3]
    assert capsys.readouterr().err == ""


def test_a_terminal_shows_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert list(track([1, 2], "fits of a[/b]:smile:", enabled=True)) == [1, 2]
    shown = capsys.readouterr().err
    assert "━" in shown
    assert "fits of a[/b]:smile:" in shown


def test_nothing_is_said_unasked_or_of_no_items(capsys):
    assert list(track([1], "fits", enabled=False)) == [1]
    assert list(track([], "fits", enabled=True)) == []
    assert capsys.readouterr().err == ""
