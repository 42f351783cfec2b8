"""Blocks on the workers of Ray Data, on one machine or on a cluster.

A worker is an actor with one CPU. It loads the aligner and its encoder once, reads its blocks from
the shared folder, and writes their files there itself: no vector passes through Ray. Where a worker
is lost, Ray starts another and gives it the same blocks; those that have a file are passed over.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from itertools import groupby
from typing import Any

from .. import errors
from ..encoders.protocol import raised_by
from ..errors import EncoderError, KakehashiError
from .blocks import Block
from .embedding import BlockEmbedder
from .job import Job
from .output import Output
from .reader import BlockReader

_RUNS_OF_A_WORKER = 4
"""Runs that each worker gets at least, so that none waits long for the last one."""


class BlockWorker:
    """An actor of Ray Data: embeds runs of blocks and writes them."""

    def __init__(self, job: Job, output: Output, blocks: list[Block]) -> None:
        self._embedder = BlockEmbedder(job, job.load())
        self._output, self._blocks, self._reader = output, blocks, BlockReader()

    def __call__(self, runs: dict[str, Any]) -> dict[str, list[Any]]:
        """Embed the blocks from ``first`` to before ``last``; return these, and any error."""
        [first], [last] = runs["first"], runs["last"]
        kind = said = ""
        try:
            for block in self._blocks[first:last]:
                if self._output.has(block):  # a worker before was lost after it
                    continue
                with self._output.begun(block):
                    self._output.write(block, self._embedder(self._reader.read(block), block))
        except Exception as error:
            kind, said = _told(error)
        return {**runs, "kind": [kind], "said": [said]}


def embed_on_ray(
    job: Job, output: Output, blocks: Sequence[Block], n_workers: int
) -> Generator[Block]:
    """Embed and write blocks on the workers of a Ray that is up; yield each that is written.

    Raises:
        KakehashiError, OSError: as the local path raises them.
    """
    import ray.data

    cuts = runs_of(blocks, n_workers)
    items = [{"first": first, "last": last} for first, last in cuts]
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    shown, context.enable_progress_bars = context.enable_progress_bars, False
    try:
        rows = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            BlockWorker,
            fn_constructor_args=(job, output, list(blocks)),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=min(n_workers, len(items))),
            num_cpus=1,
        )
        for row in rows.iter_rows():
            if row["kind"]:
                raise _raised(row["kind"], row["said"])
            yield from blocks[row["first"] : row["last"]]
    finally:
        context.enable_progress_bars = shown


def runs_of(blocks: Sequence[Block], n_workers: int) -> list[tuple[int, int]]:
    """Cut blocks into runs, each from one row group: a worker decodes that once.

    Row groups are cut where there would be too few runs for all workers.
    """
    longest = max(1, len(blocks) // (_RUNS_OF_A_WORKER * n_workers))
    runs, start = [], 0
    for _, group in groupby(blocks, lambda block: (block.file, block.row_group)):
        end = start + len(list(group))
        runs += [(first, min(first + longest, end)) for first in range(start, end, longest)]
        start = end
    return runs


def _told(error: Exception) -> tuple[str, str]:
    """Return the kind and the message of an error that a caller can act on; else raise it."""
    if encoder := raised_by(error):
        return EncoderError.__name__, f"{type(error).__name__}: {error} ({encoder})"
    if isinstance(error, OSError):
        return OSError.__name__, str(error)
    if isinstance(error, KakehashiError):
        return type(error).__name__, str(error)
    raise error


def _raised(kind: str, said: str) -> Exception:
    """Return the error that a worker told of."""
    if kind == OSError.__name__:
        return OSError(said)
    made: Exception = getattr(errors, kind, KakehashiError)(said)
    return made
