"""Files of translators: TMX translation memories and gettext PO."""

from __future__ import annotations

from pathlib import Path

from ...errors import MissingExtraError, ReaderError
from ...printable import printable
from .columns import Columns, Contents
from .decoding import checked_encoding, undecodable


def tmx(path: Path, fields: dict[str, str]) -> Contents:
    """Read the units of a TMX file that have both languages; ``fields`` holds their codes.

    The file itself names its encoding.
    """
    try:
        from defusedxml import DefusedXmlException, ElementTree
    except ImportError as error:
        raise MissingExtraError("defusedxml", "readers") from error
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, DefusedXmlException, ValueError, LookupError) as error:
        hint = "; save it as UTF-8" if "encoding" in str(error) else ""
        raise ReaderError(f"{path} is not TMX: {printable(error)}{hint}") from error
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
        source, target = (_by_language(texts, fields[side]) for side in ("source", "target"))
        if source is not None and target is not None:
            columns["source"].append(source)
            columns["target"].append(target)
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


def po(path: Path, fields: dict[str, str], encoding: str | None = None) -> Contents:
    """Read a PO file: the translation is the source, the original is the target.

    The group of a pair is the file in which its original first occurs. Unless an encoding is named,
    the header of the file tells it.
    """
    columns, _ = po_with_header(path, encoding)
    return columns, ["group"]


def po_with_header(path: Path, encoding: str | None = None) -> tuple[Columns, dict[str, str]]:
    """Read a PO file as :func:`po` does, and its header: the project, the language and so on."""
    try:
        import polib
    except ImportError as error:
        raise MissingExtraError("polib", "readers") from error
    try:
        named = checked_encoding(encoding)
        file = polib.pofile(str(path), **({} if named is None else {"encoding": named}))
    except UnicodeDecodeError as error:
        raise undecodable(path, path.read_bytes(), error.encoding, error.start) from error
    except OSError as error:
        if error.errno is not None:  # the system's error; polib raises OSError over syntax, too
            raise
        raise ReaderError(f"{path} is not a PO file: {printable(error)}") from error
    # Plural forms have several translations.
    entries = [entry for entry in file.translated_entries() if entry.msgstr]
    files = [entry.occurrences[0][0] if entry.occurrences else path.name for entry in entries]
    columns = {
        "source": [entry.msgstr for entry in entries],
        "target": [entry.msgid for entry in entries],
        "group": files,
    }
    return columns, dict(file.metadata)
