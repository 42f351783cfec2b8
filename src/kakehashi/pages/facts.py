"""What a report reads: the aligner, and as far as they are known the scores on other pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..aligner import Aligner
from ..data.pairs import Pairs
from ..evaluation.curve_result import LearningCurve
from ..evaluation.scoring import Evaluation
from ..vectors import Float32Array
from .standing import Standing


@dataclass(frozen=True, eq=False)
class Spaces:
    """The vectors behind the picture of the gap, (n, d) each, in the space of the index.

    Attributes:
        before: the questions as the index was asked; None where they are of another space.
        after: the questions, projected.
        documents: their answers, as they are stored (``before``), and projected.
    """

    before: Float32Array | None
    after: Float32Array
    stored: Float32Array
    documents: Float32Array


@dataclass(frozen=True, eq=False)
class Questions:
    """The questions that judged.

    Attributes:
        pairs: their texts and groups.
        ranks: (n,) of the best answer to each, by the aligner as it serves.
        found: the text that each finds first; None where that is not known.
        pool: documents that were searched.
    """

    pairs: Pairs
    ranks: NDArray[np.intp]
    found: Sequence[str] | None
    pool: int


@dataclass(frozen=True, eq=False)
class ReportFacts:
    """All that the sections show.

    Attributes:
        standing: the case, and the scores of every system.
        pairs: other pairs that judged, with vectors; None where the report of the fit speaks.
        questions: single questions; None where only their scores are known.
        wrong_pairs: rows that look wrong, the farthest first.
        next_texts: questions to pair next, the most useful first; None where it was not asked.
        commands: that made the aligner and this page.
        second_model: whether a second model pays, in English; None where it was not asked.
    """

    aligner: Aligner
    standing: Standing
    evaluation: Evaluation | None = None
    pairs: Pairs | None = None
    questions: Questions | None = None
    spaces: Spaces | None = None
    curve: LearningCurve | None = None
    wrong_pairs: Sequence[int] | None = None
    next_texts: Sequence[str] | None = None
    commands: Sequence[str] = field(default=())
    second_model: str | None = None
