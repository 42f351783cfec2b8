"""Templates of messages, whose places are filled, or found again in a finished sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from string import Formatter
from typing import NamedTuple

_NUMBER = re.compile(r"[-+]?[\d,]*\.?\d+%?")


class Place(NamedTuple):
    """A place of a template: its name, and whether it holds a number."""

    name: str
    is_number: bool

    @property
    def is_phrase(self) -> bool:
        """Whether it holds words that are translated, too; its name is in capitals."""
        return self.name.isupper()


class Template:
    """A message with named places, in the syntax of ``str.format``.

    ``{n:,}`` and ``{score:.3f}`` hold numbers, ``{name!r}`` and ``{name}`` any text. A name in
    capitals holds a phrase that is translated by itself: ``"{QUERIES} are too few to tell"``.
    """

    def __init__(self, message: str) -> None:
        """Split a message into its places and the words between them."""
        self.literals = [""]
        self.places: list[Place] = []
        for words, name, spec, _ in Formatter().parse(message):
            self.literals[-1] += words
            if name is not None:
                self.places.append(Place(name, bool(spec)))
                self.literals.append("")

    @cached_property
    def weight(self) -> int:
        """The number of letters outside of places: of two that match, the heavier one is meant."""
        return sum(map(len, self.literals))

    @cached_property
    def is_telling(self) -> bool:
        """Whether a sentence is known by it: ``"{a} to {b}"`` might be any."""
        return self.weight >= 8 or any(p.is_number or p.is_phrase for p in self.places)

    def find(self, sentence: str) -> dict[str, str] | None:
        """Return what stands at each place of a finished sentence; None if it is another message.

        A place ends where the words behind it first follow, and a number, if that is next. So this
        takes linear time, over sentences of others, too.
        """
        first, *behind = self.literals
        if not sentence.startswith(first) or not behind:
            return {} if sentence == first and not behind else None
        values, start = {}, len(first)
        for i, (place, words) in enumerate(zip(self.places, behind, strict=True)):
            end = self._end(sentence, start, i, words)
            value = sentence[start:end]
            if end < start or (place.is_number and not _NUMBER.fullmatch(value)):
                return None
            values[place.name] = value
            start = end + len(words)
        return values

    def _end(self, sentence: str, start: int, i: int, words: str) -> int:
        """Return where the place number i ends; -1 if the words behind it do not follow."""
        if i + 1 == len(self.places):
            return len(sentence) - len(words) if sentence.endswith(words) else -1
        end = sentence.find(words, start)
        if self.places[i + 1].is_number:
            while end >= 0 and not _NUMBER.match(sentence, end + len(words)):
                end = sentence.find(words, end + 1)
        return end

    def fill(self, values: Mapping[str, str]) -> str:
        """Put finished values into their places."""
        first, *behind = self.literals
        filled = (values[p.name] + words for p, words in zip(self.places, behind, strict=True))
        return first + "".join(filled)
