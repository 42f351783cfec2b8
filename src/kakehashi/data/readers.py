"""Files of pairs (JSONL, CSV/TSV, Parquet, TMX, gettext PO, .npz), and of texts without a pair."""

from __future__ import annotations

import csv
import json
import lzma
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ..errors import KakehashiError, MissingExtraError, ReaderError
from ..types import SIDES
from .pairs import Pairs
from .validation import OnDuplicate, OnInvalid, text_problem

_CSV_LIMIT = Lock()

Columns = dict[str, list[Any]]
Read = tuple[Columns, list[str]]  # what was asked for, and the names of all that the file has

# Compressed vectors shrink to half, and texts stand beside vectors. Only constant vectors shrink to
# a hundredth, and texts of which one is so long that it pads all the others.
_MAX_GROWTH = 100


def read_pairs(
    path: str | Path,
    *,
    source: str = "source",
    target: str = "target",
    group: str | None = None,
    id: str | None = None,
    on_invalid: OnInvalid = "raise",
    on_duplicate: OnDuplicate = "keep",
    name: str = "",
    licence: str = "",
) -> Pairs:
    """Read pairs from a file; the ending tells the format.

    Args:
        path: ``.jsonl`` (or ``.ndjson``), ``.csv``, ``.tsv``, ``.parquet``, ``.tmx``, ``.po`` or
            ``.npz``.
        source, target: the two columns (JSONL, CSV, TSV, Parquet), arrays (``.npz``) or language
            codes (TMX). In a PO file the translation is the source and the original the target.
            An ``.npz`` holds vectors. The texts behind the array NAME are read from the array
            NAME_texts where there is one: (n,) unicode strings, as ``np.array(texts, str)`` is.
        group, id: columns; by default ``group`` and ``id`` where they exist.

    Raises:
        ReaderError: the file is missing, of an unknown format, or malformed; the message names
            the line where there are lines.
        PairsError: the rows do not pass validation.
        MissingExtraError: the format needs an optional package.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(_READERS)
        raise ReaderError(f"{path}: unknown ending {path.suffix!r}; choose one of {known}.")
    fields = {"source": source, "target": target, "group": group or "group", "id": id or "id"}
    with _reading(path):
        columns, present = reader(path, fields)
    for column, field in (("group", group), ("id", id)):
        if field is not None and column not in columns:
            found = "not in every row" if field in present else "not there"
            names = ", ".join(present) or "none that can be named"
            raise ReaderError(f"{path}: {column} {field!r} is {found}; it has {names}.")
    kind = "vectors" if path.suffix.lower() == ".npz" else "texts"
    given: dict[str, Any] = {f"{side}_{kind}": columns[side] for side in SIDES}
    if kind == "vectors":
        given |= {f"{side}_texts": columns.get(f"{side}_texts") for side in SIDES}
    return Pairs(
        **given,
        groups=columns.get("group"),
        ids=columns.get("id"),
        on_invalid=on_invalid,
        on_duplicate=on_duplicate,
        name=name or path.name,
        licence=licence,
    )


def read_texts(path: str | Path, *, column: str = "target") -> list[str]:
    """Read texts that have no pair, for ``unpaired`` of :func:`kakehashi.fit`.

    Args:
        path: ``.jsonl`` or ``.ndjson`` (a string a line, or objects), ``.csv``, ``.tsv`` or
            ``.parquet``; a text in them may hold line breaks, and is kept as it stands. A file
            ending in ``.txt`` or ``.md``, or without an ending, is plain text, UTF-8: one text a
            line, without the white space around it.
        column: the column, or field of an object, that holds the texts; others are passed over.
            Where no row has it and every row has a ``text``, that is read.

    Returns:
        the texts, in their order; empty ones are left out.

    Raises:
        ReaderError: the file is missing, malformed, of another format (TMX, PO and ``.npz`` are
            of pairs only), or has no such column or no text.
        MissingExtraError: the format needs an optional package.
    """
    path = Path(path)
    ending = path.suffix.lower()
    reader = _OF_TEXTS.get(ending)
    if reader is None:
        what = "is a format of pairs" if ending in _READERS else "is no ending of texts"
        raise ReaderError(
            f"{path}: {path.suffix} {what}; give .jsonl or .ndjson (a string a line), .csv, .tsv, "
            ".parquet, or plain text as .txt, .md or without an ending, one text a line."
        )
    with _reading(path):
        columns, _ = reader(path, {"texts": column})
    texts = columns["texts"]
    for number, text in enumerate(texts, 1):
        problem = text_problem(text)
        if problem and (not isinstance(text, str) or text.strip()):
            raise ReaderError(f"{path}, text {number}: {problem}. Mend it, or leave it out.")
    found = [text for text in texts if text.strip()]
    if not found:
        raise ReaderError(f"{path} has no texts; give one a line, or one a row.")
    return found


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Say of a file that cannot be read why, in an error of ours."""
    if not path.is_file():
        raise ReaderError(f"{path} is not a file.")
    try:
        yield
    except UnicodeDecodeError as error:
        raise ReaderError(
            f"{path} is not UTF-8: {error}. Convert it first (Excel: save as 'CSV UTF-8')."
        ) from error
    except OSError as error:
        raise ReaderError(f"{path} cannot be read: {error}") from error


def _columns(path: Path, rows: list[tuple[int, dict[str, Any]]], fields: dict[str, str]) -> Read:
    columns: Columns = {}
    advice = {side: f"name the field with `{side}` (--{side})" for side in ("source", "target")}
    advice["texts"] = "name the field with `column` (--target), or give every row a field 'text'"
    for column, asked in fields.items():
        required = column in advice
        # Texts without a pair stand in files of their own, which need not say "target".
        elsewhere = all(asked not in row and "text" in row for _, row in rows)
        field = "text" if column == "texts" and elsewhere else asked
        if not required and not all(row.get(field) is not None for _, row in rows):
            continue
        values = []
        for line, row in rows:
            if field not in row:
                present = ", ".join(map(str, row)) or "none"
                raise ReaderError(
                    f"{path}, line {line}: no field {field!r}; it has {present}. "
                    f"Rename it, or {advice[column]}."
                )
            values.append(row[field])
        columns[column] = values
    return columns, list(dict.fromkeys(str(name) for _, row in rows for name in row))


def _lines(path: Path, fields: dict[str, str]) -> Read:
    # Not splitlines(), which also cuts at U+2028 and the like: part of a text, and no new line.
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    return {"texts": [line.strip() for line in lines]}, []


def _jsonl_of_texts(path: Path, fields: dict[str, str]) -> Read:
    """Read a line that is a string as the text itself."""
    return _jsonl(path, fields, text_field=fields["texts"])


def _jsonl(path: Path, fields: dict[str, str], *, text_field: str | None = None) -> Read:
    rows = []
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ReaderError(f"{path}, line {number}: not JSON: {error}") from error
            if isinstance(row, str) and text_field is not None:
                row = {text_field: row}
            if not isinstance(row, dict):
                raise ReaderError(f"{path}, line {number}: expected an object, got {line[:40]!r}.")
            rows.append((number, row))
    return _columns(path, rows, fields)


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let a cell be as long as a document may be.

    The limit of 131,072 characters is one of the whole process and not of a reader: it is set back,
    and two readers of ours take turns, or the first to end would set it back under the other.
    """
    with _CSV_LIMIT:
        before = csv.field_size_limit(2**31 - 1)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _csv(path: Path, fields: dict[str, str]) -> Read:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    rows = []
    with path.open(encoding="utf-8-sig", newline="") as file, _long_cells():
        reader = csv.DictReader(file, delimiter=delimiter, strict=True)
        try:
            for row in reader:
                if None in row or None in row.values():
                    raise ReaderError(
                        f"{path}, line {reader.line_num}: another number of cells than the header."
                    )
                rows.append((reader.line_num, dict(row)))
        except csv.Error as error:  # DictReader's own count stops before the broken line
            raise ReaderError(f"{path}, line {reader.reader.line_num}: {error}") from error
    return _columns(path, rows, fields)


def _parquet(path: Path, fields: dict[str, str]) -> Read:
    try:
        import pyarrow
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("pyarrow", "readers") from error
    try:
        table = pq.read_table(path)
    except pyarrow.ArrowException as error:
        raise ReaderError(f"{path} is not Parquet: {error}") from error
    return _columns(path, list(enumerate(table.to_pylist(), 1)), fields)


def _tmx(path: Path, fields: dict[str, str]) -> Read:
    try:
        from defusedxml import DefusedXmlException, ElementTree
    except ImportError as error:
        raise MissingExtraError("defusedxml", "readers") from error
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, DefusedXmlException, ValueError, LookupError) as error:
        hint = "; save it as UTF-8" if "encoding" in str(error) else ""
        raise ReaderError(f"{path} is not TMX: {error}{hint}") from error
    columns: Columns = {"source": [], "target": []}
    for unit in root.iter("tu"):
        texts: dict[str, str] = {}
        for variant in unit.findall("tuv"):
            language = variant.get("{http://www.w3.org/XML/1998/namespace}lang") or variant.get(
                "lang", ""
            )
            segment = variant.find("seg")
            if segment is not None:
                texts.setdefault(language.lower(), "".join(segment.itertext()))
        found = [_by_language(texts, fields[side]) for side in ("source", "target")]
        if found[0] is not None and found[1] is not None:
            columns["source"].append(found[0])
            columns["target"].append(found[1])
    if not columns["source"]:
        raise ReaderError(
            f"{path}: no unit has both {fields['source']!r} and {fields['target']!r}; "
            "pass the language codes as source= and target=."
        )
    return columns, []


def _by_language(texts: dict[str, str], code: str) -> str | None:
    """Find ``ja`` under ``ja`` or ``ja-JP``."""
    code = code.lower()
    for language, text in texts.items():
        if language == code or language.split("-")[0] == code:
            return text
    return None


def _po(path: Path, fields: dict[str, str]) -> Read:
    try:
        import polib
    except ImportError as error:
        raise MissingExtraError("polib", "readers") from error
    try:
        entries = polib.pofile(str(path)).translated_entries()
    except OSError as error:
        if error.errno is not None:  # the system's own; polib raises OSError over syntax, too
            raise
        raise ReaderError(f"{path} is not a PO file: {error}") from error
    entries = [entry for entry in entries if entry.msgstr]  # plural forms have no one msgstr
    files = [entry.occurrences[0][0] if entry.occurrences else path.name for entry in entries]
    return {
        "source": [entry.msgstr for entry in entries],
        "target": [entry.msgid for entry in entries],
        "group": files,
    }, ["group"]


# What zipfile and np.load raise over damaged bytes. Neither has one error for them: a header is
# parsed as a Python literal, and each compression has an error of its own. Whoever opens an archive
# does nothing but read arrays in it, so that no other fault is taken for damage.
_NPZ_FAULTS = (
    ValueError,  # a header that is no dictionary, a pickled array
    TypeError,  # a header with entries of another kind
    EOFError,  # cut off
    MemoryError,  # a shape that no memory holds
    RuntimeError,  # encrypted; NotImplementedError: an unknown compression
    SyntaxError,  # a header that is no literal
    SystemError,  # a string with a number that is no character
    tokenize.TokenError,  # a header that does not end
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)


def _refuse_bomb(path: Path) -> None:
    """Raise ReaderError for an archive that grows far more than vectors can when unpacked."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > max(_MAX_GROWTH * path.stat().st_size, 1 << 24):
        raise ReaderError(
            f"{path} would unpack to {unpacked:,} bytes, {_MAX_GROWTH} times its size and more; "
            "if that is right, save it with np.savez, which does not compress."
        )


@contextmanager
def open_npz(path: Path) -> Iterator[Any]:
    """Open an ``.npz`` to read arrays from; nothing in it is ever unpickled.

    Raises:
        ReaderError: it is none, or an array that is read from it is damaged or pickled.
    """
    try:
        _refuse_bomb(path)
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise ReaderError(f"{path} holds one array; save source and target with np.savez.")
        with loaded as archive:
            yield archive
    except KakehashiError:  # some of which are also a ValueError
        raise
    except _NPZ_FAULTS as error:
        raise ReaderError(f"{path} is not an .npz of plain arrays: {error}") from error


def texts_beside(archive: Any, name: str, rows: int, path: Path) -> list[str] | None:
    """Return the texts behind the vectors of an array, or None where the archive has none.

    Raises:
        ReaderError: NAME_texts is no array of unicode strings, one a row.
    """
    key = f"{name}_texts"
    if key not in archive:
        return None
    advice = f"save one text a row of {name!r}, as np.array(texts, str), or leave the array out"
    try:
        array = archive[key]
    except ValueError as error:  # an object array, most often: what a column of pandas gives
        raise ReaderError(f"{path}: {key!r} cannot be read: {error}; {advice}.") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind != "U" or array.ndim != 1:
        is_array = isinstance(array, np.ndarray)
        found = f"{array.dtype} of shape {array.shape}" if is_array else "no array"
        raise ReaderError(f"{path}: {key!r} is {found}, not (n,) unicode strings; {advice}.")
    if len(array) != rows:
        raise ReaderError(
            f"{path}: {key!r} has {len(array)} texts for {rows} rows of {name!r}; {advice}."
        )
    texts: list[str] = array.tolist()
    return texts


def _npz(path: Path, fields: dict[str, str]) -> Read:
    with open_npz(path) as archive:
        missing = [fields[side] for side in SIDES if fields[side] not in archive]
        if missing:
            raise ReaderError(
                f"{path} has no array {missing[0]!r}; it has {', '.join(archive.files)}."
            )
        columns: dict[str, Any] = {c: archive[f] for c, f in fields.items() if f in archive}
        for column, array in columns.items():
            if not isinstance(array, np.ndarray) or array.ndim == 0:
                raise ReaderError(f"{path}: {fields[column]!r} is one value, not an array of rows.")
        for side in SIDES:
            texts = texts_beside(archive, fields[side], len(columns[side]), path)
            if texts is not None:
                columns[f"{side}_texts"] = texts
        return columns, archive.files


_READERS: dict[str, Callable[[Path, dict[str, str]], Read]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".csv": _csv,
    ".tsv": _csv,
    ".parquet": _parquet,
    ".tmx": _tmx,
    ".po": _po,
    ".npz": _npz,
}
_OF_TEXTS: dict[str, Callable[[Path, dict[str, str]], Read]] = {
    ".jsonl": _jsonl_of_texts,
    ".ndjson": _jsonl_of_texts,
    ".csv": _csv,
    ".tsv": _csv,
    ".parquet": _parquet,
    ".txt": _lines,
    ".md": _lines,
    "": _lines,
}
