"""A router that tells the modality of a text by the script of its letters."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from ..data.arguments import in_order, strings
from ..errors import DataError
from ..types import SIDES, Side

_CHARACTERS = 512
"""Characters of a text that routers read. The first words show the modality, and the limit bounds
the memory of a fit."""
_CERTAIN = 30.0
"""Log-odds of a script, beyond the threshold of any learned router."""

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
_NAMES = {word: script for script, words in _SCRIPTS.items() for word in words}


class ScriptRouter:
    """Tells the modality by the script of most letters; nothing is learned.

    A text has no modality where it has no letters, where both sides have equally many, or where
    most letters are of other scripts.

    Args:
        source, target: names of scripts, such as ``("Hiragana", "Katakana", "Han")`` and
            ``("Latin",)``.

    Raises:
        DataError: an unknown name, no name, or one name on both sides.
    """

    def __init__(self, source: Sequence[str], target: Sequence[str]) -> None:
        self.source, self.target = _scripts("source", source), _scripts("target", target)
        if both := sorted(set(self.source) & set(self.target)):
            raise DataError(
                f"{', '.join(both)} cannot tell source from target; name different scripts, or let "
                "Router.fit learn from pairs."
            )
        self._side_of: dict[str, Side] = {
            word: side
            for side, scripts in zip(SIDES, (self.source, self.target), strict=True)
            for script in scripts
            for word in _SCRIPTS[script]
        }

    threshold = 0.0
    """As in a :class:`Router`."""

    def __repr__(self) -> str:
        return f"ScriptRouter(source={self.source!r}, target={self.target!r})"

    def route(self, texts: Sequence[str]) -> list[Side | None]:
        """Return the modality of each text; None where its letters do not tell it.

        Raises:
            DataError: no list of strings.
        """
        return [self._side(text) for text in strings(texts, "texts")]

    def evidence(self, texts: Sequence[str]) -> list[float | None]:
        """Return log-odds as a :class:`Router` does: +30, -30 or None."""
        log_odds = {"source": _CERTAIN, "target": -_CERTAIN, None: None}
        return [log_odds[side] for side in self.route(texts)]

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return a JSON-ready record, and no tensors; see :func:`.router.router_from`."""
        return {"scripts": {"source": list(self.source), "target": list(self.target)}}, {}

    def _side(self, text: str) -> Side | None:
        counts: dict[Side | None, int] = {None: 0, "source": 0, "target": 0}
        for character in folded(text):
            if character.isalpha():
                counts[self._side_of.get(_first_word(character))] += 1
        most = max(counts.values())
        sides = [side for side, count in counts.items() if count == most]
        return sides[0] if len(sides) == 1 else None


def _scripts(side: Side, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of a side's scripts as a tuple, or raise DataError."""
    scripts = tuple(in_order(names, f"scripts of the {side}"))
    unknown = [name for name in scripts if name not in _SCRIPTS]
    if unknown or not scripts:
        problem = f"{unknown[0]!r} is not known" if unknown else "none is given"
        raise DataError(f"scripts of the {side}: {problem}; choose of {', '.join(_SCRIPTS)}.")
    return scripts


def _first_word(character: str) -> str:
    """Return the script with which the name of a letter begins.

    "LATIN SMALL LETTER A", "CJK UNIFIED IDEOGRAPH-5727"
    """
    return unicodedata.name(character, "").replace("-", " ").partition(" ")[0]


def folded(text: str) -> str:
    """Return the first characters of a text in compatibility form (NFKC), as routers read them."""
    return unicodedata.normalize("NFKC", text[:_CHARACTERS])[:_CHARACTERS]


def script_of(text: str) -> str | None:
    """Return the name of the script of most letters of a text; None where it has no letters."""
    counts = Counter(_NAMES.get(_first_word(c)) for c in folded(text) if c.isalpha())
    return counts.most_common(1)[0][0] if counts else None
