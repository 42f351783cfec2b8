"""What the commands share: their options, and how a file or an encoder is read from its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ..aligner import Aligner
from ..data.pairs import Pairs
from ..data.readers import read_pairs, read_texts
from ..encoders.first_use import missing_encoder
from ..errors import DataError, EncoderError
from ..types import SIDES, Side
from .console import plain_console

PairsFile = Annotated[
    Path,
    typer.Argument(
        help="Pairs: .jsonl (or .ndjson), .csv, .tsv, .parquet, .tmx, .po; or stored vectors: "
        ".npz. An .npz may hold the texts, too: beside the array NAME the array NAME_texts."
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
        help="Texts of the target side without a pair (an index, say), which the map learns from, "
        "too: .jsonl (a string a line, or objects), .csv, .tsv or .parquet with the column that "
        "--target names (or else 'text'), or plain text (.txt, .md), one a line. Needs both "
        "encoders."
    ),
]
NoUnpaired = Annotated[
    bool,
    typer.Option(
        "--no-unpaired",
        help="Learn from no text without its partner. By default fit learns from the targets of "
        "the pairs so, where there is no --unpaired.",
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
        plain_console(stderr=True).print(f"{path}: {found.validation}")
    for side, encoder in (encoders or {}).items():
        if encoder is None and found.vectors(side) is None:
            raise EncoderError(
                f"{path} has texts and no vectors of the {side}; name their encoder with "
                f"--{side}-encoder."
            )
    return found


def read_unpaired(
    path: Path | None, none: bool, column: str, *, encoders: tuple[str | None, str | None]
) -> list[str] | Literal[False] | None:
    """Read what --unpaired names: texts, or False for --no-unpaired, or None for neither.

    Args:
        encoders: the names of the source's and the target's; such texts need both.

    Raises:
        DataError: both were passed.
        EncoderError: an encoder is missing.
        ReaderError: the file cannot be read, or has no texts.
    """
    if path is None:
        return False if none else None
    if none:
        raise DataError(f"--unpaired {path} and --no-unpaired exclude each other; pass one.")
    for side, name in zip(SIDES, encoders, strict=True):
        if name is None:
            raise EncoderError(f"--unpaired needs both encoders; name one with --{side}-encoder.")
    return read_texts(path, column=column)


def require_encoder(aligner: Aligner, side: Side) -> None:
    """Raise where an encoder is needed that is neither passed nor recorded."""
    identity = aligner.identities[side]
    if aligner.encoders.get(side) is None and (identity is None or identity.model is None):
        raise EncoderError(f"the {missing_encoder(identity, side)}; pass it with --{side}-encoder.")
