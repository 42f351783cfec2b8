"""The aligner as a field of a pydantic model: rebuilt from a path and checked by fingerprint."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from ..aligner import Aligner
from ..errors import AlignerMismatchError, KakehashiError, NotAdvisedWarning, add_note
from ..pairs import Side


def load_checked(path: str | Path | None, fingerprint: str | None = None) -> Aligner:
    """Load an aligner and refuse another one than was recorded.

    Raises:
        AlignerMismatchError: the aligner at the path has another fingerprint.
        KakehashiError: no path was recorded; the aligner lived in memory only.
    """
    if path is None:
        raise KakehashiError(
            "This was written down with an aligner that had never been saved, so nothing can load "
            "it again. Call aligner.save(DIR) first, then build on Aligner.load(DIR)."
        )
    aligner = Aligner.load(path)
    if fingerprint is not None and aligner.fingerprint != fingerprint:
        raise AlignerMismatchError(
            f"{path} holds aligner {aligner.fingerprint[:12]}, but {fingerprint[:12]} was "
            "recorded: vectors of the two do not mix. Restore that aligner, or embed again."
        )
    return aligner


def reference(aligner: Aligner) -> dict[str, str | None]:
    """Return what names an aligner in a dump: its path, if it was saved, and its fingerprint."""
    path = None if aligner.path is None else str(aligner.path)
    return {"path": path, "fingerprint": aligner.fingerprint}


def warn_unless_advised(aligner: Aligner, stacklevel: int = 3) -> Aligner:
    """Return the aligner; warn where its own report says not to use it.

    A map that loses to BM25, or between two encoders to the target encoder by itself, is still
    what the fit had to give.
    """
    if not aligner.advised:
        warnings.warn(
            f"This aligner's report says: {aligner.report.verdict} ({aligner.report.reason}). It "
            "serves all the same.",
            NotAdvisedWarning,
            stacklevel=stacklevel,
        )
    return aligner


@contextmanager
def index_may_need_moving(aligner: Aligner, documents: Side) -> Iterator[None]:
    """Add to a store's error that its vectors may not have been projected, where that may be why.

    What a store raises over a vector of another dimension is its own affair; so its error stays
    what it is, and says more.
    """
    try:
        yield
    except KakehashiError:
        raise
    except Exception as error:
        stored, given = aligner.dimensions[documents], aligner.output_dimension
        if aligner.mode == "shared" and stored != given:
            note = (
                f"This aligner is of shared mode: it gives {given} dimensions, and its {documents} "
                f"encoder {stored}. An index of that encoder's vectors has to be moved first: "
                f"aligner.project(vectors, texts=..., modality={documents!r}, role='document')."
            )
            add_note(error, note)
        raise


def _validate(value: Any) -> Any:
    if isinstance(value, (str, Path)):
        value = load_checked(value)
    elif isinstance(value, dict):
        value = load_checked(value.get("path"), value.get("fingerprint"))
    # Past this function and pydantic: whoever builds the embeddings is to see the warning.
    return warn_unless_advised(value, stacklevel=4) if isinstance(value, Aligner) else value


AlignerField = Annotated[
    Aligner,
    BeforeValidator(_validate),
    PlainSerializer(reference),
    WithJsonSchema({"type": "object", "description": "path and fingerprint of a saved aligner"}),
]
"""An ``Aligner``, a path to one, or ``{"path": ..., "fingerprint": ...}``."""
