"""The address of a store, in the form of a database URL: ``chroma:FOLDER?collection=NAME``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from ...errors import DataError

FORM = "KIND:FOLDER?collection=NAME, or KIND://HOST:PORT?collection=NAME for a server"
KINDS = ("chroma", "qdrant", "lancedb", "llama-index", "langchain", "faiss", "parquet")
_OPTIONS = ("collection", "vector")


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
        place = quote(str(self.folder))
        if self.server is not None:
            host, port = self.server
            place = f"//{host}" + (f":{port}" if port is not None else "")
        options = {"collection": name} | ({} if self.vector is None else {"vector": self.vector})
        return replace(self, text=f"{self.kind}:{place}?{urlencode(options)}", collection=name)

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
        if not folder.exists():
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


def parse_address(text: str) -> Address | None:
    """Return the parts of an address; None for the path of a file.

    A path starts after the colon (``chroma:db`` or ``chroma:/data/db``) or after three slashes
    (``chroma:///data/db``). A folder or a dump needs no kind where it shows its own.

    Raises:
        DataError: an unknown kind or option, or a folder that is no known store.
    """
    kind, colon, rest = text.partition(":")
    if not colon or kind not in KINDS:
        if colon and "//" in rest[:2]:
            raise DataError(f"{text}: unknown kind {kind!r}; it is {FORM}, of {', '.join(KINDS)}.")
        path = Path(text)
        found = _kind_of(path)
        return None if found is None else Address(text, found, path)
    parts = urlsplit(rest)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in options:
        if name not in _OPTIONS:
            raise DataError(f"{text}: unknown option {name!r}; allowed are {', '.join(_OPTIONS)}.")
    collection, vector = options.get("collection"), options.get("vector")
    if parts.hostname is not None:
        server = (parts.hostname, _port(text, parts))
        return Address(text, kind, server=server, collection=collection, vector=vector)
    if not parts.path:
        raise DataError(f"{text} names no folder; it is {FORM}.")
    return Address(text, kind, Path(unquote(parts.path)), collection=collection, vector=vector)


def _port(text: str, parts: object) -> int | None:
    try:
        port: int | None = parts.port  # type: ignore[attr-defined]
    except ValueError as error:
        raise DataError(f"{text}: {error}; it is {FORM}.") from error
    return port


def _kind_of(path: Path) -> str | None:
    """Return the kind of a store by its files; None for a file of texts or vectors."""
    if path.is_file():
        return "langchain" if path.suffix.lower() == ".json" else None
    if not path.is_dir():
        return None
    marks: dict[str, Callable[[], bool]] = {
        "chroma": (path / "chroma.sqlite3").exists,
        "qdrant": lambda: (path / "meta.json").exists() and (path / "collection").exists(),
        "lancedb": lambda: any(path.glob("*.lance")),
        "faiss": lambda: any(path.glob("*.faiss")),
        "parquet": lambda: any(path.glob("*.parquet")),
        "llama-index": (path / "docstore.json").exists,
    }
    for kind, is_there in marks.items():
        if is_there():
            return kind
    raise DataError(
        f"{path} is a folder of no known store; give {FORM}, of {', '.join(KINDS)}, or a file."
    )
