"""The blocks of the input: pieces of row groups of its Parquet files, each small enough to hold."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError, MissingExtraError, ReaderError
from ..printable import printable

BLOCK_ROWS = 32_768
"""Rows of a block at most: 50 MB of 384 float32, and so much work is lost with a killed process."""


@dataclass(frozen=True)
class Block:
    """Consecutive rows of one row group.

    Attributes:
        file: the Parquet file.
        state: a hash of the size and the footer of the file, which tells a file that was changed.
        row_group: its number in the file.
        start, stop: the rows in the row group.
    """

    file: Path
    state: str
    row_group: int
    start: int
    stop: int

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.stop - self.start

    def __str__(self) -> str:
        """Name it in messages."""
        return f"{self.file}, row group {self.row_group}, rows {self.start} to {self.stop}"

    def row(self, number: int) -> str:
        """Name one of its rows in messages."""
        return f"{self.file}, row group {self.row_group}, row {self.start + number}"


@dataclass(frozen=True, eq=False)
class Input:
    """A Parquet file, or the files of a folder in the order of their names.

    Attributes:
        blocks: all blocks, in the order of the rows.
        schema: the columns, which are the same in every file, with the metadata of the first.
    """

    blocks: list[Block]
    schema: Any

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return sum(map(len, self.blocks))

    def without_texts(self) -> int:
        """Return the number of rows without a text; it reads that column where no footer tells."""
        import pyarrow.compute as pc
        from pyarrow import dataset

        if "text" not in self.schema.names:
            return self.n_rows
        files = [str(file) for file in dict.fromkeys(block.file for block in self.blocks)]
        return int(dataset.dataset(files).count_rows(filter=pc.field("text").is_null()))


def read_input(path: Path) -> Input:
    """Read the footers of a Parquet file, or of the files in a folder.

    Raises:
        DataError: there is no such file or folder, or no Parquet file in it, or no row.
        ReaderError: a file is no Parquet, or its columns are not those of the first.
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("pyarrow", "readers") from error
    if re.match(r"\w{2,}:/", str(path)):  # Path has made one slash of two
        raise DataError(f"{path} is no folder of this machine; mount it, or copy it to one.")
    blocks: list[Block] = []
    first: Any = None
    for file in _files(path.absolute()):  # workers stand in other folders
        try:
            with pq.ParquetFile(file) as opened:
                schema, metadata = opened.schema_arrow, opened.metadata
                sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
            state = state_of(file)
        except Exception as error:  # a damaged file raises whatever pyarrow raises
            raise ReaderError(f"{file} is not Parquet: {printable(error)}") from error
        first = schema if first is None else first
        if not schema.equals(first):
            raise ReaderError(
                f"{file} has other columns or types than {blocks[0].file if blocks else path}; "
                "the files of a folder need the same. Embed them one by one."
            )
        blocks += _blocks(file, state, sizes)
    if not blocks:
        raise DataError(f"{path} has no rows.")
    return Input(blocks, first)


def _files(path: Path) -> list[Path]:
    if os.path.isfile(path):
        return [path]
    if not os.path.isdir(path):
        raise DataError(f"{path} does not exist; name a Parquet file or a folder of them.")
    files = [file for file in path.glob("*.parquet") if not file.name.startswith((".", "_"))]
    if not files:
        raise DataError(
            f"{path} holds no file *.parquet. Folders inside it are not read; name one of them."
        )
    return sorted(files)


def _blocks(file: Path, state: str, sizes: list[int]) -> Iterator[Block]:
    for row_group, n_rows in enumerate(sizes):
        for start in range(0, n_rows, BLOCK_ROWS):
            yield Block(file, state, row_group, start, min(start + BLOCK_ROWS, n_rows))


def state_of(file: Path) -> str:
    """Hash the size and the footer, which holds offsets and the range of every column."""
    with file.open("rb") as opened:
        size = opened.seek(0, 2)
        opened.seek(-8, 2)
        footer = int.from_bytes(opened.read(4), "little")
        opened.seek(-8 - footer, 2)
        return hashlib.sha256(b"%d " % size + opened.read(footer)).hexdigest()
