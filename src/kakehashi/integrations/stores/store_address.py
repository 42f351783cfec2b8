"""One store: what its address says."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, urlencode

from ...errors import DataError


@dataclass(frozen=True)
class Address:
    """One store.

    Attributes:
        text: as it was given.
        kind: one of ``KINDS``.
        folder: of a local store; a file, for Parquet or a dump of LangChain's in-memory store.
        server: host and port of a store that is a server.
        collection: None where it was not named.
        vector: the name of the vectors, where Qdrant or a table has several; None where not named.
    """

    text: str
    kind: str
    folder: Path | None = None
    server: tuple[str, int | None] | None = None
    collection: str | None = None
    vector: str | None = None

    def of_collection(self, name: str) -> Address:
        """Return the address of a collection in the same store."""
        return replace(self, collection=name).written()

    def of_folder(self, folder: Path) -> Address:
        """Return the address of another store of this kind."""
        return replace(self, folder=folder).written()

    def written(self) -> Address:
        """Return it with the text that opens it."""
        place = quote(str(self.folder))
        if self.server is not None:
            host, port = self.server
            place = f"//{host}" + (f":{port}" if port is not None else "")
        named = {"collection": self.collection, "vector": self.vector}
        options = urlencode({name: value for name, value in named.items() if value is not None})
        return replace(self, text=f"{self.kind}:{place}" + (f"?{options}" if options else ""))

    def required_place(self) -> Path:
        """Return the path, of which nothing may be there.

        Raises:
            DataError: the address names a server.
        """
        if self.folder is None:
            raise DataError(f"{self.text}: {self.kind} has no server here; give {self.kind}:FOLDER")
        return self.folder

    def required_folder(self) -> Path:
        """Return the folder.

        Raises:
            DataError: the address names a server, or the folder is missing.
        """
        folder = self.required_place()
        if not os.path.exists(folder):
            raise DataError(f"{self.text}: {folder} does not exist.")
        return folder

    def collection_of(self, present: list[str]) -> str:
        """Return the collection that is named, or the only one.

        Raises:
            DataError: there is none, no such one, or several to choose from.
        """
        listed = ", ".join(map(repr, sorted(present))) or "none"
        if self.collection is None and len(present) == 1:
            return present[0]
        if self.collection is None:
            raise DataError(f"{self.text}: name one with ?collection=NAME; there are: {listed}.")
        if self.collection not in present:
            raise DataError(f"{self.text}: no collection {self.collection!r}; there are: {listed}.")
        return self.collection
