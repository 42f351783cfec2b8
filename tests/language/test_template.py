import pytest

from kakehashi.language.template import Template


@pytest.mark.parametrize(
    ("template", "sentence", "found"),
    [
        ("{n:d} of {m:d} pairs", "3 of 1,200 pairs", {"n": "3", "m": "1,200"}),
        ("{n:d} of {m:d} pairs", "some of 12 pairs", None),
        ("{name} ({n:d} rows)", "a (b) c (7 rows)", {"name": "a (b) c", "n": "7"}),
        ("{a} and {b}", "x and y and z", {"a": "x", "b": "y and z"}),
        ("{a}{b:.1%}.", "12.5%.", {"a": "", "b": "12.5%"}),
        ("no {name!r} here", "no 'x' here", {"name": "'x'"}),
        ("no places", "no places", {}),
        ("no places", "no places at all", None),
        ("{a} end", "no en", None),
        ("p={p:.4f}", "p=-0.0123", {"p": "-0.0123"}),
        ("say {a}", "say ", {"a": ""}),
        ("say {a}!", "say", None),
    ],
)
def test_what_stands_at_the_places_is_found(template, sentence, found):
    assert Template(template).find(sentence) == found


def test_places_are_filled_in_any_order():
    assert Template("{b}の{a}{b}").fill({"a": "1", "b": "{x}"}) == "{x}の1{x}"


def test_a_name_in_capitals_is_a_phrase():
    assert [place.is_phrase for place in Template("{QUERIES} {n:d} {name}").places] == [
        True,
        False,
        False,
    ]


def test_a_message_of_hardly_any_words_is_not_looked_for():
    assert not Template("{low} to {high}").is_telling
    assert Template("{low:.2f} to {high:.2f}").is_telling
    assert Template("{path} is not a file.").is_telling
