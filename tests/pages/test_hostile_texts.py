"""Texts of others reach the page as texts: no markup, nothing that cannot be written, no flood."""

from dataclasses import replace

import pytest

import kakehashi
from kakehashi.pages import write_report

SCRIPT = "<script>alert('x')</script>"
EVIL = f'{SCRIPT} "><img src=x onerror=alert(1)> {{{{ 7 * 7 }}}} $\\frac{{1}}{{2}}$ & \u202e'


@pytest.fixture(scope="module")
def page(keeping_aligner, tmp_path_factory):
    long = "long " * 20_000
    texts = [f"{EVIL} {i}" for i in range(12)] + [f"{i}" for i in range(11)] + [long]
    pairs = kakehashi.Pairs(
        texts,
        [f"answer {text}" for text in texts[::-1]],
        groups=[EVIL] * 12 + ["b"] * 12,
        name=EVIL,
        licence=EVIL,
    )
    aligner = replace(
        keeping_aligner,
        data=replace(keeping_aligner.data, name=f"{EVIL}\ud800", licence="\udfff"),
        report=replace(keeping_aligner.report, notes=(f"{EVIL}\ud800",), reason=EVIL),
    )
    path = write_report(
        aligner, pairs, tmp_path_factory.mktemp("page") / "r.html", questions=[EVIL, long, "x"]
    )
    return path.read_text(encoding="utf-8")


def test_no_text_becomes_markup(page):
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "<img" not in page
    assert "49" not in page.partition("<h2")[0]
    assert "{{ 7 * 7 }}" in page


def test_what_cannot_be_seen_is_written_as_an_escape(page):
    assert "\u202e" not in page
    assert "\\u202e" in page
    assert "\\ud800" in page


def test_long_texts_are_cut_and_their_length_is_named(page):
    assert len(page) < 500_000
    assert "letters)" in page
