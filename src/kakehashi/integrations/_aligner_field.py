"""An aligner as a field of a pydantic model, which can be rebuilt from the path of the aligner."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from typing_extensions import Self

from ..aligner import Aligner
from ..errors import AlignerMismatchError, DataError, KakehashiError, NotAdvisedWarning, add_note
from ..multi_aligner import MultiAligner, load
from ..printable import printable
from ..retrieval.document_modality import DocumentModality
from ..retrieval.query import AUTO
from ._modalities import Space, document_modality_of, query_modality_of


def load_checked(path: str | Path | None, fingerprint: str | None = None) -> Space:
    """Load an aligner or a multi aligner, and refuse another one than was recorded.

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
    """Return an aligner with the encoders that were passed; None keeps the encoder it has."""
    passed = {"source_encoder": source_encoder, "target_encoder": target_encoder}
    return space.with_encoders(**{name: e for name, e in passed.items() if e is not None})


def reference(aligner: Space) -> dict[str, str | None]:
    """Return the entry of an aligner in a dump: its path, if it was saved, and its fingerprint."""
    path = None if aligner.path is None else str(aligner.path)
    return {"path": path, "fingerprint": aligner.fingerprint}


def warn_unless_advised(space: Space, stacklevel: int = 3) -> Space:
    """Return the aligner; warn where its own report advises against its use.

    A fit returns a map even where the map loses: to BM25, or to the target encoder by itself.
    """
    aligners = {"": space} if isinstance(space, Aligner) else space.aligners
    for name, aligner in aligners.items():
        if not aligner.advised:
            which = f"The aligner of {name}: its" if name else "This aligner's"
            warnings.warn(
                f"{which} report says: {aligner.report.verdict} "
                f"({printable(aligner.report.reason)}). It serves all the same.",
                NotAdvisedWarning,
                stacklevel=stacklevel,
            )
    return space


@contextmanager
def index_may_need_moving(space: Space, document_modality: str) -> Iterator[None]:
    """Add a note to an error of a store whose vectors may not have been projected.

    Each store raises an error of its own over a vector of another dimension. The error stays as it
    is, and the note names the likely cause.
    """
    try:
        yield
    except KakehashiError:
        raise
    except Exception as error:
        if isinstance(space, MultiAligner):  # it leaves target vectors as they are
            raise
        modality = "target" if document_modality == AUTO else document_modality
        stored, projected = space.dimensions[modality], space.output_dimension
        if space.mode == "shared" and stored != projected:
            note = (
                f"This aligner is of shared mode: it gives {projected} dimensions, and its "
                f"{modality} encoder {stored}. An index of that encoder's vectors has to be moved "
                f"first, by kakehashi migrate or aligner.project(vectors, texts=..., "
                f"modality={modality!r}, role='document')."
            )
            add_note(error, note)
        raise


def _validate(value: Any) -> Space:
    if isinstance(value, (str, Path)):
        value = load_checked(value)
    elif isinstance(value, dict):
        value = load_checked(value.get("path"), value.get("fingerprint"))
    if not isinstance(value, (Aligner, MultiAligner)):
        raise DataError(
            f"aligner={value!r:.80}; give an Aligner, a MultiAligner, or the folder of a saved one."
        )
    # Past this function and pydantic: whoever builds the embeddings is to see the warning.
    return warn_unless_advised(value, stacklevel=4)


AlignerField = Annotated[
    Space,
    BeforeValidator(_validate),
    PlainSerializer(reference),
    WithJsonSchema({"type": "object", "description": "path and fingerprint of a saved aligner"}),
]
"""An ``Aligner`` or ``MultiAligner``, a path to one, or ``{"path": ..., "fingerprint": ...}``."""


class AlignedModel(BaseModel):
    """The fields that the embeddings of both frameworks share.

    After validation, both modalities hold the resolved name.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, protected_namespaces=())

    aligner: AlignerField
    query_modality: str | None = Field(default=None, validate_default=True)
    document_modality: str | None = Field(default=None, validate_default=True)
    modality_field: str = "modality"

    @field_validator("query_modality", "document_modality")
    @classmethod
    def _resolve(cls, modality: str | None, info: ValidationInfo) -> str | None:
        space = info.data.get("aligner")
        if space is None:  # it was refused, which the error says
            return modality
        of = query_modality_of if info.field_name == "query_modality" else document_modality_of
        return of(space, modality)

    @property
    def resolved_query_modality(self) -> str:
        """``query_modality``, or the default of the aligner."""
        return query_modality_of(self.aligner, self.query_modality)

    @property
    def resolved_document_modality(self) -> str:
        """``document_modality``, or the default of the aligner."""
        return document_modality_of(self.aligner, self.document_modality)

    def modality_of_documents(
        self, search: str = "", declared: str | None = None, field: str | None = None
    ) -> DocumentModality:
        """Return the rule for documents of a store: as declared, by metadata, or the default.

        Args:
            search: its name, for errors.
            declared: of all documents.
            field: the metadata field, in place of ``modality_field``.
        """
        return DocumentModality(
            search,
            self.aligner,
            declared,
            field or self.modality_field,
            self.resolved_document_modality,
        )

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        source_encoder: Any = None,
        target_encoder: Any = None,
        **fields: Any,
    ) -> Self:
        """Load a saved aligner; pass the encoders that it does not record.

        A multi aligner has encoders by modality: pass
        ``aligner=kakehashi.load(path).with_encoders(ja=...)`` to the class.
        """
        return cls(aligner=with_encoders(load(path), source_encoder, target_encoder), **fields)

    @classmethod
    def of(cls, value: Any) -> Self:
        """Return embeddings: the value, or embeddings of the aligner or the folder that it is.

        Raises:
            DataError: another value.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, (str, Path, Aligner, MultiAligner)):
            aligner: Any = value
            return cls(aligner=aligner)
        raise DataError(
            f"{value!r:.80} is no {cls.__name__}; give one, an Aligner, a MultiAligner, or the "
            "folder of a saved one."
        )
