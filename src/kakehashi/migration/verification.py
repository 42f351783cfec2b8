"""The recall of probe pairs in both collections: a move must not find less."""

from __future__ import annotations

import numpy as np

from ..aligner import Aligner
from ..errors import MigrationError
from ..metrics.statistics import paired_test
from .ends import Ends
from .outcome import Recall
from .probes import Probes


def verified_recall(ends: Ends, probes: Probes, aligner: Aligner, shared: Aligner) -> Recall:
    """Ask both collections whole.

    Raises:
        MigrationError: the new one finds less, beyond what chance explains.
    """
    before = rescored = None
    moved = probes.ask_moved(shared, ends.there().pages())
    if aligner.mode == "keep":
        before, rescored = probes.ask_old(aligner, ends.source.pages())
    old = [hits for hits in (before, rescored) if hits is not None]
    best = max(old, key=lambda hits: float(hits.mean()), default=None)
    # Questions of one answer rise and fall together.
    of_answer = np.unique(np.array(probes.answers), return_inverse=True)[1]
    if best is not None and paired_test(moved, best, clusters=of_answer).worse:
        raise MigrationError(
            f"The move is not verified: of {len(moved)} probe pairs, {int(moved.sum())} find their "
            f"answer first in {ends.there().name}, and {int(best.sum())} in the old index. Nothing "
            "was switched; keep the old one, which is as it was."
        )
    return Recall.of(before, rescored, moved)
