"""What an index is to an aligner: did it fill it, and are all documents in one space?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..printable import printable
from ..retrieval.index_record import IndexRecord
from .finding import CANNOT_TELL, FAULT, SOUND, Finding, Level
from .holds import Held, Kind, held, moved_by_likeness
from .made_by import probes_of
from .modalities import Modalities, as_modality_of
from .reading import Sample
from .whereabouts import whereabouts

_PROBES, _LEAST = 16, 3
"""Documents of one group that are compared, and that can speak for it."""
_STALE = 0.1
"""Share of documents with other vectors from which they are a fault."""
_MOVE_ALL = "kakehashi migrate moves the old index into a new one, all documents or none"
_SAID: Mapping[str, str] = {
    "own": "the target encoder's own",
    "projected": "projected by this aligner",
    "shared": "moved by this aligner's map of mode shared",
    "other": "none of this aligner's",
    "unknown": "not to be told without an encoder",
}


class _Part(NamedTuple):
    modality: str
    rows: NDArray[np.intp]
    found: Held

    @property
    def counts(self) -> Counter[str]:
        """How many documents are of each kind, by those that were compared."""
        share = len(self.rows) / len(self.found.kinds)
        return Counter({k: round(n * share) for k, n in Counter(self.found.kinds).items()})

    @property
    def only(self) -> str | None:
        """The kind of all documents; None where there are several."""
        return self.found.kinds[0] if len(set(self.found.kinds)) == 1 else None


def look_at_aligner(
    name: str,
    space: Any,
    sample: Sample,
    parts: NDArray[np.intp],
    told: Modalities,
    record: IndexRecord | None,
) -> Finding:
    """Say what the documents of each part and modality are to an aligner.

    Args:
        name: of the aligner, for people.
        parts: of the documents, by the habits of their vectors.
    """
    groups = _groups(space, sample, parts, as_modality_of(space, sample, told))
    says = [_recorded(name, space, record), *(said for group in groups for said in _said(group))]
    counts: Counter[str] = sum((group.counts for group in groups), Counter())
    level, step = _judged(space, groups, counts)
    if _half_moved(counts):
        stays = counts["own"] + counts["projected"]
        says.append(f"half moved: {counts['shared']:,} documents are moved, and {stays:,} are not")
        moved = np.zeros(len(sample), bool)
        for group in groups:
            moved[group.rows] = group.only == "shared"
        if moved.any():
            says += whereabouts(sample, moved)
    return Finding("aligner", level, tuple(says), step, {"aligner": name, **counts})


def _said(group: _Part) -> Iterator[str]:
    n, by = len(group.rows), group.found.by
    modality = printable(group.modality)
    for kind, count in group.counts.items():
        what = _SAID[kind]
        if group.only is not None:
            yield f"{n:,} documents ({modality}) are {what} ({by})"
        else:
            yield f"of {n:,} documents ({modality}) about {count:,} are {what} ({by})"


def _groups(space: Any, sample: Sample, parts: NDArray[np.intp], names: Modalities) -> list[_Part]:
    found = []
    for part in range(max(int(parts.max(initial=0)) + 1, 1)):
        for modality in names.names:
            rows = np.intersect1d(names.rows(modality), np.flatnonzero(parts == part))
            probes = probes_of(sample, rows, _PROBES)
            if len(probes) >= _LEAST and modality in space.modalities:
                found.append(_Part(modality, rows, held(space, sample.take(probes), modality)))
    return [_reconsidered(space, sample, group, found) for group in found]


def _reconsidered(space: Any, sample: Sample, group: _Part, groups: list[_Part]) -> _Part:
    """Ask the habits of the vectors, where no encoder is at hand."""
    own = [each.rows for each in groups if each.only == "own"]
    if group.only != "unknown" or not own:
        return group
    if moved_by_likeness(space, sample.take(np.concatenate(own)), sample.take(group.rows)):
        kinds: list[Kind] = ["shared"] * len(group.found.kinds)
        return group._replace(found=Held(kinds, "the habits of moved vectors"))
    return group


def _recorded(name: str, space: Any, record: IndexRecord | None) -> str:
    if record is None:
        return f"{name}: the store names no aligner"
    if record.fingerprint == space.fingerprint:
        return f"{name}: the store names this aligner"
    if getattr(space, "rescoring", None) and record.fingerprint == space.as_shared().fingerprint:
        return f"{name}: the store names its second map"
    return f"{name}: the store names another aligner, {printable(record.fingerprint)[:12]}"


def _half_moved(counts: Counter[str]) -> bool:
    return bool(counts["shared"] and (counts["own"] or counts["projected"]))


def _judged(space: Any, groups: list[_Part], counts: Counter[str]) -> tuple[Level, str]:
    """Return the level and the next step."""
    target = space.modalities[-1]
    if _half_moved(counts):
        return FAULT, _MOVE_ALL
    if counts["other"] > _STALE * counts.total():
        return FAULT, "search it through the aligner that filled it, or fill it again through this"
    if counts["unknown"] or not groups:
        return CANNOT_TELL, "name the encoders: --target-encoder NAME, --source-encoder NAME"
    if space.mode == "shared" and counts["own"]:
        return FAULT, "kakehashi migrate moves an index of the encoder's own vectors"
    if any(group.counts["own"] for group in groups if group.modality != target):
        return FAULT, "store documents of the source through the aligner, as modality source"
    if counts["shared"] and space.mode == "keep":
        return SOUND, "search it through aligner.as_shared()"
    return SOUND, ""


def with_dimensions(finding: Finding, space: Any, dimensions: Mapping[int, int]) -> Finding:
    """Say so where vectors of two dimensions are those before and after a move."""
    shared = space.as_shared() if getattr(space, "rescoring", None) is not None else space
    if len(dimensions) < 2 or shared.mode != "shared":
        return finding
    before, after = shared.dimensions["target"], shared.output_dimension
    if not {before, after} <= set(dimensions):
        return finding
    said = (
        f"half moved: {dimensions[after]:,} vectors have the {after:,} dimensions of its map of "
        f"mode shared, and {dimensions[before]:,} the {before:,} of the target encoder"
    )
    return replace(finding, level=FAULT, says=(*finding.says, said), next_step=_MOVE_ALL)
