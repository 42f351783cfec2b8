"""The next step after a bulk run: the lines that open its folder as an index."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

from ..aligner import Aligner
from ..bulk import BulkResult
from ..integrations.stores.store_address import Address
from ..language import translate
from .console import plain_console

_SHARED = "shared-aligner"
_IN_MEMORY = 1_000_000
"""Rows that a search of Parquet files may hold in memory: 2 GB of 384 dimensions."""


def print_next_step(result: BulkResult, aligner: Path, *, second_map: bool) -> None:
    """Print how to ask the folder; no line is wrapped, so that each can be copied."""
    console = plain_console()
    for line in _lines(result, aligner, second_map):
        console.print(line, soft_wrap=True)


def _lines(result: BulkResult, aligner: Path, second_map: bool) -> Iterator[str]:
    folder = str(aligner)
    if second_map:
        yield translate("Save the aligner of this index, in Python:")
        yield "    import kakehashi"
        yield f'    kakehashi.load({json.dumps(folder)}).as_shared().save("{_SHARED}")'
        folder = _SHARED
    if result.rows > _IN_MEMORY:
        yield translate("Load the folder into a store; a search of it reads all into memory:")
    else:
        yield translate("Ask the index a question:")
    address = Address("", "parquet", result.out).written().text
    words = ["kakehashi", "search", folder, "QUESTION", "--index", address]
    identity = Aligner.load(aligner).identities["source"]
    if identity is None or identity.model is None:
        words += ["--source-encoder", "NAME"]
    yield f"    {shlex.join(words)}"
