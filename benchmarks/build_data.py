"""Make the data sets of the benchmarks from checkouts of their public sources.

    python benchmarks/build_data.py CHECKOUTS OUT [--sets NAME ...]

CHECKOUTS holds one folder per source, named as in SOURCES. Where one is missing, the script prints
the `git clone` that brings it, and makes the other sets. OUT/NAME.jsonl holds one object a line:
`id`, `source`, `target` (or `en`, `ja`, `fr`) and `group`, the document that the pair comes from.
A text has 1 to 512 characters, and no text stands twice on a side. OUT/provenance.json names the
source, the commit and the licence of every set. There are no vectors: the benchmarks encode what is
not stored, and keep it in a cache.

rows.npz lists the rows that the published figures were measured on, in their order, as four bytes
of a hash each. A set that is listed there is made of these rows. kicad_fr_en is not listed: it has
every pair, in the order of the hash, and contains 80% of the pairs that we used. At the commits in
SOURCES the script finds this share of the listed rows:

    django_pseudocode_code   100.0%        pydocs_ja_en     100.0%
    kicad_ja_en              100.0%        pydocs_fr_en      99.6%
    tldr_en_command          100.0%        pydocs_en_ja_fr   99.5%
    tldr_ja_en                99.9%        tldr_fr_en        99.9%
    tldr_ja_command           99.8%

kicad_ja_en is the file of the package's demo, made from the manuals of KiCad 6.0.11.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import kakehashi
from kakehashi.data.readers.translations import po_with_header
from kakehashi.pairing.public_texts import as_read
from kakehashi.pairing.tldr_pages import outline, tldr_pages, tldr_texts

ROWS = Path(__file__).with_name("rows.npz")
DEMO = Path(kakehashi.__file__).parent / "demo" / "kicad_ja_en.jsonl"
MAX_CHARACTERS = 512
Row = dict[str, str]
Clean = Callable[[str], str]


@dataclass(frozen=True)
class Source:
    """A public repository, the commit that was read, and its licence."""

    url: str
    commit: str
    licence: str


SOURCES = {
    "python-docs-ja": Source(
        "https://github.com/python/python-docs-ja",
        "7eb90aaa6d3395bcfe01801ceb5e620eedf2356a",  # branch 3.11
        "translations CC0, documentation PSF-2.0",
    ),
    "python-docs-fr": Source(
        "https://github.com/python/python-docs-fr",
        "b279d876e2a3381605d38ea62b863f60abadc92c",  # branch 3.13
        "translations CC0, documentation PSF-2.0",
    ),
    "kicad-doc": Source(
        "https://github.com/KiCad/kicad-doc", "5.1.5", "GPL-3.0-or-later, or CC BY 3.0 or later"
    ),
    "tldr": Source(
        "https://github.com/tldr-pages/tldr",
        "08e345f42639f67d99282813247ac670dc6e87cb",
        "CC BY 4.0",
    ),
    "ase15-django-dataset": Source(
        "https://github.com/odashi/ase15-django-dataset",
        "c37fa281ced0de16aa7868415522905f8380686e",
        "annotations MIT, Django BSD-3-Clause",
    ),
}


def main() -> None:
    """Make every set whose checkouts are there; print the commands that fetch the others."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkouts", type=Path, metavar="CHECKOUTS")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="NAME")
    args = parser.parse_args()
    needed = dict.fromkeys(source for name in args.sets for source in SETS[name][0])
    missing = [name for name in needed if not (args.checkouts / name).is_dir()]
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "provenance.json"
    provenance = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name in args.sets:
        sources, read = SETS[name]
        if set(sources) & set(missing):
            continue
        rows, listed = select(name, read(args.checkouts))
        write(args.out / f"{name}.jsonl", name, rows)
        provenance[name] = {"pairs": len(rows), "listed": listed} | {
            source: {
                "url": SOURCES[source].url,
                "commit": commit_of(args.checkouts / source),
                "licence": SOURCES[source].licence,
            }
            for source in sources
        }
        share = f", {len(rows) / listed:.1%} of those listed" if listed else ""
        print(f"{name}: {len(rows):,} rows{share}")
    if "kicad_ja_en" in provenance:
        provenance["kicad_ja_en"]["from"] = "src/kakehashi/demo/DATA.md"
    path.write_text(json.dumps(provenance, indent=1) + "\n", encoding="utf-8")
    if missing:
        print("\nNot there yet:\n" + "\n".join(clone(args.checkouts, name) for name in missing))
        sys.exit(1)


def clone(checkouts: Path, name: str) -> str:
    """Return the commands that bring one source at the commit that was read."""
    source, folder = SOURCES[name], checkouts / name
    return (
        f"git clone --filter=blob:none --no-checkout {source.url} {folder} && "
        f"git -C {folder} checkout {source.commit}"
    )


def commit_of(checkout: Path) -> str:
    """Return the commit of a checkout, or `unknown` where it is no repository of its own."""
    if not (checkout / ".git").exists():
        return "unknown"
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def number_of(row: Row) -> int:
    """Return four bytes of the hash of a row."""
    text = "\t".join(row[name] for name in sorted(row) if name != "id")
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def select(name: str, rows: Iterable[Row]) -> tuple[list[Row], int]:
    """Return the rows of a set in their order, and how many rows.npz lists for it."""
    by_number = {
        number_of(row): row
        for row in rows
        if all(0 < len(text) <= MAX_CHARACTERS for text in row.values())
    }
    with np.load(ROWS) as stored:
        listed = stored[name].tolist() if name in stored else []
    seen: dict[str, set[str]] = {}
    found = []
    for number in listed or sorted(by_number):
        row = by_number.get(number)
        texts = {} if row is None else {k: text for k, text in row.items() if k != "group"}
        if row is None or any(text in seen.get(side, ()) for side, text in texts.items()):
            continue
        for side, text in texts.items():
            seen.setdefault(side, set()).add(text)
        found.append(row)
    return found, len(listed)


def write(path: Path, name: str, rows: list[Row]) -> None:
    """Write a JSON object a line; a row without a group is a group of its own."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            key = f"{name}-{number_of(row):08x}"
            record = {"id": key, **row, "group": row.get("group", key)}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def messages(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (message, translation, file of the message) of every entry that is whole."""
    columns, _ = po_with_header(path)
    rows = zip(columns["source"], columns["target"], columns["group"], strict=True)
    for text, message, file in rows:
        if text != message:
            yield message, text, file


# The Python documentation: reStructuredText.

_ROLE = re.compile(r":[\w:+.-]+:`([^`]*)`")


def without_marks(text: str) -> str:
    """Take out roles, and the characters of literals and emphasis."""
    text = _ROLE.sub(lambda role: re.sub("<[^>]*>", "", role[1]), text)
    return " ".join(text.replace("``", "").replace("*", "").split())


def pydocs(checkouts: Path, language: str) -> dict[tuple[str, str], str]:
    """Return the translation of every message, by PO file and message."""
    root = checkouts / f"python-docs-{language}"
    return {
        (path.relative_to(root).as_posix(), message): translation
        for path in sorted(root.rglob("*.po"))
        for message, translation, _ in messages(path)
    }


def pydocs_pairs(language: str, clean: Clean) -> Callable[[Path], Iterator[Row]]:
    """Read paragraphs in a language and English."""

    def read(checkouts: Path) -> Iterator[Row]:
        for (group, english), text in pydocs(checkouts, language).items():
            yield {"source": clean(text), "target": clean(english), "group": group}

    return read


def pydocs_triples(checkouts: Path) -> Iterator[Row]:
    """Read paragraphs that are translated into both languages."""
    japanese, french = (pydocs(checkouts, language) for language in ("ja", "fr"))
    for key in japanese.keys() & french.keys():
        texts = {"en": key[1], "ja": japanese[key], "fr": french[key]}
        yield {name: as_read(text) for name, text in texts.items()} | {"group": key[0]}


# KiCad: AsciiDoc with PO files; the group is the chapter.


def kicad_french(checkouts: Path) -> Iterator[Row]:
    """Read paragraphs of the manuals in French and English."""
    for path in sorted((checkouts / "kicad-doc" / "src").rglob("po/fr.po")):
        for english, french, file in messages(path):
            chapter = f"{path.parts[-3]}/{file}"
            source, target = (" ".join(text.split()) for text in (french, english))
            yield {"source": source, "target": target, "group": chapter}


def kicad_japanese(checkouts: Path) -> Iterator[Row]:
    """Read the file of the demo."""
    for line in DEMO.read_text(encoding="utf-8").strip().split("\n"):
        row = json.loads(line)
        yield {name: row[name] for name in ("source", "target", "group")}


# tldr-pages: a page describes a command, then gives examples.


def command(text: str) -> str:
    """Fill in placeholders; of several ways to write one, the last, which is the long one."""
    return re.sub(
        r"\{\{(.*?)\}\}", lambda found: found[1].split("|")[-1].removesuffix("]"), text
    ).strip()


def tldr_commands(checkouts: Path) -> Iterator[Row]:
    """Read English descriptions and commands."""
    for group, (_, examples) in tldr_pages(checkouts / "tldr" / "pages").items():
        for text, written in examples:
            yield {"source": text, "target": command(written), "group": group}


def tldr_translations(language: str) -> Callable[[Path], Iterator[Row]]:
    """Read descriptions in a language, beside English ones."""

    def read(checkouts: Path) -> Iterator[Row]:
        for group, text, english in tldr_texts(checkouts / "tldr", language):
            yield {"source": text, "target": english, "group": group}

    return read


def tldr_foreign_commands(language: str) -> Callable[[Path], Iterator[Row]]:
    """Read descriptions in a language, beside commands."""

    def read(checkouts: Path) -> Iterator[Row]:
        english = tldr_pages(checkouts / "tldr" / "pages")
        for group, (_, examples) in tldr_pages(checkouts / "tldr" / f"pages.{language}").items():
            _, originals = english.get(group, ("", []))
            codes = {outline(code): code for _, code in originals}
            for text, code in examples:
                if match := codes.get(outline(code)):
                    yield {"source": text, "target": command(match), "group": group}

    return read


def django(checkouts: Path) -> Iterator[Row]:
    """Read pseudocode and the lines that it describes."""
    folder = checkouts / "ase15-django-dataset" / "django"
    said, code = ((folder / f"all.{n}").read_text("utf-8").split("\n") for n in ("anno", "code"))
    for text, line in zip(said, code, strict=True):
        yield {"source": " ".join(text.split()), "target": line.strip()}


SETS: dict[str, tuple[tuple[str, ...], Callable[[Path], Iterator[Row]]]] = {
    "pydocs_ja_en": (("python-docs-ja",), pydocs_pairs("ja", without_marks)),
    "pydocs_fr_en": (("python-docs-fr",), pydocs_pairs("fr", as_read)),
    "pydocs_en_ja_fr": (("python-docs-ja", "python-docs-fr"), pydocs_triples),
    "kicad_ja_en": ((), kicad_japanese),
    "kicad_fr_en": (("kicad-doc",), kicad_french),
    "tldr_en_command": (("tldr",), tldr_commands),
    "tldr_ja_en": (("tldr",), tldr_translations("ja")),
    "tldr_fr_en": (("tldr",), tldr_translations("fr")),
    "tldr_ja_command": (("tldr",), tldr_foreign_commands("ja")),
    "django_pseudocode_code": (("ase15-django-dataset",), django),
}


if __name__ == "__main__":
    main()
