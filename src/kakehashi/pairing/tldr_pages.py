"""tldr-pages: a page describes a command, then gives examples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

Page = tuple[str, list[tuple[str, str]]]


def tldr_pages(root: Path) -> dict[str, Page]:
    """Return the description of each page and its examples, (description, command), by path."""
    found: dict[str, Page] = {}
    for path in sorted(root.rglob("*.md")):
        about: list[str] = []
        examples: list[tuple[str, str]] = []
        said = ""
        for line in path.read_text(encoding="utf-8").split("\n"):
            if line.startswith("> ") and "<http" not in line:
                about.append(line[2:])
            elif line.startswith("- "):
                said = line[2:].strip().rstrip(":：").strip()
            elif line.startswith("`") and said:
                examples.append((_described(said), line.strip().strip("`")))
                said = ""
        found[path.relative_to(root).as_posix()] = _described(" ".join(about)), examples
    return found


def tldr_texts(checkout: Path, language: str) -> Iterator[tuple[str, str, str]]:
    """Yield (page, text, English text) of descriptions of the same page or command."""
    english = tldr_pages(checkout / "pages")
    for page, (about, examples) in tldr_pages(checkout / f"pages.{language}").items():
        if page not in english:
            continue
        original, originals = english[page]
        by_outline = {outline(code): text for text, code in originals}
        yield page, about, original
        for text, code in examples:
            if match := by_outline.get(outline(code)):
                yield page, text, match


def outline(command: str) -> str:
    """Return a command without what translators translate: its placeholders."""
    return re.sub(r"\{\{(\[.*?\])?.*?\}\}", r"{\1}", command)


def _described(text: str) -> str:
    """Take out marks of code, and the brackets around a letter that an option stands for."""
    text = re.sub(r"`([^`]*)`", r"\1", text)
    return " ".join(re.sub(r"\[([^\[\]\s]+)\]", r"\1", text).split())
