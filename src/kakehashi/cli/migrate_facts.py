"""What a migration did, or would do, in lines for a person or as JSON."""

from __future__ import annotations

from dataclasses import asdict

from ..language import translate
from ..migration.dry_run import Plan
from ..migration.outcome import Migration, Recall
from .console import print_facts, print_json


def print_migration(done: Migration, as_json: bool) -> None:
    """Print what a migration did."""
    if as_json:
        print_json(asdict(done))
        return
    facts = {
        "old index": done.source,
        "new index": done.moved,
        "documents": translate(
            "{rows:,}; this run wrote {written:,} and deleted {deleted:,}",
            rows=done.rows,
            written=done.written,
            deleted=done.deleted,
        ),
    }
    if done.checksum:
        facts["checksum"] = f"of all but the vectors, equal on both sides: {done.checksum}"
    facts["right vectors"] = done.evidence
    if done.recall is not None:
        facts["recall@1"] = _recall(done.recall)
    facts["time"] = translate(
        "{time}, {share:.0%} of it in the store",
        time=_time(done.seconds),
        share=done.store_seconds / done.seconds,
    )
    facts["state"] = (
        "live: a PartsRetriever asks the new index, point other applications at it; "
        "--rollback is the way back"
        if done.state == "live"
        else "verified: questions still go to the old index; --switch sends them to the new one"
    )
    print_facts(facts, fold=True)


def print_plan(plan: Plan, as_json: bool) -> None:
    """Print what a dry run found."""
    if as_json:
        print_json({**asdict(plan), "seconds": plan.seconds})
        return
    facts = {
        "old index": plan.source,
        "new index": plan.moved,
        "documents": translate(
            "{rows:,}, {there:,} of them moved", rows=plan.rows, there=plan.there
        ),
        "dimensions": f"{plan.dimension} -> {plan.new_dimension}",
        "vectors": f"{_size(plan.vector_bytes)} -> {_size(plan.new_vector_bytes)}",
        "texts and metadata": _size(plan.other_bytes),
        "right vectors": plan.evidence,
        "time": translate(
            "about {time}: {read} to read and {project} to project, as timed; {write} to write, "
            "not timed, at {rate:,} rows a second",
            time=_time(plan.seconds),
            read=_time(plan.read_seconds),
            project=_time(plan.project_seconds),
            write=_time(plan.write_seconds),
            rate=plan.write_rate,
        ),
    }
    if plan.source_rows:
        facts["embedded again"] = translate("{n:,} documents of the source", n=plan.source_rows)
    facts["recall@1"] = "unknown; name probe pairs with --probe PAIRS"
    if plan.gain is not None:
        facts["recall@1"] = _recall(plan.gain)
        facts["searched"] = translate(
            "a sample of {n:,} documents; among {rows:,} it is less", n=plan.sample, rows=plan.rows
        )
        if plan.sample >= plan.rows:
            facts["searched"] = translate("all {n:,} documents", n=plan.rows)
    facts["written"] = "nothing: this was a dry run"
    print_facts(facts, fold=True)


def _recall(recall: Recall) -> str:
    """Return what probe pairs find, in one line."""
    said = translate("{moved:.3f} moved", moved=recall.moved)
    if recall.rescored is not None:
        said = translate("{rescored:.3f} rescored", rescored=recall.rescored) + f", {said}"
    if recall.before is not None:
        said = translate("{before:.3f} as it is", before=recall.before) + f", {said}"
    return f"{said} " + translate("({n:,} probe pairs)", n=recall.questions)


def _time(seconds: float) -> str:
    if seconds < 90:
        return translate("{n:,.0f} s", n=seconds)
    if seconds < 5400:
        return translate("{n:,.0f} min", n=seconds / 60)
    return translate("{n:,.1f} h", n=seconds / 3600)


def _size(size: int) -> str:
    unit, divisor = ("GB", 1e9) if size >= 1e9 else ("MB", 1e6)
    return f"{size / divisor:,.1f} {unit}"
