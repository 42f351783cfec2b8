"""A job: how every block is embedded, as a worker on another machine reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..aligner import Aligner
from ..errors import DataError, EncoderError

MODALITY: Final = "target"
ROLE: Final = "document"
"""Stored documents are those of the target."""


@dataclass(frozen=True)
class Job:
    """How the blocks of an input are embedded.

    Attributes:
        out: the folder that is written.
        aligner: the folder of the aligner.
        second_map: whether the second map of an aligner of mode ``keep`` projects.
        target_encoder: the encoder, or its name; None for the one that the aligner names.
        from_vectors: whether stored vectors are projected; else texts are encoded.
    """

    out: Path
    aligner: Path
    second_map: bool
    target_encoder: Any
    from_vectors: bool

    def load(self) -> Aligner:
        """Return the aligner, whose encoder is not loaded yet.

        Raises:
            BundleError: it cannot be loaded.
            DataError: there is no second map; or vectors are given, and nothing changes them.
            EncoderError: texts are encoded, and no encoder is named.
        """
        aligner = Aligner.load(self.aligner)
        if self.second_map:
            aligner = aligner.as_shared()
        if self.target_encoder is not None:
            aligner = aligner.with_encoders(target_encoder=self.target_encoder)
        if self.from_vectors:
            self._require_a_map(aligner)
            return aligner
        identity = aligner.identities[MODALITY]
        if self.target_encoder is None and (identity is None or identity.model is None):
            raise EncoderError(
                "Texts are encoded, and the aligner names no target encoder that can be loaded. "
                "Pass it with --target-encoder (target_encoder=)."
            )
        return aligner

    def _require_a_map(self, aligner: Aligner) -> None:
        if aligner.mode == "shared":
            return
        second = aligner.rescoring is not None
        advice = (
            "Its second map projects them: --second-map (second_map=True)."
            if second
            else "Fit an aligner with mode='shared' to project them."
        )
        raise DataError(
            "An aligner of mode 'keep' leaves the vectors of documents as they are, so the input "
            f"is the index already. {advice}"
        )
