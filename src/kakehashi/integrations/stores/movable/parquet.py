"""Parquet: the files of a folder, as a migration reads and writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ....bundle.writing import exchanged
from ....errors import DataError, MissingExtraError, ReaderError
from ....printable import printable
from ....vectors import Float32Array
from ..address import Address
from ..arrow import schema_of, texts_kept, vector_column, without_ours
from ..replacing import remove_unfinished
from .arrow_rows import require_ids, require_unique, rows_of, table_of
from .files import beside_of, new_beside, remove
from .kept import KeptCollection
from .parquet_parts import change_part, join_parts, next_part, remove_joined, write_part
from .parquet_reading import (
    HEAD,
    batches_of,
    chosen,
    compression_of,
    id_columns,
    ids_of,
    n_rows,
    parts_of,
    schema_of_parts,
)
from .places import Places
from .protocol import StoredRow

_PAGE = 1000


class ParquetCollection(KeptCollection):
    """A folder of Parquet files, in the order of their names; or one file, which is read alone.

    A folder that is written has a new part for each page, until ``finish`` joins them. A document
    that is there is replaced in its place.

    Args:
        address: of the folder or the file.
        compression: of the parts that are written.
    """

    remedy = "texts are kept in folders that a migration has made."

    def __init__(self, address: Address, compression: str) -> None:
        self._address, self._compression = address, compression
        self._path = address.required_folder()
        self._schema = without_ours(schema_of_parts(self._path))
        self._vector = vector_column(self._schema, address)
        self._places: Places | None = None
        self._files: list[Path] = []

    @property
    def name(self) -> str:
        """Kind and name, for messages."""
        return f"the Parquet files of {str(self._path)!r}"

    @property
    def address(self) -> str:
        """Its address."""
        return self._address.text

    @property
    def dimension(self) -> int:
        """The dimension that the column of vectors declares, or that its first row has."""
        declared = getattr(self._schema.field(self._vector).type, "list_size", 0)
        if declared > 0:
            return int(declared)
        first = next((row for page in self.pages() for row in page), None)
        return 0 if first is None or first.vector is None else len(first.vector)

    page_size = _PAGE

    @property
    def settings(self) -> Mapping[str, Any]:
        """Files have no index."""
        return {}

    def count(self) -> int:
        """Return the number of rows, from the footers."""
        return sum(map(n_rows, parts_of(self._path)))

    def pages(self) -> Iterator[Sequence[StoredRow]]:
        """Yield all rows in the order of the files."""
        for path in parts_of(self._path):
            for table in batches_of(path, _PAGE):
                yield rows_of(table, self._vector)

    def rows(self, ids: Sequence[str]) -> Mapping[str, StoredRow]:
        """Return the rows of these ids, as far as they are there."""
        wanted, found = set(ids), {}
        for path in self._with_any(ids):
            for table in chosen(path, wanted, _PAGE):
                found.update({row.id: row for row in rows_of(table, self._vector)})
        return found

    def _with_any(self, ids: Sequence[str]) -> list[Path]:
        """Return the files that may hold one of these ids; their ids are read once."""
        if self._places is None:
            self._places, self._files = Places(), []
            for path in parts_of(self._path):
                self._place(path, *(map(str, some.to_pylist()) for some in id_columns(path)))
        return [self._files[number] for number in self._places.files(ids)]

    def _place(self, path: Path, *ids: Iterable[str]) -> None:
        if self._places is not None:
            self._files.append(path)
            for some in ids:
                self._places.add(some, len(self._files) - 1)

    def beside(self, name: str) -> ParquetCollection | None:
        """Return the folder or file of this name beside this one; None where there is none."""
        path = beside_of(self._address, name)
        return None if path.folder is None or not path.folder.exists() else self._at(path)

    def create_beside(self, name: str, dimension: int) -> ParquetCollection:
        """Create a folder beside this one, with a file that has the columns and no rows.

        Raises:
            DataError: see the protocol; or an id that several rows have.
        """
        ids = (column for path in parts_of(self._path) for column in id_columns(path))
        require_unique(ids, self.name)
        address = new_beside(self._address, name)
        schema = schema_of(self._schema, self._vector, dimension)
        with exchanged(address.required_place()) as folder:
            write_part(folder / HEAD, [], schema, self._compression)
        return self._at(address)

    def _at(self, address: Address) -> ParquetCollection:
        return ParquetCollection(address, self._compression)

    def write(self, rows: Sequence[StoredRow], vectors: Float32Array) -> None:
        """Write rows as a new part; those whose ids are there are replaced in their places."""
        if not rows:
            return
        page = table_of(rows, vectors, self._schema, self._vector)
        at = {row.id: number for number, row in enumerate(rows)}
        new = dict(at)

        def replaced(table: Any) -> Any:
            import pyarrow as pa

            parts = [
                page.slice(at[name], 1) if name in at else table.slice(number, 1)
                for number, name in enumerate(ids_of(table))
            ]
            return pa.concat_tables([part.cast(self._schema) for part in parts]).combine_chunks()

        for path in self._with_any(list(at)):
            there = [str(name) for some in id_columns(path) for name in some.to_pylist()]
            if not at.keys().isdisjoint(there):
                self._change(path, replaced)
            for name in there:
                new.pop(name, None)
        if new:
            part = next_part(self._path)
            write_part(part, [page.take(list(new.values()))], self._schema, self._compression)
            self._place(part, list(new))

    def delete(self, ids: Sequence[str]) -> None:
        """Delete rows; those that are not there are no error."""
        gone = set(ids)

        def left(table: Any) -> Any:
            return table.filter([name not in gone for name in ids_of(table)])

        for path in self._with_any(ids):
            self._change(path, left)

    def _change(self, path: Path, change: Any) -> None:
        change_part(path, change, self._schema, self._compression, _PAGE)
        if not path.exists():
            self._places = None  # it is read again

    def finish(self) -> None:
        """Join small parts, and delete what killed processes left."""
        remove_unfinished(self._path)
        remove_joined(self._path)
        join_parts(self._path, self._schema, self._compression, _PAGE)
        self._places = None

    def drop(self) -> None:
        """Delete the folder or the file."""
        remove(self._path)

    def kept(self, key: str) -> str | None:
        """Return a text of the metadata of the columns, of the first file."""
        return texts_kept(schema_of_parts(self._path), self._vector).get(key)

    def keep(self, key: str, value: str) -> bool:
        """Write a text into the metadata of the file that has no rows."""
        head = self._path / HEAD
        if not head.is_file():
            return False
        schema = schema_of_parts(head)
        kept = {**(schema.metadata or {}), key.encode(): value.encode()}
        write_part(head, [], schema.with_metadata(kept), self._compression)
        return True

    def close(self) -> None:
        """Do nothing: files are closed after each call."""


def open_parquet(address: Address) -> ParquetCollection:
    """Open a folder of Parquet files, or one file.

    Raises:
        DataError: no column of ids, or files with other columns than the first.
        ReaderError: a file is no Parquet.
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("pyarrow", "readers") from error
    path = address.required_folder()
    schema = schema_of_parts(path)
    require_ids(schema.names, address.text)
    for other in parts_of(path):
        try:
            same = pq.read_schema(other).equals(schema)
        except Exception as error:
            raise ReaderError(f"{other} is no Parquet: {printable(error)}") from error
        if not same:
            raise DataError(
                f"{other} has other columns or types than the first file of {path}; the files of "
                "a folder need the same. Move them one by one."
            )
    return ParquetCollection(address, compression_of(path))
