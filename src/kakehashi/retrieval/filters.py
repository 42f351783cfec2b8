"""Filters: one dictionary in Chroma's syntax, which every search of a hybrid search reads.

Examples are ``{"part": "pump"}``, ``{"year": {"$gte": 2020}}``, ``$and``, ``$or`` and ``$not``. A
filter is checked before any search, because stores read an odd filter in different ways: some let
every document through an empty ``$or``. The integrations translate it for each store.
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
    "$neq": lambda a, b: bool(a != b),  # the name in FAISS
    "$in": lambda a, b: a in b,
    "$nin": lambda a, b: a not in b,
    "$gt": lambda a, b: a is not None and a > b,
    "$gte": lambda a, b: a is not None and a >= b,
    "$lt": lambda a, b: a is not None and a < b,
    "$lte": lambda a, b: a is not None and a <= b,
}
_READABLE_OPTIONS = ("filter", "fetch_k", "lambda_mult", "search_params", "param", "timeout")
"""Options that do not restrict a search by words, and the filter, which it reads."""
_JOINS: Mapping[str, Callable[[list[bool]], bool]] = {
    "$and": all,
    "$or": any,
    "$not": lambda met: not any(met),
}
_MAX_DEPTH = 16
"""How deep filters may be nested."""


def document_filter(condition: Any) -> Callable[[Any], bool]:
    """Return the function that says whether a filter lets a document through.

    Args:
        condition: a dictionary, or a function of a document. A document has ``metadata``, a
            dictionary.

    Raises:
        DataError: a filter of another kind, or one that cannot be read.
    """
    if callable(condition):
        return lambda document: bool(condition(document))
    if not isinstance(condition, dict):
        raise DataError(
            f"A search by words cannot read the filter {condition!r:.200}; give a dictionary in "
            "the way of Chroma, which every search reads, or a function of a document."
        )
    checked = checked_filter(condition)
    return lambda document: matches(checked, document.metadata)


def lexical_filter(options: Mapping[str, Any]) -> Callable[[Any], bool] | None:
    """Return the filter of a search by words; None where the options do not restrict it.

    Args:
        options: of the call, by name.

    Raises:
        DataError: a filter that cannot be read, or an option that only a store can read. The option
            may be a restriction, and ignoring it would let through documents that the caller shut
            out.
    """
    for name, value in options.items():
        if value is not None and name not in _READABLE_OPTIONS:
            raise DataError(
                f"A search by words cannot read {name}={value!r:.200}; give filter= a dictionary "
                "in the way of Chroma, which every search reads, or put it into the "
                "search_kwargs of the search of that store."
            )
    condition = options.get("filter")
    return None if condition is None else document_filter(condition)


def checked_filter(condition: Any, *, depth: int = 0) -> dict[str, Any]:
    """Return a filter in one form, with sequences as lists and NumPy numbers as Python's.

    Raises:
        DataError: a filter that not every store can read, or that stores read differently.
    """
    if not isinstance(condition, dict) or (depth and not condition):
        raise DataError(
            f"a filter holds {condition!r:.80} where a dictionary of conditions is wanted."
        )
    if depth > _MAX_DEPTH:
        raise DataError(f"a filter is nested more than {_MAX_DEPTH} deep.")
    checked: dict[str, Any] = {}
    for key, value in condition.items():
        if not isinstance(key, str) or not key:
            raise DataError(f"a filter names the field {key!r:.80}; a field is a string.")
        if key.startswith("$"):
            checked[key] = _checked_join(key, value, depth)
        else:
            checked[key] = _checked_field(key, value)
    return checked


def _checked_join(operator: str, value: Any, depth: int) -> Any:
    """Check the filters that ``$and``, ``$or`` or ``$not`` joins."""
    if operator == "$not":
        return checked_filter(value, depth=depth + 1)
    if operator not in _JOINS:
        raise _unknown(operator)
    if not isinstance(value, (list, tuple)) or not value:
        raise DataError(f"{operator} of a filter takes a list of filters, not {value!r:.80}.")
    return [checked_filter(part, depth=depth + 1) for part in value]


def _checked_field(field: str, value: Any) -> Any:
    """Check the conditions on one field: operators, a list (as of ``$in``), or one value."""
    if isinstance(value, dict):
        if not value:
            raise DataError(f"the filter of {field!r} has no condition.")
        return {operator: _value(field, operator, operand) for operator, operand in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):  # the way of FAISS
        return {"$in": _value(field, "$in", value)}
    return _value(field, "$eq", value)


def _value(field: str, operator: Any, value: Any) -> Any:
    if operator not in _COMPARES:
        raise _unknown(operator)
    if operator in ("$in", "$nin"):
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise DataError(f"{operator} of a filter of {field!r} takes a list, not {value!r:.80}.")
        return [_scalar(field, item) for item in value]
    return _scalar(field, value)


def _scalar(field: str, value: Any) -> str | int | float | bool:
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, (str, int)) and not (isinstance(value, float) and isfinite(value)):
        raise DataError(
            f"the filter of {field!r} compares with {value!r:.80}; give a text, a finite "
            "number, True or False."
        )
    return value


def conditions(checked: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """Return (field, operator, value) of each condition of a checked filter.

    The field of ``$and``, ``$or`` and ``$not`` is empty, and their value is a list of filters.
    """
    triples: list[tuple[str, str, Any]] = []
    for key, value in checked.items():
        if key.startswith("$"):
            triples.append(("", key, [value] if key == "$not" else value))
            continue
        operands = value if isinstance(value, dict) else {"$eq": value}
        for operator, operand in operands.items():
            triples.append((key, "$ne" if operator == "$neq" else operator, operand))
    return triples


def _unknown(operator: Any) -> DataError:
    return DataError(
        f"The operator {operator!r:.80} of a filter is not known; known are "
        f"{', '.join(_COMPARES)}, $and, $or and $not."
    )


def matches(checked: Mapping[str, Any], metadata: Mapping[str, Any]) -> bool:
    """Say whether a checked filter lets a document with this metadata through."""
    for field, operator, value in conditions(checked):
        if field:
            met = _compare(operator, metadata.get(field), value)
        else:
            met = _JOINS[operator]([matches(part, metadata) for part in value])
        if not met:
            return False
    return True


def _compare(operator: str, stored: Any, value: Any) -> bool:
    try:
        return _COMPARES[operator](stored, value)
    except TypeError:  # a text is neither more nor less than a number
        return False
