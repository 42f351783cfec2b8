"""A temporary cache: what was encoded before a failure is kept, and nobody pays for it twice."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import EncoderError, VectorError, add_note
from .cache import VectorCache
from .protocol import KEPT, Encoder, is_local, raised_by

_MAX_TEXTS = 100_000
"""Vectors of 1,536 dimensions for so many texts take 0.6 GB."""
_OF_ENCODERS = (EncoderError, VectorError)


@contextmanager
def cache_kept_if_it_fails(
    cache: str | Path | None, encoders: Iterable[Encoder | None], n_texts: int
) -> Iterator[str | Path | None]:
    """Yield the cache; without one, a file that is kept where an encoder or the user ends it.

    Models of sentence-transformers need no such file: they cost nothing but time. For very many
    texts there is none either: it would fill the folder of temporary files.

    Args:
        cache: a file of the caller's, which always keeps what was encoded.
        encoders: those of the block.
        n_texts: about as many texts will be encoded.
    """
    paid = any(e is not None and not is_local(e) for e in encoders)
    if cache is not None or not paid or n_texts > _MAX_TEXTS:
        yield cache
        return
    folder = Path(tempfile.mkdtemp(prefix="kakehashi-"))
    keep = False
    try:
        yield folder / "vectors.sqlite"
    except BaseException as error:
        # Files of other errors, of too few pairs say, would pile up.
        if isinstance(error, _OF_ENCODERS) or raised_by(error) or not isinstance(error, Exception):
            keep = _named_in(error, folder / "vectors.sqlite")
        raise
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _named_in(error: BaseException, path: Path) -> bool:
    """Add a note with the file to an error, if the file holds vectors."""
    if not path.exists():
        return False
    store = VectorCache(path)
    n = len(store)
    store.close()
    if n:
        add_note(
            error,
            f"{KEPT}: {n} vectors in {path}. Pass it as the cache, and a rerun goes on from there.",
        )
    return n > 0
