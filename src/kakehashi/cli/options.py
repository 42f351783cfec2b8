"""What the commands share: their options, and how a file or an encoder is read from its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ..aligner import Aligner
from ..errors import EncoderError, ReaderError
from ..pairs import Pairs, Side
from ..readers import ENDINGS, read_pairs

PairsFile = Annotated[
    Path,
    typer.Argument(
        help="Pairs: .jsonl, .csv, .tsv, .parquet, .tmx, .po; or stored vectors: .npz. An .npz may "
        "hold the texts, too: beside the array NAME the array NAME_texts."
    ),
]
Folder = Annotated[Path, typer.Argument(help="Folder of a saved aligner.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Source = Annotated[str, typer.Option(help="Column, array or language of the source.")]
Target = Annotated[str, typer.Option(help="Column, array or language of the target.")]
Group = Annotated[
    str | None,
    typer.Option(
        help="Column of the document that a pair comes from; none is ever on both sides of a "
        "split. By default the column 'group', where there is one."
    ),
]
EncoderName = Annotated[
    str | None,
    typer.Option(
        help="A sentence-transformers name or path, or module:attribute of a function or class."
    ),
]
Cache = Annotated[Path | None, typer.Option(help="File that keeps encoded vectors between runs.")]
ModeOfOne = Annotated[
    str, typer.Option(help="keep: the index stays; shared: both sides may be projected.")
]
HeldOut = Annotated[int, typer.Option(help="Decides which pairs are held out.")]
TestPairs = Annotated[Path | None, typer.Option(help="Pairs to report on.")]
Unpaired = Annotated[
    Path | None,
    typer.Option(
        help="Text file (UTF-8), one target text a line, without pairs (an index, say), that the "
        "map may learn from. By default the targets of the pairs are used so."
    ),
]
EveryRung = Annotated[bool, typer.Option("--all", help="Show every map tried.")]


def read(path: Path, encoders: Mapping[Side, Any] | None = None, **names: Any) -> Pairs:
    """Read pairs, drop rows that cannot be used, and say on standard error what was found.

    Raises:
        EncoderError: a side has texts only, and no encoder among ``encoders``, if these are given.
    """
    found = read_pairs(path, **names, on_invalid="drop")
    if found.validation.findings:
        Console(stderr=True).print(f"{path}: {found.validation}", markup=False)
    for side, encoder in (encoders or {}).items():
        if encoder is None and found.vectors(side) is None:
            raise EncoderError(
                f"{path} has texts and no vectors of the {side}; name their encoder with "
                f"--{side}-encoder."
            )
    return found


def read_texts(path: Path) -> list[str]:
    """Read a text file, one text a line; empty lines are skipped.

    Raises:
        ReaderError: the file is missing, is one of pairs, not UTF-8, or empty.
    """
    wanted = "give a text file with one text a line"
    if path.suffix.lower() in ENDINGS:  # each line would be taken for a text, marks and all
        raise ReaderError(f"{path}: {path.suffix} is a format of pairs; {wanted}.")
    if not path.is_file():
        raise ReaderError(f"{path} is not a file; {wanted}.")
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ReaderError(f"{path} is not UTF-8: {error}. Save it as UTF-8 first.") from error
    texts = [line.strip() for line in lines if line.strip()]
    if not texts:
        raise ReaderError(f"{path} has no texts; {wanted}.")
    return texts


def require_encoder(aligner: Aligner, side: Side) -> None:
    """Raise where an encoder is needed that is neither passed nor recorded."""
    identity = aligner.encoders[side]
    if aligner.bound.get(side) is None and (identity is None or identity.model is None):
        known = "" if identity is None else f"; it was trained with {identity.recorded_name}"
        raise EncoderError(f"the aligner records no {side} model{known}. Pass --{side}-encoder.")
