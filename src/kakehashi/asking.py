"""Ask: one query, read as the modality that it is of, as a vector for the index."""

from __future__ import annotations

from typing import Literal, NamedTuple

from .aligner import Aligner
from .errors import DataError, EncoderError, EncoderMismatchError
from .pairs import SIDES, Side
from .vectors import Float32Array

Modality = Literal["source", "target", "auto"]
How = Literal["declared", "routed", "unsure", "out of domain"]


class Query(NamedTuple):
    """A query as it is searched with.

    Attributes:
        vector: (d_out,) float32.
        modality: what it was read as.
        how: declared by the caller, who is taken at his word; routed by the aligner; unsure (no
            modality is likely enough) or out of domain (a text routed to the source, on which the
            map is not trusted): these two are read by the target encoder.
        similarity: of a source query, the mean cosine to the nearest training queries.
    """

    vector: Float32Array
    modality: Side
    how: How
    similarity: float | None = None


def ask(aligner: Aligner, text: str, modality: Modality = "auto") -> Query:
    """Encode and project one query.

    Args:
        modality: ``"source"``, ``"target"``, or ``"auto"`` to let the aligner's router decide.

    Raises:
        DataError: another modality; or ``"auto"`` and the aligner has no router.
        EncoderError, EncoderMismatchError: as :meth:`Aligner.embed`.
    """
    how: How = "declared"
    if modality == "auto":
        router = aligner.serving.router
        if router is None:
            raise DataError(
                "This aligner has no router: it was fitted without texts, or saved by an earlier "
                "kakehashi. Name the modality of the query, 'source' or 'target', or fit it again "
                "on pairs with texts."
            )
        [routed] = router.route([text])
        modality, how = (routed, "routed") if routed is not None else ("target", "unsure")
    if modality not in SIDES:
        raise DataError(f"modality={modality!r}; a modality is source or target, or auto.")
    if modality == "target":
        [vector] = aligner.embed([text], modality="target", role="query")
        return Query(vector, "target", how)
    encoded = aligner.encode([text], modality="source", role="query")
    domain, similarity = aligner.serving.domain, None
    if domain is not None:
        similarity = float(domain.similarity(encoded)[0])
        far = domain.threshold is not None and similarity < domain.threshold
        if far and how == "routed":  # what the caller declares is not doubted
            try:
                [vector] = aligner.embed([text], modality="target", role="query")
            except EncoderMismatchError:
                raise
            except EncoderError:  # not at hand; the map is better than no answer
                pass
            else:
                return Query(vector, "target", "out of domain", similarity)
    [vector] = aligner.project(encoded, texts=[text], modality="source", role="query")
    return Query(vector, "source", how, similarity)
