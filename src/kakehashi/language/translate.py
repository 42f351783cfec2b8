"""Translate a message, before its places are filled or after."""

from __future__ import annotations

from functools import cache
from typing import Any

from .catalogue import catalogue
from .chosen import current_language
from .template import Template

_LONGEST = 5000
"""Letters of a sentence that is looked for: a text of others may be of any length."""


def translate(message: str, **values: Any) -> str:
    """Return a message in the chosen language, with its places filled.

    Args:
        message: in English, with ``{named}`` places in the syntax of ``str.format``. Where it has
            no translation, it is shown in English.
        values: by the names of the places. That of a name in capitals is a phrase, which is
            translated, too.
    """
    template = catalogue(current_language()).get(message, message)
    phrases = {k: translate_sentence(v) for k, v in values.items() if k.isupper()}
    return template.format(**{**values, **phrases})


def translate_sentence(sentence: str) -> str:
    """Return a finished English sentence in the chosen language.

    Reports are kept in English, with their numbers inside. Such a sentence is held against every
    message of the catalogue; what stands in the places goes into the translation. A sentence that
    is no such message stays as it is.
    """
    messages = catalogue(current_language())
    if sentence in messages:
        return messages[sentence]
    if not messages or len(sentence) > _LONGEST:
        return sentence
    for message, template in _templates(current_language()):
        values = template.find(sentence)
        if values is not None:
            phrases = {k: translate_sentence(v) for k, v in values.items() if k.isupper()}
            return Template(messages[message]).fill(values | phrases)
    return sentence


@cache
def _templates(code: str) -> list[tuple[str, Template]]:
    """Return the messages of a language that have places, those with the most words first."""
    templates = [(message, Template(message)) for message in catalogue(code)]
    with_places = [each for each in templates if each[1].places]
    return sorted(with_places, key=lambda each: -each[1].weight)
