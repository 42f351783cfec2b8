"""`kakehashi combine`: several aligners into one target space."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..aligner import Aligner
from ..bundle import MULTI_RECORD
from ..errors import DataError
from ..multi_aligner import MultiAligner
from .app import app
from .console import plain_console, print_json
from .options import Json, Overwrite
from .saving import check_folder


@app.command("combine")
def combine_command(
    aligners: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=FOLDER...",
            help="Saved aligners of mode keep, each after the name of its source modality: "
            "ja=DIR code=DIR.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    target: Annotated[str, typer.Option(help="Name of the target modality.")] = "target",
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Combine several aligners that share a target encoder, so that all search one index."""
    check_folder(out, overwrite=overwrite, record=MULTI_RECORD)
    parts: dict[str, Aligner] = {}
    for argument in aligners:
        name, equals, folder = argument.partition("=")
        if not equals or not folder:
            raise DataError(f"{argument!r} is no NAME=FOLDER, such as ja=aligners/ja.")
        if name in parts:
            raise DataError(f"{name} is named twice; give each modality one aligner.")
        parts[name] = Aligner.load(folder)
    combined = MultiAligner(parts, target)
    saved = combined.save(out, overwrite=overwrite)
    if as_json:
        about = {"out": str(saved), "modalities": combined.modalities}
        print_json({**about, "fingerprint": combined.fingerprint})
    else:
        plain_console().print(f"{saved}: {combined}")
