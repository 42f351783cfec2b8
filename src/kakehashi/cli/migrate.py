"""`kakehashi migrate`: an index moved from its stored vectors."""

from __future__ import annotations

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
from ..multi_aligner import load
from ..progress import show_progress
from .app import app
from .console import plain_console, print_facts, print_json, warnings_as_lines
from .migrate_facts import print_migration, print_plan
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
from .saving import when_stopped

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
    with warnings_as_lines(), show_progress(not as_json), when_stopped(_go_on):
        if only_plan:
            plan = dry_run(store, space, to=to, probe=pairs, say=_say)
            print_plan(plan, as_json)
            return
        done = migrate(
            store, space, to=to, probe=pairs, switch=switch, patience=float(patience), say=_say
        )
    print_migration(done, as_json)


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


def _go_on(stop: KeyboardInterrupt) -> str:
    return "stopped. The old index is as it was; the same command goes on from here."


def _roll_back(store: str, to: str | None, as_json: bool) -> None:
    done = roll_back(store, to=to, say=_say)
    if as_json:
        print_json(asdict(done))
        return
    facts = {"old index": done.source, "new index": done.moved}
    facts["state"] = "rolled back: questions go to the old index"
    if done.only_moved:
        facts["only in the new one"] = translate("{n:,} documents", n=done.only_moved)
    print_facts(facts, fold=True)


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
    if done.deleted is None:
        facts = {"deleted": "nothing: both indices are as they were"}
    else:
        facts = {"deleted": done.deleted, "kept": done.kept}
    print_facts(facts, fold=True)
