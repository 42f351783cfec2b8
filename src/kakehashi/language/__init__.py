"""Messages in the reader's language: English is the message itself, Japanese is looked up."""

from .chosen import (
    LANGUAGES,
    choose_language,
    current_language,
    language_of_environment,
    use_language,
)
from .translate import translate, translate_sentence

__all__ = [
    "LANGUAGES",
    "choose_language",
    "current_language",
    "language_of_environment",
    "translate",
    "translate_sentence",
    "use_language",
]
