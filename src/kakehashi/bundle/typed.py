"""Check that what was built from a record has the types that its classes declare.

A forged record may hold a list where a name belongs. Nothing would say so before the first message
that quotes it.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def check_types(value: Any, name: str) -> None:
    """Check every field of a dataclass against its annotation, and those of its fields in turn.

    Args:
        name: how an error names the object.

    Raises:
        ValueError: the first value of another type, with its place.
    """
    hints = get_type_hints(type(value))
    for field in fields(value):
        check_type(getattr(value, field.name), hints[field.name], f"{name}.{field.name}")


def check_type(value: Any, hint: Any, place: str) -> None:
    """Check one value against an annotation, with all that it holds.

    Raises:
        ValueError: it is of another type; the message names its place.
    """
    if not _is(value, hint):
        raise ValueError(f"{place} is {value!r:.60}, which no fit writes there")
    if is_dataclass(value):
        check_types(value, place)
    for part, (item, of_item) in _items(value, hint):
        check_type(item, of_item, f"{place}.{part}")


def _is(value: Any, hint: Any) -> bool:
    """Whether a value is of a type, whatever it holds."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(_is(value, argument) for argument in arguments)
    if origin is Literal:
        return isinstance(value, str) and value in arguments
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return type(value) is int
    kind = origin or hint
    return value is None if hint in (None, type(None)) else isinstance(value, kind)


def _items(value: Any, hint: Any) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Yield the parts of a mapping or a tuple, each by name with its annotation."""
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(argument for argument in get_args(hint) if _is(value, argument))
    arguments = get_args(hint)
    if isinstance(value, Mapping) and len(arguments) == 2:
        for key, item in value.items():
            check_type(key, arguments[0], "a name")
            yield f"{key!r:.40}", (item, arguments[1])
    elif isinstance(value, tuple) and arguments:
        repeated = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(repeated) != len(value):
            raise ValueError(f"{value!r:.60} has not {len(repeated)} parts")
        for number, part in enumerate(zip(value, repeated, strict=True)):
            yield str(number), part
