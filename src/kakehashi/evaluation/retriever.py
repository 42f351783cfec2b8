"""evaluate_retriever(): a retriever as it is, with its store, filters and reranker, on pairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.arguments import check_choice
from ..data.pairs import Pairs, check_pairs
from ..errors import DataError
from ..metrics.ranking import per_query
from ..metrics.relevance import groups_of
from ..metrics.statistics import Interval, intervals
from ..progress import track
from .retrieved import HOW, Match, answers_it, answers_of, asking, found_of, hits_of

_NOT_FOUND = 10**9
"""The rank of an answer that is not among the hits; every metric takes it for not found."""
_SHOWN = ("recall@1", "recall@5", "recall@10", "mrr@10")


@dataclass(frozen=True, eq=False)
class RetrieverEvaluation:
    """The scores of a retriever on the different questions of some pairs.

    Attributes:
        means: recall@1, recall@5, recall@10, MRR@10 and nDCG@10 over the questions.
        intervals: their 95% intervals.
        depth: the most hits that came back for one question. Where it is below ten, recall@10
            counts these alone.
        match: how an answer is recognised.
        ranks: (n,) place of the first hit that answers, from 1; 10**9 where none does.
        note: that no hit was recognised, with an example; else None.
    """

    means: dict[str, float]
    intervals: dict[str, Interval]
    depth: int
    match: Match
    ranks: NDArray[np.intp]
    note: str | None
    _asked: list[dict[str, Any]] = field(repr=False)

    def __str__(self) -> str:
        lines = [f"{len(self.ranks)} questions, at most {self.depth} hits each; {HOW[self.match]}"]
        for name in _SHOWN:
            low, high = self.intervals[name]
            lines.append(f"  {name:9} {self.means[name]:.3f} [{low:.3f}, {high:.3f}]")
        return "\n".join(lines + ([f"note: {self.note}"] if self.note else []))

    def questions(self) -> list[dict[str, Any]]:
        """Return a JSON-ready record of each question.

        It holds the question, its answers, and the texts of the first three hits. Its rank is that
        of the first hit that answers, or None.
        """
        return self._asked

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready record, without single questions."""
        about = {"n_questions": len(self.ranks), "depth": self.depth, "match": self.match}
        return {**about, **self.means, "intervals": self.intervals, "note": self.note}


def evaluate_retriever(
    retriever: Any,
    pairs: Pairs,
    *,
    match: Match = "text",
    id_field: str | None = None,
    seed: int = 0,
) -> RetrieverEvaluation:
    """Ask a retriever the questions of pairs, and score the lists that it returns.

    Everything that the retriever does is judged with it: its store, filters, reranker, number of
    hits. Each different source text is asked once, and every target that is paired with it answers.

    Args:
        retriever: a retriever of LangChain, or any chain that ends in documents (``invoke``). Or a
            retriever of LlamaIndex (``retrieve``). Or a function from a question to a list of
            documents, nodes or texts. A query engine of LlamaIndex becomes such a function:
            ``lambda text: engine.retrieve(QueryBundle(text))``.
        pairs: with texts on both sides; only the sources are needed for ``match="id"``.
        match: how an answer is recognised. With ``"text"`` the hit has the answer's text, white
            space aside. With ``"contains"`` one text holds the other: for a store of longer or
            shorter chunks. With ``"id"`` the hit has the id of the pair.
        id_field: the metadata field that holds the id of a hit; by default its own id.
        seed: of the intervals.

    Raises:
        DataError: pairs without texts or ids that are needed, no retriever, or hits of another
            kind. An error of the retriever passes as it is, with the question as a note.
    """
    check_pairs(pairs)
    check_choice("match", match, HOW)
    ask, answers_by = asking(retriever), answers_of(pairs, match)
    if id_field is not None and match != "id":
        raise DataError(f"id_field={id_field!r} is for match='id'; this is match={match!r}.")
    texts, rows = pairs.source_texts, _first_rows(pairs)
    assert texts is not None
    ranks, asked, depth = [], [], 0
    for row in track([int(row) for row in rows], "asking the retriever"):
        question, answers = texts[row], answers_by[texts[row]]
        found = [found_of(hit, id_field) for hit in hits_of(ask, question)]
        depth = max(depth, len(found))
        places = [i for i, hit in enumerate(found, 1) if answers_it(hit, answers, match)]
        ranks.append(places[0] if places else _NOT_FOUND)
        first = [hit.text for hit in found[:3]]
        rank = places[0] if places else None
        asked.append({"source": question, "answers": answers, "rank": rank, "found": first})
    in_order = np.array(ranks, np.intp)
    metrics = per_query(in_order)
    return RetrieverEvaluation(
        means={name: float(values.mean()) for name, values in metrics.items()},
        intervals=intervals(metrics, clusters=groups_of(pairs.select(rows)), seed=seed),
        depth=depth,
        match=match,
        ranks=in_order,
        note=_note(in_order, asked, match),
        _asked=asked,
    )


def _first_rows(pairs: Pairs) -> NDArray[np.intp]:
    """Return the first row of each different question."""
    rows: NDArray[np.intp] = np.sort(np.unique(pairs.keys("source"), return_index=True)[1])
    return rows


def _note(ranks: NDArray[np.intp], asked: list[dict[str, Any]], match: Match) -> str | None:
    """Say that nothing was recognised: often the form of the texts, and not the search."""
    if (ranks < _NOT_FOUND).any():
        return None
    first = next((each for each in asked if each["found"]), None)
    if first is None:
        return "the retriever returned no hit to any question: is the store filled?"
    other = {"text": "match='contains', or 'id'", "contains": "match='id'", "id": "match='text'"}
    return (
        f"no hit was recognised as an answer: {HOW[match]}. The first hit of the question "
        f"{first['source']!r:.60} was {first['found'][0]!r:.60}, its answer is "
        f"{first['answers'][0]!r:.60}; if that is right, pass {other[match]}"
    )
