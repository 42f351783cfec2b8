"""write_report(): an aligner as a page for people who decide."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..aligner import Aligner
from ..data.arguments import check_choice
from ..data.pairs import Pairs
from ..errors import MissingExtraError
from ..language import use_language
from ..language.chosen import LANGUAGES
from .facts import ReportFacts
from .gathering import Asked, gather
from .rendering import render
from .sections.failures import failures
from .sections.gap import gap
from .sections.headline import headline
from .sections.more_pairs import more_pairs
from .sections.next_pairs import next_pairs
from .sections.origin import origin
from .sections.suspects import suspects
from .sections.systems import systems

_SECTIONS = (systems, gap, more_pairs, failures, suspects, next_pairs, origin)


def check_extra() -> None:
    """Raise MissingExtraError unless matplotlib and Jinja2 are installed (extra ``report``)."""
    for package in ("matplotlib", "jinja2"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "report")


def write_report(
    aligner: Aligner,
    pairs: Pairs | None,
    path: str | Path,
    *,
    language: str = "en",
    index: Any = None,
    trained_on: Pairs | None = None,
    curve: bool = False,
    questions: Sequence[str] | None = None,
    embed_again: bool = False,
    second_model: Any = None,
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
        trained_on: the pairs of the fit. Their documents are searched, too.
        curve: whether to measure accuracy by number of pairs: some ten fits on ``trained_on``.
        questions: texts of the source without answers; those to pair next are listed.
        embed_again: whether to measure what the source encoder finds if it embeds every document.
        second_model: an encoder: whether to measure what it finds over the first hits of the
            aligner, and in an index that it embeds again (:class:`kakehashi.SecondModel`).
        commands: that made the aligner and the page, to be shown.
        cache: a file that keeps encoded vectors between runs.

    Returns:
        the path.

    Raises:
        MissingExtraError: matplotlib or Jinja2 is not installed.
        DataError: an unknown language, or as :func:`kakehashi.evaluation.evaluate` raises it.
        EncoderError, CacheError, FitError: an encoder, the cache or the curve fails.
        OSError: the file cannot be written.
    """
    check_extra()
    check_choice("language", language, LANGUAGES)
    asked = Asked(
        index=index,
        trained_on=trained_on,
        curve=curve,
        questions=questions,
        embed_again=embed_again,
        second_model=second_model,
        commands=commands,
    )
    return write_page(aligner, pairs, path, asked, language=language, cache=cache)


def write_page(
    aligner: Aligner,
    pairs: Pairs | None,
    path: str | Path,
    asked: Asked,
    *,
    language: str = "en",
    cache: str | Path | None = None,
) -> Path:
    """Write the page of :func:`write_report`, and of what a fit alone can give to it."""
    facts = gather(aligner, pairs, asked, cache)
    with use_language(language):
        page = page_of(facts)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def page_of(facts: ReportFacts) -> str:
    """Return the page in the language of the context."""
    sections = [section for make in _SECTIONS if (section := make(facts)) is not None]
    folder = facts.aligner.path
    return render(headline(facts), sections, "" if folder is None else folder.name)
