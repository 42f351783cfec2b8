"""A fit by its inner steps, with what the public signature does not offer."""

from __future__ import annotations

import time

from kakehashi import Aligner
from kakehashi.training.assemble import assemble
from kakehashi.training.fit_inputs import FitInputs, FitSettings
from kakehashi.training.judge import judge
from kakehashi.training.model_selection import tune
from kakehashi.training.one_thread import BLAS
from kakehashi.training.prepare import prepare
from kakehashi.training.second_map import tune_second
from kakehashi.training.sources import as_sources


def inner_fit(
    pairs,
    *,
    source_encoder=None,
    target_encoder=None,
    validation=None,
    test=None,
    learn_from=None,
    same_space=None,
    **settings,
) -> Aligner:
    """Fit where it is known whether the spaces are one, or ship the weights that were judged."""
    started = time.perf_counter()
    inputs = FitInputs(pairs, validation, test, as_sources(learn_from))
    prepared = prepare(
        inputs, source_encoder, target_encoder, FitSettings(**settings), same_space=same_space
    )
    with BLAS:
        tuned = tune(prepared)
        judged = judge(prepared, tuned, tune_second(prepared, tuned))
        return assemble(prepared, tuned, judged, started=started)
