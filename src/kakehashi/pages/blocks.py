"""What a section of a page is made of: the template knows how each kind looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias


@dataclass(frozen=True)
class Text:
    """A paragraph; ``tone`` is empty, ``lead``, ``note`` or ``quote``."""

    text: str
    tone: str = ""
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Heading:
    """A heading of the third order."""

    text: str
    kind: ClassVar[str] = "heading"


@dataclass(frozen=True)
class Points:
    """A list of sentences."""

    items: Sequence[str]
    kind: ClassVar[str] = "points"


@dataclass(frozen=True)
class Table:
    """A table; its first column names the rows.

    Attributes:
        caption: what it shows, in a sentence.
        columns: headings; those of columns in ``numeric`` are set to the right.
        strong: the rows that are printed in bold, from 0.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[int] = ()
    strong: Sequence[int] = ()
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Chart:
    """A drawing as SVG, with a title and a text that tells what it shows.

    Attributes:
        svg: markup of :func:`.charts.drawing.as_svg`, with all strings of others escaped.
    """

    svg: str
    caption: str
    kind: ClassVar[str] = "chart"


@dataclass(frozen=True)
class Commands:
    """Lines to paste."""

    text: str
    kind: ClassVar[str] = "commands"


@dataclass(frozen=True)
class Case:
    """A question, what it should have found, and what was found instead."""

    question: str
    facts: Sequence[tuple[str, str]]
    kind: ClassVar[str] = "case"


@dataclass(frozen=True)
class Details:
    """Blocks that open on demand; print opens them."""

    summary: str
    blocks: Sequence[Block]
    kind: ClassVar[str] = "details"


Block: TypeAlias = Text | Heading | Points | Table | Chart | Commands | Case | Details


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading of the second order.

    Attributes:
        name: its anchor.
    """

    name: str
    heading: str
    blocks: Sequence[Block]
