"""An encoder that kills the process it runs in, as a machine that goes down does."""

from __future__ import annotations

import os
import signal
import zlib
from pathlib import Path

import numpy as np

from .toy_data import reversed_letters

ORDER = "KAKEHASHI_TEST_KILL"
"""The variable that names a file: who finds it removes it and dies, so that one process dies."""


def letters(texts: list[str]) -> np.ndarray:
    """Encode as ``reversed_letters``, with last bits that depend on the batch, as real ones do.

    Where the order names a text of the batch, the process dies before it answers.
    """
    order = Path(os.environ.get(ORDER, "none"))
    if order.exists() and any(order.read_text() in text for text in texts):
        order.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    of_batch = zlib.crc32("\n".join(texts).encode()) / 2**32
    return reversed_letters(texts) + np.float32(1e-6 * of_batch)
