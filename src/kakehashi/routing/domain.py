"""How far a query lies from what the map was trained on, and when not to trust the map.

The distance is that of the nearest neighbours: the mean cosine to the ten nearest of a sample of
the training queries, as the encoder gives them (Sun et al., Out-of-distribution detection with
deep nearest neighbors, ICML 2022). Below a threshold the query goes to the target encoder instead,
whose index it is.

A quantile of held-out queries is no threshold: of a text about something new the map still makes
more than the target encoder does by itself (docs/architecture.md has figures), while a text that
is not of the source modality at all it only harms. So both are put to the test: held-out sources,
and held-out targets that pass for sources and have to find themselves. The threshold is the one at
which most is found; None where the map is never the worse choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..vectors import Float32Array, FloatArray, chunks, thinned, unit_rows

N_NEIGHBOURS = 10
MAX_BANK = 1024
_TOLERATED, _WORTH = 0.005, 0.01
"""MRR that held-out sources may lose to a threshold, and what it has to bring in all: less is
within the noise of a few hundred texts, and texts about something new pay for it."""


@dataclass(frozen=True)
class DomainReport:
    """What the threshold does on held-out texts, measured where it was chosen.

    Attributes:
        n: held-out sources; of targets that pass for sources, 200 at most.
        sources_refused, targets_refused: the share of each that goes to the target encoder.
        mrr: of the sources, without and with the threshold.
        mrr_misread: of the targets that pass for sources, without and with it.
    """

    n: int
    sources_refused: float
    targets_refused: float
    mrr: tuple[float, float]
    mrr_misread: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Domain:
    """The training queries that stand for all, and the least similarity to them.

    Attributes:
        bank: (m, d) float16 unit rows of the source encoder.
        threshold: the mean cosine to the nearest below which the map is not trusted; None where
            it always is.
    """

    bank: NDArray[np.float16]
    threshold: float | None
    report: DomainReport | None = None

    def __str__(self) -> str:
        """Say what the threshold does, without the sample."""
        if self.threshold is None:
            return f"{len(self.bank)} training queries; no threshold, the map is always trusted"
        said = f"{len(self.bank)} training queries; trusted from a cosine of {self.threshold:.2f}"
        if self.report is None:
            return said
        return (
            f"{said}: {self.report.sources_refused:.1%} of held-out sources and "
            f"{self.report.targets_refused:.1%} of targets taken for sources go to the target "
            "encoder"
        )

    @classmethod
    def sample(cls, sources: FloatArray, rows: NDArray[np.intp]) -> NDArray[np.float16]:
        """Take at most ``MAX_BANK`` of the given rows of (n, d) vectors, evenly."""
        taken = np.asarray(sources[rows[thinned(len(rows), MAX_BANK)]], np.float32)
        return unit_rows(taken).astype(np.float16)

    def similarity(self, vectors: FloatArray) -> Float32Array:
        """Return the mean cosine of (n, d) unprojected vectors to their nearest, (n,)."""
        rows, bank = unit_rows(np.asarray(vectors, np.float32)), self.bank.astype(np.float32)
        k = min(N_NEIGHBOURS, len(bank))
        found = np.empty(len(rows), np.float32)
        for part in chunks(len(rows), 2048):
            cosines = rows[part] @ bank.T
            found[part] = np.partition(cosines, -k, axis=1)[:, -k:].mean(axis=1)
        return found

    def trusts(self, vectors: FloatArray) -> NDArray[np.bool_]:
        """Say of each of (n, d) unprojected vectors whether the map is to be used on it."""
        if self.threshold is None:
            return np.ones(len(vectors), bool)
        return self.similarity(vectors) >= self.threshold

    def tuned(
        self,
        sources: FloatArray,
        misread: FloatArray,
        *,
        reciprocal: tuple[FloatArray, FloatArray],
        reciprocal_misread: tuple[FloatArray, FloatArray],
    ) -> Domain:
        """Return this with the threshold at which most is found.

        Args:
            sources, misread: (n, d) held-out sources, and targets as the source encoder sees them.
            reciprocal, reciprocal_misread: (n,) reciprocal ranks of what they look for, by the map
                and by the target encoder.
        """
        near, far = self.similarity(sources), self.similarity(misread)
        lost = reciprocal[0] - reciprocal[1]  # by refusing a source
        won = reciprocal_misread[1] - reciprocal_misread[0]  # by refusing what is none
        every = np.unique(np.concatenate([near, far]).astype(np.float64))
        between = (every[1:] + every[:-1]) / 2

        def refused(values: FloatArray, similar: Float32Array) -> NDArray[np.float64]:
            """Return the sum of values below each threshold."""
            order = np.argsort(similar)
            sums = np.concatenate([[0.0], np.cumsum(values[order])])
            found: NDArray[np.float64] = sums[np.searchsorted(similar[order], between)]
            return found

        cost = refused(lost, near) / len(near)
        gain = refused(won, far) / len(far) - cost
        gain[cost > _TOLERATED] = -np.inf
        threshold = None
        if len(gain) and gain.max() >= _WORTH:
            threshold = float(between[int(gain.argmax())])
        chosen = Domain(self.bank, threshold)
        keeps, errs = chosen.trusts(sources), chosen.trusts(misread)
        report = DomainReport(
            len(near),
            float((~keeps).mean()),
            float((~errs).mean()),
            (float(reciprocal[0].mean()), float(np.where(keeps, *reciprocal).mean())),
            (
                float(reciprocal_misread[0].mean()),
                float(np.where(errs, *reciprocal_misread).mean()),
            ),
        )
        return Domain(self.bank, threshold, report)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what rebuilds this: a JSON-ready record and named tensors."""
        report = None if self.report is None else asdict(self.report)
        return {"threshold": self.threshold, "report": report}, {"bank": self.bank}

    @classmethod
    def from_state(cls, record: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Domain:
        """Rebuild from :meth:`state`.

        Raises:
            ValueError, KeyError, TypeError: no such record, or a bank that is none.
        """
        if set(tensors) != {"bank"}:
            raise ValueError(f"unexpected tensors of the domain: {sorted(tensors)}")
        bank, threshold, report = tensors["bank"], record["threshold"], record["report"]
        if bank.ndim != 2 or len(bank) == 0 or bank.dtype != np.float16:
            raise ValueError("the bank of the domain is not a float16 matrix")
        lengths = np.linalg.norm(bank.astype(np.float32), axis=1)
        far = not (np.abs(lengths - 1) < 1e-2).all()
        if far or (threshold is not None and not (_is_number(threshold) and -1 <= threshold <= 1)):
            raise ValueError("the bank or the threshold of the domain is out of range")
        if report is not None:
            pairs = {name: tuple(report[name]) for name in ("mrr", "mrr_misread")}
            report = DomainReport(**{**report, **pairs})
            shares = (report.sources_refused, report.targets_refused, *report.mrr)
            if not all(_is_number(x) and 0 <= x <= 1 for x in (*shares, *report.mrr_misread)):
                raise ValueError(f"the report of the domain is not sound: {report!r:.200}")
        return cls(bank, threshold, report)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
