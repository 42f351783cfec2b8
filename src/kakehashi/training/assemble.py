"""Last step of a fit: the final map, the router, the calibration and the report in one aligner."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from ..aligner import Aligner
from ..encoders.signature import SpaceSignature
from ..metrics.relevance import groups_of
from ..projection.rescoring import Rescoring
from ..report import CandidateResult, DataRecord, LearnedFrom, Report, SecondMapResult
from .candidates import Candidate
from .data_record import content_of, joined
from .gradient.torch_state import import_failure
from .guards import (
    copies_across_the_split,
    few_groups,
    sets_that_share_groups,
    swapped_columns,
    unread_script,
)
from .held_out_ranks import scores_of
from .judge import Judged
from .learn_serving import learn_calibration, router_or_none
from .model_selection import Tuned, label
from .prepare import Prepared
from .seen_pairs import sample_of, texts_hash
from .sources import TARGETS
from .split_plan import SplitPlan
from .sufficient_statistics import notes_on_sources
from .verdict import FEW_QUERIES


def assemble(prepared: Prepared, tuned: Tuned, judged: Judged, *, started: float) -> Aligner:
    """Fit the map that ships, learn what serving needs, and write the report.

    Args:
        started: ``time.perf_counter()`` when the fit began.
    """
    encoded, shipped, settings = prepared.encoded, judged.shipped, prepared.settings
    features = shipped.data.features
    router = router_or_none(encoded.inputs.pairs, settings.seed)
    report = _report(prepared, tuned, judged, started=started)
    swapped = tuple(swapped_columns(router, encoded.inputs))
    return Aligner(
        projection=features.finish(shipped.build(shipped.data.everything)),
        mode=shipped.mode,
        dimensions=encoded.dimensions,
        identities=encoded.identities,
        data=_data_record(prepared),
        encoders=encoded.encoders,
        router=router,
        calibration=learn_calibration(
            features.finish(shipped.build(shipped.data.judging[0].statistics)),
            prepared.plan.judged[0].held_out,
            encoded.encoders,
            encoded.identities,
            index=encoded.inputs.pairs,
            seed=settings.seed,
            cache=settings.cache,
            rescoring=_rescoring(judged, without_part=0),
        ),
        rescoring=_rescoring(judged),
        target_signature=SpaceSignature.of(
            encoded.inputs.pairs.required_vectors("target"), settings.seed
        ),
        report=replace(report, notes=(*swapped, *report.notes)),
    )


def _rescoring(judged: Judged, *, without_part: int | None = None) -> Rescoring | None:
    """Fit the second map that ships; None where it was not shown to find more.

    Args:
        without_part: fit it without the questions of this part that judges.
    """
    if judged.second is None or not judged.rescores:
        return None
    data, second = judged.second.candidate.data, judged.second.candidate
    statistics = data.everything if without_part is None else data.judging[without_part].statistics
    return Rescoring(data.features.finish(second.build(statistics)), judged.second.n_hits)


def _report(prepared: Prepared, tuned: Tuned, judged: Judged, *, started: float) -> Report:
    plan, settings, verdict = prepared.plan, prepared.settings, judged.verdict
    return Report(
        verdict=verdict.advice,
        reason="; ".join(filter(None, (verdict.reason, prepared.target_encoder.unknown))),
        p_value=verdict.p_value,
        candidates={label(c, settings.mode): _result(c, judged) for c in judged.scores},
        base=None if tuned.identity is None else judged.scores[tuned.identity],
        bm25=judged.bm25,
        target_encoder=judged.target_encoder,
        target_leads=verdict.target_leads,
        mode=judged.shipped.mode,
        chosen=label(judged.shipped, settings.mode),
        describes=_describes(plan, ships_nothing=judged.shipped is tuned.identity),
        n_pairs=len(prepared.inputs.pairs),
        sizes={
            "fitted": plan.n_final,
            "development": plan.n_fitted,
            "test": len(plan.questions),
            **({"folds": len(plan.parts)} if plan.test is None else {}),
        },
        leaked_rows_left_out=plan.leaked,
        metric=prepared.metric,
        seed=settings.seed,
        seconds=time.perf_counter() - started,
        notes=notes_on(prepared),
        beside=judged.beside,
        learned_from=_learned_from(plan, judged.shipped),
        second=_second_result(prepared, tuned, judged),
    )


def _second_result(prepared: Prepared, tuned: Tuned, judged: Judged) -> SecondMapResult | None:
    second = judged.second
    if second is None:
        return None
    groups = groups_of(prepared.plan.questions)
    return SecondMapResult(
        candidate=label(second.candidate, prepared.settings.mode),
        n_hits=second.n_hits,
        scores=scores_of(second.ranks, len(prepared.plan.pool), groups),
        serves=judged.rescores,
        p_value=second.over_keep.p_value,
        advice=second.advice(
            judged.ranks[tuned.chosen],
            helps=judged.rescores or judged.shipped is not tuned.identity,
        ),
    )


def _result(candidate: Candidate, judged: Judged) -> CandidateResult:
    return CandidateResult(
        candidate.mode,
        candidate.parameters,
        candidate.score,
        judged.scores[candidate],
        candidate.cpu_seconds,
    )


def _describes(plan: SplitPlan, *, ships_nothing: bool) -> str:
    """Say which weights the scores belong to."""
    if ships_nothing:
        return "the untouched vectors; nothing was fitted"
    if plan.test is None:
        return (
            f"{len(plan.parts)} maps, each chosen and fitted without the fold that it was asked "
            f"(on about {plan.n_fitted} pairs); fitted again on {plan.n_final} to ship"
        )
    if plan.n_final == plan.n_fitted:
        return "the very weights that ship"
    return f"the same map fitted on {plan.n_fitted} pairs; refitted on {plan.n_final} to ship"


def _learned_from(plan: SplitPlan, shipped: Candidate) -> dict[str, LearnedFrom]:
    weights = shipped.parameters.get("weights", {})
    return {name: LearnedFrom(len(rows), weights.get(name, 0.0)) for name, rows in plan.sources}


def notes_on(prepared: Prepared) -> tuple[str, ...]:
    """Return what a reader of the scores has to know about the data."""
    plan, inputs = prepared.plan, prepared.inputs
    notes = [] if prepared.same_space else ["raw vectors of the two sides are not comparable"]
    if plan.leaked:
        notes.append(
            f"{plan.leaked} of {len(inputs.pairs)} pairs were left out: a side of them also stands "
            "in the test part"
        )
    notes += sets_that_share_groups(inputs)
    notes += filter(None, [few_groups(plan.questions)])
    notes += copies_across_the_split(plan)
    notes += unread_script(prepared.encoded.encoders.get("source"), inputs.pairs)
    if len(plan.questions) < FEW_QUERIES:
        notes.append(
            f"{len(plan.questions)} held-out queries say little, and few documents are "
            "easily told apart: expect lower scores in a larger index, where the map may even lose "
            "to the vectors as they are"
        )
    notes += _about_index(prepared)
    settings = prepared.settings
    if settings.learned is None and settings.mode == "keep" and import_failure():
        notes.append("no head was trained: torch cannot be imported")
    if prepared.target_encoder.note:
        notes.append(prepared.target_encoder.note)
    asked = prepared.target_encoder.rows
    if asked is not None and len(asked) < len(plan.questions):
        notes.append(
            f"the target encoder was asked {len(asked)} of the {len(plan.questions)} questions, "
            "drawn evenly; the map is compared with it on those"
        )
    notes += notes_on_sources(plan)
    return tuple(notes)


def _about_index(prepared: Prepared) -> Iterator[str]:
    """Say which documents the questions were ranked among, where it is not the whole index."""
    pool = prepared.plan.pool
    if pool.n_index > len(pool):
        yield (
            f"the index holds {pool.n_index:,} documents; {len(pool):,} of them stand in for it, "
            "the answers among them and the others drawn at random"
        )
    inputs = prepared.inputs
    nameless = sum(len(part) for part in inputs.documents if part.target_texts is None)
    if nameless and pool.texts is not None:
        yield (
            f"{nameless:,} documents without texts are not searched: they cannot be told from "
            "those that the pairs name; give their texts, too"
        )
    can_read = prepared.same_space or prepared.encoded.encoders["source"] is not None
    for index in inputs.indices:
        readable = can_read and (prepared.same_space or index.texts is not None)
        if index.source_vectors is None and index.learn != 0 and not readable:
            yield (
                f"{index.name} is searched and not learned from: the source encoder cannot read "
                "it; pass source_encoder= and texts"
            )
    if not inputs.indices:
        yield (
            f"the index is taken to hold the {len(pool):,} documents that the pairs name, and "
            "documents beside them are found less often; give all others to learn from and to be "
            "judged among: with --index, or in learn_from="
        )


def _data_record(prepared: Prepared) -> DataRecord:
    """Name the data that made the weights: a validation set is fitted in the end, too."""
    inputs = prepared.inputs
    sets = [part for part in (inputs.pairs, inputs.validation) if part is not None]
    given = [rows for name, rows in prepared.plan.sources if name != TARGETS]
    every = (*sets, *given)
    return DataRecord(
        joined([part.name for part in sets]),
        joined([part.licence for part in every]),
        content_of(every),
        sum(map(len, sets)),
        columns=inputs.pairs.columns,
        texts_hash=texts_hash(sets),
        texts_sample=sample_of(sets),
    )
