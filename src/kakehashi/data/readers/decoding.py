"""The text of a file: UTF-8, what a byte order mark says, or the encoding that the caller names.

No encoding is ever guessed in silence. Where a file is not what it should be, the error says which
encoding it looks like, and how to name it.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from ...errors import ReaderError
from ...printable import printable

UTF_8 = "utf-8"
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_LOOKED_AT = 1 << 20
"""Bytes of a file that show what it looks like."""
_KANA = re.compile("[\u3041-\u30ff]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_ALONE = re.compile(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])")
_NOT_ASCII_BYTE = re.compile(rb"[\x80-\xff]")


def read_text(path: Path, encoding: str | None = None) -> str:
    """Return the text of a file, with its line breaks as they are.

    Args:
        encoding: by default UTF-8. A byte order mark (of UTF-8 or UTF-16) comes before it.

    Raises:
        ReaderError: the file has another encoding, or Python knows no such encoding.
    """
    return decode(path, path.read_bytes(), encoding)


def decode(path: Path, content: bytes, encoding: str | None = None) -> str:
    """Return the text of these bytes; ``path`` names them in errors."""
    named = checked_encoding(encoding)
    used = next((mark for bom, mark in _MARKS.items() if content.startswith(bom)), named or UTF_8)
    try:
        text = content.decode(used)
    except UnicodeDecodeError as error:
        raise undecodable(path, content, used, error.start) from error
    if "\0" in text:  # UTF-16 without its mark, most often
        raise undecodable(path, content, used, content.find(0))
    if used == named and named != UTF_8 and not content.isascii() and _reads(content, UTF_8):
        raise ReaderError(
            f"{path} is UTF-8, not {named}. Run again without --encoding (Python: encoding=)."
        )
    return text


def checked_encoding(encoding: str | None) -> str | None:
    """Return Python's name of an encoding; None stays None.

    Raises:
        ReaderError: Python has no such encoding of texts.
    """
    if encoding is None:
        return None
    try:
        found = codecs.lookup(encoding)
        "".encode(encoding)  # refuses codecs that are no encoding of texts, such as rot13
    except (LookupError, ValueError) as error:
        raise ReaderError(
            f"encoding {printable(encoding)!r} is not known; choose utf-8, cp932 (Japanese "
            "Windows), gb18030 (Chinese), cp949 (Korean), cp1252 (western European), or another "
            "of Python's."
        ) from error
    return found.name


def undecodable(path: Path, content: bytes, tried: str, at: int) -> ReaderError:
    """Return the error over a file that is not in the encoding ``tried``.

    Args:
        at: the first byte that does not fit.
    """
    shown = tried.upper() if tried.startswith("utf") else tried
    like = likely_encoding(content)
    if like is None or like == tried:
        line = content.count(b"\n", 0, at) + 1
        return ReaderError(
            f"{path} is not {shown}: line {line} has the byte 0x{content[at]:02x}. Run again with "
            "--encoding NAME (Python: encoding=): cp932 (Japanese Windows), gb18030 (Chinese), "
            "cp949 (Korean), cp1252 (western European). Or save it as UTF-8 (Excel: 'CSV UTF-8')."
        )
    letters = _NOT_ASCII.search(content.decode(like))
    seen = f"{like} ({printable(letters[0])[:12]})" if letters else like
    advice = (
        "without --encoding" if like == UTF_8 else f"with --encoding {like} (Python: encoding=)"
    )
    return ReaderError(f"{path} is not {shown}; it reads as {seen}. Run again {advice}.")


def likely_encoding(content: bytes) -> str | None:
    """Return the encoding that bytes look like, for an error to name; None if it cannot be told."""
    zeros = content[1::2].count(0), content[::2].count(0)
    if max(zeros) * 4 > len(content):  # every other byte of Latin text in UTF-16
        name = "utf-16-le" if zeros[0] > zeros[1] else "utf-16-be"
        return name if _reads(content, name) else None
    if _reads(content, UTF_8):
        return UTF_8
    if len(content) > _LOOKED_AT:
        content = content[: content.rfind(b"\n", 0, _LOOKED_AT) + 1] or content  # whole lines
    # Letters with an accent stand between other letters. Two bytes make a Japanese character.
    high = len(_NOT_ASCII_BYTE.findall(content))
    if len(_ALONE.findall(content)) > 0.8 * high and _reads(content, "cp1252"):
        return "cp1252"
    if _share_of_usual_cp932(content) > 0.6:
        return "cp932"
    return "euc_jp" if _share_of_kana(content, "euc_jp") > 0.1 else None


def _share_of_usual_cp932(content: bytes) -> float:
    """Return the share of kana and common kanji in cp932, among what is not ASCII.

    They begin with a byte up to 0x98. Other encodings of East Asia, read as cp932, give half-width
    kana and rare kanji.
    """
    if not _reads(content, "cp932"):
        return 0.0
    others = "".join(_NOT_ASCII.findall(content.decode("cp932")))
    firsts = [each.encode("cp932")[0] for each in others]
    return sum(0x81 <= first <= 0x98 for first in firsts) / max(len(firsts), 1)


def _share_of_kana(content: bytes, encoding: str) -> float:
    """Return the share of kana among what is not ASCII."""
    if not _reads(content, encoding):
        return 0.0
    others = "".join(_NOT_ASCII.findall(content.decode(encoding)))
    return len(_KANA.findall(others)) / max(len(others), 1)


def _reads(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
