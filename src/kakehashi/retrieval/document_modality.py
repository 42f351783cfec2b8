"""What the arms of both frameworks share: what a store's documents and scores are, and words.

Framework modules say how to search and how to read a document; when to search deeper, and how the
lists become one, says :mod:`._plan`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import DataError, EncoderError, EncoderMismatchError
from ..vectors import unit_rows
from .bm25 import LexicalIndex
from .hits import Document, Hit, Searched
from .part_numbers import Identifiers
from .query import AUTO, EmbeddingSpace, Query, read_as
from .score_scales import SCALES, scale_of, tells_apart

_WIDER = 5
"""A search that is not restricted to a modality goes so much deeper."""
_PROBED = 3
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


class ScaleFinder:
    """What the scores of a store are; found out from documents whose vectors are known.

    Once they fit one scale alone, it is remembered.
    """

    def __init__(self, space: EmbeddingSpace, name: str | None) -> None:
        if name is not None and name not in SCALES:
            raise DataError(f"scores={name!r} is not known; choose one of {', '.join(SCALES)}.")
        self._space, self._name = space, name

    def similarities(
        self,
        query: Query,
        hits: Sequence[Hit],
        text_of: Callable[[Any], str],
        arm: str,
    ) -> list[Hit]:
        """Return the hits with their similarity, the inner product of unit vectors.

        Raises:
            DataError: the store gives no scores, or they are none that is known.
        """
        if not hits:
            return []
        if any(hit.raw is None for hit in hits):
            raise DataError(
                f"The store of the arm {arm!r} gives no scores, which calibrated fusion needs; "
                "fuse by rank (fusion='rank')."
            )
        if not all(math.isfinite(hit.raw or 0.0) for hit in hits):
            raise DataError(
                f"The store of the arm {arm!r} gives scores that are not finite; look for empty "
                "or broken vectors in it."
            )
        convert = SCALES[self._name or self._found_out(query, hits, text_of, arm)]
        return [hit._replace(similarity=float(convert(float(hit.raw or 0.0)))) for hit in hits]

    def _found_out(
        self, query: Query, hits: Sequence[Hit], text_of: Callable[[Any], str], arm: str
    ) -> str:
        raw: list[float] = []
        true: list[float] = []
        missing: EncoderError | None = None
        # Of each modality: documents of one may have been embedded as the other.
        for side in self._space.modalities:
            probed = [hit for hit in hits if hit.modality == side][:_PROBED]
            texts = [text_of(hit.payload) for hit in probed]
            if not probed:
                continue
            try:
                vectors = self._space.embed(texts, modality=side, role="document")
            except EncoderMismatchError:
                raise
            except EncoderError as error:  # not at hand; the other modality tells, too
                missing = error
                continue
            raw += [float(hit.raw or 0.0) for hit in probed]
            true += map(float, unit_rows(vectors) @ unit_rows(query.vector[None])[0])
        if missing is not None and not raw:
            raise DataError(
                f"What the scores of the arm {arm!r} are cannot be found out without an encoder "
                f"of its documents; name them: scores= one of {', '.join(SCALES)}. ({missing})"
            ) from missing
        if not raw:
            raise DataError(
                f"No document of the arm {arm!r} names a modality that is known. Store one of "
                f"{', '.join(self._space.modalities)} in the metadata, name the modality of the "
                "arm, or fuse by rank (fusion='rank')."
            )
        name = scale_of(raw, true)
        if name is not None:
            if tells_apart(name, raw, true):  # else these hits are read alike; the next may not be
                self._name = name
            return name
        raise DataError(
            f"The scores of the arm {arm!r} ({', '.join(f'{r:.3f}' for r in raw)}) are not those "
            f"of this aligner's vectors, whose inner products at unit length are "
            f"{', '.join(f'{t:.3f}' for t in true)}. Fill the store through this aligner, each "
            "document as its own modality: in LangChain embeddings.add_documents(store, "
            "documents), in LlamaIndex nodes = embedding(nodes) before the index is made of them, "
            "or document_modality='auto'. If it was filled so, and holds other texts than were "
            "embedded, or vectors of other lengths by cosine, name its scores: scores= one of "
            f"{', '.join(SCALES)}."
        )


class Words:
    """A BM25 index of documents, for a lexical arm.

    Args:
        arm: the name of the arm.
        documents: as the framework has them.
        keys: what is equal for the same document, of each.
        modalities: of each; every modality is searched by itself, or the words of the query's own
            bury the others.
    """

    def __init__(
        self,
        arm: str,
        documents: Sequence[Any],
        *,
        texts: Sequence[str],
        keys: Sequence[str],
        modalities: Sequence[str | None],
    ) -> None:
        self._index, self._identifiers = LexicalIndex(texts), Identifiers(texts, modalities)
        self._hits = [
            Hit(key, document, side, arm)
            for key, document, side in zip(keys, documents, modalities, strict=True)
        ]
        self._rows = {(hit.key, hit.modality): row for row, hit in enumerate(self._hits)}
        self._parts = {
            side: np.array([own == side for own in modalities], bool)
            for side in dict.fromkeys(modalities)
        }

    def search(self, text: str, n: int, allowed: Sequence[bool] | None) -> Searched:
        """Find documents that share a word, n of each modality and what is named, the best first.

        Args:
            allowed: which documents may be found; None for all.
        """
        scores = self._index.scores(text)
        if allowed is not None:
            scores = np.where(np.asarray(allowed, bool), scores, 0)
        shares = np.zeros(len(scores))
        every = self._identifiers.named(text).items()
        named = {row: share for row, share in every if scores[row] > 0}  # it may be shut out
        hits: list[Hit] = []
        further: dict[str, Hit] = {}
        for side, part in self._parts.items():
            own = np.where(part, scores, 0)
            shares[part] = own[part] / max(float(own.max()), 1e-12)
            first = np.argsort(-own, kind="stable")[:n].tolist()
            rows = [row for row in first if own[row] > 0]
            if len(rows) >= n and side is not None:
                further[side] = self._hit(rows[-1], scores, shares)
            rows += [row for row in named if part[row] and row not in rows]
            hits += [self._hit(row, scores, shares) for row in rows]
        hits.sort(key=lambda hit: -(hit.raw or 0.0))

        def share_of(document: Document) -> float | None:
            row = self._rows.get(document)
            return None if row is None else float(shares[row])

        documents = {(self._hits[r].key, self._hits[r].modality): named[r] for r in named}
        return Searched(hits, further, share_of, documents)

    def _hit(self, row: int, scores: Any, shares: Any) -> Hit:
        return self._hits[row]._replace(raw=float(scores[row]), lexical=float(shares[row]))


def key_of(text: str) -> str:
    """Return what is equal for one document in several stores: a hash of its text.

    Ids are of no use: a store gives its own to a document that the next store, or a list of
    documents, knows without.
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
