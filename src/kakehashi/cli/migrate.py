"""`kakehashi migrate`: an index moved from its stored vectors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ..aligner import Aligner
from ..data.pairs import Pairs
from ..errors import DataError
from ..integrations._aligner_field import with_encoders
from ..language import translate, translate_sentence
from ..migration import clean_up, dry_run, migrate, roll_back
from ..migration.dry_run import Plan
from ..migration.outcome import Migration, Recall
from ..multi_aligner import load
from ..progress import show_progress
from .app import app
from .console import plain_console, print_facts, print_json, warnings_as_lines
from .options import (
    EXPERTS,
    EncoderName,
    Encoding,
    Json,
    Sheet,
    SourceOfFit,
    TargetOfFit,
    load_pairs,
)
from .saving import INTERRUPTED

_BACK = "The way back"


@app.command("migrate")
def migrate_command(
    store: Annotated[
        str,
        typer.Argument(
            metavar="STORE",
            help="The index: chroma:FOLDER?collection=NAME, or another address that `search` "
            "takes. It is read, and never written.",
        ),
    ],
    aligner: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the aligner: of mode keep with a second map, or of mode shared.",
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name of the new collection in the same store; by default NAME_moved.",
        ),
    ] = None,
    probe: Annotated[
        Path | None,
        typer.Option(
            metavar="PAIRS",
            help="Questions and the texts that answer them: recall before and after is compared. "
            "Use pairs that the fit did not see.",
        ),
    ] = None,
    only_plan: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be done, and write nothing.")
    ] = False,
    switch: Annotated[
        bool,
        typer.Option("--switch", help="Once it is verified, send questions to the new collection."),
    ] = False,
    rollback: Annotated[
        bool,
        typer.Option(
            "--rollback",
            rich_help_panel=_BACK,
            help="Send questions to the old collection again, at once.",
        ),
    ] = False,
    cleanup: Annotated[
        bool,
        typer.Option(
            "--clean-up",
            rich_help_panel=_BACK,
            help="Delete the old collection after a switch, or the new one after --rollback or a "
            "run that was given up. It asks first.",
        ),
    ] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            rich_help_panel=_BACK,
            help="Do not ask. A document that only the deleted collection holds is an error.",
        ),
    ] = False,
    source_encoder: EncoderName = None,
    target_encoder: EncoderName = None,
    source: SourceOfFit = None,
    target: TargetOfFit = None,
    encoding: Encoding = None,
    sheet: Sheet = None,
    patience: Annotated[
        int,
        typer.Option(
            metavar="SECONDS",
            min=0,
            rich_help_panel=EXPERTS,
            help="How long to wait for a server that does not answer.",
        ),
    ] = 60,
    as_json: Json = False,
) -> None:
    """Move an index to the vectors of an aligner, from its stored vectors alone.

    A new collection is filled beside the old one, and compared with it. A run that was stopped goes
    on with the same command.
    """
    asked = {"--dry-run": only_plan, "--switch": switch, "--rollback": rollback}
    asked["--clean-up"] = cleanup
    if len(chosen := [name for name, value in asked.items() if value]) > 1:
        raise DataError(f"{' and '.join(chosen)} do not go together; run one after the other.")
    if rollback:
        _roll_back(store, to, as_json)
        return
    if cleanup:
        _clean_up(store, to, yes, as_json)
        return
    if aligner is None:
        raise DataError("Name the folder of the aligner with --aligner DIR.")
    space: Any = with_encoders(load(aligner), source_encoder, target_encoder)
    how_file = {"encoding": encoding, "sheet": sheet}
    pairs = None if probe is None else _pairs(probe, space, source, target, **how_file)
    with warnings_as_lines(), show_progress(not as_json), _saying_how_to_go_on():
        if only_plan:
            plan = dry_run(store, space, to=to, probe=pairs, say=_say)
            _show_plan(plan, as_json)
            return
        done = migrate(
            store, space, to=to, probe=pairs, switch=switch, patience=float(patience), say=_say
        )
    _show(done, as_json)


def _pairs(
    probe: Path, aligner: Aligner, source: str | None, target: str | None, **how_file: Any
) -> Pairs:
    """Read the probe pairs, whose columns are named as those of the fit unless they are given."""
    of_fit = dict(zip(("source", "target"), aligner.data.columns, strict=True))
    given = {"source": source, "target": target}
    columns = {side: name or of_fit[side] for side, name in given.items()}
    return load_pairs(probe, **columns, **how_file)


def _say(line: str) -> None:
    plain_console(stderr=True).print(translate_sentence(line), soft_wrap=True)


@contextmanager
def _saying_how_to_go_on() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        _say("stopped. The old index is as it was; the same command goes on from here.")
        raise typer.Exit(INTERRUPTED) from None


def _show(done: Migration, as_json: bool) -> None:
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
        facts["checksum"] = f"{done.checksum} (of all but the vectors, equal on both sides)"
    facts["right vectors"] = done.evidence
    if done.recall is not None:
        facts["recall@1"] = _recall(done.recall)
    facts["time"] = translate(
        "{time}, {share:.0%} of it in the store",
        time=_time(done.seconds),
        share=done.store_seconds / done.seconds,
    )
    facts["state"] = (
        "live: questions go to the new index; --rollback is the way back"
        if done.state == "live"
        else "verified: questions still go to the old index; --switch sends them to the new one"
    )
    print_facts(facts)


def _show_plan(plan: Plan, as_json: bool) -> None:
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
    print_facts(facts)


def _recall(recall: Recall) -> str:
    """Return what probe pairs find, in one line."""
    said = translate("{moved:.3f} moved", moved=recall.moved)
    if recall.rescored is not None:
        said = translate("{rescored:.3f} rescored", rescored=recall.rescored) + f", {said}"
    if recall.before is not None:
        said = translate("{before:.3f} as it is", before=recall.before) + f", {said}"
    return f"{said} " + translate("({n:,} probe pairs)", n=recall.questions)


def _roll_back(store: str, to: str | None, as_json: bool) -> None:
    done = roll_back(store, to=to, say=_say)
    if as_json:
        print_json(asdict(done))
        return
    facts = {"old index": done.source, "new index": done.moved}
    facts["state"] = "rolled back: questions go to the old index"
    if done.only_moved:
        facts["only in the new one"] = translate("{n:,} documents", n=done.only_moved)
    print_facts(facts)


def _clean_up(store: str, to: str | None, yes: bool, as_json: bool) -> None:
    done = clean_up(
        store,
        to=to,
        agree=lambda question: yes or typer.confirm(translate_sentence(question), err=True),
        may_lose=not yes,
        say=_say,
    )
    if as_json:
        print_json(asdict(done))
        return
    print_facts({"deleted": done.deleted or "nothing", "kept": done.kept})


def _time(seconds: float) -> str:
    if seconds < 90:
        return translate("{n:,.0f} s", n=seconds)
    if seconds < 5400:
        return translate("{n:,.0f} min", n=seconds / 60)
    return translate("{n:,.1f} h", n=seconds / 3600)


def _size(size: int) -> str:
    unit, divisor = ("GB", 1e9) if size >= 1e9 else ("MB", 1e6)
    return f"{size / divisor:,.1f} {unit}"
