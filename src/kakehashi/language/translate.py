"""Translate a message, before its places are filled or after."""

from __future__ import annotations

from functools import cache
from typing import Any

from .catalogue import catalogue
from .chosen import current_language
from .template import Template

_LONGEST, _DEEPEST, _MOST_JOINED = 5000, 5, 12
"""Letters of a sentence that is looked for, phrases inside phrases, and sentences in one string: a
text of others may hold any number."""
_JOINT, _TELLING = "; ", 8
"""What joins sentences, and the letters by which a message is known without its phrases."""


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
    """Return a finished English sentence in the chosen language, or several joined by ``"; "``.

    Reports are kept in English, with their numbers inside. Such a sentence is held against every
    message of the catalogue; what stands in the places goes into the translation. A sentence that
    is no such message stays as it is.
    """
    if not catalogue(current_language()) or len(sentence) > _LONGEST:
        return sentence
    return _found(sentence, 0) or sentence


def _found(sentence: str, depth: int) -> str | None:
    """Return the translation of a sentence; None where it is no message."""
    code = current_language()
    if sentence in catalogue(code):
        return catalogue(code)[sentence]
    in_part = None
    for message, template in _templates(code):
        values = template.find(sentence)
        if values is None:
            continue
        phrases = _phrases(template, values, depth)
        filled = Template(catalogue(code)[message]).fill(
            {name: phrases.get(name) or value for name, value in values.items()}
        )
        if all(phrases.values()):
            return filled
        if template.weight >= _TELLING:
            in_part = in_part or filled  # words of others stand where a phrase may
    return (_joined(sentence, depth) if depth < 2 else None) or in_part


def _phrases(template: Template, values: dict[str, str], depth: int) -> dict[str, str | None]:
    names = [place.name for place in template.places if place.is_phrase]
    return {name: _found(values[name], depth + 1) if depth < _DEEPEST else None for name in names}


def _joined(sentence: str, depth: int) -> str | None:
    """Translate several sentences in one string, each as long as it can be."""
    parts = sentence.split(_JOINT)
    if not 1 < len(parts) <= _MOST_JOINED:
        return None
    for n in range(len(parts) - 1, 0, -1):
        first = _found(_JOINT.join(parts[:n]), _DEEPEST - 1)
        rest = first and _found(_JOINT.join(parts[n:]), depth)
        if first and rest:
            return f"{first}。{rest}"
    return None


@cache
def _templates(code: str) -> list[tuple[str, Template]]:
    """Return the messages of a language that have places, those with the most words first."""
    templates = [(message, Template(message)) for message in catalogue(code)]
    with_places = [each for each in templates if each[1].places and each[1].is_telling]
    return sorted(with_places, key=lambda each: -each[1].weight)
