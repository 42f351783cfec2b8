"""Checks of pairs: every fault of every row is named, and raised or dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import PairsError
from ..types import SIDES, Side
from ..vectors import FloatArray, chunks, describe_bad_row, squared_norms
from .arguments import text_problem

OnInvalid = Literal["raise", "drop"]
OnDuplicate = Literal["keep", "raise", "drop"]


@dataclass(frozen=True)
class Finding:
    """One fault of one row. ``row`` counts from 0 in the caller's order."""

    row: int
    side: str
    problem: str
    is_duplicate: bool = False

    def __str__(self) -> str:
        return f"row {self.row}, {self.side}: {self.problem}"


@dataclass(frozen=True)
class ValidationReport:
    """The findings of a validation, and the rows that it dropped."""

    n_given: int
    findings: tuple[Finding, ...] = ()
    dropped: tuple[int, ...] = ()

    def __str__(self) -> str:
        gone = set(self.dropped)
        kinds: dict[str, list[int]] = {}
        for f in self.findings:
            what = f"{f.side}: {f.problem.split(' (')[0]}, {'dropped' if f.row in gone else 'kept'}"
            kinds.setdefault(what, []).append(f.row)
        lines = [f"{self.n_given} rows given, {len(self.dropped)} dropped"]
        for what, rows in sorted(kinds.items(), key=lambda kind: -len(kind[1])):
            shown = ", ".join(map(str, rows[:3])) + (", ..." if len(rows) > 3 else "")
            lines.append(f"  {len(rows)} x {what} (rows {shown}, from 0)")
        return "\n".join(lines)


def common_length(texts: dict[str, Any], vectors: dict[str, Any], groups: Any, ids: Any) -> int:
    """Return the number of rows that all columns given share.

    Args:
        texts, vectors: of each side, or None where it has none.
        groups, ids: a label a row, or None.

    Raises:
        PairsError: a side has neither texts nor vectors, columns differ in length, or no rows.
    """
    lengths = {f"{side}_texts": len(x) for side, x in texts.items() if x is not None}
    lengths |= {f"{side}_vectors": len(x) for side, x in vectors.items() if x is not None}
    for side in SIDES:
        if texts[side] is None and vectors[side] is None:
            raise PairsError(f"No {side} was given: pass {side}_texts, {side}_vectors or both.")
    lengths |= {k: len(x) for k, x in (("groups", groups), ("ids", ids)) if x is not None}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise PairsError(f"All columns need the same number of rows, but {listed}.")
    n = next(iter(lengths.values()))
    if n == 0:
        raise PairsError("There are no rows.")
    return n


def validated_texts(
    texts: Sequence[str] | None, side: Side, findings: list[Finding]
) -> tuple[str, ...] | None:
    """Return n texts as a tuple; each that cannot be used is added to ``findings``.

    Raises:
        PairsError: one string in place of many.
    """
    if texts is None:
        return None
    if isinstance(texts, str):
        raise PairsError(f"{side}_texts is one string; pass a list of strings.")
    for row, text in enumerate(texts):
        problem = text_problem(text)
        if problem:
            findings.append(Finding(row, side, problem))
    return tuple(texts)


def checked_vectors(vectors: Any, side: Side, findings: list[Finding]) -> FloatArray | None:
    """Return (n, d) vectors as a read-only view in their own dtype, read in chunks.

    A list of vectors is stacked as float32. Each row that cannot be used (NaN, infinite, zero, of
    another dimension) is added to ``findings``, unless it is there already.

    Raises:
        PairsError: not (n, d) of float16, float32 or float64.
    """
    if vectors is None:
        return None
    array = vectors if isinstance(vectors, np.ndarray) else _stack(vectors, side, findings)
    if array.ndim != 2 or array.shape[1] == 0 or array.dtype not in (np.float16, np.float32, float):
        raise PairsError(
            f"{side}_vectors: expected (n, d) of float16, float32 or float64, "
            f"got shape {array.shape} of {array.dtype}."
        )
    faulty = {f.row for f in findings if f.side == side}
    for part in chunks(len(array)):
        with np.errstate(over="ignore", invalid="ignore"):
            rows = np.asarray(array[part], dtype=np.float32)
            norms = squared_norms(rows)
        for i in np.flatnonzero(~np.isfinite(norms) | (norms == 0)):
            row = part.start + int(i)
            if row not in faulty:
                findings.append(Finding(row, side, f"vector {describe_bad_row(rows[i])}"))
    array = array.view()
    array.flags.writeable = False
    return array


def _stack(vectors: Sequence[Any], side: Side, findings: list[Finding]) -> FloatArray:
    """Stack a list of vectors; rows of a rare dimension become findings and NaN."""
    sizes = [np.size(v) for v in vectors]
    dimension = Counter(sizes).most_common(1)[0][0]
    array = np.full((len(vectors), dimension), np.nan, dtype=np.float32)
    for row, vector in enumerate(vectors):
        if sizes[row] == dimension:
            array[row] = vector
        else:
            problem = f"vector of dimension {sizes[row]} (the others have {dimension})"
            findings.append(Finding(row, side, problem))
    return array


def checked_labels(
    labels: Sequence[Any] | None, column: str, findings: list[Finding]
) -> tuple[str, ...] | None:
    """Return n groups or ids as strings; each that is empty or no Unicode goes to ``findings``."""
    if labels is None:
        return None
    for row, label in enumerate(labels):
        if label is None or str(label) == "" or (isinstance(label, float) and np.isnan(label)):
            findings.append(Finding(row, column, "empty"))
        elif "Unicode" in text_problem(str(label)):
            findings.append(Finding(row, column, text_problem(str(label))))
    return tuple(map(str, labels))


def duplicates(keys: NDArray[np.uint64], side: Side, faulty: set[int]) -> list[Finding]:
    """Find the rows whose key, of (n,), stood before; faulty rows are skipped."""
    values, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    if len(values) == len(keys):
        return []
    rows = np.flatnonzero(first[inverse] != np.arange(len(keys)))
    return [
        Finding(int(row), side, f"duplicate (of row {int(first[inverse[row]])})", True)
        for row in rows
        if int(row) not in faulty
    ]


def raise_if_asked(
    findings: list[Finding], on_invalid: OnInvalid, on_duplicate: OnDuplicate
) -> None:
    """Raise PairsError, with the first five findings, if the options say so."""
    raised = [f for f in findings if (on_duplicate if f.is_duplicate else on_invalid) == "raise"]
    if raised:
        shown = "; ".join(map(str, raised[:5]))
        more = f"; and {len(raised) - 5} more" if len(raised) > 5 else ""
        which = "on_duplicate" if raised[0].is_duplicate else "on_invalid"
        raise PairsError(
            f"{len(raised)} finding(s): {shown}{more}. Mend the rows, or pass {which}='drop'."
        )
