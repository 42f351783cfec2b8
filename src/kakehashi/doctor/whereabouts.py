"""Where some documents of an index stand: by a field of their metadata, or by their place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..printable import printable
from .reading import Sample

_ALMOST_ALL = 0.9
_MOST_VALUES = 100
"""Values of a field that can name a group; an id has as many as there are documents."""


def whereabouts(sample: Sample, chosen: NDArray[np.bool_]) -> list[str]:
    """Return sentences that say where the chosen rows stand, as far as it shows."""
    return [*_by_metadata(sample, chosen), *_by_place(sample.places, chosen)]


def _by_metadata(sample: Sample, chosen: NDArray[np.bool_]) -> Iterator[str]:
    """Yield fields of which one value has almost all chosen documents, and almost no others."""
    for field in sorted({name for each in sample.metadata for name in each}):
        values = [str(each.get(field)) for each in sample.metadata]
        if not 1 < len(set(values)) <= _MOST_VALUES:
            continue
        inside = Counter(
            value for value, is_chosen in zip(values, chosen, strict=True) if is_chosen
        )
        value, n_inside = inside.most_common(1)[0]
        if n_inside >= _ALMOST_ALL * max(chosen.sum(), values.count(value)):
            yield f"they are those with {printable(field)}={printable(value)!r:.60}"


def _by_place(places: NDArray[np.intp], chosen: NDArray[np.bool_]) -> Iterator[str]:
    """Yield the range of places, where it holds almost no other documents."""
    own = np.sort(places[chosen])
    for cut in (0, len(own) // 50):  # some rows may have been taken for another part
        first, last = own[cut], own[len(own) - 1 - cut]
        inside = (places >= first) & (places <= last)
        if chosen[inside].mean() >= _ALMOST_ALL and not inside.all():
            yield f"they stand at {first + 1:,} to {last + 1:,} in the order of the store"
            return
