"""Sections to one HTML file: nothing is loaded from elsewhere, and every text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from ..language import current_language, translate
from ..printable import printable_lines
from .blocks import Section
from .sections.headline import Headline


def render(headline: Headline, sections: Sequence[Section], name: str) -> str:
    """Return the page.

    Args:
        name: of the aligner, for the line above the verdict.
    """
    from jinja2 import DictLoader, Environment, StrictUndefined

    folder = files(__package__) / "template"
    page = (folder / "report.html").read_text(encoding="utf-8")
    environment = Environment(
        loader=DictLoader({"report.html": page}),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return (
        environment.get_template("report.html")
        .render(
            language=current_language(),
            version=version("kakehashi"),
            style=(folder / "report.css").read_text(encoding="utf-8"),
            headline=headline,
            sections=sections,
            name=name,
            words={
                "kind": translate("Report of an aligner"),
                "contents": translate("Contents"),
                "made_by": translate(
                    "Made by kakehashi {version}. This file loads nothing from elsewhere.",
                    version=version("kakehashi"),
                ),
            },
        )
        .lstrip()
    )


def _seen(value: Any) -> Any:
    """Escape in a string what cannot be seen; markup that is ours stays."""
    is_plain = isinstance(value, str) and not hasattr(value, "__html__")
    return printable_lines(value) if is_plain else value
