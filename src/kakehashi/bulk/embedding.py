"""The vectors of one block. All ways to run a job call this, so that all write the same bits.

The last bits of an encoder's vector depend on the texts in the same batch, and on the number of
threads. So the batches are made inside a block, and a worker has one thread. The bits of a
projected vector depend on its row alone (:mod:`kakehashi.projection.exact`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ..aligner import Aligner
from ..encoders.cache import encode_texts
from ..errors import DataError, EncoderError
from ..progress import show_progress
from ..vectors import Float32Array
from .blocks import Block
from .columns import require_target, stored_vectors, with_texts, with_vectors
from .ids import require_unique_in
from .job import MODALITY, ROLE, Job


class BlockEmbedder:
    """Embeds blocks by an aligner whose encoder is loaded and recognised here, where it is needed.

    Raises:
        EncoderError: it cannot be loaded, or is another than that of the training.
    """

    def __init__(self, job: Job, aligner: Aligner) -> None:
        self._from_vectors, self.aligner = job.from_vectors, aligner
        if not job.from_vectors:
            aligner.encoder(MODALITY)

    def __call__(self, table: Any, block: Block) -> Any:
        """Return the rows of a block with their new vectors, in the same order.

        Rows without a text are left out where texts are encoded. All other columns stay.

        Raises:
            DataError, EncoderError: ids, vectors or texts cannot be used; the message names the
                block.
        """
        require_unique_in(table, block)
        table = table if self._from_vectors else with_texts(table)
        try:
            require_target(table)
            # The threads of the encoder are limited, too: it is loaded by now.
            with threadpool_limits(limits=1), show_progress(False):  # the blocks are counted
                vectors = self._vectors(table)
        except (DataError, EncoderError) as error:
            raise type(error)(f"{block}: {error}") from error
        return with_vectors(table, vectors)

    def _vectors(self, table: Any) -> Float32Array:
        if not table.num_rows:
            return np.empty((0, self.aligner.output_dimension), np.float32)
        reads = not self._from_vectors or self.aligner.reads(MODALITY)
        texts = table.column("text").to_pylist() if reads else None
        if self._from_vectors:
            vectors = stored_vectors(table)
        else:
            vectors = encode_texts(self.aligner.encoder(MODALITY), texts or [], ROLE)
        return self.aligner.project(vectors, texts=texts, modality=MODALITY, role=ROLE)
