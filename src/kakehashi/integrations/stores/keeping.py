"""What an index keeps for us: short texts under keys, beside the metadata of the user."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ...retrieval.index_record import KEY, IndexRecord


class Keeping(ABC):
    """Can keep texts under keys, and among them the record of an index.

    A key of ours is read from the store each time, and written without a change of any other key.
    """

    @abstractmethod
    def kept(self, key: str) -> str | None:
        """Return the text under a key, as the store holds it now; None where there is none."""

    @abstractmethod
    def keep(self, key: str, value: str) -> bool:
        """Write a text under a key; say whether the store can keep one."""

    def identity(self) -> str | None:
        """Return the id that the store gave the collection; None where it gives none."""
        return None

    def record(self) -> IndexRecord | None:
        """Return the record that was written, if there is one."""
        return IndexRecord.from_json(self.kept(KEY))


class KeepingIndex(Keeping):
    """An index of a store at hand, as a check reads it."""

    collection: str | None = None
    """The name of the collection in its store; None where the store tells none."""

    def write(self, record: IndexRecord) -> bool:
        """Write a record into the index; say whether the store can keep one."""
        return self.keep(KEY, record.to_json())
