"""The record of an index: which aligner made the vectors that are stored in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

from ..errors import AlignerMismatchError
from ..printable import printable

KEY = "kakehashi"
"""The key under which a store keeps the record in its metadata."""


class RecordedSpace(Protocol):
    """An aligner or a multi aligner, as far as a record describes it."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of everything that decides about vectors."""

    @property
    def mode(self) -> str:
        """``"keep"`` or ``"shared"``."""

    @property
    def output_dimension(self) -> int:
        """The dimension of projected vectors."""

    @property
    def encoder_names(self) -> Mapping[str, str]:
        """The recorded name of each modality's encoder; empty for one that is unknown."""


@dataclass(frozen=True)
class IndexRecord:
    """Says how the vectors of an index were made.

    Attributes:
        fingerprint: of the aligner or multi aligner.
        mode: ``"keep"`` or ``"shared"``.
        dimension: of the stored vectors.
        source_encoder, target_encoder: their names; of several sources, joined by commas.
        text: which text of a document was embedded, in the words of the framework.
    """

    fingerprint: str
    mode: str
    dimension: int
    source_encoder: str
    target_encoder: str
    text: str

    @classmethod
    def of(cls, space: RecordedSpace, text: str) -> IndexRecord:
        """Return the record of an index that this aligner fills."""
        *sources, target = space.encoder_names.values()
        return cls(
            space.fingerprint, space.mode, space.output_dimension, ", ".join(sources), target, text
        )

    def to_json(self) -> str:
        """Return the record as one line of JSON: some stores keep flat metadata only."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, value: Any) -> IndexRecord | None:
        """Return the record that a store kept; None where it is none of ours."""
        try:
            read = json.loads(value)
            record = cls(**{field.name: read[field.name] for field in fields(cls)})
        except (TypeError, ValueError, KeyError, RecursionError):
            return None
        kinds = {"dimension": int}
        whole = all(isinstance(v, kinds.get(n, str)) for n, v in asdict(record).items())
        return record if whole else None

    def require(self, space: RecordedSpace, index: str, *, only_target: bool) -> bool:
        """Compare the record with an aligner.

        Args:
            index: its name, for the error.
            only_target: whether all documents of the index are of the target modality.

        Returns:
            True where the aligner made the vectors; False where the record cannot tell. An aligner
            of ``keep`` mode leaves target vectors as they are, so another one over the same target
            encoder may search them.

        Raises:
            AlignerMismatchError: another aligner made them.
        """
        if self.fingerprint == space.fingerprint:
            return True
        *_, target = space.encoder_names.values()
        same_encoder = target != "" and target == self.target_encoder
        kept = self.mode == space.mode == "keep" and self.dimension == space.output_dimension
        if only_target and kept and same_encoder:
            return False
        made = f" ({printable(self.mode)}, {self.source_encoder!r} into {self.target_encoder!r})"
        raise AlignerMismatchError(
            f"{index} was filled through the aligner {self.fingerprint[:12]!r}"
            f"{made if self.mode else ''}, not {space.fingerprint[:12]!r}: vectors of "
            "the two do not mix. Search it through that aligner; or delete all its documents, and "
            "add them through this one."
        )
