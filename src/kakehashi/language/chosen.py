"""The language that messages are shown in: English, until another one is chosen."""

from __future__ import annotations

import locale
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LANGUAGES = ("en", "ja")
_LETTERS = {"en": "a", "ja": "あ"}
_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""Of the environment, by rank: the first that is set counts, as for every program."""

_chosen: ContextVar[str] = ContextVar("kakehashi_language", default="en")


def current_language() -> str:
    """Return the code of the language that messages are shown in."""
    return _chosen.get()


def choose_language(code: str) -> None:
    """Show messages in this language from here on, in this context.

    Raises:
        ValueError: there are no messages in it.
    """
    _chosen.set(_checked(code))


@contextmanager
def use_language(code: str) -> Iterator[None]:
    """Show the messages of all that runs inside in this language.

    Raises:
        ValueError: there are no messages in it.
    """
    token = _chosen.set(_checked(code))
    try:
        yield
    finally:
        _chosen.reset(token)


def language_of_environment() -> str:
    """Return the language that the environment asks for, ``"ja"`` or ``"en"``.

    ``LC_ALL`` counts before ``LC_MESSAGES`` and ``LANG``. ``LANGUAGE`` lists languages by
    preference, and counts before them where they name a language. Windows sets none of them: there
    it is the language of the display.
    """
    named = next((os.environ[name] for name in _VARIABLES if os.environ.get(name)), "")
    if not named and sys.platform == "win32":
        named = _of_windows()
    preferred = os.environ.get("LANGUAGE", "").split(":")
    if named.partition(".")[0] not in ("", "C", "POSIX"):
        known = [code for code in map(_code, preferred) if code in LANGUAGES]
        if known:
            return known[0]
    return "ja" if _code(named) == "ja" else "en"


def can_be_printed(code: str) -> bool:
    """Whether standard output takes the letters of a language."""
    try:
        _LETTERS[code].encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _of_windows() -> str:
    """Return the language of the display as a name like ``ja_JP``."""
    import ctypes

    windows = getattr(ctypes, "windll", None)
    if windows is None:
        return ""
    return locale.windows_locale.get(windows.kernel32.GetUserDefaultUILanguage(), "")


def _code(name: str) -> str:
    """Return the code of a locale's language: ``ja`` of ``ja_JP.UTF-8``."""
    return name.replace("-", "_").partition(".")[0].partition("_")[0].lower()


def _checked(code: str) -> str:
    if code not in LANGUAGES:
        raise ValueError(
            f"There are no messages in {code!r}; choose one of {', '.join(LANGUAGES)}."
        )
    return code
