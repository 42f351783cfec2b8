"""Whether a second model pays: what it finds, what an index embedded again finds, and the cost."""

from __future__ import annotations

from dataclasses import dataclass

from ..metrics.statistics import PairedTest
from ..training.verdict import MIN_QUERIES

_SOON = 900.0
"""Seconds: where all documents are embedded in less, nothing need be kept beside the index."""


@dataclass(frozen=True)
class SecondVerdict:
    """Whether a second model pays, on held-out questions in the whole index.

    Attributes:
        model: the name of the encoder.
        gain: of MRR@10 over the aligner.
        short: of MRR@10 behind an index embedded again; its difference is negative where the second
            model finds less.
        n_queries: different questions.
        n_embedded, n_documents: documents that the questions embedded, and all.
        n_hits: texts that a question embeds at most.
        seconds_new: that embedding the hits of one question took, all of them new.
    """

    model: str
    gain: PairedTest
    short: PairedTest
    n_queries: int
    n_embedded: int
    n_documents: int
    n_hits: int
    seconds_new: float

    @property
    def seconds_all(self) -> float:
        """About as many seconds take all documents."""
        return self.seconds_new / self.n_hits * self.n_documents

    @property
    def _again_is_better(self) -> bool:
        """Whether embedding everything takes minutes, and finds as much."""
        return self.seconds_all <= _SOON and not self.short.better

    @property
    def advised(self) -> bool:
        """Whether to serve by it: it finds more, and embedding everything takes long."""
        return self.n_queries >= MIN_QUERIES and self.gain.better and not self._again_is_better

    def __str__(self) -> str:
        """Return the verdict, and the cost."""
        return f"{self._verdict()}; {self._cost()}"

    def _verdict(self) -> str:
        gain, short = (
            f"MRR@10 {test.difference:+.3f}, p={test.p_value:.4f}"
            for test in (self.gain, self.short)
        )
        if self.n_queries < MIN_QUERIES:
            return (
                f"{self.model} as a second model: no verdict, {self.n_queries} queries are too few"
            )
        if not self.gain.better:
            return (
                f"{self.model} as a second model: do not use, it is not shown to find more than "
                f"the aligner ({gain})"
            )
        if self._again_is_better:
            return (
                f"{self.model} as a second model finds more than the aligner ({gain}), but embed "
                f"the index again: all its documents take about {self.seconds_all:.0f} s"
            )
        if self.short.worse:
            return (
                f"{self.model} as a second model: use, it finds more than the aligner ({gain}); an "
                f"index embedded again finds more still ({short})"
            )
        if self.short.better:
            return (
                f"{self.model} as a second model: use, it finds more than the aligner ({gain}), "
                f"and more than an index embedded again ({short})"
            )
        return (
            f"{self.model} as a second model: use, it finds more than the aligner ({gain}), and is "
            f"not shown to find less than an index embedded again ({short})"
        )

    def _cost(self) -> str:
        return (
            f"its cost: {self.n_queries:,} questions embedded {self.n_embedded:,} of "
            f"{self.n_documents:,} documents, and one whose {self.n_hits} hits are all new waits "
            f"about {self.seconds_new:.1f} s"
        )
