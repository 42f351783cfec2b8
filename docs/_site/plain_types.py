"""Types of pydantic's fields without the validators that stand inside of them."""

import inspect
from importlib import import_module
from typing import Annotated, Any, get_args, get_origin

from public_names import public_names
from sphinx.application import Sphinx


def _plain(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def setup(app: Sphinx) -> dict[str, bool]:
    """Annotate the fields of each public class that pydantic makes, in this process only."""
    for name in public_names():
        module, _, attribute = name.rpartition(".")
        value = getattr(import_module(module), attribute)
        if hasattr(value, "__pydantic_fields__"):
            signature = inspect.signature(value)
            fields = [
                field.replace(annotation=_plain(field.annotation))
                for field in signature.parameters.values()
            ]
            plain = {field.name: field.annotation for field in fields}
            value.__annotations__ = {**value.__annotations__, **plain}
            value.__signature__ = signature.replace(parameters=fields)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
