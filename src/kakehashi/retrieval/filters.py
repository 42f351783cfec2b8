"""Filters: one dictionary, in the way of Chroma, that every arm of a mixed search reads.

``{"part": "pump"}``, ``{"year": {"$gte": 2020}}``, ``$and``, ``$or``, ``$not``. It is checked once:
stores read what is odd each in its own way, and of an empty ``$or`` one lets everything through.
The integrations translate it for each store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

import numpy as np

from ..errors import DataError

_COMPARES: Mapping[str, Callable[[Any, Any], bool]] = {
    "$eq": lambda a, b: bool(a == b),
    "$ne": lambda a, b: bool(a != b),
    "$neq": lambda a, b: bool(a != b),  # FAISS's name for it
    "$in": lambda a, b: a in b,
    "$nin": lambda a, b: a not in b,
    "$gt": lambda a, b: a is not None and a > b,
    "$gte": lambda a, b: a is not None and a >= b,
    "$lt": lambda a, b: a is not None and a < b,
    "$lte": lambda a, b: a is not None and a <= b,
}
_NO_RESTRICTIONS = ("filter", "fetch_k", "lambda_mult", "search_params", "param", "timeout")
"""Options of a call that a search by words may pass over, and the filter, which it reads."""
_JOINS: Mapping[str, Callable[[list[bool]], bool]] = {
    "$and": all,
    "$or": any,
    "$not": lambda each: not any(each),
}
_DEEPEST = 16


def document_filter(given: Any) -> Callable[[Any], bool]:
    """Return what says whether a filter lets a document through.

    Args:
        given: a function of a document, or a dictionary. A document has ``metadata``, a dictionary.

    Raises:
        DataError: a filter of another kind, or one that cannot be read.
    """
    if callable(given):
        return lambda document: bool(given(document))
    if not isinstance(given, dict):
        raise DataError(
            f"A search by words cannot read the filter {given!r:.200}; give a dictionary in the "
            "way of Chroma, which every search reads, or a function of a document."
        )
    read = checked_filter(given)
    return lambda document: matches(read, document.metadata)


def lexical_filter(options: Mapping[str, Any]) -> Callable[[Any], bool] | None:
    """Return what restricts a search by words, of the options of a call; None where nothing does.

    Raises:
        DataError: a filter that cannot be read, or an option that only a store can: it may be a
            restriction, and ignoring one would let through what the caller shut out.
    """
    for name, value in options.items():
        if value is not None and name not in _NO_RESTRICTIONS:
            raise DataError(
                f"A search by words cannot read {name}={value!r:.200}; give filter= a dictionary "
                "in the way of Chroma, which every search reads, or put it into the "
                "search_kwargs of the search of that store."
            )
    given = options.get("filter")
    return None if given is None else document_filter(given)


def checked_filter(given: Any, *, depth: int = 0) -> dict[str, Any]:
    """Return a filter with its lists as lists and its numbers as Python's.

    Raises:
        DataError: what not every store would read alike, or at all.
    """
    if not isinstance(given, dict) or (depth and not given):
        raise DataError(f"a filter holds {given!r:.80} where a dictionary of conditions is wanted.")
    if depth > _DEEPEST:
        raise DataError(f"a filter is nested more than {_DEEPEST} deep.")
    found: dict[str, Any] = {}
    for key, wanted in given.items():
        if not isinstance(key, str) or not key:
            raise DataError(f"a filter names the field {key!r:.80}; a field is a string.")
        if key == "$not":
            found[key] = checked_filter(wanted, depth=depth + 1)
        elif key in ("$and", "$or"):
            if not isinstance(wanted, (list, tuple)) or not wanted:
                raise DataError(f"{key} of a filter takes a list of filters, not {wanted!r:.80}.")
            found[key] = [checked_filter(part, depth=depth + 1) for part in wanted]
        elif key.startswith("$"):
            raise _unknown(key)
        elif isinstance(wanted, dict):
            if not wanted:
                raise DataError(f"the filter of {key!r} has no condition.")
            found[key] = {of: _value(key, of, value) for of, value in wanted.items()}
        elif isinstance(wanted, (list, tuple, set, frozenset)):  # FAISS's way of $in
            found[key] = {"$in": _value(key, "$in", wanted)}
        else:
            found[key] = _value(key, "$eq", wanted)
    return found


def _value(field: str, operator: Any, value: Any) -> Any:
    if operator not in _COMPARES:
        raise _unknown(operator)
    if operator in ("$in", "$nin"):
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise DataError(f"{operator} of a filter of {field!r} takes a list, not {value!r:.80}.")
        return [_scalar(field, each) for each in value]
    return _scalar(field, value)


def _scalar(field: str, value: Any) -> str | int | float | bool:
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, (str, int)) and not (isinstance(value, float) and isfinite(value)):
        raise DataError(
            f"the filter of {field!r} compares with {value!r:.80}; a text, a finite number or a "
            "truth can be compared with."
        )
    return value


def conditions(given: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """Return (field, operator, value) of each condition; $and, $or and $not have no field."""
    found = []
    for key, wanted in given.items():
        if key.startswith("$"):
            found.append(("", key, [wanted] if key == "$not" else wanted))
            continue
        conditions = wanted if isinstance(wanted, dict) else {"$eq": wanted}
        for operator, value in conditions.items():
            found.append((key, "$ne" if operator == "$neq" else operator, value))
    return found


def _unknown(operator: Any) -> DataError:
    known = ", ".join(_COMPARES)
    return DataError(
        f"The operator {operator!r:.80} of a filter is not known; known are {known}, $and, $or and "
        "$not."
    )


def _compares(operator: str, stored: Any, value: Any) -> bool:
    try:
        return _COMPARES[operator](stored, value)
    except TypeError:  # a text is neither more nor less than a number
        return False


def matches(given: Mapping[str, Any], metadata: Mapping[str, Any]) -> bool:
    """Say whether a filter that has been checked lets a document of such metadata through."""
    for field, operator, value in conditions(given):
        if field:
            met = _compares(operator, metadata.get(field), value)
        else:
            met = _JOINS[operator]([matches(part, metadata) for part in value])
        if not met:
            return False
    return True
