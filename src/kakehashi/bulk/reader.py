"""Reading blocks in order: each row group is decoded once, however many blocks it has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import ReaderError
from ..printable import printable
from .blocks import BLOCK_ROWS, Block


class BlockReader:
    """Reads blocks; one that follows the last is next in the stream, any other opens it anew."""

    def __init__(self, columns: list[str] | None = None) -> None:
        """Read these columns; all, where none are named."""
        self._columns = columns
        self._at: tuple[Path, int, int] | None = None
        self._file: Any = None
        self._batches: Iterator[Any] = iter(())

    def read(self, block: Block) -> Any:
        """Return the rows of a block as an Arrow table.

        Raises:
            ReaderError: they are damaged.
        """
        try:
            return self._read(block)
        except (OSError, ValueError, StopIteration) as error:  # pyarrow's own are among these
            raise ReaderError(
                f"{block} cannot be read, so the file is damaged: {printable(error)}. Write it "
                "again; the blocks that are done stay."
            ) from error

    def _read(self, block: Block) -> Any:
        import pyarrow as pa

        if self._at is None or self._at[:2] != (block.file, block.row_group):
            self._open(block)
        at = self._at[2] if self._at else 0
        if at > block.start:
            self._open(block)
            at = 0
        while at < block.start:  # blocks that somebody else embeds, or that are there already
            at += next(self._batches).num_rows
        batches = []
        while at < block.stop:
            batches.append(next(self._batches))
            at += batches[-1].num_rows
        self._at = (block.file, block.row_group, at)
        return pa.Table.from_batches(batches)

    def close(self) -> None:
        """Close the file that is open."""
        if self._file is not None:
            self._file.close()
        self._file, self._at = None, None

    def _open(self, block: Block) -> None:
        import pyarrow.parquet as pq

        self.close()
        self._file = pq.ParquetFile(block.file)
        # A batch never crosses a block, whatever the chunks of a column are.
        self._batches = self._file.iter_batches(
            BLOCK_ROWS, row_groups=[block.row_group], columns=self._columns, use_threads=False
        )
        self._at = (block.file, block.row_group, 0)
