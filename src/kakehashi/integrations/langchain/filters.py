"""Filters in LangChain: one dictionary, translated into the form of each store.

Every store of LangChain filters by metadata, and hardly two in the same form. A hybrid search
restricts all its searches alike, and searches a store once for each modality.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from langchain_core.vectorstores import VectorStore

from ...errors import DataError
from ...retrieval.filters import checked_filter, conditions, document_filter, matches
from .postgres import KINDS as POSTGRES
from .postgres import OWN_OPERATORS, columns_of, postgres_kind

_FIELD = re.compile(r"[^\W\d]\w*(\.\w+)*")
"""A field whose name can stand in an expression."""


def kind_of(store: VectorStore) -> str | None:
    """Return the name of a store whose form of filters is known, or None."""
    names = {base.__name__ for base in type(store).__mro__}
    if names & {"PGVectorStore", "PGVector"}:  # another package has stores of these names, too
        return postgres_kind(store)
    return next((name for name in _TRANSLATIONS if name in names), None)


def joined(store: VectorStore, *options: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options in the form of the store; of one name, the last counts.

    Of several filters, all have to hold.

    Raises:
        DataError: filters that cannot be put together, or an operator that is not known.
    """
    merged: dict[str, Any] = {}
    for each in options:
        translated = _translated(each, store)
        both = {
            name: _both(merged[name], translated[name])
            for name in ("filter", "expr")
            if merged.get(name) is not None and translated.get(name) is not None
        }
        merged |= translated | both
    return merged


def _translated(options: Mapping[str, Any], store: VectorStore) -> dict[str, Any]:
    kind, wanted = kind_of(store), options.get("filter")
    if kind in ("InMemoryVectorStore", "FAISS") and not (
        wanted is None or isinstance(wanted, dict) or callable(wanted)
    ):
        raise DataError(
            f"filter={wanted!r:.80}; give a dictionary in the way of Chroma, or a function."
        )
    if kind is None or not isinstance(wanted, dict):
        return dict(options)
    rest = {name: value for name, value in options.items() if name != "filter"}
    if not wanted:
        return rest
    if kind in POSTGRES and _names(wanted, OWN_OPERATORS):
        return dict(options)  # in the form of the store already
    translated = _TRANSLATIONS[kind](checked_filter(wanted), store)
    if kind == "Milvus" and rest.get("expr") is not None:
        translated["expr"] = _both(rest["expr"], translated["expr"])
    return rest | translated


def _names(wanted: Any, operators: Collection[str]) -> bool:
    """Whether a filter names one of these operators, however deep."""
    if isinstance(wanted, dict):
        return any(n in operators or _names(value, operators) for n, value in wanted.items())
    return isinstance(wanted, list) and any(_names(each, operators) for each in wanted)


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


def _where(wanted: Mapping[str, Any], *, opposite: bool = False) -> dict[str, Any]:
    """Write a filter, or its opposite, without ``$not`` and with one condition a dictionary.

    By size (``$gt`` and its like), Chroma returns no document without the field. So its ``$not``
    shuts such a document out, and other stores let it through.
    """
    parts: list[dict[str, Any]] = []
    for field, operator, value in conditions(wanted):
        turned = _OPPOSITE[operator] if opposite and operator != "$not" else operator
        if field:
            parts.append({field: {turned: value}})
        elif operator == "$not":
            parts.append(_where(value[0], opposite=not opposite))
        else:
            parts.append(_all({turned: [_where(part, opposite=opposite) for part in value]}))
    return _all({"$or" if opposite else "$and": parts})


def _all(joined: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return several conditions as they are joined, and one as it is: Chroma joins at least two."""
    [parts] = joined.values()
    return parts[0] if len(parts) == 1 else joined


def _qdrant_filter(wanted: Mapping[str, Any], payload: str) -> Any:
    from qdrant_client import models

    must: list[Any] = []
    must_not: list[Any] = []
    for field, operator, value in conditions(wanted):
        if not field:
            parts = [_qdrant_filter(part, payload) for part in value]
            if operator == "$or":
                must.append(models.Filter(should=parts))
            else:
                (must if operator == "$and" else must_not).extend(parts)
            continue
        if operator in ("$in", "$nin"):
            test: dict[str, Any] = {"match": models.MatchAny(any=list(value))}
        elif operator in ("$eq", "$ne"):
            # It matches texts, whole numbers and truths; a fraction is a range of one.
            test = (
                {"range": models.Range(gte=value, lte=value)}
                if isinstance(value, float)
                else {"match": models.MatchValue(value=value)}
            )
        else:
            test = {"range": models.Range(**{operator[1:]: value})}
        condition = models.FieldCondition(key=f"{payload}.{field}", **test)
        (must_not if operator in ("$ne", "$nin") else must).append(condition)
    return models.Filter(must=must or None, must_not=must_not or None)


def _milvus(wanted: dict[str, Any], store: Any) -> dict[str, Any]:
    within = getattr(store, "_metadata_field", None)  # all metadata in one field, as JSON
    names = {"$eq": "==", "$in": "in", "$nin": "not in"}

    def field(key: str) -> str:
        return _checked_field(key) if within is None else f"{within}[{json.dumps(key)}]"

    def literal(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    return {"expr": _expression(wanted, names, field, literal, "[]")}


def _lancedb(wanted: dict[str, Any], store: Any) -> dict[str, Any]:
    names = {"$eq": "=", "$in": "IN", "$nin": "NOT IN"}

    def field(key: str) -> str:
        return (
            _checked_field(key)
            if key.startswith("metadata.")
            else f"metadata.{_checked_field(key)}"
        )

    def literal(value: Any) -> str:
        return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else json.dumps(value)

    # Without prefilter it filters the k documents after the search.
    return {"filter": _expression(wanted, names, field, literal, "()"), "prefilter": True}


def _checked_field(field: str) -> str:
    """Return the name of a field; raise DataError where it would be more in an expression."""
    if not _FIELD.fullmatch(field):
        raise DataError(
            f"the field {field!r:.80} of a filter cannot be named in this store's expressions; "
            "names of letters, digits, _ and dots can."
        )
    return field


def _postgres(wanted: dict[str, Any], store: Any) -> dict[str, Any]:
    return {"filter": _with_absent(_where(wanted), columns_of(store))}


def _with_absent(wanted: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """Name the documents without the field, which SQL returns to no comparison.

    Args:
        columns: fields that are columns, and have a type of their own. Any other is text, and is
            converted to the type of the value: to that of fractions, where it is a number.
    """
    parts: list[dict[str, Any]] = []
    for field, operator, value in conditions(wanted):
        if not field:
            parts.append(_all({operator: [_with_absent(part, columns) for part in value]}))
            continue
        name = _checked_field(field)
        there, absent = ({name: {"$exists": exists}} for exists in (True, False))
        # Theirs reads a list as one of texts, or by the type of its first value.
        each = "$eq" if operator == "$in" else "$ne" if operator == "$nin" else operator
        values = value if operator in ("$in", "$nin") else [value]
        if name not in columns:
            values = [float(v) if type(v) is int else v for v in values]
        compared = [{name: {each: v}} for v in values]
        if operator == "$in":
            parts.append(_all({"$or": compared}) if compared else {"$and": [there, absent]})
        elif each == "$ne":
            parts.append({"$or": [absent, _all({"$and": [there, *compared]})]})
        else:
            parts += compared
    return _all({"$and": parts})


_SIGNS = {"$ne": "!=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}


def _expression(
    wanted: Mapping[str, Any],
    names: Mapping[str, str],
    field: Callable[[str], str],
    literal: Callable[[Any], str],
    brackets: str,
) -> str:
    """Write a filter as an expression.

    Args:
        names: the store's names of operators.
        field, literal: write a field and a value in the form of the store.
        brackets: of a list.
    """
    parts = []
    for key, operator, value in conditions(wanted):
        if not key:
            inner = [f"({_expression(part, names, field, literal, brackets)})" for part in value]
            parts.append(
                f"not {inner[0]}"
                if operator == "$not"
                else f"({(' and ' if operator == '$and' else ' or ').join(inner)})"
            )
            continue
        if isinstance(value, Sequence) and not isinstance(value, str):
            written = brackets[0] + ", ".join(map(literal, value)) + brackets[1]
        else:
            written = literal(value)
        parts.append(f"{field(key)} {(names | _SIGNS)[operator]} {written}")  # type: ignore[operator]
    return " and ".join(parts)


_TRANSLATIONS: Mapping[str, Callable[[dict[str, Any], Any], dict[str, Any]]] = {
    "Chroma": lambda wanted, _: {"filter": _where(wanted)},
    "FAISS": lambda wanted, _: {"filter": partial(matches, wanted)},
    "InMemoryVectorStore": lambda wanted, _: {"filter": document_filter(wanted)},
    "QdrantVectorStore": lambda wanted, store: {
        "filter": _qdrant_filter(wanted, getattr(store, "metadata_payload_key", "metadata"))
    },
    "Milvus": _milvus,
    "LanceDB": _lancedb,
    "PGVectorStore": _postgres,
    "PGVector": _postgres,
}
