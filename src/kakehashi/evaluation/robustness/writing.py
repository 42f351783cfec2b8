"""The same words written in another way: case and widths of letters."""

from __future__ import annotations

import re
import unicodedata

_TO_FULL = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x20: 0x3000}
_TO_HALF = {full: half for half, full in _TO_FULL.items()}


def _half_width_katakana() -> dict[str, str]:
    """Map full-width katakana to their half-width forms, the voiced ones to two characters."""
    singles = [chr(code) for code in range(0xFF61, 0xFF9E)]
    forms = singles + [letter + mark for letter in singles for mark in "\uff9e\uff9f"]
    table = {unicodedata.normalize("NFKC", form): form for form in forms}
    return {full: half for full, half in table.items() if len(full) == 1}


_HALF_KATAKANA = _half_width_katakana()
_HALF_RUN = re.compile("[\uff61-\uff9f]+")


def upper_case(text: str) -> str:
    """Write every letter that has a case as a capital: ``Reset the pump`` -> ``RESET THE PUMP``."""
    return text.upper()


def lower_case(text: str) -> str:
    """Write no capitals: ``Reset the PCB`` -> ``reset the pcb``."""
    return text.lower()


def title_case(text: str) -> str:
    """Begin every word with a capital: ``reset the PCB`` -> ``Reset The PCB``."""
    return re.sub(r"\S+", lambda word: word[0][0].title() + word[0][1:], text)


def full_width(text: str) -> str:
    """Write ASCII, the space and half-width katakana in full width: ``CN1 ﾋﾟﾝ`` -> ``ＣＮ１　ピン``.

    NFKC takes the ASCII back exactly.
    """
    wide = _HALF_RUN.sub(lambda run: unicodedata.normalize("NFKC", run[0]), text)
    return wide.translate(_TO_FULL)


def half_width(text: str) -> str:
    """Write full-width ASCII, katakana and their punctuation in half width: ``ピン１`` -> ``ﾋﾟﾝ1``.

    A voiced kana becomes two characters. Hiragana and kanji have no half-width form and stay.
    """
    return "".join(_HALF_KATAKANA.get(letter, letter) for letter in text.translate(_TO_HALF))
