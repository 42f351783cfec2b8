"""The options that commands share, and how the files that they name are read."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ..aligner import Aligner
from ..data.index import IndexDocuments
from ..data.pairs import Pairs
from ..data.readers import read_pairs
from ..encoders.first_use import missing_encoder
from ..errors import DataError, EncoderError
from ..integrations.reading import read_index
from ..language import translate_sentence
from ..pairing.starters import starter_pairs
from ..training.stored_targets import with_stored_targets
from ..types import SIDES, Side
from .console import plain_console

READING = "Reading PAIRS"
SOURCES = "Index, and what else to learn from"
EXPERTS = "For experts"
"""The panels of a help text. The first one, Options, holds what everybody needs."""

_PAIRS = typer.Argument(
    metavar="PAIRS",
    help="Pairs of texts (.jsonl or .ndjson, .csv, .tsv, .xlsx, .parquet, .tmx, .po), or of "
    "stored vectors (.npz), perhaps with their texts in the array NAME_texts beside NAME.",
)
PairsFile = Annotated[Path, _PAIRS]
OptionalPairsFile = Annotated[Path | None, _PAIRS]
QuestionsFile = Annotated[
    Path | None,
    typer.Option(
        "--questions",
        rich_help_panel=SOURCES,
        help="Questions without answers, in place of PAIRS: a file of texts, such as a log. A few "
        "hundred show where the source language lies.",
    ),
]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of a saved aligner.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is already there.")]
SourceColumn = Annotated[
    str,
    typer.Option(
        "--source", rich_help_panel=READING, help="Column, array or language of the source."
    ),
]
TargetColumn = Annotated[
    str,
    typer.Option(
        "--target", rich_help_panel=READING, help="Column, array or language of the target."
    ),
]
SourceOfFit = Annotated[
    str | None,
    typer.Option(
        "--source",
        rich_help_panel=READING,
        help="Column, array or language of the source. By default as in the pairs of the fit.",
    ),
]
TargetOfFit = Annotated[
    str | None,
    typer.Option(
        "--target",
        rich_help_panel=READING,
        help="Column, array or language of the target. By default as in the pairs of the fit.",
    ),
]
GroupColumn = Annotated[
    str | None,
    typer.Option(
        "--group",
        rich_help_panel=READING,
        help="Column with the document of each pair. The pairs of one document are never split. "
        "By default the column 'group', if there is one.",
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=READING,
        help="Encoding of the files of text, such as cp932 for a CSV of Japanese Windows. By "
        "default UTF-8, or what a byte order mark says.",
    ),
]
Sheet = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=READING, help="Sheet of a spreadsheet (.xlsx); by default the first."
    ),
]
EncoderName = Annotated[
    str | None,
    typer.Option(
        help="A sentence-transformers name or path, or module:attribute of a function or class."
    ),
]
CacheFile = Annotated[
    Path | None, typer.Option("--cache", help="File that keeps encoded vectors between runs.")
]
MODE = (
    "keep: queries are projected, and the stored index stays as it is; a second map rescores the "
    "first hits, where that finds more. shared: stored vectors are projected, too."
)
OneMode = Annotated[str, typer.Option("--mode", rich_help_panel=EXPERTS, help=MODE)]
Seed = Annotated[
    int, typer.Option("--seed", rich_help_panel=EXPERTS, help="Decides every random choice.")
]
TestFile = Annotated[
    Path | None,
    typer.Option(
        "--test",
        rich_help_panel=EXPERTS,
        help="Pairs to judge by. By default a part of PAIRS is held out.",
    ),
]
TrainedOn = Annotated[
    Path | None,
    typer.Option(
        "--trained-on",
        rich_help_panel=READING,
        help="The pairs of the fit: their documents are searched, too, and near copies found.",
    ),
]
IndexAddress = Annotated[
    str | None,
    typer.Option(
        "--index",
        metavar="ADDRESS",
        rich_help_panel=SOURCES,
        help="The index that is searched: its documents stand beside the answers that PAIRS names. "
        "A store (chroma:FOLDER?collection=NAME, qdrant:..., lancedb:..., postgres:..., "
        "faiss:FOLDER, llama-index:FOLDER, langchain:DUMP.json, parquet:FILE), a file of texts "
        "(.txt, .jsonl, .csv, ...), or an .npz with target and target_texts.",
    ),
]
Learn = Annotated[
    int | None,
    typer.Option(
        "--learn",
        metavar="N",
        min=0,
        rich_help_panel=SOURCES,
        help="How many texts of the index the source encoder reads, to learn from them; by default "
        "5,000. Without --index the targets of PAIRS stand for it. 0: learn from pairs alone.",
    ),
]
Starter = Annotated[
    list[str] | None,
    typer.Option(
        "--starter",
        metavar="NAME",
        rich_help_panel=SOURCES,
        help="Public pairs of other fields to learn from, too: ja-en, fr-en (or exchanged: en-ja), "
        "or a file that `starter build` wrote; may be given several times.",
    ),
]
AllCandidates = Annotated[
    bool,
    typer.Option(
        "--all-candidates", rich_help_panel=EXPERTS, help="Show every map that was tried."
    ),
]


def load_pairs(
    path: Path,
    encoders: Mapping[Side, Any] | None = None,
    index: IndexDocuments | None = None,
    /,
    **names: Any,
) -> Pairs:
    """Read pairs, drop rows that cannot be used, and print the findings on standard error.

    Args:
        index: holds the vectors of targets, where there is no target encoder.

    Raises:
        EncoderError: ``encoders`` are given, and one is missing for a side that has texts only.
    """
    pairs = read_pairs(path, **names, on_invalid="drop")
    _print_findings(path, pairs)
    if encoders is not None and encoders["target"] is None:
        pairs = _with_stored_targets(path, pairs, index)
    for side, encoder in (encoders or {}).items():
        if encoder is None and pairs.vectors(side) is None:
            raise EncoderError(
                f"{path} has texts and no vectors of the {side}; name their encoder with "
                f"--{side}-encoder."
            )
    return pairs


def _with_stored_targets(path: Path, pairs: Pairs, index: IndexDocuments | None) -> Pairs:
    """Return the pairs with the vectors of targets that the index holds; say which it lacks."""
    with warnings.catch_warnings():  # the findings say it
        warnings.simplefilter("ignore", UserWarning)
        filled = with_stored_targets(pairs, [index], None)
    if filled is not pairs:
        _print_findings(path, filled)
    return filled


def _print_findings(path: Path, pairs: Pairs) -> None:
    if pairs.validation.findings:
        found = "\n".join(map(translate_sentence, str(pairs.validation).split("\n")))
        plain_console(stderr=True).print(f"{path}: {found}")


def load_for(
    aligner: Aligner,
    path: Path,
    index: str | None,
    columns: tuple[str | None, str | None],
    group: str | None,
    **how_file: str | None,
) -> tuple[dict[str, Any], Pairs, IndexDocuments | None]:
    """Return how to read pairs (by default the columns of the fit), the pairs, and --index.

    Args:
        how_file: ``encoding`` and ``sheet``.
    """
    both = zip(SIDES, columns, aligner.data.columns, strict=True)
    names: dict[str, Any] = {side: named or fitted for side, named, fitted in both}
    names |= how_file
    documents = load_index(index, names["target"], None, **how_file)
    pairs = load_pairs(path, **names, group=group)
    if not _at_hand(aligner, "target"):
        pairs = _with_stored_targets(path, pairs, documents)
    return names, pairs, documents


def load_index(
    address: str | None, column: str, learn: int | None = None, **how_file: str | None
) -> IndexDocuments | None:
    """Read the documents of --index; None without it.

    Args:
        column: the name of the target column, which a file of texts may share.
        learn: of --learn.
        how_file: ``encoding`` and ``sheet``.
    """
    if address is None:
        return None
    return read_index(address, column=column, learn=learn, **how_file)


def sources_of(
    index: IndexDocuments | None, learn: int | None, starters: Sequence[str] | None = None
) -> list[IndexDocuments | Pairs] | None:
    """Return what --index, --learn and --starter give a fit to learn from.

    Raises:
        DataError: a number of texts, and no index; pairs alone, and a starter set.
    """
    if learn is not None and index is None and (learn or starters):
        raise DataError(
            f"--learn {learn} counts texts of an index; name it with --index, or leave --learn out."
        )
    pairs = [starter_pairs(name) for name in starters or ()]
    if index is not None:
        return [index, *pairs]
    return [*pairs] or (None if learn is None else [])


def require_encoder(aligner: Aligner, side: Side) -> None:
    """Raise EncoderError where a needed encoder is neither passed nor recorded."""
    if not _at_hand(aligner, side):
        missing = missing_encoder(aligner.identities[side], side)
        raise EncoderError(f"the {missing}; pass it with --{side}-encoder.")


def _at_hand(aligner: Aligner, side: Side) -> bool:
    """Whether an encoder is passed, or recorded by a name that can be loaded."""
    identity = aligner.identities[side]
    return aligner.encoders.get(side) is not None or bool(identity and identity.model)
