"""write_report(): one page, by the case of the aligner."""

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from support.toy_data import machine_pairs

import kakehashi
from kakehashi.pages import write_report


class Headings(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.levels, self.void = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))


def heading(page):
    return re.search("<h1>(.*?)</h1>", page)[1]


@pytest.fixture(scope="module")
def helped(keeping_aligner, tmp_path_factory):
    """The page of an aligner that finds what it was fitted for, on other pairs."""
    texts = [
        f"{p} a {t} {n}"
        for p in ("turn", "lift", "grease")
        for t in ("cog", "rod")
        for n in range(12)
    ]
    pairs = kakehashi.Pairs(texts, [t.upper() + "." for t in texts], name="others", licence="CC0")
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(keeping_aligner, pairs, path, trained_on=machine_pairs())
    return path.read_text(encoding="utf-8")


def test_the_page_leads_with_how_many_first_answers_are_right(helped):
    assert re.match(r"<!DOCTYPE html>\s*<html lang=\"en\">", helped)
    assert re.search(r"\d+ of 72 questions", heading(helped)), heading(helped)


def test_the_page_says_which_documents_were_not_searched_as_evaluate_does(helped):
    assert "only documents of the pairs were searched, and a larger index finds less" in helped


def test_headings_are_in_order_and_charts_have_a_title_and_a_text(helped):
    levels = Headings(helped).levels
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    charts = re.findall(r'<svg class="chart" role="img" aria-labelledby="(\S+) (\S+)"', helped)
    assert charts
    for title, about in charts:
        assert re.search(f'<title id="{title}">[^<]+</title>', helped)
        assert re.search(f'<desc id="{about}">[^<]+</desc>', helped)


def test_no_identifier_stands_twice(helped):
    names = re.findall(r'\bid="([^"]+)"', helped)
    assert len(names) == len(set(names))


def test_the_page_loads_nothing_and_runs_nothing(helped):
    assert not re.search(r"<(script|iframe|object|embed|img)\b|@import|url\((?!#)", helped)
    loaded = re.findall(r'(?:src|href)="([^"]+)"', helped)
    assert all(address.startswith(("#", "data:,")) for address in loaded), loaded
    assert len(helped) < 3_000_000


def test_without_pairs_it_shows_the_report_of_the_fit(aligner, tmp_path):
    page = write_report(aligner, None, tmp_path / "r.html").read_text(encoding="utf-8")
    scores = aligner.report.served
    right = round(scores.means["recall@1"] * scores.n_queries)
    assert f"{right} of {scores.n_queries} questions" in heading(page)
    assert "stored vectors" in page
    top, _, rest = page.partition('id="systems"')
    assert "the index is taken to hold" in top
    assert "kakehashi fit " in rest


def test_a_fit_that_writes_the_page_is_named_once(aligner, tmp_path):
    line = "kakehashi fit pairs.csv --group page --out my-aligner"
    page = write_report(aligner, None, tmp_path / "r.html", commands=[line]).read_text("utf-8")
    assert page.count("kakehashi fit ") == 1
