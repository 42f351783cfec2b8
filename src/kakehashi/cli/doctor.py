"""`kakehashi doctor`: what is in an index."""

from __future__ import annotations

from typing import Annotated

import typer

from ..doctor import examine
from ..doctor.diagnosis import AT_FAULT, CANNOT_TELL, HEALTHY
from ..progress import show_progress
from .app import app
from .console import print_json
from .doctor_table import print_diagnosis
from .options import Json

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
    as_json: Json = False,
) -> None:
    """Say what is in an index, and what is wrong with it. Nothing is written into the store.

    Exit code 0: healthy. 1: at fault, so search finds less than it could. 3: something that was
    asked cannot be told. 2: an error of usage.
    """
    with show_progress(not as_json):
        diagnosis = examine(store, everything=everything)
    if as_json:
        print_json(diagnosis.to_dict())
    else:
        print_diagnosis(diagnosis)
    raise typer.Exit(_EXIT[diagnosis.outcome])
