"""Reading a file of pairs, or of texts without a pair: the ending tells the format."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import ReaderError
from ...printable import printable
from ...types import SIDES
from ..arguments import text_problem
from ..pairs import Pairs
from ..validation import OnDuplicate, OnInvalid
from .columns import Columns, Contents
from .npz import npz
from .spreadsheets import ENDINGS as SPREADSHEETS
from .spreadsheets import spreadsheet
from .tables import delimited, jsonl, jsonl_of_texts, parquet, plain_lines
from .translations import po, tmx

_Reader = Callable[..., Contents]
_TEXT: dict[str, _Reader] = {
    ".jsonl": jsonl,
    ".ndjson": jsonl,
    ".csv": delimited,
    ".tsv": delimited,
    ".po": po,
}
"""They take the encoding of the file, too; all others know theirs."""
_SPREADSHEETS: dict[str, _Reader] = dict.fromkeys(SPREADSHEETS, spreadsheet)
_READERS: dict[str, _Reader] = {
    **_TEXT,
    **_SPREADSHEETS,
    ".parquet": parquet,
    ".tmx": tmx,
    ".npz": npz,
}
_TEXTS_WITHOUT_A_PAIR: dict[str, _Reader] = {
    ".jsonl": jsonl_of_texts,
    ".ndjson": jsonl_of_texts,
    ".csv": delimited,
    ".tsv": delimited,
    ".txt": plain_lines,
    ".md": plain_lines,
    "": plain_lines,
}
_OF_TEXTS: dict[str, _Reader] = {**_TEXTS_WITHOUT_A_PAIR, **_SPREADSHEETS, ".parquet": parquet}


def read_pairs(
    path: str | Path,
    *,
    source: str = "source",
    target: str = "target",
    group: str | None = None,
    id: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    on_invalid: OnInvalid = "raise",
    on_duplicate: OnDuplicate = "keep",
    name: str = "",
    licence: str = "",
) -> Pairs:
    """Read pairs from a file; the ending tells the format.

    Args:
        path: ``.jsonl`` (or ``.ndjson``), ``.csv``, ``.tsv``, ``.xlsx`` (``.xlsm``, ``.xls``,
            ``.ods``), ``.parquet``, ``.tmx``, ``.po`` or ``.npz``.
        source, target: the two columns (of a table), arrays (``.npz``) or language codes (TMX).
            Width of letters, and spaces around a name, do not matter where one column fits. In a
            PO file the translation is the source and the original the target. An ``.npz`` holds
            vectors. Where it also has an array NAME_texts, that array holds the texts behind the
            array NAME: (n,) unicode strings, as ``np.array(texts, str)`` gives.
        group, id: columns; by default ``group`` and ``id`` where they exist.
        encoding: of a file of text, such as ``cp932``; by default UTF-8. A byte order mark comes
            before it, and formats that state their encoding do not need it.
        sheet: of a spreadsheet; by default the first.

    Raises:
        ReaderError: the file is missing, of an unknown format, or malformed; the message names
            the line where there are lines.
        PairsError: the rows do not pass validation.
        MissingExtraError: the format needs an optional package.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if path.suffix.lower() == ".txt":
        raise ReaderError(
            f"{path} is plain text, not pairs. If its lines have tabs, as Excel's 'Unicode Text', "
            "rename it to .tsv."
        )
    if reader is None:
        known = ", ".join(_READERS)
        raise ReaderError(f"{path}: unknown ending {path.suffix!r}; choose one of {known}.")
    fields = {"source": source, "target": target, "group": group or "group", "id": id or "id"}
    with _reading(path):
        columns, present = reader(path, fields, *_how(path, encoding, sheet))
    _check_labels(path, columns, present, {"group": group, "id": id})
    return Pairs(
        **_sides(columns, stored=path.suffix.lower() == ".npz"),
        groups=columns.get("group"),
        ids=columns.get("id"),
        on_invalid=on_invalid,
        on_duplicate=on_duplicate,
        name=name or path.name,
        licence=licence,
        columns=(source, target),
    )


def read_texts(
    path: str | Path,
    *,
    column: str = "target",
    encoding: str | None = None,
    sheet: str | None = None,
) -> list[str]:
    """Read texts that have no pair, such as those of an index.

    Args:
        path: ``.jsonl`` or ``.ndjson`` (a string a line, or objects), ``.csv``, ``.tsv``,
            ``.xlsx`` (``.xlsm``, ``.xls``, ``.ods``) or ``.parquet``; their texts may hold line
            breaks. A file that ends in ``.txt`` or ``.md``, or has no ending, is plain text: one
            text a line, without the white space around it.
        column: the column, or field of an object, that holds the texts. Where no row has it and
            every row has a field ``text``, that field is read.
        encoding, sheet: as in :func:`kakehashi.read_pairs`.

    Returns:
        the texts, in their order, without empty ones.

    Raises:
        ReaderError: the file is missing, malformed, of another format (TMX, PO and ``.npz`` hold
            pairs only), or has no such column or no text.
        MissingExtraError: the format needs an optional package.
    """
    path = Path(path)
    ending = path.suffix.lower()
    reader = _OF_TEXTS.get(ending)
    if reader is None:
        fault = "is a format of pairs" if ending in _READERS else "is no ending of texts"
        raise ReaderError(
            f"{path}: {path.suffix} {fault}; give .jsonl or .ndjson (a string a line), .csv, .tsv, "
            ".xlsx, .parquet, or plain text as .txt, .md or without an ending, one text a line."
        )
    with _reading(path):
        columns, _ = reader(path, {"texts": column}, *_how(path, encoding, sheet))
    texts = columns["texts"]
    for number, text in enumerate(texts, 1):
        problem = text_problem(text)
        if problem and (not isinstance(text, str) or text.strip()):
            raise ReaderError(f"{path}, text {number}: {problem}. Mend it, or leave it out.")
    kept: list[str] = [text for text in texts if text.strip()]
    if not kept:
        raise ReaderError(f"{path} has no texts; give one a line, or one a row.")
    return kept


def _how(path: Path, encoding: str | None, sheet: str | None) -> tuple[str | None, ...]:
    """Return what the reader of this file takes besides the names of columns."""
    ending = path.suffix.lower()
    if ending in _SPREADSHEETS:
        return (sheet,)
    return (encoding,) if ending in _TEXT or ending in _TEXTS_WITHOUT_A_PAIR else ()


def _check_labels(
    path: Path, columns: Columns, present: list[str], requested: dict[str, str | None]
) -> None:
    """Raise ReaderError where a column of groups or ids was named and is not in every row."""
    for column, field in requested.items():
        if field is not None and column not in columns:
            fault = "not in every row" if field in present else "not there"
            names = ", ".join(map(printable, present)) or "none that can be named"
            raise ReaderError(f"{path}: {column} {field!r} is {fault}; it has {names}.")


def _sides(columns: Columns, *, stored: bool) -> dict[str, Any]:
    """Return the columns of both sides as arguments of ``Pairs``."""
    if not stored:
        return {f"{side}_texts": columns[side] for side in SIDES}
    vectors = {f"{side}_vectors": columns[side] for side in SIDES}
    return vectors | {f"{side}_texts": columns.get(f"{side}_texts") for side in SIDES}


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn the errors of a file that cannot be read into ReaderError."""
    if not os.path.isfile(path):
        raise ReaderError(f"{path} is not a file.")
    try:
        yield
    except OSError as error:
        raise ReaderError(f"{path} cannot be read: {error}") from error
