"""Our texts beside a store that has no place for them: a small file of JSON."""

from __future__ import annotations

import json
from pathlib import Path

from .replacing import replace_file

END = ".kakehashi"


def beside(path: Path) -> Path:
    """Return the place of our texts: beside a file, or in a folder."""
    return path / f"index{END}" if path.is_dir() else path.with_name(path.name + END)


def kept_in(path: Path, key: str) -> str | None:
    """Return a text of a file of ours; None where there is none."""
    value = _read(path).get(key)
    return value if isinstance(value, str) else None


def keep_in(path: Path, key: str, value: str) -> None:
    """Write a text beside the others, in one step."""
    texts = json.dumps({**_read(path), key: value}, ensure_ascii=False, indent=1)
    replace_file(path, lambda file: file.write(texts.encode()))


def _read(path: Path) -> dict[str, object]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}
