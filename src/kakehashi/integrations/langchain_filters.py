"""Filters in LangChain: one dictionary, in the way of Chroma, said to each store in its own words.

``{"part": "pump"}``, ``{"year": {"$gte": 2020}}``, ``$and``, ``$or``, ``$not``: every store of
LangChain filters by metadata, and hardly two in the same form. A mixed search has to restrict all
its arms alike, and to search a store once for each modality.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

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
_OTHER_RESTRICTIONS = ("expr", "where_document")


def kind_of(store: VectorStore) -> str | None:
    """Return which of the stores whose filters are known this is, or None."""
    kinds = {kind.__name__ for kind in type(store).__mro__}
    return next((name for name in _OWN_FORM if name in kinds), None)


def permits(given: Any, document: Document) -> bool:
    """Say whether a filter lets a document through: a function of it, or a dictionary.

    Raises:
        DataError: a filter of another kind, or an operator that is not known.
    """
    if callable(given):
        return bool(given(document))
    if not isinstance(given, dict):
        raise DataError(
            f"A search by words cannot read the filter {given!r}; give a dictionary in the way of "
            "Chroma, which every arm reads, or a function of a document."
        )
    return _holds(given, document.metadata)


def words_filter(options: Mapping[str, Any]) -> Any:
    """Return what restricts a search by words, of the options of a call.

    Raises:
        DataError: a restriction that only a store can read. Ignoring it would let through what
            the caller shut out.
    """
    for name in _OTHER_RESTRICTIONS:
        if options.get(name) is not None:
            raise DataError(
                f"A search by words cannot read {name}={options[name]!r}; give filter= a "
                "dictionary in the way of Chroma, which every arm reads, or put it into the "
                "search_kwargs of the arm of that store."
            )
    return options.get("filter")


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
    own = _OWN_FORM[kind](given, store)
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
            if key not in ("$and", "$or", "$not"):
                raise _unknown(key)
            found.append(("", key, [wanted] if key == "$not" else wanted))
            continue
        if isinstance(wanted, list):  # FAISS's way of $in
            wanted = {"$in": wanted}  # noqa: PLW2901
        conditions = wanted if isinstance(wanted, dict) else {"$eq": wanted}
        for operator, value in conditions.items():
            if operator not in _COMPARES:
                raise _unknown(operator)
            found.append((key, "$ne" if operator == "$neq" else operator, value))
    return found


def _unknown(operator: str) -> DataError:
    return DataError(
        f"The operator {operator!r} of a filter is not known; known are {', '.join(_COMPARES)}, "
        "$and, $or and $not."
    )


def _holds(given: Mapping[str, Any], metadata: Mapping[str, Any]) -> bool:
    for field, operator, value in _parts(given):
        if field:
            holds = _COMPARES[operator](metadata.get(field), value)
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
    _parts(given)  # an unknown operator is an error even where nothing is stored
    return {"filter": lambda metadata: _holds(given, metadata)}


def _in_memory(given: dict[str, Any], store: Any) -> dict[str, Any]:
    _parts(given)
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
        return key if within is None else f"{within}[{json.dumps(key)}]"

    def literal(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    return {"expr": _expression(given, names, field, literal, "[]")}


def _lancedb(given: dict[str, Any], store: Any) -> dict[str, Any]:
    names = {"$eq": "=", "$in": "IN", "$nin": "NOT IN"}

    def field(key: str) -> str:
        return key if key.startswith("metadata.") else f"metadata.{key}"

    def literal(value: Any) -> str:
        return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else json.dumps(value)

    # Without prefilter it filters the k that it has found.
    return {"filter": _expression(given, names, field, literal, "()"), "prefilter": True}


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
