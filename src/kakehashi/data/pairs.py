"""Pairs: texts or vectors of two modalities that mean the same, validated once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, PairsError
from ..types import SIDES, Side
from ..vectors import FloatArray, chunks
from .arguments import check_choice
from .hashing import Keys, text_key, vector_keys
from .validation import (
    Finding,
    OnDuplicate,
    OnInvalid,
    ValidationReport,
    checked_labels,
    checked_vectors,
    common_length,
    duplicates,
    raise_if_asked,
    validated_texts,
)


class Pairs:
    """Pairs of two modalities: row i of the source means the same as row i of the target.

    A side has texts, stored vectors, or both. Everything is checked here, once. The object is
    read-only.

    Args:
        source_texts, target_texts: n texts a side.
        source_vectors, target_vectors: (n, d) float16, float32 or float64 a side; the two
            dimensions may differ. A memory-mapped array is read in chunks and never copied whole
            (unless rows are dropped).
        groups: for each row the document it comes from; splits never part a group, unless there
            is only one.
        ids: a name for each row, carried along.
        on_invalid: ``"raise"`` or ``"drop"`` a row that cannot be used: an empty text or invalid
            Unicode; a vector that is NaN, infinite, zero, or of another dimension.
        on_duplicate: ``"keep"`` and report, ``"raise"`` or ``"drop"`` a row whose text (or vector,
            where there is no text) already stood on the same side.
        name, licence: of the data, kept in every aligner made of it.
        columns: the names of the source and the target in their file, kept there, too.

    Raises:
        PairsError: sides of different lengths, no data, or rows that cannot be used.
    """

    def __init__(
        self,
        source_texts: Sequence[str] | None = None,
        target_texts: Sequence[str] | None = None,
        *,
        source_vectors: Any = None,
        target_vectors: Any = None,
        groups: Sequence[Any] | None = None,
        ids: Sequence[Any] | None = None,
        on_invalid: OnInvalid = "raise",
        on_duplicate: OnDuplicate = "keep",
        name: str = "",
        licence: str = "",
        columns: tuple[str, str] = ("source", "target"),
    ) -> None:
        check_choice("on_invalid", on_invalid, ("raise", "drop"))
        check_choice("on_duplicate", on_duplicate, ("keep", "raise", "drop"))
        texts = {"source": source_texts, "target": target_texts}
        vectors = {"source": source_vectors, "target": target_vectors}
        n = common_length(texts, vectors, groups, ids)

        findings: list[Finding] = []
        self._texts: dict[Side, tuple[str, ...] | None] = {}
        self._vectors: dict[Side, FloatArray | None] = {}
        self._computed_keys: dict[Side, Keys] = {}
        for side in SIDES:
            self._texts[side] = validated_texts(texts[side], side, findings)
            self._vectors[side] = checked_vectors(vectors[side], side, findings)
        self.groups = checked_labels(groups, "groups", findings)
        self.ids = checked_labels(ids, "ids", findings)
        # The name of a file may hold bytes that are no Unicode, which a record cannot hold.
        self.name = name.encode("utf-8", "replace").decode()
        self.licence = licence.encode("utf-8", "replace").decode()
        self.columns = columns

        faulty = {f.row for f in findings}
        keys = {side: self._keys(side, skip=faulty) for side in SIDES}
        for side in SIDES:
            findings += duplicates(keys[side], side, faulty)
        findings.sort(key=lambda f: f.row)
        raise_if_asked(findings, on_invalid, on_duplicate)
        dropped = sorted({f.row for f in findings if not f.is_duplicate or on_duplicate == "drop"})
        if len(dropped) == n:
            raise PairsError(f"None of the {n} rows can be used; the first: {findings[0]}.")
        self.validation = ValidationReport(n, tuple(findings), tuple(dropped))
        if dropped:
            self._keep_rows(np.delete(np.arange(n), dropped))
        else:
            self._computed_keys = keys

    def __len__(self) -> int:
        for side in SIDES:
            texts, vectors = self._texts[side], self._vectors[side]
            if texts is not None:
                return len(texts)
            if vectors is not None:
                return len(vectors)
        raise AssertionError("a Pairs holds at least one side")

    def __repr__(self) -> str:
        shapes = [
            f"{side} {'texts' if self._texts[side] is not None else ''}"
            f"{'' if (v := self._vectors[side]) is None else f'[{v.shape[1]}]'}"
            for side in SIDES
        ]
        return f"Pairs({self.name!r}, {len(self)} rows, {', '.join(shapes)})"

    @property
    def source_texts(self) -> tuple[str, ...] | None:
        """The n source texts, or None where only vectors were given."""
        return self._texts["source"]

    @property
    def target_texts(self) -> tuple[str, ...] | None:
        """The n target texts, or None where only vectors were given."""
        return self._texts["target"]

    @property
    def source_vectors(self) -> FloatArray | None:
        """The stored (n, d) source vectors in the dtype given, or None."""
        return self._vectors["source"]

    @property
    def target_vectors(self) -> FloatArray | None:
        """The stored (n, d) target vectors in the dtype given, or None."""
        return self._vectors["target"]

    def texts(self, side: Side) -> tuple[str, ...] | None:
        """The texts of one side, or None."""
        return self._texts[side]

    def vectors(self, side: Side) -> FloatArray | None:
        """The stored vectors of one side, or None."""
        return self._vectors[side]

    def required_vectors(self, side: Side) -> FloatArray:
        """Return the vectors of one side.

        Raises:
            DataError: the side has texts only.
        """
        vectors = self._vectors[side]
        if vectors is None:
            raise DataError(f"The {side} side has texts only; encode it first.")
        return vectors

    def select(self, rows: NDArray[np.intp] | Sequence[int]) -> Pairs:
        """Return the given rows, in the given order, without validating them again."""
        chosen = object.__new__(Pairs)
        chosen.__dict__.update({k: v for k, v in self.__dict__.items() if k != "content_hash"})
        index = np.asarray(rows, dtype=np.intp)
        chosen._computed_keys = {s: keys[index] for s, keys in self._computed_keys.items()}
        chosen._keep_rows(index)
        chosen.validation = ValidationReport(len(index))
        return chosen

    def with_vectors(self, source: FloatArray | None, target: FloatArray | None) -> Pairs:
        """Return the same rows with other vectors; None keeps those of a side."""
        vectors_of = {"source": source, "target": target}
        if source is None and target is None:
            return self
        filled = object.__new__(Pairs)
        filled.__dict__.update({k: v for k, v in self.__dict__.items() if k != "content_hash"})
        filled._vectors = {
            side: self._vectors[side] if (v := vectors_of[side]) is None else v for side in SIDES
        }
        kept = {
            s: k for s, k in self._computed_keys.items() if vectors_of[s] is None or self._texts[s]
        }
        filled._computed_keys = kept
        for side in SIDES:
            vectors = filled._vectors[side]
            if vectors is not None and len(vectors) != len(self):
                raise PairsError(f"{len(vectors)} {side} vectors for {len(self)} pairs.")
        return filled

    def keys(self, side: Side) -> Keys:
        """Return a 64-bit key a row, (n,): equal texts (or, without texts, vectors) share it."""
        if side not in self._computed_keys:
            self._computed_keys[side] = self._keys(side, skip=set())
        return self._computed_keys[side]

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over the rows as a set: the order of the rows does not matter."""
        digests: list[bytes] = []
        for part in chunks(len(self)):
            blocks = {s: None if v is None else v[part] for s, v in self._vectors.items()}
            for offset, row in enumerate(range(part.start, part.stop)):
                digest = hashlib.sha256()
                for side in SIDES:
                    texts, block = self._texts[side], blocks[side]
                    if texts is not None:
                        _update(digest, b"text", texts[row].encode())
                    if block is not None:
                        kind = f"vector {block.dtype.str}".encode()
                        _update(digest, kind, np.asarray(block[offset]).tobytes())
                    _update(digest, b"side", side.encode())
                if self.groups is not None:
                    _update(digest, b"group", self.groups[row].encode())
                digests.append(digest.digest())
        return hashlib.sha256(b"".join(sorted(digests))).hexdigest()

    def _keys(self, side: Side, skip: set[int]) -> Keys:
        texts, vectors = self._texts[side], self._vectors[side]
        if texts is not None:
            return np.array(
                [0 if i in skip else text_key(text) for i, text in enumerate(texts)],
                dtype=np.uint64,
            )
        if vectors is not None:
            return vector_keys(vectors)
        return np.arange(len(self), dtype=np.uint64)

    def _keep_rows(self, rows: NDArray[np.intp]) -> None:
        for side in SIDES:
            texts, vectors = self._texts[side], self._vectors[side]
            if texts is not None:
                self._texts = {**self._texts, side: tuple(texts[i] for i in rows)}
            if vectors is not None:
                self._vectors = {**self._vectors, side: vectors[rows]}
        self.groups = None if self.groups is None else tuple(self.groups[i] for i in rows)
        self.ids = None if self.ids is None else tuple(self.ids[i] for i in rows)


def check_pairs(*required: Any, optional: Sequence[Any] = ()) -> None:
    """Raise DataError unless all are Pairs; those in ``optional`` may also be None.

    A path also has a length, and would be counted as pairs.
    """
    for value in (*required, *(value for value in optional if value is not None)):
        if isinstance(value, Pairs):
            continue
        advice = "make them with kakehashi.Pairs(source_texts, target_texts)"
        if isinstance(value, (str, PathLike)):
            advice = f"read the file with kakehashi.read_pairs({str(value)!r})"
        raise DataError(f"expected Pairs, got {type(value).__name__}; {advice}.")


def concatenated(parts: Sequence[Pairs]) -> Pairs:
    """Return the rows of several sets, one after the other, with vectors as float32 in memory.

    Texts and groups are kept where every set has them.
    """
    whole = object.__new__(Pairs)
    whole._computed_keys = {}
    whole._texts, whole._vectors = {}, {}
    for side in SIDES:
        texts = [part.texts(side) for part in parts]
        whole._texts[side] = (
            None if None in texts else tuple(text for of_part in texts for text in of_part or ())
        )
        vectors = [part.required_vectors(side) for part in parts]
        whole._vectors[side] = np.concatenate([np.asarray(v, np.float32) for v in vectors])
    groups = [part.groups for part in parts]
    whole.groups = None
    if None not in groups:
        whole.groups = tuple(group for of_part in groups for group in of_part or ())
    whole.ids, whole.name, whole.licence = None, parts[0].name, parts[0].licence
    whole.columns = parts[0].columns
    whole.validation = ValidationReport(len(whole))
    return whole


def _update(digest: Any, kind: bytes, content: bytes) -> None:
    digest.update(kind + len(content).to_bytes(8, "little") + content)
