"""Which encoder made the vectors of each part of an index, as a finding."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..encoders.adapters import as_encoder
from ..encoders.protocol import Encoder
from ..errors import KakehashiError
from ..printable import printable
from ..progress import track
from .candidates import installed_encoders
from .finding import CANNOT_TELL, FAULT, NOTE, SOUND, Finding
from .made_by import Failed, Made, made_by, probes_of
from .modalities import Modalities
from .reading import Sample
from .wordings import AS_IT_IS

_LEAST, _PROBES = 3, 16
_STALE = 0.1
"""Share of documents with other vectors from which they are a fault."""


class _Group(NamedTuple):
    label: str
    size: int
    probes: Sample


def look_at_encoders(
    sample: Sample,
    parts: NDArray[np.intp],
    told: Modalities,
    names: Sequence[Any] = (),
) -> tuple[Finding, Encoder | None]:
    """Say which encoder made the vectors of each part and modality.

    Args:
        names: of encoders, or encoders; without any, those that are installed here.

    Returns:
        the finding, and the encoder that made the vectors of the largest group, if it was found.
    """
    groups = _groups(sample, parts, told)
    if not groups:
        says = "no document has a text that could be embedded again"
        return Finding("encoder", NOTE, (says,)), None
    tried, failed = _encoders(names or installed_encoders(sample.unit.shape[1]))
    if not tried and not names:
        says = f"no encoder of {sample.unit.shape[1]:,} dimensions is installed here"
        step = "--encoder NAME embeds some documents again"
        return Finding("encoder", NOTE, (says,), step), None
    made: list[list[Made]] = [[] for _ in groups]
    for encoder in track(tried, "embedding some documents again"):
        for group, of_group in zip(groups, made, strict=True):
            answer = made_by(encoder, group.probes)
            if isinstance(answer, Failed):
                failed.append(answer)
                break
            of_group.append(answer)
    best = [max(each, key=lambda m: (m.is_it, m.cosine), default=None) for each in made]
    largest = best[int(np.argmax([group.size for group in groups]))]
    by_name = {encoder.name: encoder for encoder in tried}
    is_known = largest is not None and largest.is_it and largest.wording is AS_IT_IS
    found = by_name[largest.encoder] if largest is not None and is_known else None
    return _finding(groups, best, failed, bool(names)), found


def _encoders(names: Sequence[Any]) -> tuple[list[Encoder], list[Failed]]:
    encoders, failed = [], []
    for name in names:
        try:
            encoders.append(as_encoder(name))
        except KakehashiError as error:
            failed.append(Failed(str(name), shorten(str(error), 160, placeholder=" ...")))
    return encoders, failed


def _groups(sample: Sample, parts: NDArray[np.intp], told: Modalities) -> list[_Group]:
    found = []
    several = parts.max(initial=0) > 0
    for part in range(int(parts.max(initial=0)) + 1):
        for modality in told.names or [""]:
            rows = np.flatnonzero(parts == part)
            if modality:
                rows = np.intersect1d(rows, told.rows(modality))
            probes = probes_of(sample, rows, _PROBES)
            if len(probes) >= _LEAST:
                label = _label(part + 1 if several else None, printable(modality))
                found.append(_Group(label, len(rows), sample.take(probes)))
    return found


def _label(part: int | None, modality: str) -> str:
    if part is None:
        return modality or "all"
    return f"part {part}, {modality}" if modality else f"part {part}"


def _finding(
    groups: Sequence[_Group],
    best: Sequence[Made | None],
    failed: Sequence[Failed],
    asked: bool,
) -> Finding:
    says = [_said(group, made) for group, made in zip(groups, best, strict=True)]
    says += [
        f"{printable(each.encoder)} was not compared: {printable(each.why)}" for each in failed
    ]
    known = [made for made in best if made is not None and made.is_it]
    evidence = {
        "groups": [
            {
                "group": group.label,
                "documents": group.size,
                "encoder": None if made is None else made.encoder,
                "is_it": made is not None and made.is_it,
                "agreeing": 0 if made is None else made.agreeing,
                "judged": len(group.probes),
                "cosine": None if made is None else made.cosine,
                "wording": None if made is None else made.wording.said,
            }
            for group, made in zip(groups, best, strict=True)
        ]
    }
    level, step = _judged(best, known, failed, asked)
    return Finding("encoder", level, tuple(says), step, evidence)


def _judged(
    best: Sequence[Made | None], known: Sequence[Made], failed: Sequence[Failed], asked: bool
) -> tuple[Any, str]:
    if not known:
        if not asked:
            return NOTE, "--encoder NAME embeds some documents again by your encoder"
        if any(not each.is_other for each in failed):
            return CANNOT_TELL, "name an encoder that can be loaded here"
        return FAULT, "ask through the encoder that made the vectors, or embed all documents again"
    if len({made.encoder for made in known}) > 1:
        return FAULT, "two encoders filled this index: embed the documents of one of them again"
    stale = [m for m in known if m.judged - m.agreeing > _STALE * m.judged]
    if stale:
        return FAULT, "texts were changed after they were embedded: embed these documents again"
    if len(known) < len(best):
        return NOTE, "vectors of an aligner are known to it alone: --aligner DIR"
    if any(made.wording is not AS_IT_IS for made in known):
        return NOTE, "embed new documents in the same wording"
    return SOUND, ""


def _said(group: _Group, made: Made | None) -> str:
    who = f"{group.label} ({group.size:,})"
    if made is None:
        return f"{who}: no encoder could be compared"
    name = printable(made.encoder)
    if made.is_it:
        how = made.wording.said
        return f"{who}: {made.agreeing} of {made.judged} vectors are those of {name}, {how}"
    if made.related:
        return (
            f"{who}: near to {name} (median cosine {made.cosine:.3f}) and not equal: another "
            "prompt, another cut, or a model that was tuned"
        )
    return f"{who}: not by {name} (median cosine {made.cosine:.3f})"
