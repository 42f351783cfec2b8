"""The object of a framework that calls an embedding function.

A store that embeds with our object passes it a text and nothing else, so that the object cannot
tell which index is searched. The store stands in the call stack.
"""

from __future__ import annotations

import sys
from typing import Any

_ALIGNERS = {"Aligner", "MultiAligner"}
_DEPTH = 40
"""Calls that are looked through at most: LlamaIndex wraps each of its methods in others."""


def arguments_of(*function_names: str) -> dict[str, Any] | None:
    """Return the variables of the nearest function in the call stack of such a name; else None."""
    frame = sys._getframe(1)
    for _ in range(_DEPTH):
        if frame.f_code.co_name in function_names:
            return frame.f_locals
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return None


def caller_of(*class_names: str) -> Any:
    """Return the nearest object in the call stack whose class has such a name among its bases.

    An object that is still being built is passed over: some stores embed a word in ``__init__``,
    to learn the dimension. Behind an aligner nothing is looked for: its encoder may itself be such
    an embedding function, and the store holds the vectors of the outer one.

    Returns:
        the object, or None.
    """
    frame, wanted = sys._getframe(1), set(class_names)
    for _ in range(_DEPTH):
        above = frame.f_back
        if above is None:
            return None
        frame = above
        code = frame.f_code
        if code.co_argcount and code.co_varnames[0] == "self" and code.co_name != "__init__":
            owner = frame.f_locals.get("self")
            names = {base.__name__ for base in type(owner).__mro__}
            if names & wanted:
                return owner
            if names & _ALIGNERS:
                return None
    return None
