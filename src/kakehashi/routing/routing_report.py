"""Errors of a learned router on held-out texts."""

from __future__ import annotations

from dataclasses import dataclass

_FEW_PAIRS = 100
"""With fewer, a threshold fits the very texts that it was chosen on."""
WANTED_ERROR, MAX_UNSURE = 0.01, 0.2
"""Share of the answers that may be wrong, and of the texts that may get no answer."""


@dataclass(frozen=True)
class RoutingReport:
    """Errors of a router on held-out texts. Both modalities have the same weight.

    Attributes:
        n_pairs: number of pairs that the router was learned from.
        error: share of wrong answers where every text gets one, the mean of
            ``source_as_target`` and ``target_as_source``.
        source_as_target, target_as_source: share of wrong answers within one modality.
        error_answered: share of wrong answers among the texts that get an answer. The threshold is
            chosen on these texts; of few pairs the share is too low.
        unsure: share of texts without an answer.
        threshold: a text with log-odds of this size or less gets no answer. It is the smallest
            threshold with at most 1% wrong answers and at most 20% texts without one. Where there
            is none, it is the one with the fewest wrong answers (see ``reached``).
    """

    n_pairs: int
    error: float
    source_as_target: float
    target_as_source: float
    error_answered: float
    unsure: float
    threshold: float

    @property
    def reached(self) -> bool:
        """Whether at most 1% of the answers are wrong, and at most 20% of the texts get none."""
        return self.error_answered <= WANTED_ERROR and self.unsure <= MAX_UNSURE

    def __str__(self) -> str:
        undecided = f"{self.unsure:.1%}"
        rest = "it left no text undecided"
        if undecided != "0.0%":
            rest = f"it leaves {undecided} undecided and reads {self.error_answered:.1%} wrongly"
            if self.n_pairs < _FEW_PAIRS:
                rest = (
                    f"{rest} (its threshold was chosen on these texts: new ones may be read worse)"
                )
        read = (
            f"{self.n_pairs} pairs: {self.error:.1%} of held-out texts read as the wrong side "
            f"(source {self.source_as_target:.1%}, target {self.target_as_source:.1%})"
        )
        missed = [] if self.reached else ["at most 20% and 1% were wanted"]
        return "; ".join([read, rest, *missed])
