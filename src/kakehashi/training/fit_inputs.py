"""The data and the options of a fit, as the caller gave them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..data.arguments import check_choice, checked_seed
from ..data.index import IndexDocuments
from ..data.pairs import Pairs, check_pairs
from ..errors import DataError, MissingExtraError
from ..types import Metric, Mode
from .gradient.torch_state import import_failure
from .inputs import Cache
from .sources import LearnFrom

_CHOICES: dict[str, tuple[str | bool | None, ...]] = {
    "mode": ("keep", "shared"),
    "metric": (None, "cosine", "ip", "l2"),
    "learned": (None, False, True),
}


@dataclass(frozen=True)
class FitSettings:
    """The options of :func:`kakehashi.fit` that are no data.

    Attributes:
        asks_known: whether new questions about documents that pairs name judge, too. Without them
            all fits with one test set are judged by the same questions.
        reads_targets: whether the targets of the pairs are learned from where no index is given.
        second_map: whether ``keep`` mode also makes a map that orders the first hits again.
    """

    mode: Mode = "keep"
    metric: Metric | None = None
    ngrams: bool | None = None
    learned: bool | None = None
    seed: int = 0
    cache: Cache = None
    asks_known: bool = True
    reads_targets: bool = True
    second_map: bool = True

    @property
    def trains_head(self) -> bool:
        """Whether a head is trained from the best closed form of the mode."""
        if self.learned is None:  # measured by benchmarks/learned_head.py
            return self.mode == "keep" and not import_failure()
        return self.learned

    def checked(self) -> FitSettings:
        """Return the settings with the seed as int.

        Raises:
            DataError: an unknown option, or mode ``auto`` of earlier versions.
            MissingExtraError: a head is to be trained, and torch cannot be imported.
        """
        if str(self.mode) == "auto":
            raise DataError(
                "mode='auto' is no longer there: mode='keep', the default, makes both maps. It "
                "finds what a moved index finds, by rescoring the first hits; as_shared() of the "
                "aligner moves an index all the same."
            )
        for option, choices in _CHOICES.items():
            check_choice(option, getattr(self, option), choices)
        if self.learned and (failure := import_failure()) is not None:
            raise MissingExtraError("torch", "training") from failure
        return replace(self, seed=checked_seed(self.seed))


@dataclass(frozen=True, eq=False)
class FitInputs:
    """The data of a fit, as the caller gave it.

    Attributes:
        learn_from: what :func:`.sources.as_sources` returns.
        documents: sets whose targets are documents of the index, too; nothing else of them is
            read.
    """

    pairs: Pairs
    validation: Pairs | None = None
    test: Pairs | None = None
    learn_from: LearnFrom = None
    documents: tuple[Pairs, ...] = ()

    def __post_init__(self) -> None:
        check_pairs(self.pairs, optional=(self.validation, self.test))

    @property
    def indices(self) -> list[IndexDocuments]:
        """The indices to learn from, whose documents are searched, too."""
        return [each for each in self.learn_from or () if isinstance(each, IndexDocuments)]

    @property
    def sets(self) -> list[Pairs]:
        """All sets of pairs that there are."""
        return [part for part in (self.pairs, self.validation, self.test) if part is not None]
