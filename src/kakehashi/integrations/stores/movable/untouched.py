"""What a migration leaves as it is, as bytes for checksums."""

from __future__ import annotations

import json
from typing import Any


def untouched_bytes(*fields: Any) -> bytes:
    """Return bytes that are equal where the fields are equal, in any process.

    Args:
        fields: JSON values; anything else counts by its ``repr``. The order of keys counts nothing.
    """
    return json.dumps(fields, sort_keys=True, ensure_ascii=False, default=repr).encode(
        "utf-8", "surrogatepass"
    )
