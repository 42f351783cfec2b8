"""Real fits, and the sentence that each leads with: it helps, it does not, nobody can tell."""

import html
import re

import pytest
from support.cipher import cipher_aligner, ciphered
from support.toy_data import letters_apart

import kakehashi
from kakehashi.pages import write_report
from kakehashi.pages.standing import of_fit

pytestmark = pytest.mark.slow


def lead(page):
    """Return the verdict and the heading."""
    verdict = re.search(r'<p class="verdict[^"]*">([^<]*)</p>', page)[1]
    return verdict, html.unescape(re.search("<h1>(.*?)</h1>", page)[1])


def sections(page):
    return re.findall('<section id="([^"]+)"', page)


@pytest.fixture(scope="module")
def helpful():
    return cipher_aligner(160)


def written(aligner, pairs, tmp_path, **options):
    return write_report(aligner, pairs, tmp_path / "r.html", **options).read_text(encoding="utf-8")


def test_an_aligner_that_helps(helpful, tmp_path):
    verdict, heading = lead(written(helpful, None, tmp_path))
    after, before = helpful.report.served, helpful.report.base
    right, was = (round(s.means["recall@1"] * 160) for s in (after, before))
    assert verdict == "Use it"
    assert heading == f"The first answer is right for {right} of 160 questions; before, for {was}."
    assert right > 5 * was


def test_an_aligner_that_helps_on_other_pairs(helpful, tmp_path):
    # Two documents are exchanged.
    pairs = ciphered(60, seed=9)
    targets = list(pairs.target_texts)
    targets[3], targets[40] = targets[40], targets[3]
    pairs = kakehashi.Pairs(pairs.source_texts, targets, groups=pairs.groups)
    page = written(
        helpful,
        pairs,
        tmp_path,
        trained_on=ciphered(160),
        curve=True,
        questions=ciphered(40, seed=5).source_texts,
        embed_again=True,
        second_model=letters_apart,
    )
    assert lead(page)[0] == "Use it"
    assert re.fullmatch(
        r"The first answer is right for \d\d of 60 questions; before, for \d\.", lead(page)[1]
    )
    assert sections(page) == [
        "systems", "gap", "more-pairs", "failures", "suspects", "next-pairs", "origin"
    ]  # fmt: skip
    suspects = page[page.index('<section id="suspects"') : page.index('<section id="next-pairs"')]
    assert pairs.source_texts[3] in suspects
    assert pairs.source_texts[40] in suspects
    assert len(re.findall("<svg ", page)) == 3
    assert "Whole index embedded again" in page
    assert "Whole index embedded by the second model" in page
    assert re.search(r"as a second model.*its cost: 60 questions embedded", page)
    assert len(page) < 3_000_000


def test_an_aligner_that_does_not_help(tmp_path):
    aligner = cipher_aligner(100, shuffled=True)
    verdict, heading = lead(written(aligner, None, tmp_path))
    assert verdict == "Do not use it"
    assert re.fullmatch(
        r"No map helps: the first answer stays right for \d+ of 100 questions\.", heading
    )
    page = written(aligner, ciphered(60, seed=9), tmp_path)
    assert lead(page)[0] == "Do not use it"
    assert "suspects" not in sections(page)


def test_too_few_pairs(tmp_path):
    aligner = cipher_aligner(16, shuffled=True)
    assert of_fit(aligner).case == "too few"
    page = written(aligner, None, tmp_path)
    assert lead(page) == (
        "Cannot tell yet",
        "16 questions are too few to tell whether it helps.",
    )
    assert "collect at least 50 questions" in page


def test_pairs_that_were_fitted_cannot_judge(helpful, tmp_path):
    page = written(helpful, ciphered(160), tmp_path)
    assert lead(page) == ("No verdict", "These pairs cannot judge this aligner.")
    assert "the very pairs that the aligner was fitted on" in page
    assert "judge it by pairs that it was not fitted on" in page


def test_a_fit_without_pairs_is_judged_by_nobody(helpful, tmp_path):
    texts = ciphered(120).target_texts
    aligner = kakehashi.fit(
        list(ciphered(120).source_texts),
        source_encoder=helpful.encoders["source"],
        target_encoder=helpful.encoders["target"],
        learn_from=list(texts),
    )
    page = written(aligner, None, tmp_path)
    assert lead(page) == ("Not judged", "No question has judged this aligner yet.")
    assert sections(page)[-1] == "origin"


def test_in_japanese_the_page_is_japanese_and_the_texts_are_as_they_were(helpful, tmp_path):
    pairs = ciphered(60, seed=9)
    page = written(helpful, pairs, tmp_path, language="ja")
    assert '<html lang="ja">' in page
    assert lead(page)[0] == "採用"
    assert "60" in lead(page)[1]
    assert not re.search("[A-Za-z]{3}", re.sub("MRR@10|BM25", "", lead(page)[1]))
    assert any(text in page for text in pairs.source_texts)
