"""Which modality is this text? By the script of its letters; nothing is learned."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from ..data.validation import in_order
from ..errors import DataError
from ..types import SIDES, Side

_CHARACTERS = 512
"""Read of a text: a modality shows in its first words, and it bounds the memory of a fit."""
_CERTAIN = 30.0
"""Log-odds of a script: beyond any threshold of a learned router."""

_SCRIPTS: dict[str, tuple[str, ...]] = {
    "Han": ("CJK", "IDEOGRAPHIC"),
    **{
        name: (name.upper(),)
        for name in (
            *("Arabic", "Armenian", "Bengali", "Cyrillic", "Devanagari", "Ethiopic", "Georgian"),
            *("Greek", "Gujarati", "Gurmukhi", "Hangul", "Hebrew", "Hiragana", "Kannada"),
            *("Katakana", "Khmer", "Lao", "Latin", "Malayalam", "Mongolian", "Myanmar", "Sinhala"),
            *("Tamil", "Telugu", "Thaana", "Thai", "Tibetan"),
        )
    },
}
"""First words of the Unicode names of a script's letters."""


class ScriptRouter:
    """Tells modalities apart by the script of most letters; nothing is learned.

    Letters of scripts that are neither side's count for none, and where they are most the text is
    undecided; so is one of no letters, or of as many of either side.

    Args:
        source, target: names of scripts, such as ``("Hiragana", "Katakana", "Han")`` and
            ``("Latin",)``.

    Raises:
        DataError: a name that is not known, none at all, or one on both sides.
    """

    def __init__(self, source: Sequence[str], target: Sequence[str]) -> None:
        self.source, self.target = _scripts("source", source), _scripts("target", target)
        if both := sorted(set(self.source) & set(self.target)):
            raise DataError(
                f"{', '.join(both)} cannot tell source from target; name different scripts, or let "
                "Router.fit learn from pairs."
            )
        named: tuple[tuple[Side, tuple[str, ...]], ...] = tuple(
            zip(SIDES, (self.source, self.target), strict=True)
        )
        self._sides: dict[str, Side] = {
            word: side for side, scripts in named for name in scripts for word in _SCRIPTS[name]
        }

    threshold = 0.0
    """As of a :class:`Router`."""

    def __repr__(self) -> str:
        return f"ScriptRouter(source={self.source!r}, target={self.target!r})"

    def route(self, texts: Sequence[str]) -> list[Side | None]:
        """Return the modality of each text; None where its letters do not tell.

        Raises:
            DataError: no list of strings.
        """
        return [self._side(text) for text in checked_texts(texts)]

    def evidence(self, texts: Sequence[str]) -> list[float | None]:
        """Return log-odds as a :class:`Router` does; a script is beyond doubt."""
        certain = {"source": _CERTAIN, "target": -_CERTAIN, None: None}
        return [certain[side] for side in self.route(texts)]

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what rebuilds this router: a JSON-ready record, and no tensors."""
        return {"scripts": {"source": list(self.source), "target": list(self.target)}}, {}

    def _side(self, text: str) -> Side | None:
        counts: dict[Side | None, int] = {None: 0, "source": 0, "target": 0}
        for character in folded(text):
            if character.isalpha():
                # "LATIN SMALL LETTER A", "CJK UNIFIED IDEOGRAPH-5727": a name begins with a script.
                first = unicodedata.name(character, "").replace("-", " ").partition(" ")[0]
                counts[self._sides.get(first)] += 1
        most = max(counts.values())
        found = [side for side, count in counts.items() if count == most]
        return found[0] if len(found) == 1 else None


def _scripts(side: Side, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of a side's scripts as a tuple, or raise DataError."""
    given = tuple(in_order(names, f"scripts of the {side}"))
    unknown = [name for name in given if name not in _SCRIPTS]
    if unknown or not given:
        problem = f"{unknown[0]!r} is not known" if unknown else "none is given"
        raise DataError(f"scripts of the {side}: {problem}; choose of {', '.join(_SCRIPTS)}.")
    return given


def checked_texts(texts: Sequence[str]) -> list[str]:
    """Return texts as a list, or raise DataError where one is no string."""
    given = in_order(texts, "texts")
    for row, text in enumerate(given):
        if not isinstance(text, str):
            raise DataError(f"text {row} is not a string ({type(text).__name__}).")
    return given


def folded(text: str) -> str:
    """Return what a router reads of a text, in compatibility form."""
    return unicodedata.normalize("NFKC", text[:_CHARACTERS])[:_CHARACTERS]
