"""The same words written in another way: case, widths of letters, kana for kanji."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

from ...errors import MissingExtraError

EXTRA = "robustness"

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
_HAN = re.compile("[\u3005\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KATAKANA = re.compile("[\u30a1-\u30f6\u30fc]+")
_TO_HIRAGANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}
_BLOCK = 10_000  # characters; the analyser takes 49,149 bytes at a time


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


def kana_for_kanji(text: str) -> str:
    """Write words with kanji by their reading in hiragana: ``配線の幅`` -> ``はいせんのはば``.

    For Japanese only: Chinese would get Japanese readings. The readings are SudachiPy's, of its
    small dictionary, the longest words it knows; a word without a known reading stays.

    Raises:
        MissingExtraError: the extra ``robustness`` is not installed.
    """
    analyser = _dictionary().tokenizer()  # one a call: it cannot be shared between threads
    parts = []
    for start in range(0, len(text), _BLOCK):
        for word in analyser.tokenize(text[start : start + _BLOCK]):
            surface, reading = word.surface(), word.reading_form()
            known = _HAN.search(surface) and _KATAKANA.fullmatch(reading)
            # Sudachi reads a sign that it does not pronounce as "kigō", "sign".
            known = known and (reading != "キゴウ" or surface == "記号")
            parts.append(reading.translate(_TO_HIRAGANA) if known else surface)
    return "".join(parts)


@lru_cache(maxsize=1)
def _dictionary() -> Any:
    try:
        from sudachipy import Dictionary

        return Dictionary(dict="small")
    except ImportError as error:
        raise MissingExtraError("sudachipy with sudachidict_small", EXTRA) from error
