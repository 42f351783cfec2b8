"""The modality of queries and documents: declared, or by one rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..aligner import Aligner
from ..errors import DataError
from ..multi_aligner import MultiAligner
from ..retrieval.query import AUTO

Space = Aligner | MultiAligner
"""What embeds texts of several modalities into one space."""


def query_modality_of(space: Space, declared: str | None) -> str:
    """Return the modality of queries: as declared, or by default.

    The default is ``"source"`` for an aligner. A multi aligner has several sources, so its router
    decides (``"auto"``).

    Raises:
        DataError: neither a modality of the space nor ``"auto"``.
    """
    return _checked("query_modality", space, declared, space.default_query_modality)


def document_modality_of(space: Space, declared: str | None) -> str:
    """Return the modality of documents: as declared, or the target.

    Raises:
        DataError: neither a modality of the space nor ``"auto"``.
    """
    return _checked("document_modality", space, declared, space.modalities[-1])


def _checked(name: str, space: Space, declared: str | None, default: str) -> str:
    if declared is None:
        return default
    if declared not in (*space.modalities, AUTO):
        raise DataError(
            f"{name}={declared!r}; choose one of {', '.join(space.modalities)}, or auto."
        )
    return declared


def modalities_in_metadata(
    space: Space, metadata: Sequence[Mapping[str, Any]], field: str, default: str
) -> list[str]:
    """Return the modality that the metadata of each document name; the default where they do not.

    Raises:
        DataError: metadata that name another modality.
    """
    modalities = [each.get(field) or default for each in metadata]
    for row, modality in enumerate(modalities):
        if modality not in (*space.modalities, default):
            raise DataError(
                f"Document {row} has {field}={modality!r:.80}; allowed are "
                f"{', '.join(space.modalities)}. Mend it; or have modality_field= name another "
                "field, where this one means something else."
            )
    return modalities
