"""The output: one file for each block, whose name says what it was made of.

The folder is the only state. A file is there as a whole or not at all. Its name holds a hash of
the input file, of the place in it and of the aligner. So a listing of the folder tells which
blocks are done, and shows a file of another input or aligner.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

from ..errors import AlignerMismatchError, DataError, ReaderError
from ..integrations.stores.arrow import without_ours
from ..integrations.stores.replacing import remove_unfinished, replace_file
from ..printable import printable
from ..retrieval.index_record import KEY, IndexRecord
from .blocks import Block
from .job import MODALITY, ROLE

_ABOUT = "kakehashi.bulk"
"""The key of the schema's metadata that says what a file was made of."""
_LOST = 3
"""Workers that may be killed over one block. Ray would start new ones for ever."""


@dataclass(frozen=True)
class Output:
    """A folder of embedded blocks.

    Attributes:
        folder: where the files are written.
        record: of the vectors, which every file holds.
        from_vectors: whether stored vectors were projected; else texts were encoded.
    """

    folder: Path
    record: IndexRecord
    from_vectors: bool

    def path(self, block: Block) -> Path:
        """Return the file of a block; names sort as the rows of the input."""
        made_of = (
            *(block.state, block.row_group, block.start, block.stop, self.record.to_json()),
            *(MODALITY, ROLE, self.from_vectors),
        )
        digest = hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]
        place = f"{block.row_group:06d}-{block.start:09d}"
        return self.folder / f"{block.file.stem}-{place}-{digest}.parquet"

    def has(self, block: Block) -> bool:
        """Whether a block has its file."""
        return self.path(block).exists()

    def missing(self, blocks: Iterable[Block]) -> list[Block]:
        """Return the blocks that have no file yet."""
        present = {path.name for path in self.folder.glob("*.parquet")}
        return [block for block in blocks if self.path(block).name not in present]

    def n_rows(self, blocks: Iterable[Block]) -> int:
        """Return the rows of the files of these blocks, from their footers.

        Raises:
            ReaderError: a file is damaged.
        """
        return sum(_n_rows(self.path(block)) for block in blocks)

    def write(self, block: Block, table: Any) -> None:
        """Write the rows of a block beside their place, and move them there.

        Another run over the same folder deletes parts when it ends: then it is written once more.
        """
        import pyarrow.parquet as pq

        rows = self._described(block, table)

        def write(file: Any) -> None:
            pq.write_table(rows, file, row_group_size=len(block))

        try:
            replace_file(self.path(block), write)
        except FileNotFoundError:
            replace_file(self.path(block), write)

    @contextmanager
    def begun(self, block: Block) -> Iterator[None]:
        """Leave a mark while a block is embedded, which stays where the worker is killed.

        Raises:
            DataError: several workers were killed over this block.
        """
        name = self.path(block).stem
        self._marks.mkdir(exist_ok=True)
        lost = len(list(self._marks.glob(f"{escape(name)}.*")))
        if lost >= _LOST:
            raise DataError(
                f"{block}: {lost} workers were killed over it, as by a lack of memory. Give each "
                "more memory (fewer --workers on a machine), and run it again."
            )
        mark = self._marks / f"{name}.{secrets.token_hex(4)}"
        mark.touch()
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)

    @property
    def _marks(self) -> Path:
        return self.folder / ".begun"  # a small folder: it is listed for every block

    def tidy(self) -> None:
        """Delete the parts and the marks that killed processes left."""
        remove_unfinished(self.folder)
        for mark in self._marks.glob("*"):
            mark.unlink(missing_ok=True)
        with suppress(OSError):
            self._marks.rmdir()

    def refuse_others(self, blocks: Iterable[Block]) -> None:
        """Raise where the folder holds files that this job does not write.

        Raises:
            AlignerMismatchError: vectors of another aligner.
            DataError: made of another input, or files of somebody else.
        """
        ours = {self.path(block).name for block in blocks}
        others = sorted(p for p in self.folder.glob("*.parquet") if p.name not in ours)
        if not others:
            return
        written = _record(others[0])
        if written is not None and written.fingerprint != self.record.fingerprint:
            raise AlignerMismatchError(
                f"{self.folder} holds vectors of the aligner {written.fingerprint[:12]!r}, not "
                f"{self.record.fingerprint[:12]!r}: vectors of the two do not mix. Name another "
                "folder."
            )
        raise DataError(
            f"{self.folder} holds {len(others)} files that this input does not give, such as "
            f"{others[0].name}. Name another folder; or delete these files, if their input was "
            "changed since, and run it again."
        )

    def _described(self, block: Block, table: Any) -> Any:
        way = "projected from vectors" if self.from_vectors else "encoded from texts"
        about = f"{block}, as {MODALITY} {ROLE}s, {way}"
        kept = without_ours(table.schema).metadata or {}  # a note there is of another index
        ours = {KEY: self.record.to_json(), _ABOUT: about}
        return table.replace_schema_metadata(
            kept | {k.encode(): v.encode() for k, v in ours.items()}
        )


def _n_rows(path: Path) -> int:
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except Exception as error:  # pyarrow raises many kinds over a damaged file
        raise ReaderError(
            f"{path} is damaged: {printable(error)}. Delete it and run the same command again: its "
            "block is embedded once more."
        ) from error


def _record(path: Path) -> IndexRecord | None:
    """Return the record of a file; None where it has none, or is no Parquet."""
    import pyarrow.parquet as pq

    try:
        return IndexRecord.from_json((pq.read_schema(path).metadata or {}).get(KEY.encode()))
    except Exception:  # pyarrow raises many kinds over a damaged file
        return None
