"""Perturbations of texts: what they give, and that nothing but name, seed and text decides."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kakehashi.data.arguments import text_problem
from kakehashi.errors import DataError
from kakehashi.evaluation.robustness import writing
from kakehashi.evaluation.robustness.damage import pieces
from kakehashi.evaluation.robustness.perturbations import PERTURBATIONS, perturbations

JAPANESE = "ポンプを直ちに停止する"
ENGLISH = "Stop the pump at once"

scripts = st.sampled_from("ab zA1-.é ßｱﾞｶﾞＡ１　かがっーカヴ漢字々，。ไท한я😀e\u0301")
texts = st.one_of(st.text(scripts, min_size=1), st.text(min_size=1)).filter(
    lambda text: not text_problem(text)
)
quick = settings(max_examples=60, deadline=None, derandomize=True)


@pytest.mark.parametrize("name", PERTURBATIONS)
@quick
@given(text=texts, target=texts, seed=st.integers(0, 5))
def test_a_perturbed_text_can_be_used_and_is_the_same_again(name, text, target, seed):
    perturbation = PERTURBATIONS[name]
    changed = perturbation(text, seed=seed, target=target)
    assert text_problem(changed) == ""
    PERTURBATIONS["typing-errors"](target, seed=seed)  # nothing else has a say
    assert perturbation(text, seed=seed, target=target) == changed


@quick
@given(text=texts)
def test_pieces_join_to_the_text(text):
    assert "".join(pieces(text)) == text
    assert all(pieces(text))


@quick
@given(text=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1))
def test_nfkc_takes_full_width_ascii_back(text):
    wide = writing.full_width(text)
    assert unicodedata.normalize("NFKC", wide) == text
    assert writing.half_width(wide) == text


def test_half_and_full_width_katakana_are_each_others_inverse():
    katakana = "アガパヴーンッャ・「」。、"
    assert writing.half_width(katakana) == "ｱｶﾞﾊﾟｳﾞｰﾝｯｬ･｢｣｡､"
    assert writing.full_width("ｱｶﾞﾊﾟｳﾞｰﾝｯｬ･｢｣｡､") == katakana


@pytest.mark.parametrize(
    ("name", "text", "changed"),
    [
        ("upper-case", "Reset the pump", "RESET THE PUMP"),
        ("lower-case", "Reset the PCB", "reset the pcb"),
        ("title-case", "reset the PCB don't", "Reset The PCB Don't"),
        ("full-width", "CN1 ﾋﾟﾝ", "ＣＮ１　ピン"),
        ("half-width", "ピン１", "ﾋﾟﾝ1"),
        ("cut-end", "reset the pump", "reset t"),
        ("cut-both-ends", "abc", "bc"),
    ],
)
def test_known_examples(name, text, changed):
    assert PERTURBATIONS[name](text) == changed


def outcomes(name, text, **more):
    return {PERTURBATIONS[name](text, seed=seed, **more) for seed in range(200)}


def test_typing_errors_are_those_that_are_described():
    of_latin = outcomes("typing-errors", "It 12")
    assert {"t 12", "IIt 12", "tI 12", "I 12", "Ut 12", "IUt 12"} <= of_latin
    assert all("12" in text for text in of_latin)
    assert {"か", "がが"} <= outcomes("typing-errors", "が")
    assert {"つ", "っっ"} <= outcomes("typing-errors", "っ")
    assert outcomes("typing-errors", "漢字") == {"漢", "字", "漢漢字", "漢字字", "字漢"}
    assert outcomes("typing-errors", "12-34") == {"12-34"}
    whole = PERTURBATIONS["typing-errors"]("abcdefghij " * 200).split().count("abcdefghij")
    assert 100 < whole < 140  # of 200 words 0.95**10, or 120, are expected to stay whole


def test_dropped_words_leave_the_others_in_order_and_one_space():
    assert outcomes("dropped-words", "stop the pump at once") == {
        "the pump at once",
        "stop pump at once",
        "stop the at once",
        "stop the pump once",
        "stop the pump at ",
    }
    assert "ポンプを直ち止する" in outcomes("dropped-words", JAPANESE)
    assert outcomes("dropped-words", "pump") == {"pump"}


def test_mixed_languages_put_in_a_run_of_the_target():
    found = outcomes("mixed-languages", JAPANESE, target=ENGLISH)
    assert len(found) > 2
    for text in found:
        words = [word for word in text.split() if word.isascii()]
        assert " ".join(words) in ENGLISH
        assert len(words) == 2
    with pytest.raises(DataError, match="needs the paired target text"):
        PERTURBATIONS["mixed-languages"](JAPANESE)


def test_a_part_number_leaves_the_text_whole():
    found = outcomes("part-number", ENGLISH)
    assert {text.startswith(ENGLISH) for text in found} == {True, False}
    assert {text.endswith(ENGLISH) for text in found} == {True, False}
    for text in found:
        [number] = [word for word in text.split() if word not in ENGLISH.split()]
        assert " ".join(word for word in text.split() if word != number) == ENGLISH
        assert any(letter.isdigit() for letter in number)


def test_every_perturbation_says_what_it_does():
    for perturbation in perturbations():
        assert perturbation.description.endswith((".", "``."))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["typos"], "'typos' is not known; choose from typing-errors"),
        ([], "no perturbation is named"),
        ("cut-end", "expected a list"),
    ],
)
def test_names_that_are_refused(names, message):
    with pytest.raises(DataError, match=message):
        perturbations(names)
