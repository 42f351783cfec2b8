"""Pairs as the files that commands read."""

from __future__ import annotations

import json
from pathlib import Path

import kakehashi


def write_pairs(path: Path, pairs: kakehashi.Pairs) -> Path:
    """Write texts and groups as JSON, a line each."""
    rows = zip(pairs.source_texts, pairs.target_texts, pairs.groups, strict=True)
    lines = [json.dumps({"source": s, "target": t, "group": g}) for s, t, g in rows]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
