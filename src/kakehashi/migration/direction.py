"""Evidence that a collection holds the vectors that the map takes: the target encoder's own.

A map that is applied to other vectors leaves every count right, and finds nothing. So nothing is
written without evidence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import comb

import numpy as np

from ..aligner import Aligner
from ..encoders.protocol import checked_encode
from ..errors import AlignerMismatchError, EncoderError, EncoderMismatchError
from ..integrations.stores.movable.protocol import MovableCollection, StoredRow
from ..integrations.stores.rows import FIELD
from ..retrieval.index_check import have_these
from ..retrieval.index_record import IndexRecord
from ..retrieval.move_note import MoveNote
from ..vectors import Float32Array, spread, unit_rows
from .probes import Probes

_EMBEDDED = 8
"""Documents that are embedded and compared at most."""
_LEAST_PROBES, _BY_CHANCE = 5, 1e-3
"""Probe pairs that can speak, and how improbable their hits have to be by chance."""
_FEW = 256
"""Documents that the signature of the space is read from."""


def require_direction(
    source: MovableCollection,
    aligner: Aligner,
    shared: Aligner,
    sample: Sequence[StoredRow],
    probes: Probes | None,
) -> str:
    """Return the evidence in words that the collection holds the target encoder's own vectors.

    Args:
        aligner: as it was given; ``shared`` is its map.
        sample: documents of the target.

    Raises:
        AlignerMismatchError: it holds others, or nothing at hand shows that it does.
    """
    _refuse_moved(source, shared)
    rows = [sample[i] for i in spread(len(sample), _FEW)]
    if not rows:  # documents of the source alone: their texts are embedded again
        return "all documents are of the source, and embedded again"
    vectors = np.stack([row.vector for row in rows if row.vector is not None])
    _require_dimension(source, aligner, shared)
    if shared.recognises(vectors, "target"):
        raise AlignerMismatchError(_moved_already(source))
    _refuse_other_sources(source, aligner, sample)
    found = _by_signature(aligner, vectors)
    if found is None:  # documents outweigh a record: it does not say of which modality they are
        recorded = _by_record(source, aligner)
        found = _by_encoder(source, aligner, rows, unit_rows(vectors)) or recorded
    if probes is not None:
        found = _by_probes(source, shared, sample, probes) or found
    if found is None:
        raise AlignerMismatchError(
            f"Nothing shows that {source.name} holds vectors of this aligner's target encoder"
            f"{_named(aligner)}, and a map of other vectors finds nothing. Name the encoder with "
            "--target-encoder, or pairs with --probe PAIRS and --source-encoder."
        )
    return found


def _refuse_moved(source: MovableCollection, shared: Aligner) -> None:
    """Refuse a collection that a migration filled, or that an aligner of mode shared did."""
    note, record = MoveNote.from_json(source.note()), source.record()
    if note is not None:
        raise AlignerMismatchError(
            f"{source.name} is one that a migration filled, from {note.source!r}. Move that one."
        )
    if record is not None and shared.fingerprint == record.fingerprint:
        raise AlignerMismatchError(_moved_already(source))
    if record is not None and record.mode == "shared":
        raise AlignerMismatchError(
            f"{source.name} was filled through an aligner of mode shared, "
            f"{record.fingerprint[:12]!r}: its vectors are projected ones, which no map takes. "
            "Move the index that it came from."
        )


def _refuse_other_sources(
    source: MovableCollection, aligner: Aligner, sample: Sequence[StoredRow]
) -> None:
    """Refuse projected vectors of a multi aligner, whose sources have names of their own."""
    record = source.record()
    if record is None or record.fingerprint == aligner.fingerprint:
        return
    named: dict[str, list[StoredRow]] = {}
    for row in sample:
        if isinstance(name := row.metadata.get(FIELD), str) and name != "target":
            named.setdefault(name, []).append(row)
    for name, rows in named.items():
        vectors = np.stack([row.vector for row in rows if row.vector is not None])
        if _by_signature(aligner, vectors) is None:
            raise AlignerMismatchError(
                f"Documents of {source.name} name the modality {name!r}, and another aligner "
                f"filled it, {record.fingerprint[:12]!r}. If that is a MultiAligner, their vectors "
                "are projected ones, which no map takes. Move a copy without them, and add them "
                "through the new map."
            )


def _moved_already(source: MovableCollection) -> str:
    return (
        f"{source.name} holds vectors that this aligner projected: it was moved already. A second "
        "time would leave every count right, and find nothing. Search it as it is."
    )


def _require_dimension(source: MovableCollection, aligner: Aligner, shared: Aligner) -> None:
    stored, wanted = source.dimension, shared.dimensions["target"]
    if stored == wanted:
        return
    why = "Name the aligner that was fitted for this index."
    if stored == shared.dimensions["source"]:
        why = (
            f"As many has its source encoder ({aligner.encoder_names['source'] or 'unnamed'}): the "
            "map is the wrong way round. Fit an aligner whose target is the encoder of this index."
        )
    elif stored == shared.output_dimension:
        why = "As many have vectors that it projected: was this index moved already?"
    raise AlignerMismatchError(
        f"{source.name} holds vectors of {stored} dimensions, and this aligner's target encoder"
        f"{_named(aligner)} gives {wanted}. {why}"
    )


def _by_signature(aligner: Aligner, vectors: Float32Array) -> str | None:
    signature = aligner.target_signature
    fits = signature is not None and signature.fits(vectors)
    return "the vectors fit the signature of the target encoder" if fits else None


def _by_record(source: MovableCollection, aligner: Aligner) -> str | None:
    """Believe a record of mode keep, under which documents of the target stay as they are."""
    record: IndexRecord | None = source.record()
    if record is None or record.mode != "keep":
        return None
    target = aligner.encoder_names["target"]
    if record.fingerprint == aligner.fingerprint:
        return "the record of the index names this aligner"
    if target and record.target_encoder == target:
        return "the record of the index names the target encoder"
    if target and record.target_encoder:
        raise AlignerMismatchError(
            f"{source.name} was filled by the encoder {record.target_encoder!r}, and this aligner "
            f"maps vectors of {target!r}. Name the aligner that was fitted for this index."
        )
    return None


def _by_encoder(
    source: MovableCollection, aligner: Aligner, rows: Sequence[StoredRow], stored: Float32Array
) -> str | None:
    """Embed a few documents; None where there is no encoder, or no text."""
    with_text = [i for i, row in enumerate(rows) if row.text and row.text.strip()]
    chosen = [with_text[i] for i in spread(len(with_text), _EMBEDDED)]
    try:
        encoder = aligner.encoder("target") if chosen else None
    except EncoderMismatchError:
        raise
    except EncoderError:
        encoder = None
    if encoder is None:
        return None
    made = unit_rows(checked_encode(encoder, [rows[i].text or "" for i in chosen], "document"))
    agreeing = int(have_these(made, stored[chosen], stored, kept=True).sum())
    if agreeing <= len(chosen) / 2:
        raise AlignerMismatchError(
            f"{source.name} does not hold vectors of this aligner's target encoder"
            f"{_named(aligner)}: {len(chosen) - agreeing} of {len(chosen)} documents that were "
            "embedded again have others. Name the aligner that was fitted for this index."
        )
    return f"{agreeing} of {len(chosen)} documents that were embedded again have these vectors"


def _by_probes(
    source: MovableCollection, shared: Aligner, sample: Sequence[StoredRow], probes: Probes
) -> str | None:
    """Ask a sample that is projected in memory; None where it holds too few answers."""
    # A wrong map sends all questions to a few documents: one answer counts once.
    known = probes.answered_by({row.text for row in sample}).of_different_answers()
    n = len(known.answers)
    if n < _LEAST_PROBES:
        return None
    right = int(known.ask_projected(shared, sample).sum())
    copies = Counter(row.text for row in sample)
    chance = sum(copies[answer] for answer in known.answers) / (n * len(sample))
    if _at_least(right, n, chance) > _BY_CHANCE:
        raise AlignerMismatchError(
            f"Of {n} probe pairs, {right} find their answer first in a sample of {len(sample)} "
            f"documents of {source.name}, projected in memory. So many does chance find: the map "
            "does not take these vectors. Name the aligner that was fitted for this index."
        )
    return f"{right} of {n} probe pairs find their answer first in a sample that was projected"


def _at_least(right: int, n: int, chance: float) -> float:
    """Return how probable so many hits or more are by chance: the tail of a binomial."""
    return sum(comb(n, k) * chance**k * (1 - chance) ** (n - k) for k in range(right, n + 1))


def _named(aligner: Aligner) -> str:
    name = aligner.encoder_names["target"]
    return f" ({name})" if name else ""
