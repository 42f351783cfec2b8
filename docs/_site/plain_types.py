"""Signatures of pydantic's classes without the validators that stand inside their types."""

import inspect
from importlib import import_module
from typing import Annotated, get_args, get_origin

from public_names import public_names
from sphinx.application import Sphinx


def _plain(parameter: inspect.Parameter) -> inspect.Parameter:
    if get_origin(parameter.annotation) is Annotated:
        return parameter.replace(annotation=get_args(parameter.annotation)[0])
    return parameter


def setup(app: Sphinx) -> dict[str, bool]:
    """Replace the signature of each public class that pydantic makes, in this process only."""
    for name in public_names():
        module, _, attribute = name.rpartition(".")
        value = getattr(import_module(module), attribute)
        if hasattr(value, "__pydantic_fields__"):
            signature = inspect.signature(value)
            parameters = [_plain(each) for each in signature.parameters.values()]
            value.__signature__ = signature.replace(parameters=parameters)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
