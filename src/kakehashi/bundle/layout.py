"""The names, the format number and the bounds of a saved aligner."""

from __future__ import annotations

import hashlib
import json
from typing import Any

FORMAT = 1
RECORD, WEIGHTS, CARD = "aligner.json", "weights.safetensors", "README.md"
MULTI_RECORD, ALIGNERS = "multi_aligner.json", "aligners"
UNFINISHED = ".part"
PICKLE_ENDINGS = (".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib")

MAX_RECORD_BYTES = 1 << 24
"""A record takes some 100 KB; a fit of both maps over all feature sets half a megabyte."""
MAX_WEIGHTS_BYTES = 1 << 30
"""Two heads from 8,192 dimensions and n-grams to 8,192 take half of it."""


def record_hash(record: dict[str, Any]) -> str:
    """Return the SHA-256 of a record: of its canonical JSON, without the field ``sha256``."""
    content = {k: v for k, v in record.items() if k != "sha256"}
    return sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode())


def sha256(blob: bytes) -> str:
    """Return the SHA-256 of some bytes in hexadecimal digits."""
    return hashlib.sha256(blob).hexdigest()
