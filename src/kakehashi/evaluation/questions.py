"""Single questions: a record of each, for error analysis and for other programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.pairs import Pairs
from ..metrics.ranking import scores
from ..types import Metric
from ..vectors import Float32Array, chunks


def first_documents(
    queries: Float32Array, documents: Float32Array, metric: Metric
) -> NDArray[np.intp]:
    """Return the position of the document that each query finds first, (n,)."""
    first = np.empty(len(queries), np.intp)
    for part in chunks(len(queries), 256):
        first[part] = scores(queries[part], documents, metric).argmax(axis=1)
    return first


def question_records(
    pairs: Pairs,
    ranks: Mapping[str, NDArray[np.intp]],
    found: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """Return a JSON-ready record of each pair.

    Args:
        ranks: of the best answer to each question, (n,), by the name of the system.
        found: n texts of the documents that the aligner finds first.

    Returns:
        n records with ``row`` (from 0), ``ranks`` by system, and ``id``, ``group``, ``source`` and
        ``target`` where the pairs have them, and ``found`` where it is given.
    """
    columns = {
        "id": pairs.ids,
        "group": pairs.groups,
        "source": pairs.source_texts,
        "target": pairs.target_texts,
        "found": found,
    }
    return [
        {
            "row": row,
            **{name: column[row] for name, column in columns.items() if column is not None},
            "ranks": {name: int(rank[row]) for name, rank in ranks.items()},
        }
        for row in range(len(pairs))
    ]
