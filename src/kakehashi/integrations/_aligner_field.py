"""An aligner, or a bridge of several, as a field of a pydantic model: rebuilt from a path."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from ..aligner import Aligner
from ..errors import AlignerMismatchError, DataError, KakehashiError, NotAdvisedWarning, add_note
from ..multi_aligner import MultiAligner, load
from ..retrieval.query import AUTO

Space = Aligner | MultiAligner
"""What embeds texts of several modalities into one space."""


def query_modality_of(space: Space, given: str) -> str:
    """Return what queries are of, which is left open by an empty string.

    Raises:
        DataError: no modality of this space, nor ``"auto"``.
    """
    if not given:
        return AUTO if isinstance(space, MultiAligner) else "source"
    if given not in (*space.modalities, AUTO):
        raise DataError(
            f"query_modality={given!r}; choose one of {', '.join(space.modalities)}, or auto."
        )
    return given


def document_modality_of(space: Space, given: str) -> str:
    """Return what documents are of, which is left open by an empty string: the target.

    Raises:
        DataError: no modality of this space, nor ``"auto"``.
    """
    if given and given not in (*space.modalities, AUTO):
        raise DataError(
            f"document_modality={given!r}; choose one of {', '.join(space.modalities)}, or auto."
        )
    return given or space.modalities[-1]


def load_checked(path: str | Path | None, fingerprint: str | None = None) -> Space:
    """Load an aligner or a bridge, and refuse another one than was recorded.

    Raises:
        AlignerMismatchError: the aligner at the path has another fingerprint.
        KakehashiError: no path was recorded; the aligner lived in memory only.
    """
    if path is None:
        raise KakehashiError(
            "This was written down with an aligner that had never been saved, so nothing can load "
            "it again. Call aligner.save(DIR) first, then build on Aligner.load(DIR)."
        )
    aligner = load(path)
    if fingerprint is not None and aligner.fingerprint != fingerprint:
        raise AlignerMismatchError(
            f"{path} holds aligner {aligner.fingerprint[:12]}, but {fingerprint[:12]} was "
            "recorded: vectors of the two do not mix. Restore that aligner, or embed again."
        )
    return aligner


def with_encoders(space: Space, source_encoder: Any, target_encoder: Any) -> Space:
    """Return an aligner with the encoders that were passed; None keeps what it has."""
    passed = {"source_encoder": source_encoder, "target_encoder": target_encoder}
    return space.with_encoders(**{name: e for name, e in passed.items() if e is not None})


def reference(aligner: Space) -> dict[str, str | None]:
    """Return what names an aligner in a dump: its path, if it was saved, and its fingerprint."""
    path = None if aligner.path is None else str(aligner.path)
    return {"path": path, "fingerprint": aligner.fingerprint}


def warn_unless_advised(space: Space, stacklevel: int = 3) -> Space:
    """Return the aligner or bridge; warn where an aligner's own report says not to use it.

    A map that loses to BM25, or between two encoders to the target encoder by itself, is still
    what the fit had to give.
    """
    each = {"": space} if isinstance(space, Aligner) else space.aligners
    for name, aligner in each.items():
        if not aligner.advised:
            which = f"The aligner of {name}: its" if name else "This aligner's"
            warnings.warn(
                f"{which} report says: {aligner.report.verdict} ({aligner.report.reason}). It "
                "serves all the same.",
                NotAdvisedWarning,
                stacklevel=stacklevel,
            )
    return space


@contextmanager
def index_may_need_moving(space: Space, documents: str) -> Iterator[None]:
    """Add to a store's error that its vectors may not have been projected, where that may be why.

    What a store raises over a vector of another dimension is its own affair; so its error stays
    what it is, and says more.
    """
    try:
        yield
    except KakehashiError:
        raise
    except Exception as error:
        if isinstance(space, MultiAligner):  # whose target vectors are where they were
            raise
        documents = "target" if documents == AUTO else documents
        stored, given = space.dimensions[documents], space.output_dimension
        if space.mode == "shared" and stored != given:
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
    return warn_unless_advised(value, stacklevel=4) if isinstance(value, Space) else value


AlignerField = Annotated[
    Space,
    BeforeValidator(_validate),
    PlainSerializer(reference),
    WithJsonSchema({"type": "object", "description": "path and fingerprint of a saved aligner"}),
]
"""An ``Aligner`` or ``MultiAligner``, a path to one, or ``{"path": ..., "fingerprint": ...}``."""
