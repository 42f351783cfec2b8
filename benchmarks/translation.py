"""Translate French into English by Debian's Apertium, in place of a map between languages.

Debian has no pair fr-en, and none with Japanese; so French goes by Spanish: `apertium-fr-es`, then
`apertium-eng-spa` (`apt-get install apertium apertium-fr-es apertium-eng-spa`). Both translate by
dictionaries and rules. By Esperanto (`apertium-eo-fr`, `apertium-eo-en`) it reads no better.

Looked for in vain, so that no Japanese row is here: translation models inside a package. PyPI's
argostranslate, ctranslate2, bergamot and their like fetch models when they run, and Debian has
engines without models.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from shutil import which

STEPS = ("fr-es", "spa-eng")


def missing(name: str) -> str | None:
    """Say why the questions of a set cannot be translated; None where they can be."""
    if not name.endswith("_fr_en"):
        return "no local translator for this language"
    if which("apertium") is None:
        return "apertium is not installed"
    listed = subprocess.run(["apertium", "-l"], capture_output=True, text=True, check=False).stdout
    lacking = [step for step in STEPS if step not in listed.split()]
    return f"apertium lacks {', '.join(lacking)}" if lacking else None


def to_english(texts: Sequence[str]) -> list[str]:
    """Translate n texts; words that are not known stay as they are."""
    lines = [" ".join(text.split()) for text in texts]
    for step in STEPS:
        done = subprocess.run(
            ["apertium", "-u", step],
            input="\n".join(lines) + "\n",
            capture_output=True,
            text=True,
            check=True,
        )
        lines = done.stdout.removesuffix("\n").split("\n")
    if len(lines) != len(texts):
        raise RuntimeError(f"apertium gave {len(lines)} lines for {len(texts)} texts")
    return [line.strip() or text for line, text in zip(lines, texts, strict=True)]
