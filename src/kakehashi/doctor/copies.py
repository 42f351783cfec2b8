"""Copies: texts and vectors that stand in an index more than once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..data.hashing import Keys
from .census import NO_TEXT
from .finding import FAULT, NOTE, SOUND, Finding
from .reading import Reading, Sample

_NEAR = 0.98
"""Cosine of two documents that count as near copies."""
_COLLAPSED = 0.02
"""Share of documents that no search can tell from others, above which an index is at fault."""
_APART = 0.9
"""Cosine below which two vectors of one text cannot be those of one model."""


def look_at_copies(reading: Reading) -> Iterator[Finding]:
    """Say how many texts and vectors are copies, and whether they contradict each other."""
    census, sample = reading.census, reading.sample
    with_text = census.text_keys != NO_TEXT
    texts, vectors = census.text_keys[with_text], census.vector_keys[with_text]
    if not len(texts):
        return
    copied, near = _beyond_the_first(texts), _near_copies(sample)
    collapsed = _different_texts_alike(texts, vectors)
    evidence = {
        "among": len(texts),
        "texts": copied,
        "vectors": _beyond_the_first(vectors),
        "near": near,
        "near_among": len(sample),
        "other_text_same_vector": collapsed,
    }
    says = [
        f"{copied:,} of {len(texts):,} texts are copies of another",
        f"of {len(sample):,} documents, {near:,} have a neighbour of cosine {_NEAR} or more",
    ]
    step = ""
    if not reading.whole:
        says.append("copies that lie far apart in the store are seen by --all alone")
    if copied > len(texts) / 10:
        step = "copies take places among the ten: let ids be hashes of the texts"
    level = SOUND if copied == near == 0 else NOTE
    yield Finding("copies", level, tuple(says), step, evidence)
    if collapsed > _COLLAPSED * len(texts):
        yield Finding(
            "alike",
            FAULT,
            (
                f"{collapsed:,} of {len(texts):,} documents share their vector with another text: "
                "no search can tell them apart",
            ),
            "the encoder does not read this script, or the texts are cut before they differ",
            {"documents": collapsed},
        )
    yield from _contradictions(sample)


def _contradictions(sample: Sample) -> Iterator[Finding]:
    """Find equal texts whose vectors differ: they are no vectors of one model."""
    first: dict[str, int] = {}
    apart, total = [], 0
    for row, text in enumerate(sample.texts):
        if text.strip() and (other := first.setdefault(text, row)) != row:
            total += 1
            if float(sample.unit[row] @ sample.unit[other]) < _APART:
                apart.append(row)
    if apart:
        says = f"{len(apart):,} of {total:,} copies of a text have another vector than the first"
        yield Finding(
            "one text, two vectors",
            FAULT,
            (says,),
            "two models filled this index, or one that reads more than the text: embed all again",
            {"apart": len(apart), "copies": total, "ids": [sample.ids[row] for row in apart[:3]]},
        )


def _beyond_the_first(keys: Keys) -> int:
    return len(keys) - len(np.unique(keys))


def _different_texts_alike(texts: Keys, vectors: Keys) -> int:
    """Count the documents whose vector also belongs to another text."""
    pairs = np.unique(np.stack([vectors, texts], axis=1), axis=0)
    owners, n_texts = np.unique(pairs[:, 0], return_counts=True)
    shared = owners[n_texts > 1]
    return int(np.isin(vectors, shared).sum())


def _near_copies(sample: Sample) -> int:
    """Count the documents with a neighbour that is nearly the same, though not its own copy."""
    found = 0
    for start in range(0, len(sample), 1024):
        cosines = sample.unit[start : start + 1024] @ sample.unit.T
        own = np.arange(len(cosines))
        cosines[own, own + start] = -1
        found += int((cosines.max(axis=1, initial=-1) >= _NEAR).sum())
    return found
