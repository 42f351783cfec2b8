"""embed_parquet(): the texts or vectors of Parquet files into a folder that is an index."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..aligner import Aligner
from ..bundle import check_parent
from ..errors import DataError
from ..progress import track
from ..retrieval.index_record import IndexRecord
from .blocks import Block, Input, read_input
from .cluster import ray_up, require_machines
from .columns import require_columns
from .embedding import BlockEmbedder
from .evidence import require_own_vectors
from .ids import require_ids
from .job import MODALITY, Job
from .on_ray import embed_on_ray
from .output import Output
from .reader import BlockReader

_COMPARED = 200
"""Rows whose vectors are compared with the target encoder's, before the first write."""


@dataclass(frozen=True)
class BulkResult:
    """What a run did.

    Attributes:
        out: the folder.
        rows: rows in it.
        left_out: rows of the input without a text to encode.
        blocks: files in it.
        written: files that this run wrote; the others were there.
    """

    out: Path
    rows: int
    left_out: int
    blocks: int
    written: int

    def to_dict(self) -> dict[str, Any]:
        """Return every number by name, as JSON holds it."""
        return {**asdict(self), "out": str(self.out)}


def embed_parquet(
    source: str | Path,
    out: str | Path,
    *,
    aligner: str | Path,
    second_map: bool = False,
    target_encoder: Any = None,
    ray: str | None = None,
    workers: int | None = None,
) -> BulkResult:
    """Embed the rows of Parquet files as documents of the target, and write a folder of Parquet.

    The columns are ``id``, ``text`` and perhaps ``vector`` and ``metadata``; others are kept as
    they are. Where there are vectors, they are the target encoder's own and are projected. Else
    texts are encoded first, each once in a block, and rows without a text are left out.

    One file is written for each block: at most 32,768 rows of a row group. It is there as a whole
    or not at all. A run that was stopped goes on with the blocks that are missing. The schema of
    each file holds the record of the aligner, so that :func:`kakehashi.read_index` and
    ``kakehashi search`` take the folder as an index.

    Args:
        source: a Parquet file, or a folder of them.
        out: the folder to write. It is missing or empty, or a run with the same arguments filled
            it in part.
        aligner: the folder of a saved aligner.
        second_map: project by the second map of an aligner of mode ``keep``, as
            :meth:`kakehashi.Aligner.as_shared` does.
        target_encoder: as :func:`kakehashi.encoders.as_encoder` takes it; by default the model
            that the aligner names.
        ray: None embeds in this process, on one thread. ``"local"`` starts a Ray on this machine;
            ``"auto"`` or ``"HOST:PORT"`` joins a cluster. The same bits are written in every way,
            by machines of one kind. Each machine sees the input, the output and the aligner under
            the same paths. A Ray that this process has joined already is used.
        workers: of Ray, with one CPU each; by default as many as there are CPUs.

    Raises:
        DataError: the input cannot be used: a row has no id or that of another, or it is a
            document of the source (metadata ``modality: source``). Or ``out`` holds other files;
            or no Ray can be joined, or one of its machines lacks something.
        ReaderError: a file is no Parquet, or damaged.
        AlignerMismatchError: ``out`` was filled through another aligner; or the vectors are not
            the target encoder's own.
        EncoderError: no encoder is at hand, or another than that of the training.
        BundleError: the aligner cannot be loaded.
        MissingExtraError: pyarrow or Ray is not installed.
    """
    parquet, folder = read_input(Path(source)), Path(out)
    require_columns(parquet.schema, str(source))
    check_parent(folder)
    if folder.exists() and folder.samefile(source):
        raise DataError(f"{out} is the input; name another folder to write.")
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{out} is a file; name a folder to write.")
    if folder.exists() and folder.samefile(aligner):
        raise DataError(f"{out} is the aligner; name another folder to write.")
    if workers is not None and ray is None:
        raise DataError(f"workers={workers} are Ray's; pass --ray local (ray='local'), too.")
    from_vectors = "vector" in parquet.schema.names
    places = folder.absolute(), Path(aligner).absolute()  # workers stand in other folders
    job = Job(*places, second_map, target_encoder, from_vectors)
    loaded = job.load()
    output = Output(job.out, IndexRecord.of(loaded, "column text"), from_vectors)
    output.refuse_others(parquet.blocks)
    missing = output.missing(parquet.blocks)
    if missing:
        require_ids(parquet.blocks)
        if from_vectors:
            _check_vectors(loaded, parquet, missing[0], str(source))
        _write(job, loaded, output, missing, ray, workers)
    output.tidy()
    n_rows = output.n_rows(parquet.blocks)
    n_blocks = len(parquet.blocks)
    return BulkResult(folder, n_rows, parquet.n_rows - n_rows, n_blocks, len(missing))


def _check_vectors(aligner: Aligner, parquet: Input, block: Block, name: str) -> None:
    """Check before the first write what a projection of stored vectors needs."""
    if aligner.reads(MODALITY) and (lacking := parquet.without_texts()):
        raise DataError(
            f"This aligner also reads the texts of documents, and {lacking:,} rows of {name} have "
            "none. Leave them out, or fit an aligner with ngrams=False."
        )
    with closing(BlockReader()) as reader:
        rows = reader.read(block).slice(0, _COMPARED)
    require_own_vectors(aligner, rows, name)


def _write(
    job: Job,
    aligner: Aligner,
    output: Output,
    blocks: list[Block],
    ray: str | None,
    workers: int | None,
) -> None:
    """Embed and write blocks, here or on Ray."""
    if ray is None:
        embedder = BlockEmbedder(job, aligner)
        job.out.mkdir(parents=True, exist_ok=True)
        _count(embed_here(embedder, output, blocks), blocks)
        return
    with ray_up(ray, workers) as n_workers:
        job.out.mkdir(parents=True, exist_ok=True)
        output.tidy()  # parts of an earlier run say nothing about this one
        require_machines(job, aligner.fingerprint, blocks[0])
        _count(embed_on_ray(job, output, blocks, n_workers), blocks)


def _count(done: Generator[Block], blocks: Sequence[Block]) -> None:
    """Show how many blocks are done."""
    with closing(done):
        for _ in track(blocks, f"embedding ({len(blocks)} blocks)"):
            next(done)


def embed_here(
    embedder: BlockEmbedder, output: Output, blocks: Sequence[Block]
) -> Generator[Block]:
    """Embed and write blocks, one after another; yield each that is written."""
    with closing(BlockReader()) as reader:
        for block in blocks:
            output.write(block, embedder(reader.read(block), block))
            yield block
