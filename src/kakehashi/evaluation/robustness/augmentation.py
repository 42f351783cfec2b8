"""Augmentation: perturbed copies of the source texts, to fit on beside the texts as they are."""

from __future__ import annotations

from collections.abc import Sequence

from ...data.duplicates import link_rows
from ...data.pairs import Pairs
from ...errors import DataError
from ...types import SIDES
from .perturbations import Perturbation, generator, perturbations


def augmented(pairs: Pairs, names: Sequence[str], copies: int = 1, seed: int = 0) -> Pairs:
    """Append perturbed copies of the source texts, with the targets that they had.

    Every row gets ``copies`` copies. Each is made by one of the named perturbations, drawn for its
    row; the next in a drawn order is tried where one leaves the text as it is or gives a text that
    the row has already, and where all do, there is no copy.

    A copy has its row's target (one document, stored once) and its row's group. Where there are
    no groups, rows that share a text, copies included, become a group. Either way no split parts a
    copy from its row.

    Augment what is trained on, and no more: set a test part aside before (``fit(test=...)``), or
    the held-out queries of the report are perturbed, too.

    Args:
        pairs: with source texts and without source vectors; target vectors are carried along.
        names: of the perturbations, as in :data:`~.evaluation.perturbations.PERTURBATIONS`.
        copies: of every row, at least 1.
        seed: decides what is drawn for each row.

    Returns:
        the rows as they were, and then the copies; ids of copies end in ``~1``, ``~2``, ...

    Raises:
        DataError: no source texts, stored source vectors, an unknown name, or fewer copies than 1.
        MissingExtraError: a perturbation needs a package that is not installed.
    """
    chosen = perturbations(names)
    if isinstance(copies, bool) or not isinstance(copies, int) or copies < 1:
        raise DataError(f"copies={copies!r}: expected a whole number, 1 or more.")
    texts, targets = pairs.source_texts, pairs.target_texts
    if texts is None:
        raise DataError(
            "The pairs have source vectors only; a perturbation changes texts. Pass source texts."
        )
    if pairs.source_vectors is not None:
        raise DataError(
            "The pairs have stored source vectors, and the copies would have none. Pass the source "
            "texts alone; fit() encodes them, with cache=... each text once."
        )
    added: list[tuple[int, int, str]] = []
    for row, text in enumerate(texts):
        target = None if targets is None else targets[row]
        variants = _variants(text, target, chosen, copies, seed)
        added += [(row, number, variant) for number, variant in enumerate(variants, 1)]
    rows = [*range(len(pairs)), *(row for row, _, _ in added)]
    grown = Pairs(
        [*texts, *(variant for _, _, variant in added)],
        None if targets is None else [targets[row] for row in rows],
        target_vectors=None if pairs.target_vectors is None else pairs.target_vectors[rows],
        groups=None if pairs.groups is None else [pairs.groups[row] for row in rows],
        ids=None
        if pairs.ids is None
        else [*pairs.ids, *(f"{pairs.ids[row]}~{number}" for row, number, _ in added)],
        name=f"{pairs.name} + {len(added)} perturbed copies ({', '.join(p.name for p in chosen)})",
        licence=pairs.licence,
    )
    if grown.groups is None:
        grown.groups = tuple(f"row {i}" for i in link_rows(*map(grown.keys, SIDES)))
    return grown


def _variants(
    text: str, target: str | None, chosen: list[Perturbation], copies: int, seed: int
) -> list[str]:
    """Return up to so many different perturbed forms of a text."""
    found = [text]
    for number in range(copies):
        rng = generator("copy", seed, number, text)
        of_copy = int(rng.integers(2**32))
        for i in rng.permutation(len(chosen)):
            variant = chosen[i](text, seed=of_copy, target=target)
            if variant not in found:
                found.append(variant)
                break
    return found[1:]
