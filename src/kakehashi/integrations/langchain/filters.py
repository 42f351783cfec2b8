"""Filters in LangChain: one dictionary, said to each store in its own words.

Every store of LangChain filters by metadata, and hardly two in the same form. A mixed search has to
restrict all its arms alike, and to search a store once for each modality.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.vectorstores import VectorStore

from ...errors import DataError
from ...retrieval.filters import checked_filter, conditions, matches

_FIELD = re.compile(r"[^\W\d]\w*(\.\w+)*")
"""A field that can be pasted into an expression."""


def kind_of(store: VectorStore) -> str | None:
    """Return which of the stores whose filters are known this is, or None."""
    kinds = {kind.__name__ for kind in type(store).__mro__}
    return next((name for name in _OWN_FORM if name in kinds), None)


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
    if kind in ("InMemoryVectorStore", "FAISS") and not (
        given is None or isinstance(given, dict) or callable(given)
    ):
        raise DataError(
            f"filter={given!r:.80}; give a dictionary in the way of Chroma, or a function."
        )
    if kind is None or not isinstance(given, dict):
        return dict(options)
    rest = {name: value for name, value in options.items() if name != "filter"}
    if not given:
        return rest
    own = _OWN_FORM[kind](checked_filter(given), store)
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

    By size (``$gt`` and its like) Chroma finds no document without the field; so ``$not`` of one
    shuts it out, where other stores let it through.
    """
    parts: list[dict[str, Any]] = []
    for field, operator, value in conditions(given):
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
    return {"filter": lambda metadata: matches(given, metadata)}


def _in_memory(given: dict[str, Any], store: Any) -> dict[str, Any]:
    return {"filter": lambda document: matches(given, document.metadata)}


def _qdrant(given: dict[str, Any], store: Any) -> dict[str, Any]:
    return {"filter": _qdrant_filter(given, getattr(store, "metadata_payload_key", "metadata"))}


def _qdrant_filter(given: Mapping[str, Any], payload: str) -> Any:
    from qdrant_client import models

    must: list[Any] = []
    must_not: list[Any] = []
    for field, operator, value in conditions(given):
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
    for key, operator, value in conditions(given):
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
