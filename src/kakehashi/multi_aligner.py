"""MultiAligner: several aligners into one target space, each with a source of its own name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from . import bundle
from .aligner import Aligner
from .data.hashing import hash_of
from .errors import BundleTamperedError, DataError
from .printable import printable
from .projection.rescoring import Rescoring
from .retrieval.calibration import Calibration
from .retrieval.embedding_methods import EmbeddingMethods
from .retrieval.encoded_query import EncodedQuery
from .retrieval.multi_calibration import combine_calibrations
from .retrieval.query import AUTO, QueryVectors
from .routing.several_routers import route_among
from .types import SIDES, Mode, Role, Side
from .vectors import Float32Array

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_RESERVED = (AUTO,)


@dataclass(frozen=True, eq=False)
class MultiAligner(EmbeddingMethods):
    """Several aligners that map their sources into the space of one target encoder.

    Every aligner has mode ``keep``, which leaves the vectors of the target encoder as they are. So
    all aligners of one target encoder share one space. Integrations take a multi aligner wherever
    they take an aligner. Its modalities have names of their own, such as ``"ja"``, ``"code"`` and
    ``"en"``; those of an aligner are ``"source"`` and ``"target"``.

    Attributes:
        aligners: each aligner, by the name of its source modality (letters, digits, ``_``, ``-``).
        target: the name of the target modality.
        path: the folder that it was loaded from.

    Raises:
        DataError: no aligners; a name that is invalid, repeated or reserved; an aligner of another
            mode; or two aligners whose target encoder, dimension or metric differ.
    """

    aligners: Mapping[str, Aligner]
    target: str = "target"
    path: Path | None = None

    default_query_modality = AUTO

    def __post_init__(self) -> None:
        """Check the names, and that all aligners share one space."""
        if not isinstance(self.aligners, Mapping) or not self.aligners:
            raise DataError(
                f"aligners={self.aligners!r:.80}; give a dictionary of aligners by the name of "
                "their source modality."
            )
        object.__setattr__(self, "aligners", dict(self.aligners))
        self._check_names()
        for name, aligner in self.aligners.items():
            if not isinstance(aligner, Aligner):
                raise DataError(f"{name}: {aligner!r:.60} is no Aligner; load it first.")
            self._check_shares_space(name, aligner)

    def _check_names(self) -> None:
        for name in self.modalities:
            if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _RESERVED:
                raise DataError(
                    f"{name!r} cannot name a modality: use up to 64 letters a-z, digits, _ and -, "
                    f"and not {', '.join(_RESERVED)}."
                )
        folded = [name.casefold() for name in self.modalities]
        if len(set(folded)) < len(folded):
            raise DataError(
                f"modalities {', '.join(self.modalities)}: one is named twice (they are saved in "
                "folders, and some file systems do not tell capitals)."
            )

    def _check_shares_space(self, name: str, aligner: Aligner) -> None:
        """Compare an aligner with the first whose target encoder is known.

        An aligner that was fitted on vectors does not know its target encoder.
        """
        if aligner.mode != "keep":
            raise DataError(
                f"the aligner of {name} is of mode {aligner.mode!r}, which moves the target's "
                "vectors in its own way; fit it with mode='keep'."
            )
        with_encoder = (n for n, a in self.aligners.items() if a.identities["target"] is not None)
        first_name = next(with_encoder, next(iter(self.aligners)))
        first = self.aligners[first_name]
        encoder, first_encoder = aligner.identities["target"], first.identities["target"]
        same = encoder is None or first_encoder is None or encoder.matches(first_encoder)
        compared = {
            "target dimension": (aligner.dimensions["target"], first.dimensions["target"]),
            "metric": (aligner.report.metric, first.report.metric),
            "target encoder": (same, True),
        }
        for property_name, (value, first_value) in compared.items():
            if value != first_value:
                raise DataError(
                    f"the aligners of {first_name} and {name} differ in their {property_name}, so "
                    "they do not lead into one space; fit both with the same target encoder and "
                    "metric."
                )

    def __repr__(self) -> str:
        """Return the names of the modalities."""
        return f"MultiAligner({', '.join(self.aligners)} -> {self.target})"

    @property
    def modalities(self) -> tuple[str, ...]:
        """The names of the sources, then that of the target."""
        return (*self.aligners, self.target)

    @property
    def mode(self) -> Mode:
        """The mode of all aligners."""
        return "keep"

    @property
    def output_dimension(self) -> int:
        """The dimension of projected vectors: that of the target encoder."""
        return self._first_aligner.output_dimension

    @property
    def metric(self) -> str:
        """The metric of all aligners."""
        return self._first_aligner.metric

    @property
    def encoder_names(self) -> dict[str, str]:
        """The recorded name of each modality's encoder; empty where only vectors were given."""
        names = {name: aligner.encoder_names["source"] for name, aligner in self.aligners.items()}
        targets = (aligner.encoder_names["target"] for aligner in self.aligners.values())
        return {**names, self.target: next(filter(None, targets), "")}

    def recognises(self, vectors: Float32Array, modality: str) -> bool:
        """Whether stored document vectors are surely its own; see :meth:`Aligner.recognises`."""
        of_target = modality == self.target
        return of_target and any(a.recognises(vectors, "target") for a in self.aligners.values())

    @property
    def _first_aligner(self) -> Aligner:
        return next(iter(self.aligners.values()))

    @cached_property
    def calibration(self) -> Calibration | None:
        """The calibration of all modalities; None where an aligner has none.

        Between two sources it has the mean of their weights to the target.
        """
        by_source = {name: aligner.calibration for name, aligner in self.aligners.items()}
        return combine_calibrations(by_source, self.target)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the names and the aligners' fingerprints: equal ones give equal vectors."""
        prints = {name: aligner.fingerprint for name, aligner in self.aligners.items()}
        return hash_of([self.target, prints], {})

    @cached_property
    def router_fingerprint(self) -> str:
        """SHA-256 of all routers, on which vectors of modality ``"auto"`` depend, too."""
        prints = {name: aligner.router_fingerprint for name, aligner in self.aligners.items()}
        return hash_of(prints, {})

    def _embed_as(self, modality: str, texts: list[str], role: Role) -> Float32Array:
        aligner, side = self._serving(modality)
        return aligner._embed_as(side, texts, role)

    async def _aembed_as(self, modality: str, texts: list[str], role: Role) -> Float32Array:
        aligner, side = self._serving(modality)
        return await aligner._aembed_as(side, texts, role)

    def _query_as(self, modality: str, text: str, encoded: EncodedQuery) -> QueryVectors:
        aligner, side = self._serving(modality)
        return aligner._query_as(side, text, encoded)

    async def _aquery_as(self, modality: str, text: str, encoded: EncodedQuery) -> QueryVectors:
        aligner, side = self._serving(modality)
        return await aligner._aquery_as(side, text, encoded)

    def rescoring_of(self, modality: str) -> Rescoring | None:
        """Return the rescoring of queries of a modality; see :meth:`Aligner.rescoring_of`."""
        aligner, side = self._serving(modality)
        return aligner.rescoring_of(side)

    @property
    def routes(self) -> bool:
        """Whether all aligners have a router, so that a modality may be ``"auto"``."""
        return all(aligner.routes for aligner in self.aligners.values())

    def route(self, texts: Sequence[str]) -> list[str | None]:
        """Return the modality of each text; None where the routers are unsure.

        Raises:
            DataError: no list of strings, or an aligner has no router.
        """
        routers = {}
        for name, aligner in self.aligners.items():
            if aligner.router is None:
                raise DataError(
                    f"The aligner of {name} has no router: it was fitted without texts. Name the "
                    f"modality ({', '.join(self.modalities)}), or give it a router: "
                    "aligner.with_router(...)."
                )
            routers[name] = aligner.router
        return route_among(routers, self.target, texts)

    def with_encoders(self, /, **encoders: Any) -> MultiAligner:
        """Return this multi aligner with encoders by modality, each checked on first use.

        Raises:
            DataError: an unknown modality.
        """
        for name in encoders:
            if name not in self.modalities:
                raise DataError(
                    f"with_encoders({name}=...): the modalities are {', '.join(self.modalities)}."
                )
        target = encoders.get(self.target)
        aligners = {
            name: aligner.with_encoders(source_encoder=encoders.get(name), target_encoder=target)
            for name, aligner in self.aligners.items()
        }
        return replace(self, aligners=aligners)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a folder with all aligners; a save that fails leaves nothing half-written there.

        Raises:
            FileExistsError: something is there already and ``overwrite`` is not set.
        """
        document = {
            "target": self.target,
            "aligners": {name: _fingerprints(aligner) for name, aligner in self.aligners.items()},
            "fingerprint": self.fingerprint,
        }
        parts = {name: aligner.save for name, aligner in self.aligners.items()}
        return bundle.write_multi_aligner(Path(path), document, parts, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path) -> MultiAligner:
        """Load a saved multi aligner: parse, check, build. Needs neither torch nor a framework.

        Raises:
            BundleError: it cannot be read.
            BundleTamperedError: its files contradict its record.
        """
        folder = Path(path)
        return bundle.consistently(folder, lambda: cls._load(folder))

    @classmethod
    def _load(cls, folder: Path) -> MultiAligner:
        record = bundle.read_multi_aligner(folder)
        names, target = record.get("aligners"), record.get("target")
        if not isinstance(names, dict) or not all(_NAME.fullmatch(name) for name in names):
            raise BundleTamperedError(f"{folder}: the record names no aligners.")
        aligners = {name: Aligner.load(folder / bundle.ALIGNERS / name) for name in names}
        try:
            loaded = cls(aligners, target, folder.resolve())  # type: ignore[arg-type]  # checks it
        except (DataError, TypeError, AttributeError) as error:
            raise BundleTamperedError(
                f"{folder}: the record does not describe a multi aligner: {printable(error)}"
            ) from error
        for name, aligner in aligners.items():
            if _fingerprints(aligner) != names[name]:
                raise BundleTamperedError(
                    f"{folder}: the aligner of {name} is not the one that was saved."
                )
        if loaded.fingerprint != record.get("fingerprint"):
            raise BundleTamperedError(f"{folder}: the fingerprint differs from the record.")
        return loaded

    def _serving(self, modality: str) -> tuple[Aligner, Side]:
        """Return the aligner that embeds a modality, and whether as its source or its target."""
        if modality == self.target:
            return self._first_aligner, "target"
        return self._aligner(modality), "source"

    def _aligner(self, modality: str) -> Aligner:
        """Return the aligner of a source; it shares an encoder that another has loaded already."""
        aligner = self.aligners.get(modality)
        if aligner is None:
            raise DataError(
                f"modality={modality!r}; the modalities are {', '.join(self.modalities)}, or auto."
            )
        identity = aligner.identities["source"]
        if aligner.encoders.get("source") is None and identity is not None and identity.model:
            for other, side in product(self.aligners.values(), SIDES):
                other_identity, encoder = other.identities[side], other.encoders.get(side)
                if other_identity and encoder:
                    same_model = other_identity.model == identity.model
                    if same_model and other_identity.name == identity.name:
                        aligner.encoders["source"] = encoder
        return aligner


def _fingerprints(aligner: Aligner) -> list[str]:
    """Return the fingerprints of an aligner's vectors and of its retrieval."""
    return [aligner.fingerprint, aligner.retrieval_fingerprint]


def load(path: str | Path) -> Aligner | MultiAligner:
    """Load an aligner or a multi aligner, whichever the folder holds.

    Raises:
        BundleError: it cannot be read.
        BundleTamperedError: its files contradict its record.
    """
    return MultiAligner.load(path) if bundle.holds_multi_aligner(Path(path)) else Aligner.load(path)
