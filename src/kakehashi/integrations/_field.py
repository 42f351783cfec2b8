"""The aligner as a field of a pydantic model: rebuilt from a path and checked by fingerprint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from ..aligner import Aligner
from ..errors import AlignerMismatchError, KakehashiError


def load_checked(path: str | Path, fingerprint: str | None = None) -> Aligner:
    """Load an aligner and refuse another one than was recorded.

    Raises:
        AlignerMismatchError: the aligner at the path has another fingerprint.
    """
    aligner = Aligner.load(path)
    if fingerprint is not None and aligner.fingerprint != fingerprint:
        raise AlignerMismatchError(
            f"{path} holds aligner {aligner.fingerprint[:12]}, but {fingerprint[:12]} was "
            "recorded: vectors of the two do not mix. Restore that aligner, or embed again."
        )
    return aligner


def reference(aligner: Aligner) -> dict[str, str]:
    """Return what rebuilds a saved aligner: its path and its fingerprint.

    Raises:
        KakehashiError: it was never saved, so nothing could rebuild it.
    """
    if aligner.path is None:
        raise KakehashiError(
            "This aligner lives in memory only and cannot be written down; call "
            "aligner.save(DIR) and use Aligner.load(DIR)."
        )
    return {"path": str(aligner.path), "fingerprint": aligner.fingerprint}


def _validate(value: Any) -> Any:
    if isinstance(value, (str, Path)):
        return load_checked(value)
    if isinstance(value, dict):
        return load_checked(value["path"], value.get("fingerprint"))
    return value


AlignerField = Annotated[
    Aligner,
    BeforeValidator(_validate),
    PlainSerializer(reference),
    WithJsonSchema({"type": "object", "description": "path and fingerprint of a saved aligner"}),
]
"""An ``Aligner``, a path to one, or ``{"path": ..., "fingerprint": ...}``."""
