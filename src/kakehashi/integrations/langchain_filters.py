"""Filters in LangChain: one dictionary, in the way of Chroma, said to each store in its own words.

``{"part": "pump"}``, ``{"year": {"$gte": 2020}}``, ``$and``, ``$or``, ``$not``: every store of
LangChain filters by metadata, and hardly two in the same form. A mixed search has to restrict all
its arms alike, and to search a store once for each modality.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

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
"""Options of a call that shut out no document, besides the filter that every arm reads."""
_DEEPEST = 16
_FIELD = re.compile(r"[^\W\d]\w*(\.\w+)*")
"""A field that can be pasted into an expression."""


def kind_of(store: VectorStore) -> str | None:
    """Return which of the stores whose filters are known this is, or None."""
    kinds = {kind.__name__ for kind in type(store).__mro__}
    return next((name for name in _OWN_FORM if name in kinds), None)


def predicate(given: Any) -> Callable[[Document], bool]:
    """Return what says whether a filter lets a document through.

    Args:
        given: a function of a document, or a dictionary.

    Raises:
        DataError: a filter of another kind, or one that cannot be read.
    """
    if callable(given):
        return lambda document: bool(given(document))
    if not isinstance(given, dict):
        raise DataError(
            f"A search by words cannot read the filter {given!r:.200}; give a dictionary in the "
            "way of Chroma, which every arm reads, or a function of a document."
        )
    read = checked(given)
    return lambda document: _holds(read, document.metadata)


def words_filter(options: Mapping[str, Any]) -> Callable[[Document], bool] | None:
    """Return what restricts a search by words, of the options of a call; None where nothing does.

    Raises:
        DataError: a filter that cannot be read, or an option that only a store can: it may be a
            restriction, and ignoring one would let through what the caller shut out.
    """
    for name, value in options.items():
        if value is not None and name not in _NO_RESTRICTIONS:
            raise DataError(
                f"A search by words cannot read {name}={value!r:.200}; give filter= a dictionary "
                "in the way of Chroma, which every arm reads, or put it into the search_kwargs of "
                "the arm of that store."
            )
    given = options.get("filter")
    return None if given is None else predicate(given)


def checked(given: Any, *, depth: int = 0) -> dict[str, Any]:
    """Return a filter with its lists as lists and its numbers as Python's.

    Stores read what is odd in ways of their own: of an empty ``$or``, one lets everything through.

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
            found[key] = checked(wanted, depth=depth + 1)
        elif key in ("$and", "$or"):
            if not isinstance(wanted, (list, tuple)) or not wanted:
                raise DataError(f"{key} of a filter takes a list of filters, not {wanted!r:.80}.")
            found[key] = [checked(part, depth=depth + 1) for part in wanted]
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
            raise DataError(f"{operator} of the field {field!r} takes a list, not {value!r:.80}.")
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


def joined(store: VectorStore, *options: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options as the store takes them, later ones before earlier ones.

    Of several filters, all have to hold.

    Raises:
        DataError: filters that cannot be put together, or an operator that is not known.
    """
    found: dict[str, Any] = {}
    for each in options:
        own = _in_own_form(each, store)
        both = {
            name: _both(found[name], own[name])
            for name in ("filter", "expr")
            if found.get(name) is not None and own.get(name) is not None
        }
        found |= own | both
    return found


def _in_own_form(options: Mapping[str, Any], store: VectorStore) -> dict[str, Any]:
    kind, given = kind_of(store), options.get("filter")
    if kind is None or not isinstance(given, dict):
        return dict(options)
    rest = {name: value for name, value in options.items() if name != "filter"}
    if not given:
        return rest
    own = _OWN_FORM[kind](checked(given), store)
    if kind == "Milvus" and rest.get("expr") is not None:
        own["expr"] = _both(rest["expr"], own["expr"])
    return rest | own


def _both(one: Any, other: Any) -> Any:
    if isinstance(one, str) and isinstance(other, str):
        return f"({one}) and ({other})"
    if isinstance(one, dict) and isinstance(other, dict):
        return {"$and": [one, other]}
    if callable(one) and callable(other):
        return lambda document: one(document) and other(document)
    if type(one).__name__ == type(other).__name__ == "Filter":  # Qdrant's
        return type(one)(must=[one, other])
    raise DataError(
        f"The filters {one!r} and {other!r} cannot be put together; give both as dictionaries in "
        "the way of Chroma, or one that says it all."
    )


def _parts(given: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
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


def _holds(given: Mapping[str, Any], metadata: Mapping[str, Any]) -> bool:
    for field, operator, value in _parts(given):
        if field:
            holds = _compares(operator, metadata.get(field), value)
        else:
            each = [_holds(part, metadata) for part in value]
            holds = all(each) if operator == "$and" else any(each) is not (operator == "$not")
        if not holds:
            return False
    return True


_OPPOSITE = {
    "$eq": "$ne",
    "$in": "$nin",
    "$gt": "$lte",
    "$lt": "$gte",
    "$and": "$or",
}
_OPPOSITE |= {opposite: operator for operator, opposite in _OPPOSITE.items()}


def _chroma(given: dict[str, Any], store: Any) -> dict[str, Any]:
    return {"filter": _where(given)}


def _where(given: Mapping[str, Any], *, opposite: bool = False) -> dict[str, Any]:
    """Say a filter, or its opposite, without ``$not`` and with one condition a dictionary.

    Chroma compares no field that is not there; so the opposite of a comparison shuts such a
    document out, where other stores let it through.
    """
    parts: list[dict[str, Any]] = []
    for field, operator, value in _parts(given):
        turned = _OPPOSITE[operator] if opposite and operator != "$not" else operator
        if field:
            parts.append({field: {turned: value}})
        elif operator == "$not":
            parts.append(_where(value[0], opposite=not opposite))
        else:
            parts.append(_all({turned: [_where(each, opposite=opposite) for each in value]}))
    return _all({"$or" if opposite else "$and": parts})


def _all(joined: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return several conditions as they are joined, and one as it is: Chroma joins at least two."""
    [parts] = joined.values()
    return parts[0] if len(parts) == 1 else joined


def _faiss(given: dict[str, Any], store: Any) -> dict[str, Any]:
    return {"filter": lambda metadata: _holds(given, metadata)}


def _in_memory(given: dict[str, Any], store: Any) -> dict[str, Any]:
    return {"filter": lambda document: _holds(given, document.metadata)}


def _qdrant(given: dict[str, Any], store: Any) -> dict[str, Any]:
    return {"filter": _qdrant_filter(given, getattr(store, "metadata_payload_key", "metadata"))}


def _qdrant_filter(given: Mapping[str, Any], payload: str) -> Any:
    from qdrant_client import models

    must: list[Any] = []
    must_not: list[Any] = []
    for field, operator, value in _parts(given):
        if not field:
            each = [_qdrant_filter(part, payload) for part in value]
            if operator == "$or":
                must.append(models.Filter(should=each))
            else:
                (must if operator == "$and" else must_not).extend(each)
            continue
        if operator in ("$in", "$nin"):
            says: dict[str, Any] = {"match": models.MatchAny(any=list(value))}
        elif operator in ("$eq", "$ne"):
            # It matches texts, whole numbers and truths; a fraction is a range of one.
            says = (
                {"range": models.Range(gte=value, lte=value)}
                if isinstance(value, float)
                else {"match": models.MatchValue(value=value)}
            )
        else:
            says = {"range": models.Range(**{operator[1:]: value})}
        condition = models.FieldCondition(key=f"{payload}.{field}", **says)
        (must_not if operator in ("$ne", "$nin") else must).append(condition)
    return models.Filter(must=must or None, must_not=must_not or None)


def _milvus(given: dict[str, Any], store: Any) -> dict[str, Any]:
    within = getattr(store, "_metadata_field", None)  # all metadata in one field, as JSON
    names = {"$eq": "==", "$in": "in", "$nin": "not in"}

    def field(key: str) -> str:
        return _pasted(key) if within is None else f"{within}[{json.dumps(key)}]"

    def literal(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    return {"expr": _expression(given, names, field, literal, "[]")}


def _lancedb(given: dict[str, Any], store: Any) -> dict[str, Any]:
    names = {"$eq": "=", "$in": "IN", "$nin": "NOT IN"}

    def field(key: str) -> str:
        return _pasted(key) if key.startswith("metadata.") else f"metadata.{_pasted(key)}"

    def literal(value: Any) -> str:
        return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else json.dumps(value)

    # Without prefilter it filters the k that it has found.
    return {"filter": _expression(given, names, field, literal, "()"), "prefilter": True}


def _pasted(field: str) -> str:
    """Return a field, or raise DataError where it is more than the name of one."""
    if not _FIELD.fullmatch(field):
        raise DataError(
            f"the field {field!r:.80} of a filter cannot be named in this store's expressions; "
            "names of letters, digits, _ and dots can."
        )
    return field


_SIGNS = {"$ne": "!=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}


def _expression(
    given: Mapping[str, Any],
    names: Mapping[str, str],
    field: Callable[[str], str],
    literal: Callable[[Any], str],
    brackets: str,
) -> str:
    found = []
    for key, operator, value in _parts(given):
        if not key:
            each = [f"({_expression(part, names, field, literal, brackets)})" for part in value]
            found.append(
                f"not {each[0]}"
                if operator == "$not"
                else f"({(' and ' if operator == '$and' else ' or ').join(each)})"
            )
            continue
        if isinstance(value, Sequence) and not isinstance(value, str):
            said = brackets[0] + ", ".join(map(literal, value)) + brackets[1]
        else:
            said = literal(value)
        found.append(f"{field(key)} {(names | _SIGNS)[operator]} {said}")  # type: ignore[operator]
    return " and ".join(found)


_OWN_FORM: Mapping[str, Callable[[dict[str, Any], Any], dict[str, Any]]] = {
    "Chroma": _chroma,
    "FAISS": _faiss,
    "InMemoryVectorStore": _in_memory,
    "QdrantVectorStore": _qdrant,
    "Milvus": _milvus,
    "LanceDB": _lancedb,
}
