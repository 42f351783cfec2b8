"""Damage to a text: mistyped, dropped, cut off, mixed with another language, a number put in.

Each function takes a text, and a random generator if it draws, and returns the damaged text. It
returns a text that it cannot damage as it is: a single word, say, cannot be dropped.
"""

from __future__ import annotations

import itertools
import math
import unicodedata

import numpy as np

from ...retrieval.bm25 import script_of

Rng = np.random.Generator

TYPING_RATE = 0.05
"""Errors per letter; a text of any letters gets at least one."""

DROPPED_SHARE = 0.2
"""Share of the words that is dropped: at least one, never all."""

KEPT_SHARE = 0.5
"""Share of the characters that a fragment keeps, rounded up."""

MIXED_SHARE = 0.3
"""Share of the words that is replaced by words of the other language."""

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_PART_NUMBERS = ("AA-0000", "AA000A", "A0000-000", "000-0000-00", "AAA00-00A", "0A00000", "AA-00/0")
_PART_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # no I and O, which look like digits
_SMALL_KANA, _LARGE_KANA = "っゃゅょッャュョ", "つやゆよツヤユヨ"


def _neighbours() -> dict[str, str]:
    """Map each letter to its neighbours on a QWERTY keyboard, whose rows are half a key apart."""
    places = {c: (i + 0.5 * y, y) for y, row in enumerate(_ROWS) for i, c in enumerate(row)}
    return {
        a: "".join(b for b, (u, v) in places.items() if a != b and abs(u - x) + abs(v - y) <= 1.5)
        for a, (x, y) in places.items()
    }


_BESIDE = _neighbours()
_OTHER_KANA = dict(zip(_SMALL_KANA + _LARGE_KANA, _LARGE_KANA + _SMALL_KANA, strict=True))


def typing_errors(text: str, rng: Rng) -> str:
    """Mistype one letter in twenty: ``reset the pump`` -> ``reset teh pump``.

    Every letter may be left out, typed twice or exchanged with the next letter. A basic Latin
    letter may also become, or be followed by, its neighbour on a QWERTY keyboard. A kana may get
    or lose its voicing mark, or change between small and large (``が`` -> ``か``, ``っ`` ->
    ``つ``). Kanji are not exchanged for homophones. Digits and punctuation stay.
    """
    places = [i for i, letter in enumerate(text) if letter.isalpha()]
    if not places:
        return text
    n_errors = max(1, int(rng.binomial(len(places), TYPING_RATE)))
    typed = list(text)
    for i in sorted(rng.choice(places, n_errors, replace=False), reverse=True):
        typed[i : i + 2] = _mistyped("".join(typed[i : i + 2]), rng)
    return "".join(typed)


def _mistyped(pair: str, rng: Rng) -> str:
    """Mistype the first of two letters (of one, at the end of a text)."""
    letter, after = pair[0], pair[1:]
    wrong = [after, letter + letter + after]
    if after.isalpha() and after != letter:
        wrong.append(after + letter)
    if beside := _BESIDE.get(letter.lower()):
        near = beside[rng.integers(len(beside))]
        near = near.upper() if letter.isupper() else near
        wrong += [near + after, letter + near + after]
    if (other := _other_kana(letter)) != letter:
        wrong.append(other + after)
    return wrong[rng.integers(len(wrong))]


def _other_kana(letter: str) -> str:
    if letter in _OTHER_KANA:
        return _OTHER_KANA[letter]
    if not "\u3041" <= letter <= "\u30fa":
        return letter
    plain = unicodedata.normalize("NFD", letter)
    other = plain[0] if len(plain) > 1 else unicodedata.normalize("NFC", letter + "\u3099")
    return other if len(other) == 1 else letter


def pieces(text: str) -> list[str]:
    """Cut a text into words and the characters between them; together they are the text again.

    Words are those of :func:`kakehashi.retrieval.bm25.tokenize` in their own writing, except
    that a script without spaces is cut into pairs of characters that do not overlap.
    """
    parts: list[str] = []
    for kind, letters in itertools.groupby(text, _kind):
        run = "".join(letters)
        step = 2 if kind == "unspaced" else len(run)
        parts += [run[i : i + step] for i in range(0, len(run), step)]
    return parts


def _kind(letter: str) -> str:
    return script_of(unicodedata.normalize("NFKC", letter)[0])


def _words(parts: list[str]) -> list[int]:
    """Return which of the pieces are words."""
    return [i for i, part in enumerate(parts) if _kind(part[0]) != "between"]


def dropped_words(text: str, rng: Rng) -> str:
    """Drop a fifth of the words: ``reset the pump at once`` -> ``reset the pump once``.

    In a script without spaces pairs of characters are dropped. One word alone stays.
    """
    parts = pieces(text)
    words = _words(parts)
    if len(words) < 2:
        return text
    n_dropped = max(1, min(len(words) - 1, round(DROPPED_SHARE * len(words))))
    for i in rng.choice(words, n_dropped, replace=False):
        parts[i] = ""
        if i + 1 < len(parts) and parts[i + 1][:1] == " " and (i == 0 or parts[i - 1][-1:] == " "):
            parts[i + 1] = parts[i + 1][1:]  # one space is enough
    return "".join(parts)


def cut_end(text: str) -> str:
    """Keep the first half of the characters: ``reset the pump`` -> ``reset t``."""
    return text[: math.ceil(KEPT_SHARE * len(text))]


def cut_both_ends(text: str, rng: Rng) -> str:
    """Keep half of the characters, from the middle on: ``reset the pump`` -> ``t the p``.

    Where the fragment begins is drawn; as far as the length allows it is neither the beginning nor
    the end of the text.
    """
    length = math.ceil(KEPT_SHARE * len(text))
    last = len(text) - length
    start = int(rng.integers(1, last)) if last > 1 else last
    return text[start : start + length]


def mixed_languages(text: str, rng: Rng, target: str) -> str:
    """Put words of the paired target text where three in ten of the words were.

    One run of words is replaced by the run at the same place of the target, as by people who know
    a term in one language only: ``ポンプを直ちに停止する`` with ``Stop the pump at once`` may
    become ``ポンプを the pump 停止する``. The words come from the answer itself, so the query keeps
    its meaning as far as both languages have the same order. Lexical search gains from them.
    """
    parts, other = pieces(text), pieces(target)
    words, others = _words(parts), _words(other)
    if len(words) < 2 or not others:
        return text
    place = rng.random()
    first, last = _run(words, place)
    start, stop = _run(others, place)
    replacement = "".join(other[start : stop + 1])
    before, after = "".join(parts[:first]), "".join(parts[last + 1 :])
    return _spaced(before, replacement, after)


def _run(words: list[int], place: float) -> tuple[int, int]:
    """Return the first and the last piece of a run of words at a place between 0 and 1."""
    n = max(1, min(len(words) - 1, round(MIXED_SHARE * len(words))))
    start = min(int(place * (len(words) - n + 1)), len(words) - n)
    return words[start], words[start + n - 1]


def part_number(text: str, rng: Rng) -> str:
    """Put a part number in front, behind or in the middle: ``reset it`` -> ``reset KX-4071 it``.

    Letters and digits are drawn into one of seven usual forms; the middle is between two words.
    """
    form = _PART_NUMBERS[rng.integers(len(_PART_NUMBERS))]
    drawn = {"A": _PART_LETTERS, "0": "0123456789"}
    number = "".join(
        drawn[sign][rng.integers(len(drawn[sign]))] if sign in drawn else sign for sign in form
    )
    parts = pieces(text)
    words = _words(parts)
    ways = {"front": 0, "behind": len(parts)}
    if len(words) > 1:
        ways["middle"] = words[rng.integers(1, len(words))]
    place = ways[list(ways)[rng.integers(len(ways))]]
    return _spaced("".join(parts[:place]), number, "".join(parts[place:]))


def _spaced(before: str, middle: str, after: str) -> str:
    """Join three texts with a space where none is."""
    left = " " if before and not before[-1].isspace() else ""
    right = " " if after and not after[0].isspace() else ""
    return before + left + middle + right + after
