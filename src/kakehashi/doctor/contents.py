"""What an index holds: its size, and whether its vectors can be compared at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..printable import printable
from .finding import CANNOT_TELL, FAULT, NOTE, SOUND, Finding
from .reading import Reading

_UNIT = 2e-3
"""Largest difference of the length of a unit vector from 1: stores and precisions round."""
_SPREAD = 1.05
"""How much longer long vectors may be than short ones (95% against 5%) and count as of one
length."""
_OF_FAISS: Mapping[Any, str] = {0: "ip", 1: "l2"}
"""FAISS numbers its metrics: METRIC_INNER_PRODUCT is 0, and METRIC_L2 is 1."""
_BY_LENGTH = ("ip", "dot", "l2", "euclid")
"""Metrics whose order depends on the lengths of the documents, in the words of the stores."""


def look_at_size(reading: Reading) -> Finding:
    """Say how many documents there are, and how many were read."""
    read, total = reading.census.n_rows, reading.total
    evidence = {"documents": total, "read": read, "kept": len(reading.sample)}
    if total == 0 and read == 0:
        return Finding(
            "size",
            CANNOT_TELL,
            ("there are no documents",),
            "name the collection that is searched: ?collection=NAME",
            evidence,
        )
    if reading.whole:
        says = f"{total:,} documents; all of them were read"
    else:
        says = f"{total:,} documents; {read:,} were read, spread over the index"
    step = "" if reading.whole else "--all reads every document"
    return Finding("size", SOUND, (says,), step, evidence)


def look_at_fields(reading: Reading) -> Finding:
    """Say which documents lack a text or a vector."""
    counts, n = reading.census.counts, reading.census.n_rows
    without_text, without_vector = counts["no_text"], counts["no_vector"]
    evidence = {"without_text": without_text, "without_vector": without_vector}
    says = []
    if without_vector:
        says.append(
            f"{without_vector:,} of {n:,} documents have no vector: no search finds them "
            f"(ids {_ids(reading, 'no_vector')})"
        )
    if without_text:
        says.append(
            f"{without_text:,} of {n:,} documents have no text: nothing can embed them again "
            f"(ids {_ids(reading, 'no_text')})"
        )
    if without_vector == n:
        return Finding("fields", CANNOT_TELL, ("the store returns no vectors",), "", evidence)
    if without_vector:
        return Finding("fields", FAULT, tuple(says), "embed these documents again", evidence)
    if without_text:
        return Finding("fields", NOTE, tuple(says), "", evidence)
    return Finding("fields", SOUND, ("every document has a text and a vector",), "", evidence)


def look_at_vectors(reading: Reading, settings: Mapping[str, Any]) -> Iterator[Finding]:
    """Say which dimension, metric and lengths the vectors have, and which cannot be compared."""
    census = reading.census
    if not census.dimensions:
        return
    yield _dimension(reading)
    norms, metric = census.norms, metric_of(settings)
    zero, broken = census.counts["zeros"], census.counts["not_finite"]
    low, middle, high = np.percentile(norms, (5, 50, 95)).tolist() if len(norms) else (0, 0, 0)
    evidence = {
        "metric": metric,
        "norm_5%": low,
        "norm_50%": middle,
        "norm_95%": high,
        "all_zeros": zero,
        "not_finite": broken,
    }
    said_metric = f"the metric is {printable(metric)}" if metric else "the store names no metric"
    if zero or broken:
        kinds = []
        if zero:
            kinds.append(f"{zero:,} vectors are all zeros (ids {_ids(reading, 'zeros')})")
        if broken:
            named = _ids(reading, "not_finite")
            kinds.append(f"{broken:,} vectors hold NaN or infinite values (ids {named})")
        step = "embed these documents again; an encoder that failed leaves such vectors"
        yield Finding("lengths", FAULT, (*kinds, said_metric), step, evidence)
    elif abs(low - 1) <= _UNIT and abs(high - 1) <= _UNIT:
        yield Finding("lengths", SOUND, ("all vectors have length 1", said_metric), "", evidence)
    else:
        yield _other_lengths(low, high, metric, said_metric, evidence)


def _other_lengths(
    low: float, high: float, metric: str | None, said_metric: str, evidence: Mapping[str, Any]
) -> Finding:
    low_said, high_said = f"{low:.3g}", f"{high:.3g}"
    lengths = f"vectors have lengths of {low_said} to {high_said}"
    by_length = metric is not None and any(kind in metric.lower() for kind in _BY_LENGTH)
    if high <= _SPREAD * low or not by_length:
        return Finding("lengths", SOUND, (lengths, said_metric), "", evidence)
    says = (
        f"vectors have lengths of {low_said} to {high_said}, and this metric prefers some lengths "
        "to others"
    )
    step = (
        "if the encoder does not mean it so, store unit vectors, or make the collection by cosine"
    )
    return Finding("lengths", NOTE, (says, said_metric), step, evidence)


def _dimension(reading: Reading) -> Finding:
    dimensions = reading.census.dimensions
    evidence = {"dimensions": {str(d): n for d, n in dimensions.most_common()}}
    if len(dimensions) == 1:
        says = f"all vectors have {reading.census.dimension:,} dimensions"
        return Finding("dimension", SOUND, (says,), "", evidence)
    listed = ", ".join(f"{n:,} have {d:,}" for d, n in dimensions.most_common())
    step = "vectors of several models were stored: embed all documents by one of them"
    return Finding("dimension", FAULT, (f"of the vectors {listed} dimensions",), step, evidence)


def metric_of(settings: Mapping[str, Any]) -> str | None:
    """Return the metric that the settings of a collection name, at any depth; None without one."""
    for name, value in settings.items():
        if name in ("space", "distance", "metric", "distance_metric", "metric_type"):
            return _OF_FAISS.get(value, str(value))
        if isinstance(value, Mapping) and (found := metric_of(value)):
            return found
    return None


def _ids(reading: Reading, fault: str) -> str:
    return ", ".join(printable(name) for name in reading.census.faulty[fault])
