"""Of which modality the documents of a store are, and how a store is searched by them.

Framework modules say how to search and how to read a document; when to search deeper, and how the
lists become one, says :mod:`kakehashi.retrieval.hybrid_search`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import DataError
from .hits import Hit, Searched
from .query import AUTO, EmbeddingSpace, read_as

_WIDER = 5
"""A search that is not restricted to a modality goes so much deeper."""
_REMEMBERED = 100_000
"""Texts whose modality is remembered by an arm that has them routed."""


class Reading:
    """How an arm reads the modality of a document.

    Args:
        declared: of all documents of the arm; without it the metadata of each name it.
        field: the metadata field in which they do.
        unnamed: of a document whose metadata say nothing, ``"auto"`` to let the router read its
            text: as it was embedded, where it was embedded by the same object.
    """

    def __init__(
        self, space: EmbeddingSpace, declared: str | None, field: str, unnamed: str
    ) -> None:
        self.names, self.possible = space.modalities, space.modalities
        if declared is not None:
            self.possible = (declared,)
        self._space, self._declared, self._field, self._unnamed = space, declared, field, unnamed
        self._routed: dict[str, str] = {}

    def modality(self, metadata: Mapping[str, Any], text_of: Callable[[], str]) -> str | None:
        """Return the modality of a document; None where its metadata name an unknown one."""
        found = self._declared or metadata.get(self._field)
        if found is None or found == "":
            return self._route(text_of()) if self._unnamed == AUTO else self._unnamed
        return found if found in self.names else None

    def _route(self, text: str) -> str:
        found = self._routed.get(text)
        if found is None:
            [found] = read_as(self._space, [text])
            if len(self._routed) < _REMEMBERED:
                self._routed[text] = found
        return found

    def parts(self, scored: bool) -> dict[str, str | None]:
        """Return the parts of a store by what their documents name, by the name of each part.

        A part names its modality. The last, whose value is None, is of all the others: those that
        name nothing, or the modality that such documents are of. Where the router reads them they
        are of any modality, and only scores tell their place among the others.
        """
        if self._unnamed == AUTO and not scored:
            return {}
        named = [name for name in self.names if name != self._unnamed]
        return {**dict(zip(named, named, strict=True)), self._unnamed: None}


def in_parts(
    search: Callable[[str | None, int], list[Hit]],
    n: int,
    *,
    parts: Sequence[str] = (),
    names: Sequence[str],
) -> Searched:
    """Search a store as it is, or each part of its documents by itself.

    Args:
        search: returns the hits in a part (None: in the whole store), and at most so many.
        n: hits that are wanted of each modality.
        names: the modalities that documents of the store may be of.
    """
    hits: list[Hit] = []
    further: dict[str, Hit] = {}
    depth = n if parts or len(names) == 1 else n * _WIDER
    asked: Sequence[str | None] = parts or [None]
    for part in asked:
        found = search(part, depth)
        hits += found
        if len(found) >= depth:
            for side in names if part is None or part not in names else (part,):
                # Documents that name nothing may be of any side: the nearer end counts.
                other = further.get(side, found[-1])
                further[side] = max(other, found[-1], key=lambda hit: hit.similarity or 0.0)
    hits.sort(key=lambda hit: -(hit.similarity or 0.0))  # without scores they stay as they are
    return Searched(hits, further)


def check_declared(name: str, declared: str | None, space: EmbeddingSpace) -> None:
    """Raise DataError where an arm declares a modality that is none."""
    if declared is not None and declared not in space.modalities:
        raise DataError(
            f"the arm {name!r} has modality={declared!r}; choose one of "
            f"{', '.join(space.modalities)}."
        )
