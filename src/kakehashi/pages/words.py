"""The words that several sections share: names of systems, shares and intervals."""

from __future__ import annotations

from ..language import translate
from ..metrics.statistics import Scores
from ..report import BM25, KEEP, RESCORED, SHARED, TARGET_ENCODER, UNTOUCHED
from .standing import EMBEDDED_AGAIN, SECOND_AGAIN, SECOND_MODEL

_NAMES = {
    RESCORED: "Aligner, first hits rescored",
    KEEP: "Aligner, index untouched",
    SHARED: "Aligner, index moved",
    UNTOUCHED: "The two encoders as they are",
    TARGET_ENCODER: "The index's own encoder",
    BM25: "Words alone (BM25)",
    EMBEDDED_AGAIN: "Whole index embedded again",
    SECOND_MODEL: "A second model over the first hits",
    SECOND_AGAIN: "Whole index embedded by the second model",
}
_MEANINGS = {
    RESCORED: "Questions are projected; a second map orders the first hits again.",
    KEEP: "Questions are projected; the index stays as it is.",
    SHARED: "Questions and stored vectors are projected; the index is written anew once.",
    UNTOUCHED: "Questions of the source encoder search the index without a map.",
    TARGET_ENCODER: "The encoder that made the index reads the questions itself.",
    BM25: "Shared words and pairs of letters; no encoder.",
    EMBEDDED_AGAIN: "The source encoder embeds every document again; nothing of the index stays.",
    SECOND_MODEL: "The aligner finds the first hits, and another encoder orders them by vectors of "
    "its own. The index stays as it is.",
    SECOND_AGAIN: "The second model embeds every document; nothing of the index stays.",
}


def name_of(system: str) -> str:
    """Return the name of a row for readers."""
    return translate(_NAMES[system])


def meaning_of(system: str) -> str:
    """Return what a row is, in a sentence."""
    return translate(_MEANINGS[system])


def percent(share: float) -> str:
    """Return a share as a whole percentage."""
    return f"{share:.0%}"


def first_right(scores: Scores) -> int:
    """Return for how many questions the first document answers."""
    return round(scores.means["recall@1"] * scores.n_queries)


def interval(scores: Scores, metric: str = "recall@1") -> str:
    """Return a 95% interval in percent."""
    low, high = scores.intervals[metric]
    return translate("{low:.0%} to {high:.0%}", low=low, high=high)


def clipped(text: str, at_most: int = 320) -> str:
    """Return a text on one line, cut with its length named where it is long."""
    line = " ".join(text[: 4 * at_most].split())
    if len(text) <= 4 * at_most and len(line) <= at_most:
        return line
    return translate("{start} … ({n:,} letters)", start=line[:at_most], n=len(text))
