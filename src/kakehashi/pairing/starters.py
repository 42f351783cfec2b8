"""Starter sets: public pairs of other fields, for a first fit with few pairs or none."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

from ..data.arguments import text_problem
from ..data.pairs import Pairs
from ..data.readers import read_pairs
from ..errors import DataError, ReaderError
from .public_texts import Translation, translations

_SHIPPED = {"ja-en": "kicad_ja_en.jsonl", "fr-en": "kicad_fr_en.jsonl"}
_LICENCE = "CC BY 3.0 (the KiCad documentation's authors and translators)"
MAX_CHARACTERS = 512
AT_MOST = 5000
"""Pairs that are taken of one source: a fit reads all of them by both encoders."""


def starter_pairs(name: str | Path) -> Pairs:
    """Return public pairs of texts that a fit may learn from beside its own.

    They are of another field, so they never judge: ``fit(pairs, learn_from=[index, starter])``.
    Both encoders read all of them once.

    Args:
        name: two languages, source and target. ``"ja-en"`` has 1,446 pairs from the manuals of
            KiCad, ``"fr-en"`` 911; ``"en-ja"`` and ``"en-fr"`` are the same ones exchanged. Or the
            path of a file that ``kakehashi starter build`` wrote.

    Raises:
        DataError: no such set, or a file that holds none.
    """
    known = str(name)
    exchanged = "-".join(reversed(known.split("-")))
    for key in (known, exchanged):
        if key in _SHIPPED:
            path = files("kakehashi") / "demo" / _SHIPPED[key]
            pairs = read_pairs(
                str(path), on_invalid="drop", name=f"starter {known}", licence=_LICENCE
            )
            return pairs if key == known else _exchanged(pairs)
    if not os.path.isfile(name):
        shipped = ", ".join(_SHIPPED)
        raise DataError(
            f"{known!r} is no starter set; choose one of {shipped}, or give a file that `kakehashi "
            "starter build` wrote."
        )
    licence = " + ".join(f"{terms} ({origin})" for origin, terms in _terms(Path(name)))
    return read_pairs(name, on_invalid="drop", name=f"starter {Path(name).stem}", licence=licence)


def build_starter(
    out: str | Path,
    sources: Sequence[str | Path],
    languages: str,
    *,
    licence: str = "",
    at_most: int = AT_MOST,
) -> dict[str, int]:
    """Write a starter set from checkouts of public sources on disk; nothing is fetched.

    A line of the file is a pair with its ``origin`` and ``licence``. A text has up to 512
    characters and stands once on a side. Of a large source those rows are taken whose hashes come
    first.

    Args:
        out: a ``.jsonl`` file; it is replaced once all sources are read.
        sources: see :func:`.public_texts.translations`.
        languages: source and target, such as ``ja-en``; one of them is ``en``.
        licence: of sources whose licence is not known here.
        at_most: pairs of each source.

    Returns:
        the number of pairs by origin.

    Raises:
        DataError: other languages, a source that is none, or no pair in it.
    """
    out = Path(out)
    if out.suffix != ".jsonl":
        raise DataError(f"{out}: a starter set is a .jsonl file; name it so.")
    first, _, second = languages.partition("-")
    if "en" not in (first, second) or not first or not second or first == second:
        raise DataError(f"languages={languages!r}: give two, one of them en, such as ja-en.")
    foreign = first if second == "en" else second
    rows: list[Translation] = []
    seen: set[str] = set()
    for source in sources:
        found = _chosen(translations(Path(source), foreign, licence), at_most, seen)
        if not found:
            raise DataError(f"{source} has no text in {foreign!r} and English.")
        rows += found
    swap = first == "en"
    lines = (json.dumps(_record(row, swap=swap), ensure_ascii=False) + "\n" for row in rows)
    part = out.with_name(f"{out.name}.part")
    part.write_text("".join(lines), encoding="utf-8", newline="\n")
    part.replace(out)
    return dict(Counter(row.origin for row in rows))


def _chosen(rows: Iterable[Translation], at_most: int, seen: set[str]) -> list[Translation]:
    """Return rows whose texts can be used and were not seen; of many those of the first hashes."""
    usable = {row for row in rows if _is_usable(row)}
    chosen: list[Translation] = []
    for row in sorted(usable, key=_hash):
        if row.text in seen or row.english in seen:
            continue
        if len(chosen) == at_most:
            break
        seen |= {row.text, row.english}
        chosen.append(row)
    return chosen


def _is_usable(row: Translation) -> bool:
    texts = (row.text, row.english)
    fits = all(not text_problem(text) and len(text) <= MAX_CHARACTERS for text in texts)
    return fits and row.text != row.english


def _hash(row: Translation) -> bytes:
    return hashlib.sha256(f"{row.text}\t{row.english}".encode()).digest()


def _record(row: Translation, *, swap: bool) -> dict[str, str]:
    source, target = (row.english, row.text) if swap else (row.text, row.english)
    about = {"group": row.group, "origin": row.origin, "licence": row.licence}
    return {"source": source, "target": target, **about}


def _terms(path: Path) -> dict[tuple[str, str], None]:
    """Return the origins of a starter set with their licences, in the order of the file."""
    terms: dict[tuple[str, str], None] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            terms[str(row["origin"]), str(row["licence"])] = None
        except (ValueError, LookupError, TypeError) as error:
            raise ReaderError(
                f"{path}, line {number}: no pair of a starter set, which has an origin and a "
                "licence; read other pairs with kakehashi.read_pairs."
            ) from error
    return terms


def _exchanged(pairs: Pairs) -> Pairs:
    return Pairs(
        pairs.target_texts,
        pairs.source_texts,
        groups=pairs.groups,
        name=pairs.name,
        licence=pairs.licence,
    )
