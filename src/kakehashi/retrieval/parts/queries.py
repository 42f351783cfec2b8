"""The query of each part of an index, as the aligner of the part projects it.

A query is encoded once for all parts whose aligners have one encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from ...vectors import Float32Array, unit_rows
from ..encoded_query import EncodedQuery
from ..query import Query, told_modality


class AskedPart(Protocol):
    """A part of an index, as far as its queries go."""

    @property
    def name(self) -> str:
        """Its name among the parts."""

    @property
    def space(self) -> Any:
        """Its aligner or multi aligner."""

    @property
    def query_modality(self) -> str:
        """The modality of queries of which the caller names none; ``"auto"`` for the router."""


class Question(NamedTuple):
    """A query, before it is embedded.

    Attributes:
        text: the query itself.
        modality: that the caller names; None for that of each part.
        texts: that are embedded in its place (HyDE's), whose mean is searched with; empty for the
            query itself.
    """

    text: str
    modality: str | None = None
    texts: Sequence[str] = ()


def queries_of(parts: Sequence[AskedPart], question: Question) -> dict[str, Query]:
    """Return the query of each part, by name.

    Raises:
        DataError, EncoderError, EncoderMismatchError: as :meth:`kakehashi.Aligner.prepare_query`.
    """
    texts = question.texts or [question.text]
    encoded = [EncodedQuery() for _ in texts]
    return {
        part.name: _joined(
            part,
            question,
            [
                part.space.prepare_query(text, _modality(part, question), encoded=known)
                for text, known in zip(texts, encoded, strict=True)
            ],
        )
        for part in parts
    }


async def aqueries_of(parts: Sequence[AskedPart], question: Question) -> dict[str, Query]:
    """Do the same; the encoders are awaited."""
    texts = question.texts or [question.text]
    encoded = [EncodedQuery() for _ in texts]
    return {
        part.name: _joined(
            part,
            question,
            [
                await part.space.aprepare_query(text, _modality(part, question), encoded=known)
                for text, known in zip(texts, encoded, strict=True)
            ],
        )
        for part in parts
    }


def _modality(part: AskedPart, question: Question) -> str:
    return question.modality or part.query_modality


def _joined(part: AskedPart, question: Question, queries: Sequence[Query]) -> Query:
    """Return one query of those of several texts: their mean, of the modality of the question."""
    if not question.texts:
        [query] = queries
        return query
    modality, how = told_modality(part.space, question.text, _modality(part, question))
    again = [query.rescoring for query in queries if query.rescoring is not None]
    one_map = len(again) == len(queries) and part.space.rescoring_of(modality) is not None
    return Query(
        _unit_mean([query.vector for query in queries]),
        modality,
        how,
        _unit_mean(again) if one_map else None,
    )


def _unit_mean(vectors: Sequence[Float32Array]) -> Float32Array:
    mean: Float32Array = unit_rows(np.stack(vectors).mean(axis=0, keepdims=True))[0]
    return mean
