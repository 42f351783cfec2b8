import pytest

from kakehashi.language import translate, translate_sentence, use_language

ENGLISH = "MRR@10 +0.215 over the untouched vectors on 60 held-out queries, p=0.0002"
JAPANESE = "評価用の質問 60 件で、射影なしの検索に対して MRR@10 +0.215、p=0.0002"


def test_english_is_the_message_itself():
    assert translate("{n:,} rows", n=1234) == "1,234 rows"
    assert translate_sentence(ENGLISH) == ENGLISH


def test_a_finished_sentence_is_translated_with_its_numbers_and_its_phrases():
    with use_language("ja"):
        assert translate_sentence(ENGLISH) == JAPANESE


def test_a_message_is_translated_before_its_places_are_filled():
    with use_language("ja"):
        said = translate(
            "{path} exists; pass --overwrite or another {KIND}.", path="a", KIND="file"
        )
    assert said == "a はすでにあります。--overwrite を付けるか、別のファイルを指定してください。"


def test_what_has_no_translation_stays_english():
    with use_language("ja"):
        assert translate("{n:,} of {name}", n=1000, name="use") == "1,000 of use"
        assert translate_sentence("{} nobody wrote this {n}") == "{} nobody wrote this {n}"


def test_a_name_of_the_callers_is_not_translated():
    with use_language("ja"):
        said = translate_sentence("use exists; pass --overwrite or another folder.")
    assert said.startswith("use はすでに")


@pytest.mark.parametrize("sentence", ["x" * 10**6, "over " * 10**5, "{" * 10**5])
def test_long_texts_of_others_cost_nothing(sentence):
    with use_language("ja"):
        assert translate_sentence(sentence) == sentence
