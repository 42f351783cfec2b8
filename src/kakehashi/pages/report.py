"""write_report(): an aligner as a page for people who decide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..aligner import Aligner
from ..data.pairs import Pairs
from ..evaluation.curve_result import LearningCurve
from ..language import use_language
from .facts import ReportFacts
from .gathering import gather
from .rendering import render
from .sections.gap import gap
from .sections.headline import headline
from .sections.origin import origin
from .sections.systems import systems

_SECTIONS = (systems, gap, origin)


def write_report(
    aligner: Aligner,
    pairs: Pairs | None,
    path: str | Path,
    *,
    language: str = "en",
    index: Any = None,
    trained_on: Pairs | None = None,
    curve: LearningCurve | None = None,
    commands: Sequence[str] = (),
    cache: str | Path | None = None,
) -> Path:
    """Write what is known of an aligner as one HTML file, which loads nothing from elsewhere.

    Args:
        pairs: pairs that the aligner was not fitted on. They judge it, as in
            :func:`kakehashi.evaluation.evaluate`. Without them the report of the fit is shown.
        path: the file; one that is there is replaced.
        language: ``"en"`` or ``"ja"``.
        index: the documents of the index, as :func:`kakehashi.evaluation.evaluate` takes them.
        trained_on: the pairs of the fit.
        curve: what :func:`kakehashi.evaluation.learning_curve` returned.
        commands: that made the aligner and the page, to be shown.
        cache: a file that keeps encoded vectors between runs.

    Returns:
        the path.

    Raises:
        MissingExtraError: matplotlib or Jinja2 is not installed.
        DataError, EncoderError, CacheError: as :func:`kakehashi.evaluation.evaluate` raises them.
        OSError: the file cannot be written.
    """
    facts = gather(
        aligner,
        pairs,
        index=index,
        trained_on=trained_on,
        curve=curve,
        commands=commands,
        cache=cache,
    )
    with use_language(language):
        page = page_of(facts)
    path = Path(path)
    path.write_text(page, encoding="utf-8")
    return path


def page_of(facts: ReportFacts) -> str:
    """Return the page in the language of the context."""
    sections = [section for make in _SECTIONS if (section := make(facts)) is not None]
    folder = facts.aligner.path
    return render(headline(facts), sections, "" if folder is None else folder.name)
