"""Translated texts in checkouts of public sources: PO files, tldr-pages, exports of Tatoeba."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..data.readers import read_pairs
from ..data.readers.translations import po_with_header
from ..errors import DataError
from .tldr_pages import tldr_texts

_ROLE = re.compile(r":[\w:+.-]+:`([^`]*)`")
_LANGUAGE, _HEADER = re.compile(rb'"Language: ([A-Za-z]+)'), 1 << 14
_SENTENCE_PAIR = re.compile(r"(\d+)\t([^\t]+)\t(\d+)\t([^\t]+)")


class Translation(NamedTuple):
    """A text in another language and in English, and where both come from."""

    text: str
    english: str
    group: str
    origin: str
    licence: str


class _Project(NamedTuple):
    """A public source: how the header of its PO files begins, its authors and its licence."""

    begins: str
    origin: str
    licence: str


_PROJECTS = (
    _Project(
        "python",
        "Python documentation, the Python Software Foundation and translators",
        "PSF-2.0, translations CC0-1.0",
    ),
    _Project("django", "Django, the Django Software Foundation and translators", "BSD-3-Clause"),
    _Project(
        "manpages",
        "manpages-l10n, the authors and translators of each page",
        "GPL-3.0-or-later, or as the page says",
    ),
)
_TLDR = "tldr-pages, its contributors", "CC BY 4.0"
_TATOEBA = "Tatoeba, its contributors", "CC BY 2.0 FR"


def translations(source: Path, language: str, licence: str = "") -> Iterator[Translation]:
    """Yield the translations of one source.

    Args:
        source: a checkout of tldr-pages, a folder of PO files, an export of sentence pairs from
            Tatoeba (.tsv: a number and a text, twice, the other language first), or a file of
            pairs as :func:`kakehashi.read_pairs` reads it, with the other language as source.
        language: the other language, such as ``ja``.
        licence: of a source that is not known here.

    Raises:
        DataError: a source of another kind, or one whose licence is not known.
    """
    if os.path.isfile(source):
        yield from _of_file(source, language, licence)
    elif os.path.isdir(source / "pages"):
        folder = source / f"pages.{language}"
        if not folder.is_dir():
            raise DataError(f"{source} has no folder {folder.name}.")
        group = f"{source.name}/"
        for page, text, english in tldr_texts(source, language):
            yield Translation(text, english, group + page, *_TLDR)
    elif os.path.isdir(source):
        yield from _of_po_files(source, language, licence)
    else:
        raise DataError(f"{source} does not exist.")


def _of_file(path: Path, language: str, licence: str) -> Iterator[Translation]:
    if path.suffix.lower() == ".po":
        yield from _of_po(path, path.name, language, licence)
        return
    if path.suffix.lower() == ".tsv":
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        found = [_SENTENCE_PAIR.fullmatch(line) for line in lines if line]
        if found and all(found):
            for match in filter(None, found):
                group = f"tatoeba-{match[3]}"
                yield Translation(match[2], match[4], group, *_TATOEBA)
            return
    pairs = read_pairs(path, on_invalid="drop")
    if not licence:
        raise _unknown(str(path))
    groups = pairs.groups or ("",) * len(pairs)
    rows = zip(pairs.source_texts or (), pairs.target_texts or (), groups, strict=True)
    for row, (text, english, group) in enumerate(rows):
        yield Translation(text, english, f"{path.name}/{group or row}", path.name, licence)


def _of_po_files(folder: Path, language: str, licence: str) -> Iterator[Translation]:
    files = sorted(folder.rglob("*.po"))
    if not files:
        raise DataError(
            f"{folder} holds no PO files and no tldr-pages; give a checkout of one, or a file."
        )
    for path in files:
        name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
        yield from _of_po(path, name, language, licence)


def _of_po(path: Path, name: str, language: str, licence: str) -> Iterator[Translation]:
    """Yield the entries of a PO file; none where it is of another language."""
    with path.open("rb") as file:  # a whole file takes long to parse, and a project has hundreds
        spoken = _LANGUAGE.search(file.read(_HEADER))
    if spoken and spoken[1].decode().lower() != language:
        return
    columns, header = po_with_header(path)
    project = header.get("Project-Id-Version", "")
    known = (p for p in _PROJECTS if project.lower().startswith(p.begins))
    origin, terms = next(((p.origin, p.licence) for p in known), (project or name, licence))
    if not terms:
        raise _unknown(f"{path} (project {project!r})")
    for text, english in zip(columns["source"], columns["target"], strict=True):
        yield Translation(as_read(text), as_read(english), name, origin, terms)


def _unknown(source: str) -> DataError:
    return DataError(f"{source}: its licence is not known; name it with licence= (--licence).")


def as_read(text: str) -> str:
    """Return a text as a reader of the page sees it, names and links without their marks.

    The marks are those of reStructuredText and of manual pages.
    """
    text = re.sub(r"\s*\[#[^\]]*\]_", "", text)
    text = _ROLE.sub(lambda role: re.sub(r"\s*<[^>]*>$", "", role[1]).lstrip("~!"), text)
    text = re.sub(r"``([^`]*)``", r"\1", text)
    text = re.sub(r"`([^`<]*?)\s*<[^>]*>`__?", r"\1", text)
    text = re.sub(r"`([^`]*)`_?", r"\1", text)
    text = re.sub(r"(?<![\w*])\*\*?([^*\s][^*]*?)\*\*?(?![\w*])", r"\1", text)
    text = re.sub(r"\b[BIR]<([^<>]*)>", r"\1", text)
    text = re.sub(r"\\\s?", "", re.sub(r"::\s*$", ":", text))
    return " ".join(text.split())
