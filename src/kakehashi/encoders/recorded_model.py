"""The model that a saved aligner names: it may come from anyone, so no code of it may run."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from ..errors import EncoderError, MissingExtraError

_LEAST = 6
"""Major version of sentence-transformers that imports no code of a model's folder unasked. Older
ones run the modules that a local folder names in its ``modules.json``."""


def require_safe_loading(model: str, advice: str) -> None:
    """Check that loading a recorded model runs none of its code.

    Args:
        model: the path or hub name that the aligner records.
        advice: how to pass the encoder instead.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
        EncoderError: it is older than version 6.
    """
    try:
        installed = version("sentence-transformers")
    except PackageNotFoundError as error:
        raise MissingExtraError("sentence-transformers", "sentence-transformers") from error
    if int(installed.split(".")[0]) < _LEAST:
        raise EncoderError(
            f"The aligner names the model {model!r}. sentence-transformers {installed} would run "
            f"code of that folder, which may come from anyone; install version {_LEAST} or later, "
            f"or pass an encoder that you trust: {advice}."
        )
