"""Perturbations of texts by name: errors and variants as they occur outside of a benchmark.

A perturbation depends only on its name, the seed and the text. Other texts, their number and their
order make no difference.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data.arguments import text_problem
from ...errors import DataError
from . import damage, writing


@dataclass(frozen=True)
class Perturbation:
    """One way to change a text.

    Attributes:
        name: its name in options and reports.
        change: a pure function of the text; of a generator, if it ``draws``; and of the paired
            target text, if it ``needs_target``.
        draws: whether the outcome depends on the seed.
        needs_target: whether it takes words of the paired target text.
    """

    name: str
    change: Callable[..., str]
    draws: bool = True
    needs_target: bool = False

    @property
    def description(self) -> str:
        """A line about it, with an example."""
        return (inspect.getdoc(self.change) or "").splitlines()[0]

    def __call__(self, text: str, *, seed: int = 0, target: str | None = None) -> str:
        """Return the perturbed text; or the text itself, where nothing would be left of it.

        Raises:
            DataError: it needs the paired target text and there is none.
        """
        arguments: list[Any] = [text]
        if self.draws:
            arguments.append(generator(self.name, seed, text))
        if self.needs_target:
            if target is None:
                raise DataError(
                    f"the perturbation {self.name!r} needs the paired target text; the pairs have "
                    "target vectors only. Leave it out, or pass pairs with target texts."
                )
            arguments.append(target)
        changed = self.change(*arguments)
        return text if text_problem(changed) else changed


PERTURBATIONS = {
    p.name: p
    for p in (
        Perturbation("typing-errors", damage.typing_errors),
        Perturbation("dropped-words", damage.dropped_words),
        Perturbation("upper-case", writing.upper_case, draws=False),
        Perturbation("lower-case", writing.lower_case, draws=False),
        Perturbation("title-case", writing.title_case, draws=False),
        Perturbation("full-width", writing.full_width, draws=False),
        Perturbation("half-width", writing.half_width, draws=False),
        Perturbation("cut-end", damage.cut_end, draws=False),
        Perturbation("cut-both-ends", damage.cut_both_ends),
        Perturbation("mixed-languages", damage.mixed_languages, needs_target=True),
        Perturbation("part-number", damage.part_number),
    )
}
"""Every perturbation by its name, in the order of the reports."""


def perturbations(names: Sequence[str] | None = None) -> list[Perturbation]:
    """Return the perturbations of these names, or all of them.

    Raises:
        DataError: a name that is not known, or no name at all.
    """
    if names is None:
        return list(PERTURBATIONS.values())
    if isinstance(names, str):
        raise DataError(f"names={names!r}: expected a list of names, such as [{names!r}].")
    known = ", ".join(PERTURBATIONS)
    if not names:
        raise DataError(f"no perturbation is named; choose from {known}.")
    for name in names:
        if name not in PERTURBATIONS:
            raise DataError(f"perturbation {name!r} is not known; choose from {known}.")
    return [PERTURBATIONS[name] for name in dict.fromkeys(names)]


def generator(*key: object) -> np.random.Generator:
    """Return the random generator of a key: the same for the same key, on any machine."""
    digest = hashlib.blake2b("\0".join(map(str, key)).encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))
