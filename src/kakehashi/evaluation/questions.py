"""Single questions: a record of each, for error analysis and for other programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.pairs import Pairs


def question_records(pairs: Pairs, ranks: Mapping[str, NDArray[np.intp]]) -> list[dict[str, Any]]:
    """Return a JSON-ready record of each pair.

    Args:
        ranks: of the best answer to each question, (n,), by the name of the system.

    Returns:
        n records with ``row`` (from 0), ``ranks`` by system, and ``id``, ``group``, ``source`` and
        ``target`` where the pairs have them.
    """
    columns = {
        "id": pairs.ids,
        "group": pairs.groups,
        "source": pairs.source_texts,
        "target": pairs.target_texts,
    }
    return [
        {
            "row": row,
            **{name: column[row] for name, column in columns.items() if column is not None},
            "ranks": {name: int(rank[row]) for name, rank in ranks.items()},
        }
        for row in range(len(pairs))
    ]
