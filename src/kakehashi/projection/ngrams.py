"""Hashed character n-grams of a text, which an encoder of another language does not see.

Part numbers, identifiers, units and loan words cross languages unchanged. A small encoder reads an
unknown script nearly as noise, but its pairs and triples of characters are as regular as those of
any other. A closed form over the encoder's vector and these features learns from both.

Features are hashed into signed buckets (Weinberger et al., ICML 2009), so that nothing is fitted
and no vocabulary is stored.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..vectors import Float32Array, unit_rows

_MAX_CHARACTERS = 4000
"""Characters that are read of a text: more than encoders read, and a bound on memory."""

_SPREAD, _STEP = np.uint64(0x9E3779B97F4A7C15), np.uint64(0x94D049BB133111EB)
_MIX = np.uint64(0xFF51AFD7ED558CCD)


@dataclass(frozen=True)
class CharacterNgrams:
    """Signed counts of hashed character bigrams and trigrams, (n, dimension) float32.

    Texts are folded first: compatibility forms (NFKC), case, and runs of white space; so that
    full-width letters and capitals match.

    Attributes:
        dimension: number of buckets.
    """

    dimension: int = 1024

    def __call__(self, texts: Sequence[str]) -> Float32Array:
        """Return one unit row a text; a text of no n-gram is zero."""
        counts = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            hashes = _hashes(text)
            buckets = (hashes % np.uint64(self.dimension)).astype(np.intp)
            signs = np.where(hashes >> np.uint64(63), 1.0, -1.0)
            counts[row] = np.bincount(buckets, weights=signs, minlength=self.dimension)
        return unit_rows(counts)

    def beside(self, vectors: Float32Array, texts: Sequence[str]) -> Float32Array:
        """Return unit vectors with the n-grams of their texts beside them: (n, d + dimension)."""
        return np.hstack([unit_rows(np.asarray(vectors, np.float32)), self(texts)])


def _hashes(text: str) -> NDArray[np.uint64]:
    """Return a hash of every bigram and trigram of the folded text, repeats included."""
    folded = unicodedata.normalize("NFKC", text[:_MAX_CHARACTERS]).lower()
    # Other lengths would be another format.
    return ngram_hashes(f" {' '.join(folded.split())} ", (2, 3))


def ngram_hashes(text: str, lengths: Sequence[int]) -> NDArray[np.uint64]:
    """Return a 64-bit hash of every n-gram of these lengths, repeats included.

    Args:
        text: as it is to be cut up: folded and padded by the caller.
        lengths: 1 or more, in ascending order; all n-grams of one length precede the next.
    """
    # A lone surrogate is no valid text, but it must not stop a query.
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    hashes = [np.empty(0, np.uint64)]
    running = codes * _SPREAD  # unsigned arithmetic wraps around, as a hash wants it
    for length in range(1, lengths[-1] + 1):  # each from the one before
        if len(codes) < length:
            break
        if length > 1:
            running = (running[:-1] ^ (running[:-1] >> np.uint64(29))) * _MIX
            running = running + codes[length - 1 :] * _STEP
        if length in lengths:
            hashes.append(running ^ np.uint64(length))
    mixed = np.concatenate(hashes)
    mixed ^= mixed >> np.uint64(31)
    mixed *= _MIX
    mixed ^= mixed >> np.uint64(33)
    return mixed
