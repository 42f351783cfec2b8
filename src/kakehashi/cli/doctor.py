"""`kakehashi doctor`: what is in an index."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..data.readers import read_texts
from ..doctor import examine
from ..doctor.diagnosis import AT_FAULT, CANNOT_TELL, HEALTHY
from ..integrations._aligner_field import with_encoders
from ..multi_aligner import load
from ..progress import show_progress
from .app import app
from .console import print_json
from .doctor_table import print_diagnosis
from .options import EncoderName, Json

_EXIT = {HEALTHY: 0, AT_FAULT: 1, CANNOT_TELL: 3}
"""Two is for errors of usage, as in every command."""


@app.command("doctor")
def doctor_command(
    store: Annotated[
        str,
        typer.Argument(
            metavar="STORE",
            help="The store: chroma:FOLDER?collection=NAME, or another kind in this form; "
            "chroma://HOST:PORT for a server. The kind may be left out where the folder shows it.",
        ),
    ],
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="Read every document, also where a part of the store could be read."
        ),
    ] = False,
    aligner: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Folder of an aligner that may have filled it; may be given several times.",
        ),
    ] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="An encoder that may have made its vectors: a sentence-transformers name or path, "
            "or module:attribute; may be given several times. By default those that are installed.",
        ),
    ] = None,
    field: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Metadata field with the language or modality of a document. By default modality, "
            "language or lang; else the router of the aligner, or the script of the letters.",
        ),
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Real questions, one a line or a column `source`, for the language bias. Without "
            "them, documents are the questions.",
        ),
    ] = None,
    source_encoder: EncoderName = None,
    target_encoder: EncoderName = None,
    as_json: Json = False,
) -> None:
    """Say what is in an index, and what is wrong with it. Nothing is written into the store.

    Exit code 0: healthy. 1: at fault, so search finds less than it could. 3: something that was
    asked cannot be told. 2: an error of usage.
    """
    with show_progress(not as_json):
        diagnosis = examine(
            store,
            everything=everything,
            aligners={
                str(folder): with_encoders(load(folder), source_encoder, target_encoder)
                for folder in aligner or ()
            },
            encoders=encoder or (),
            field=field,
            questions=() if questions is None else read_texts(questions, column="source"),
        )
    if as_json:
        print_json(diagnosis.to_dict())
    else:
        print_diagnosis(diagnosis)
    raise typer.Exit(_EXIT[diagnosis.outcome])
