"""The language bias of an index, without any label, before and after alignment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..aligner import Aligner
from ..printable import printable
from ..vectors import drawn, unit_rows
from .asked import Asked, documents_as_questions
from .finding import CANNOT_TELL, NOTE, SOUND, Finding
from .modalities import Modalities
from .places import K, Places, Pool, Questions, own, places
from .reading import Sample
from .through_aligner import places_through

POOL, LEAST = 1_000, 20
"""Documents that are searched at most; and those of a modality that tell anything."""
_BIASED = 0.5
"""Share of the places of others that a modality has to take before it is called a bias."""
AS_IT_IS, LESS_MEANS = "as it is", "less a mean vector for each"


@dataclass(frozen=True)
class Bias:
    """Whose documents take the ten places.

    Attributes:
        told_by: how the modality of a document was told.
        asked: the questions.
        pool: documents that were searched.
        shares: by modality, the places that it would get by its share of the index.
        rows: by remedy, the places; empty where no question could be embedded.
    """

    told_by: str
    asked: Asked
    pool: int
    shares: dict[str, float]
    rows: dict[str, Places]


def measure_bias(
    sample: Sample, told: Modalities, aligner: Aligner | None = None, asked: Asked | None = None
) -> Bias | None:
    """Count the ten places; None where there are no two modalities of enough documents.

    Args:
        aligner: to ask through, where the vectors of the target are its target encoder's own.
        asked: without them, documents are the questions.
    """
    names = [name for name in told.names if len(told.rows(name)) >= LEAST]
    if len(names) < 2:
        return None
    rows = np.flatnonzero(np.isin(np.array(told.of), names))
    rows = rows[drawn(len(rows), POOL, 0)]
    searched = sample.take(rows)
    pool = Pool(searched.unit, np.array(told.of)[rows], searched.texts)
    asked = documents_as_questions(searched, pool.modality) if asked is None else asked
    found: dict[str, Places] = {}
    if asked.vectors is not None and asked.vectors.shape[1] == pool.unit.shape[1]:
        questions = Questions(unit_rows(asked.vectors), asked.modality, asked.keys)
        found[AS_IT_IS] = places(pool, questions)
        found[LESS_MEANS] = places(pool.less_means(names[0]), questions)
    if aligner is not None and set(names) <= {*aligner.modalities}:
        found |= places_through(aligner, searched.vectors, pool, asked)
    return Bias(told.told_by, asked, len(rows), pool.shares(), found)


def look_at_bias(bias: Bias) -> Finding:
    """Say which modality takes places beyond its share."""
    if not bias.rows:
        why = "no encoder of the questions is at hand"
        return Finding("languages", CANNOT_TELL, (why,), "--encoder NAME embeds the questions")
    first = next(iter(bias.rows))
    n, by = len(bias.asked.texts), bias.told_by
    says = [f"{n:,} questions, {bias.pool:,} documents searched, modality by {by}"]
    if bias.asked.are_documents:
        says = [f"{n:,} documents as questions, {bias.pool:,} searched, modality by {by}"]
    biased = False
    for name, got in own(bias.rows[first]).items():
        share = bias.shares.get(name, 0.0)
        says.append(
            f"{printable(name)}: {got:.1f} of ten places for its own questions, {share:.1f} by its "
            "share"
        )
        biased = biased or got - share > _BIASED * (K - share)
    step = ""
    if biased:
        step = "a HybridRetriever over an aligner fuses by calibrated scores"
    evidence = {"pool": bias.pool, "shares": bias.shares, "places": bias.rows}
    return Finding("languages", NOTE if biased else SOUND, tuple(says), step, evidence)
