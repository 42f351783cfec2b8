"""The modality of each document: by its metadata, by a router, or by its script."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..retrieval.query import AUTO, modalities_of
from ..routing.scripts import folded, script_of
from .reading import Sample

FIELDS = ("modality", "language", "lang")
"""Metadata fields that may name a modality; the first one is ours."""
_NAMED = 0.5
"""Share of the documents whose field must be filled, if it is not ours."""
_MOST = 12
_JAPANESE = "kana or Han"
_KANA, _EAST = re.compile("[\u3041-\u30ff]"), ("Han", "Hiragana", "Katakana")
_FEW_KANA, _ALMOST_ALL = 0.1, 0.9


class Routes(Protocol):
    """An aligner or a multi aligner, as far as it tells modalities."""

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities; the last is the target."""

    @property
    def routes(self) -> bool:
        """Whether it has a router."""

    def route(self, texts: Sequence[str]) -> Sequence[str | None]:
        """Return the modality of each text; None where it is unsure."""
        ...


@dataclass(frozen=True)
class Modalities:
    """The modality of each document.

    Attributes:
        of: (n,) by row; empty where it cannot be told.
        told_by: ``"field NAME"``, ``"router"`` or ``"script"``.
    """

    of: tuple[str, ...]
    told_by: str

    @property
    def names(self) -> list[str]:
        """The modalities, that of most documents first."""
        return [name for name, _ in Counter(filter(None, self.of)).most_common()]

    def rows(self, name: str) -> NDArray[np.intp]:
        """Return the rows of one modality."""
        return np.flatnonzero(np.array([each == name for each in self.of], bool))


def modalities_in(
    sample: Sample, field: str | None = None, space: Routes | None = None
) -> Modalities:
    """Tell the modality of each document, by the first of these that can.

    A field of the metadata; documents without our own field count as target, as in a search. The
    router of an aligner. The script of the letters, which cannot tell French from English.

    Args:
        field: of the metadata; without it, those of :data:`FIELDS` are tried.
    """
    for name in FIELDS if field is None else (field,):
        values = [str(each.get(name) or "") for each in sample.metadata]
        filled = sum(map(bool, values))
        if 0 < len(set(filter(None, values))) <= _MOST and (
            name in (FIELDS[0], field) or filled >= _NAMED * len(values)
        ):
            rest = "target" if name == FIELDS[0] and {*values} <= {"", "source", "target"} else ""
            return Modalities(tuple(value or rest for value in values), f"field {name}")
    if space is not None and space.routes:
        return Modalities(tuple(modalities_of(space, list(sample.texts))), "router")
    return Modalities(tuple(map(script_named, sample.texts)), "script")


def script_named(text: str) -> str:
    """Return the script of a text; Japanese by its kana, also between Latin names."""
    letters = sum(character.isalpha() for character in folded(text))
    if letters and len(_KANA.findall(folded(text))) >= _FEW_KANA * letters:
        return _JAPANESE
    script = script_of(text)
    return _JAPANESE if script in _EAST else script or ""


def modalities_of_texts(
    texts: Sequence[str], sample: Sample, told: Modalities, space: Routes | None
) -> Modalities:
    """Tell the modality of questions, in the names that the documents have.

    The router of an aligner tells its own names. Else a script stands for the modality that almost
    all its documents have; where there is none, a question has no modality.
    """
    if space is not None and space.routes and {*told.names} <= {*space.modalities}:
        return Modalities(tuple(modalities_of(space, list(texts))), "router")
    of_script: dict[str, Counter[str]] = {}
    for text, modality in zip(sample.texts, told.of, strict=True):
        of_script.setdefault(script_named(text), Counter())[modality] += 1
    names = {}
    for script, counts in of_script.items():
        modality, n = counts.most_common(1)[0]
        names[script] = modality if n >= _ALMOST_ALL * counts.total() else ""
    return Modalities(tuple(names.get(script_named(text), "") for text in texts), "script")


def as_modality_of(space: Any, sample: Sample, told: Modalities) -> Modalities:
    """Return the modalities in the names of an aligner: as they were told, or by its router.

    Without either, all documents count as target.
    """
    if set(told.of) <= {*space.modalities, ""}:
        return told
    if space.routes:
        return Modalities(tuple(modalities_of(space, list(sample.texts))), "router")
    return Modalities((space.modalities[-1],) * len(sample), f"no router, no {AUTO}")
