import asyncio

import pytest

from kakehashi.language import (
    choose_language,
    current_language,
    language_of_environment,
    use_language,
)


def test_a_language_is_used_inside_and_no_longer():
    assert current_language() == "en"
    with use_language("ja"):
        assert current_language() == "ja"
        with use_language("en"):
            choose_language("ja")
            assert current_language() == "ja"
        assert current_language() == "ja"
    assert current_language() == "en"


def test_another_task_keeps_its_own_language():
    async def other():
        choose_language("ja")

    async def both():
        await asyncio.create_task(other())
        return current_language()

    assert asyncio.run(both()) == "en"


def test_a_language_without_messages_is_refused():
    with pytest.raises(ValueError, match="'de'; choose one of en, ja"), use_language("de"):
        pass


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "ja"}, "ja"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "ja_JP.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "ja:en"}, "ja"),
        ({"LANG": "ja_JP.UTF-8", "LANGUAGE": "fr:en:ja"}, "en"),
        ({"LANG": "C", "LANGUAGE": "ja"}, "en"),
    ],
)
def test_the_environment_says_which_language(environment, language, monkeypatch):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert language_of_environment() == language
