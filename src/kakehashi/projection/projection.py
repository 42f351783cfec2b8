"""Projection: two heads, and the hubness correction of the mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.arguments import strings
from ..errors import DataError
from ..types import SIDES, Role, Side
from ..vectors import Float32Array, chunks, unit_rows
from .head import AffineHead, head_of
from .hubness import HubnessCorrection
from .hubness_model import HubnessModel, model_of, tensors_of
from .ngrams import CharacterNgrams

_NGRAM_ROWS = 1024
"""Rows whose n-grams are held at a time: while they are projected they take some 16 KB each."""
_LARGEST = 1e12
"""No fit gives a larger weight, and the squares of a row still fit into float32."""


@dataclass(frozen=True, eq=False)
class Projection:
    """The map of each modality into the common space.

    Attributes:
        source, target: the head of each modality; None leaves its vectors as they are.
        query_offset: (d,) float32, added to source queries before they get unit length: the
            hubness correction of ``keep`` mode.
        hubness: the correction of ``shared`` mode; vectors then have two more dimensions.
        ngrams: the n-gram features, for a modality whose texts are read. Its head takes the
            encoder vector and the n-grams side by side.
    """

    source: AffineHead | None = None
    target: AffineHead | None = None
    query_offset: Float32Array | None = None
    hubness: HubnessCorrection | None = None
    ngrams: Mapping[Side, CharacterNgrams] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Describe the map of each side, without its arrays."""
        parts = []
        for side in SIDES:
            widths = self.dimensions(side)
            ngrams = " + n-grams" if side in self.ngrams else ""
            way = "unchanged" if widths is None else f"{widths[0]}{ngrams} -> {widths[1]}"
            parts.append(f"{side}: {way}")
        return f"Projection({', '.join(parts)})"

    def __call__(
        self,
        x: Float32Array,
        *,
        modality: Side,
        role: Role,
        texts: Sequence[str] | None = None,
        roughly: bool = False,
    ) -> Float32Array:
        """Project (n, d) float32 of finite, non-zero rows -> (n, d_out) float32.

        Args:
            texts: the n texts behind the vectors, where this modality's n-grams are read.
            roughly: compute in float32, to compare many maps; serving is exact.

        Raises:
            DataError: the texts are needed and not given, not one for each vector, or no strings.
        """
        if modality in self.ngrams:
            listed = self._checked_texts(texts, len(x), modality)
            if len(x) > _NGRAM_ROWS:
                parts = [
                    self(x[p], modality=modality, role=role, texts=listed[p], roughly=roughly)
                    for p in chunks(len(x), _NGRAM_ROWS)
                ]
                return np.concatenate(parts)
            x = self.ngrams[modality].beside(x, listed)
        head = self.source if modality == "source" else self.target
        offset = self.query_offset if modality == "source" and role == "query" else None
        if head is None and offset is None and self.hubness is None:
            return x
        y = unit_rows(x) if head is None else head.roughly(x) if roughly else head(x)
        if offset is not None:
            y = unit_rows(y + offset)
        if self.hubness is not None:
            y = self.hubness.fold(y, modality=modality, role=role, roughly=roughly)
        return y

    def _checked_texts(
        self, texts: Sequence[str] | None, n_vectors: int, modality: Side
    ) -> list[str]:
        if texts is None:
            raise DataError(
                f"This aligner also reads the {modality} texts; pass texts= beside the vectors, or "
                "texts alone to embed_queries(). fit(..., ngrams=False) needs vectors only."
            )
        listed = strings(texts, f"texts of the {modality}, one a vector", f" of the {modality}")
        if len(listed) != n_vectors:
            raise DataError(
                f"{len(listed)} texts for {n_vectors} {modality} vectors; give one text a vector."
            )
        return listed

    @property
    def is_identity(self) -> bool:
        """Whether nothing is changed on either side."""
        return (self.source, self.target, self.query_offset, self.hubness) == (None,) * 4

    def dimensions(self, modality: Side) -> tuple[int, int] | None:
        """Return (d_in, d_out) of one modality, or None where the vectors pass unchanged."""
        head = self.source if modality == "source" else self.target
        extra = 2 if self.hubness is not None else 0
        read = self.ngrams[modality].dimension if modality in self.ngrams else 0
        if head is not None:
            return head.weight.shape[0] - read, head.weight.shape[1] + extra
        if self.hubness is not None:
            dimension = len(self.hubness.models[modality].directions)
            return dimension, dimension + extra
        if modality == "source" and self.query_offset is not None:
            return len(self.query_offset), len(self.query_offset)
        return None

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the parts of this projection: a JSON-ready record and named tensors."""
        tensors: dict[str, NDArray[Any]] = {}
        for side, head in (("source", self.source), ("target", self.target)):
            if head is not None:
                tensors |= {f"{side}.weight": head.weight, f"{side}.bias": head.bias}
        if self.query_offset is not None:
            tensors["query_offset"] = self.query_offset
        record: dict[str, Any] = {
            "hubness_strength": None,
            "ngrams": {side: asdict(ngrams) for side, ngrams in self.ngrams.items()},
        }
        if self.hubness is not None:
            record["hubness_strength"] = self.hubness.strength
            for side in SIDES:
                tensors |= tensors_of(self.hubness.models[side], f"hubness.{side}")
        return record, tensors

    @classmethod
    def from_state(
        cls, record: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]
    ) -> Projection:
        """Rebuild a projection from :meth:`state`.

        Raises:
            ValueError, KeyError: the tensors do not fit together.
        """
        heads = {side: head_of(tensors, side) for side in SIDES}
        ngrams: dict[Side, CharacterNgrams] = {
            side: CharacterNgrams(**record["ngrams"][side])
            for side in SIDES
            if side in record["ngrams"]
        }
        strength = record["hubness_strength"]
        correction = None
        if strength is not None:
            models: dict[str, HubnessModel] = {
                side: model_of(tensors, f"hubness.{side}") for side in SIDES
            }
            correction = HubnessCorrection(models, float(strength))
        projection = cls(
            heads["source"], heads["target"], tensors.get("query_offset"), correction, ngrams
        )
        if set(projection.state()[1]) != set(tensors):
            raise ValueError(f"unexpected tensors: {sorted(tensors)}")
        projection._check()
        return projection

    def _check(self) -> None:
        widths = set()
        for head in (self.source, self.target):
            if head is not None:
                head.check()
                widths.add(head.weight.shape[1])
        if self.query_offset is not None:
            if self.query_offset.ndim != 1:
                raise ValueError("the query offset is not a vector")
            widths.add(len(self.query_offset))
        if self.hubness is not None:
            for model in self.hubness.models.values():
                model.check()
                widths.add(len(model.directions))
        self._check_ngrams()
        if len(widths) > 1:
            raise ValueError(f"the parts give vectors of different dimensions {sorted(widths)}")
        _, tensors = self.state()
        for name, tensor in tensors.items():
            if tensor.dtype != np.float32 or not np.isfinite(tensor).all():
                raise ValueError(f"tensor {name} is not finite float32")
            if tensor.size and np.abs(tensor).max() > _LARGEST:
                raise ValueError(f"tensor {name} holds a number above {_LARGEST:.0e}")

    def _check_ngrams(self) -> None:
        for side, ngrams in self.ngrams.items():
            if (self.source if side == "source" else self.target) is None:
                raise ValueError(f"the n-grams of the {side} are read, but by no head")
            if type(ngrams.dimension) is not int:
                raise ValueError(f"the n-grams of the {side} have no sound dimension")
            widths = self.dimensions(side)
            if ngrams.dimension < 1 or widths is None or widths[0] < 1:
                raise ValueError(f"the n-grams of the {side} do not fit its head")
