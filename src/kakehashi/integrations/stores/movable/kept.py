"""The record and the note of a collection, where its store keeps texts of ours."""

from __future__ import annotations

from abc import abstractmethod

from ....errors import KakehashiError
from ....retrieval.index_record import KEY, IndexRecord
from ....retrieval.move_note import NOTE_KEY
from ..keeping import Keeping


class KeptCollection(Keeping):
    """A collection whose store keeps texts under keys."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Kind and name, for messages."""

    def write_record(self, record: IndexRecord) -> None:
        """Record which aligner made the vectors."""
        self._keep(KEY, record.to_json())

    def note(self) -> str | None:
        """Return the note that a migration left in the collection."""
        return self.kept(NOTE_KEY)

    def write_note(self, note: str) -> None:
        """Leave a note in the collection."""
        self._keep(NOTE_KEY, note)

    def _keep(self, key: str, value: str) -> None:
        if not self.keep(key, value):
            raise KakehashiError(
                f"{self.name} keeps no metadata, so neither a record nor the state of a migration: "
                f"{self.remedy}"
            )

    remedy = "take a newer version of the store and of its package."
    """The next step where a store cannot keep a text; the end of a sentence."""
