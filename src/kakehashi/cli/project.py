"""`kakehashi project`: the vectors of a file, projected into another file."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ..aligner import Aligner
from ..bundle import check_parent
from ..data.readers import open_npz, texts_beside
from ..errors import DataError, ReaderError
from ..training.inputs import ROLES
from ..types import SIDES
from .app import app
from .console import plain_console, print_json
from .options import Folder, Json, Overwrite
from .saving import check_free, named


@app.command("project")
def project_command(
    folder: Folder,
    vectors: Annotated[
        Path,
        typer.Argument(
            metavar="VECTORS",
            help="An .npz with an array source, target or both. If the aligner reads texts, it "
            "also holds source_texts or target_texts.",
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The .npz to write.")],
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Project stored vectors: the array `source` as queries, the array `target` as documents."""
    _check_free(out, vectors, overwrite)
    check_parent(out)
    projected = _projected(Aligner.load(folder), vectors)
    _write(out, projected)
    shapes = {side: list(x.shape) for side, x in projected.items()}
    if as_json:
        print_json({"out": str(out), "shapes": shapes})
    else:
        plain_console().print(f"{out}: {shapes}")


def _projected(aligner: Aligner, vectors: Path) -> dict[str, Any]:
    if vectors.suffix != ".npz" or not os.path.isfile(vectors):
        raise ReaderError(f"{vectors} is not an .npz file.")
    with open_npz(vectors) as archive:
        stored = {side: archive[side] for side in SIDES if side in archive}
        texts = {
            side: texts_beside(archive, side, len(np.atleast_2d(x)), vectors)
            for side, x in stored.items()
        }
    if not stored:
        raise DataError(f"{vectors} has neither an array 'source' nor 'target'.")
    return {
        side: aligner.project(x, texts=texts[side], modality=side, role=ROLES[side])
        for side, x in stored.items()
    }


def _write(out: Path, arrays: dict[str, Any]) -> None:
    """Write an .npz beside its place and move it there, so that nothing half-written is left."""
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}-{secrets.token_hex(4)}.part")
    try:
        with named(out), part.open("xb") as file:  # np.savez would add an ending to a name
            np.savez(file, **arrays)
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)


def _check_free(out: Path, vectors: Path, overwrite: bool) -> None:
    """Raise FileExistsError where --out must not be written."""
    if not os.path.lexists(out):
        return
    if vectors.exists() and out.exists() and out.samefile(vectors):
        raise FileExistsError(f"{out} is the file that is read; name another one.")
    check_free(out, overwrite=overwrite, kind="file")
    if out.is_symlink() or not out.is_file():
        raise FileExistsError(f"{out} is no plain file; it is not overwritten. Name another one.")
