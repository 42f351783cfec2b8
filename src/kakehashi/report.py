"""What every aligner carries: the record of its data, and its held-out report."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, field
from typing import Any

from .metrics.statistics import Scores
from .printable import printable
from .types import Metric

UNTOUCHED, TARGET_ENCODER, BM25 = "untouched vectors", "target encoder", "BM25"
CHOSEN = "chosen map"
KEEP, RESCORED, SHARED = "keep", "keep, rescored", "shared"
"""The names of the rows of a report."""
NOT_JUDGED = "not judged"
"""The verdict of a fit without pairs."""
NEW, KNOWN = "questions about other documents", "new questions about documents that pairs name"
ALONE = "among the documents that no fitted pair names"
"""What the rows of :attr:`Report.beside` are about."""


@dataclass(frozen=True)
class DataRecord:
    """The data that made an aligner.

    Attributes:
        content_hash: SHA-256 over the pairs; with a validation set or sources to learn from
            beside them, over the hashes of all of them.
        columns: the names of the source and the target column in the file of the pairs.
        texts_hash: SHA-256 over the texts of the pairs alone; empty where a side has none.
        texts_sample: hashes of some of the pairs (``training/seen_pairs.py``).
    """

    name: str
    licence: str
    content_hash: str
    n_pairs: int
    columns: tuple[str, str] = ("source", "target")
    texts_hash: str = ""
    texts_sample: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        source, target = self.columns
        object.__setattr__(self, "columns", (str(source), str(target)))
        if not re.fullmatch("(?:[0-9a-f]{16})*", self.texts_sample):
            raise ValueError("texts_sample holds no hashes")


@dataclass(frozen=True)
class CandidateResult:
    """One candidate map: hyper-parameters, validation score, and scores on held-out questions.

    Attributes:
        scores: where the folds judge, of one that was not chosen: as they tuned it.
        cpu_seconds: what its tuning took on the thread of the fit; with the hubness correction or
            trained further, beyond that of the candidate that it starts from.
    """

    mode: str
    parameters: dict[str, Any]
    validation: float
    scores: Scores
    cpu_seconds: float | None = None


@dataclass(frozen=True)
class SecondMapResult:
    """What the second map of a fit in ``keep`` mode finds.

    Attributes:
        candidate: its name among the candidates. Their scores are of an index that it moves;
            here are those of the untouched index whose first hits it orders again.
        n_hits: how many hits it orders again.
        serves: whether the aligner rescores: it was shown to find more than the first map alone.
        p_value: of the test that showed it, or did not.
        advice: which of the three ways to serve, in a sentence.
    """

    candidate: str
    n_hits: int
    scores: Scores
    serves: bool
    p_value: float
    advice: str


@dataclass(frozen=True)
class LearnedFrom:
    """What a fit learned from beside its pairs.

    Attributes:
        rows: that both encoders have read.
        weight: as how many own pairs they count together in the map that ships.
    """

    rows: int
    weight: float

    def __str__(self) -> str:
        counted = (
            f"which count as {self.weight:,.0f} pairs" if self.weight else "which do not count"
        )
        return f"{self.rows:,} rows, {counted}"


@dataclass(frozen=True)
class Report:
    """What a fit measured, on queries that neither fitting nor choosing has seen.

    Attributes:
        base: raw cosine (or the store's own metric) between the untouched vectors; None where
            the two spaces cannot be compared.
        target_encoder: the target encoder asked with the source texts, where it is at hand and not
            the source encoder, too: what the index finds without a map.
        target_leads: the identity ships, and the target encoder is shown to find more.
        verdict: ``"use"`` or ``"do not use"``, with its ``reason``. Or ``"not judged"``, where
            there were no pairs: then there are no candidates and no scores.
        describes: which weights the scores belong to.
        sizes: numbers of pairs: ``fitted`` behind the map that ships, ``development`` behind those
            that were judged, ``test`` that judged; ``folds``, where each judged out of fold.
        beside: the same rows again, by name: on each kind of question by itself, where there are
            both, and among the documents that no fitted pair names. All other scores are in the
            whole index.
        learned_from: what was read beside the pairs, by its name.
        second: what the second map finds; None where there is none.
    """

    mode: str
    chosen: str
    verdict: str
    reason: str
    describes: str
    n_pairs: int
    sizes: dict[str, int]
    leaked_rows_left_out: int
    metric: Metric
    seed: int
    candidates: dict[str, CandidateResult]
    base: Scores | None
    bm25: Scores | None
    p_value: float | None
    seconds: float
    notes: tuple[str, ...] = field(default=())
    target_encoder: Scores | None = None
    target_leads: bool = False
    beside: dict[str, dict[str, Scores]] = field(default_factory=dict)
    learned_from: dict[str, LearnedFrom] = field(default_factory=dict)
    second: SecondMapResult | None = None

    def __str__(self) -> str:
        """Return the verdict, and the chosen map beside its rivals."""
        if not self.judged:
            return "\n".join([f"{self.verdict}: {printable(self.reason)}", *self.remarks])
        chosen = self.candidates[self.chosen].scores
        rows = {**self.before, BM25: self.bm25, **self.ways}
        lines = [f"{self.verdict}: {printable(self.reason)}"]
        lines.append(f"{chosen.n_queries} {self.asked} in the whole index, {_size(chosen)}:")
        lines += [_line(name, scores) for name, scores in rows.items()]
        if self.second is not None:
            lines.append(f"advice: {printable(self.second.advice)}")
        for about, of_rows in self.beside.items():
            scores = next(iter(of_rows.values()))
            lines.append(f"{printable(about)} ({scores.n_queries} questions, {_size(scores)}):")
            lines += [_line(name, scores) for name, scores in of_rows.items()]
        return "\n".join([*lines, *self.remarks])

    @property
    def judged(self) -> bool:
        """Whether there were pairs that judged."""
        return self.verdict != NOT_JUDGED

    @property
    def remarks(self) -> list[str]:
        """What was learned from beside the pairs, and the notes, a line each."""
        learned = [f"learned from {printable(n)}: {f}" for n, f in self.learned_from.items()]
        return [*learned, *(f"note: {printable(note)}" for note in self.notes)]

    @property
    def asked(self) -> str:
        """Name the questions that judged."""
        return "questions, asked out of fold" if "folds" in self.sizes else "held-out questions"

    @property
    def refitted(self) -> bool:
        """Whether what ships was fitted on pairs that judged; never on a test set of one's own."""
        return self.sizes["fitted"] > self.sizes["development"]

    @property
    def before(self) -> dict[str, Scores | None]:
        """Scores of the index without a map, by name: they have to be beaten."""
        rivals: dict[str, Scores | None] = {UNTOUCHED: self.base}
        if self.target_encoder is not None:
            rivals[TARGET_ENCODER] = self.target_encoder
        return rivals

    @property
    def served(self) -> Scores:
        """Scores of the aligner as it serves: rescored where it rescores."""
        if self.second is not None and self.second.serves:
            return self.second.scores
        return self.candidates[self.chosen].scores

    @property
    def serves(self) -> str:
        """The name of what serves: the chosen map, rescored or not."""
        rescored = self.second is not None and self.second.serves
        return f"{self.chosen}, rescored" if rescored else self.chosen

    @property
    def ways(self) -> dict[str, Scores]:
        """Scores of each way to serve what was fitted, by name."""
        chosen = self.candidates[self.chosen].scores
        if self.second is None:
            return {f"{self.chosen} ({self.mode})": chosen}
        moved = self.candidates[self.second.candidate].scores
        return {KEEP: chosen, RESCORED: self.second.scores, SHARED: moved}

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready record that :meth:`from_dict` reads back."""
        return asdict(self)

    def check(self) -> None:
        """Raise ValueError where a part is missing, or a number is none that can be measured."""
        if self.judged == (not self.candidates):
            raise ValueError(f"the report has {len(self.candidates)} candidates: {self.verdict}")
        if self.judged and self.chosen not in self.candidates:
            raise ValueError(f"the report has no candidate {self.chosen!r:.60}")
        if self.verdict not in ("use", "do not use", NOT_JUDGED):
            raise ValueError(f"the verdict is {self.verdict!r:.60}")
        if not {"fitted", "development", "test"} <= set(self.sizes):
            raise ValueError(f"the report lacks a size: {self.sizes!r:.60}")
        measured = [candidate.scores for candidate in self.candidates.values()]
        if self.second is not None:
            if self.second.candidate not in self.candidates:
                raise ValueError(f"the report has no candidate {self.second.candidate!r:.60}")
            measured.append(self.second.scores)
        measured += [s for s in (self.base, self.bm25, self.target_encoder) if s is not None]
        for rows in self.beside.values():
            if not rows:
                raise ValueError("the report has a table without rows")
            measured += rows.values()
        for scores in measured:
            scores.check()
        for name, learned in self.learned_from.items():
            if learned.rows < 0 or not 0 <= learned.weight < math.inf:
                raise ValueError(f"the report cannot have learned from {name!r:.60}: {learned}")

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Report:
        """Rebuild a report from :meth:`to_dict`."""
        candidates = {
            name: CandidateResult(**{**row, "scores": _scores(row["scores"])})
            for name, row in record["candidates"].items()
        }
        rebuilt = {
            "candidates": candidates,
            "base": _scores(record["base"]),
            "bm25": _scores(record["bm25"]),
            "target_encoder": _scores(record["target_encoder"]),
            "notes": tuple(record["notes"]),
            "beside": {
                about: {name: _scores(scores) for name, scores in rows.items()}
                for about, rows in record.get("beside", {}).items()
            },
            "second": _second(record.get("second")),
            "learned_from": {
                name: LearnedFrom(int(row["rows"]), float(row["weight"]))
                for name, row in record.get("learned_from", {}).items()
            },
        }
        return cls(**{**record, **rebuilt})


def _size(scores: Scores) -> str:
    return f"{scores.pool:,} documents"


def _line(name: str, scores: Scores | None) -> str:
    if scores is None:
        return f"  {printable(name):24} {'no texts' if name == BM25 else 'not comparable'}"
    low, high = scores.intervals["recall@1"]
    return (
        f"  {printable(name):24} recall@1 {scores.means['recall@1']:.3f} [{low:.3f}, {high:.3f}], "
        f"@5 {scores.means['recall@5']:.3f}, @10 {scores.means['recall@10']:.3f}, "
        f"MRR@10 {scores.means['mrr@10']:.3f}"
    )


def _second(record: dict[str, Any] | None) -> SecondMapResult | None:
    if record is None:
        return None
    return SecondMapResult(**{**record, "scores": _scores(record["scores"])})


def _scores(record: dict[str, Any] | None) -> Any:
    if record is None:
        return None
    intervals = {name: (low, high) for name, (low, high) in record["intervals"].items()}
    return Scores(**{**record, "intervals": intervals})
