"""Checks of single arguments: choices, numbers, and lists of texts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from ..errors import DataError
from ..types import SIDES, Side


def check_choice(name: str, value: Any, allowed: Collection[Any]) -> None:
    """Raise DataError, with what is allowed, unless an option has one of the allowed values."""
    if value not in allowed:
        listed = ", ".join(map(str, allowed))
        raise DataError(f"{name}={value!r} is not known; choose one of {listed}.")


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number; True and False are none."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether a value is a finite real number; True and False are none."""
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    return real and bool(np.isfinite(value))


def checked_seed(seed: Any) -> int:
    """Return a seed as the plain number that every generator takes and JSON can hold.

    Raises:
        DataError: not a whole number from 0 to 2**63 - 1.
    """
    if not is_whole(seed) or not 0 <= seed < 2**63:
        raise DataError(f"seed={seed!r}: choose a whole number from 0 to 2**63 - 1.")
    return int(seed)


def checked_side(modality: str) -> Side:
    """Return a modality, or raise DataError where it is none."""
    for side in SIDES:
        if modality == side:
            return side
    raise DataError(f"modality={modality!r}; a modality is source or target, or auto.")


def in_order(rows: Any, what: str) -> list[Any]:
    """Return the rows of a list, a tuple, an array or a column of a table as a list.

    A set or a dict has no order, a string is one text, and a generator can be read only once.

    Raises:
        DataError: another type.
    """
    ordered = isinstance(rows, Sequence) or hasattr(rows, "__array__")
    if isinstance(rows, (str, bytes)) or not ordered or getattr(rows, "ndim", 1) != 1:
        raise DataError(
            f"{what}: expected a list of strings (or a tuple, an array, a column of a table), got "
            f"{type(rows).__name__}."
        )
    return list(rows)


def strings(texts: Any, what: str, whose: str = "") -> list[str]:
    """Return texts as a list.

    Raises:
        DataError: no list of strings; the message names the first that is none.
    """
    listed = in_order(texts, what)
    for row, text in enumerate(listed):
        if not isinstance(text, str):
            raise DataError(f"text {row}{whose} is not a string ({type(text).__name__}).")
    return listed


def usable_texts(texts: Any, what: str) -> list[str]:
    """Return texts as a list, after a check that there are some and all can be used.

    Raises:
        DataError: no texts, no list of strings, or a text that is empty or no valid string.
    """
    listed = in_order(texts, what)
    if not listed:
        raise DataError(f"{what}: none are given.")
    for text in listed:
        if problem := text_problem(text):
            raise DataError(f"{what}: {text!r:.60} is {problem}; leave it out.")
    return listed


def encodable_texts(texts: Any) -> list[str]:
    """Return texts as a list; one may be empty, but must be a valid string.

    Raises:
        DataError: no list of strings, or a text that is no valid string.
    """
    listed = in_order(texts, "texts")
    for row, text in enumerate(listed):
        problem = text_problem(text)
        if problem and text != "" and not (isinstance(text, str) and text.isspace()):
            raise DataError(f"text {row} is {problem}.")
    return listed


def text_problem(text: Any) -> str:
    """Say why a text cannot be used; return an empty string if it can."""
    if not isinstance(text, str):
        return f"not a string ({type(text).__name__})"
    if text == "":
        return "empty text"
    if text.isspace():
        return "only white space"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "not valid Unicode (a lone surrogate)"
    return ""
