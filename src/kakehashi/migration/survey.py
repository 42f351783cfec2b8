"""What a collection holds, read once before anything is written."""

from __future__ import annotations

import time
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import numpy as np

from ..aligner import Aligner
from ..errors import DataError, EncoderError
from ..integrations.stores.movable.protocol import MovableCollection, StoredRow
from ..progress import track
from .new_vectors import is_source
from .stopwatch import Stopwatch

SAMPLE = 5000
"""Documents that are kept of a survey, spread evenly over the collection."""


@dataclass
class Survey:
    """What a collection holds.

    Attributes:
        rows: the documents.
        source_rows: those of the source modality, whose vectors are projected ones.
        without_text: documents without a text, or with a blank one.
        source_without_text: those of the source modality among them.
        without_vector: documents whose vector is missing, all zeros or not finite, or of another
            length than the store declares.
        example: the id of one of these.
        bytes_beside: the size of all but the vectors: ids, texts and metadata, in UTF-8.
        seconds: that reading took.
        sample: documents of the target, spread evenly, and those with a text that was asked for.
    """

    rows: int = 0
    source_rows: int = 0
    without_text: int = 0
    source_without_text: int = 0
    without_vector: int = 0
    example: str = ""
    bytes_beside: int = 0
    seconds: float = 0.0
    sample: list[StoredRow] = field(default_factory=list)

    def require_usable(self, name: str, aligner: Aligner, shared: Aligner) -> None:
        """Refuse what cannot be moved whole, before the first write.

        Raises:
            DataError: there are no documents; or documents that have no vector or no text, where
                one is needed; or documents of the source, and no encoder of theirs is at hand.
        """
        if not self.rows:
            raise DataError(f"{name} holds no documents: there is nothing to move.")
        if self.without_vector:
            raise DataError(
                f"{name} holds {self.without_vector} documents without a usable vector, such as "
                f"{self.example!r}. Delete them or embed them again, then run the same command."
            )
        if shared.reads("target") and self.without_text:
            raise DataError(
                f"{name} holds {self.without_text} documents without a text, and the map of this "
                "aligner reads texts. Fit one that reads vectors only: "
                "kakehashi.fit(..., ngrams=False)."
            )
        if self.source_without_text:
            raise DataError(
                f"{name} holds {self.source_without_text} documents of the source without a text, "
                "which has to be embedded again. Delete them, then run the same command."
            )
        if self.source_rows:
            try:
                aligner.encoder("source")
            except EncoderError as error:
                raise DataError(
                    f"{name} holds {self.source_rows} documents of the source, whose vectors were "
                    "projected: their texts have to be embedded again. Name their encoder: "
                    "--source-encoder."
                ) from error


def survey(
    source: MovableCollection, watch: Stopwatch, texts: AbstractSet[str] = frozenset()
) -> Survey:
    """Read all documents of a collection.

    Args:
        watch: measures what the store takes.
        texts: documents with one of these texts are kept in the sample.
    """
    started, total = time.perf_counter(), source.count()
    found, step = Survey(), max(1, -(-total // SAMPLE))
    dimension = watch.run(lambda: source.dimension)
    pages = track(
        watch.each(iter(source.pages())), "reading the index", -(-total // source.page_size)
    )
    for row in (row for page in pages for row in page):
        number, found.rows = found.rows, found.rows + 1
        blank = not (row.text and row.text.strip())
        found.without_text += blank
        found.bytes_beside += len(row.untouched)
        if is_source(row):
            found.source_rows += 1
            found.source_without_text += blank
        elif not _is_usable(row, dimension):
            found.without_vector += 1
            found.example = found.example or row.id
        elif number % step == 0 or row.text in texts:
            found.sample.append(row)
    found.seconds = time.perf_counter() - started
    return found


def _is_usable(row: StoredRow, dimension: int) -> bool:
    if row.vector is None or len(row.vector) != (dimension or len(row.vector)):
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(0 < float(row.vector @ row.vector) < np.inf)
