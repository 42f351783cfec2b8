"""Examining an index: it is read once, and every look at it says what it found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..aligner import Aligner
from ..integrations.stores.movable.opening import open_movable
from ..integrations.stores.movable.protocol import MovableCollection
from ..printable import without_password
from ..progress import track
from .asked import questions_of, target_encoder_of
from .bias import look_at_bias, measure_bias
from .contents import look_at_fields, look_at_size, look_at_vectors
from .copies import look_at_copies
from .diagnosis import Diagnosis
from .finding import Finding
from .leftovers import look_at_leftovers
from .mixed import divided, look_at_models
from .modalities import modalities_in, modalities_of_texts
from .reading import read
from .recorded import look_at_note, look_at_record
from .with_aligner import look_at_aligner, with_dimensions
from .with_encoders import look_at_encoders


@dataclass(frozen=True)
class Wanted:
    """What to hold an index against.

    Attributes:
        everything: read every document, also where a store could be read in part.
        aligners: by name, aligners or multi aligners that may have filled it.
        encoders: encoders, or their names; without any, those that are installed.
        field: of the metadata that names the modality.
        questions: texts; without any, documents are the questions.
    """

    everything: bool = False
    aligners: Mapping[str, Any] = field(default_factory=dict)
    encoders: Sequence[Any] = ()
    field: str | None = None
    questions: Sequence[str] = ()


def examine(
    index: str | Path | MovableCollection,
    *,
    everything: bool = False,
    aligners: Mapping[str, Any] | None = None,
    encoders: Sequence[Any] = (),
    field: str | None = None,
    questions: Sequence[str] = (),
) -> Diagnosis:
    """Say what is in an index. Nothing is written into the store.

    Args:
        index: the address of a store, or an open collection.
        everything: read every document, also where a store could be read in part.
        aligners: by name, aligners or multi aligners that may have filled it.
        encoders: encoders that may have made its vectors, or their names. Without any, and without
            an aligner, those that are installed here and give vectors of this dimension.
        field: of the metadata, which names the modality of a document.
        questions: real questions, for the language bias. Without any, documents are the questions.

    Raises:
        DataError: no such store or collection.
        ReaderError: the store cannot be read.
        MissingExtraError: the store's package is not installed.
    """
    wanted = Wanted(everything, aligners or {}, encoders, field, questions)
    if not isinstance(index, (str, Path)):
        return Diagnosis(index.address, index.name, tuple(_findings(index, wanted)))
    collection, shown = open_movable(index), without_password(str(index))
    try:
        return Diagnosis(shown, collection.name, tuple(_findings(collection, wanted)))
    finally:
        collection.close()


def _findings(collection: MovableCollection, wanted: Wanted) -> Iterator[Finding]:
    reading = read(collection, everything=wanted.everything)
    census, sample = reading.census, reading.sample
    yield look_at_size(reading)
    yield look_at_fields(reading)
    yield from look_at_vectors(reading, collection.settings)
    yield from look_at_record(collection, census.dimension)
    yield from look_at_note(collection)
    yield from look_at_leftovers(collection)
    if not len(sample):
        return
    yield from look_at_copies(reading)
    parts = divided(sample)
    yield look_at_models(sample, parts)
    first = next(iter(wanted.aligners.values()), None)
    told = modalities_in(sample, wanted.field, first)
    own_of, encoder = None, None
    for name in track(list(wanted.aligners), "asking the aligners"):
        space = wanted.aligners[name]
        found = look_at_aligner(name, space, sample, parts, told, collection.record())
        yield with_dimensions(found, space, census.dimensions)
        if own_of is None and isinstance(space, Aligner) and _keeps_own(found):
            own_of = space
    if wanted.encoders or not wanted.aligners:
        finding, encoder = look_at_encoders(sample, parts, told, wanted.encoders)
        yield finding
    asked = None
    if wanted.questions:
        of_questions = modalities_of_texts(wanted.questions, sample, told, first)
        asked = questions_of(wanted.questions, of_questions, encoder or target_encoder_of(own_of))
    bias = measure_bias(sample, told, own_of, asked)
    if bias is not None:
        yield look_at_bias(bias)


def _keeps_own(finding: Finding) -> bool:
    """Whether the documents of the target have their encoder's own vectors."""
    of = finding.evidence
    return bool(of.get("own")) and not of.get("shared") and not of.get("other")
