"""MultiAligner: several aligners into one target space, each with a source of its own name."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import product
from pathlib import Path
from typing import Any

from . import bundle
from .aligner import Aligner
from .errors import BundleTamperedError, DataError
from .retrieval.calibration import Calibration
from .retrieval.multi_calibration import combine_calibrations
from .retrieval.query import AUTO, Query, embed_routed, prepare_query
from .types import SIDES, Mode, Role
from .vectors import Float32Array

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_RESERVED = (AUTO,)


@dataclass(frozen=True, eq=False)
class MultiAligner:
    """Several source modalities into the index of one target encoder.

    Every aligner is of mode ``keep``, which leaves the target's vectors as they are: of one target
    encoder they are then one space, whoever asks. Frameworks take a bridge wherever they take an
    aligner; texts and documents are of its own modalities (``"ja"``, ``"code"``, ``"en"``), where
    an aligner knows ``"source"`` and ``"target"``.

    Args:
        aligners: by the name of its source modality: letters, digits, ``_`` and ``-``.
        target: what the target modality is called.

    Raises:
        DataError: no aligners; a name that is none, twice or reserved; an aligner of another mode;
            or two whose target encoder, dimension or metric differ.
    """

    aligners: Mapping[str, Aligner]
    target: str = "target"
    path: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what could not be one space."""
        if not isinstance(self.aligners, Mapping) or not self.aligners:
            raise DataError(
                f"aligners={self.aligners!r:.80}; give a dictionary of aligners by the name of "
                "their source modality."
            )
        object.__setattr__(self, "aligners", dict(self.aligners))
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
                "folders, some of which do not tell capitals)."
            )
        for name, aligner in self.aligners.items():
            if not isinstance(aligner, Aligner):
                raise DataError(f"{name}: {aligner!r:.60} is no Aligner; load it first.")
            self._check(name, aligner)

    def _check(self, name: str, aligner: Aligner) -> None:
        if aligner.mode != "keep":
            raise DataError(
                f"the aligner of {name} is of mode {aligner.mode!r}, which moves the target's "
                "vectors in its own way; fit it with mode='keep'."
            )
        # Of the first whose target encoder is known: one fitted on vectors says nothing of it.
        known = ((n, a) for n, a in self.aligners.items() if a.identities["target"] is not None)
        first_name, first = next(known, next(iter(self.aligners.items())))
        mine, theirs = aligner.identities["target"], first.identities["target"]
        same = mine is None or theirs is None or mine.matches(theirs)
        said = {
            "target dimension": (aligner.dimensions["target"], first.dimensions["target"]),
            "metric": (aligner.report.metric, first.report.metric),
            "target encoder": (True, same),
        }
        for what, (found, wanted) in said.items():
            if found != wanted:
                raise DataError(
                    f"the aligners of {first_name} and {name} differ in their {what}, so they do "
                    "not lead into one space; fit both with the same target encoder and metric."
                )

    def __repr__(self) -> str:
        """Name the modalities."""
        return f"MultiAligner({', '.join(self.aligners)} -> {self.target})"

    @property
    def modalities(self) -> tuple[str, ...]:
        """The sources in their order, then the target."""
        return (*self.aligners, self.target)

    @property
    def mode(self) -> Mode:
        """That of all its aligners."""
        return "keep"

    @property
    def output_dimension(self) -> int:
        """The dimension of projected vectors: that of the target encoder."""
        return self._any.output_dimension

    @property
    def metric(self) -> str:
        """The metric that all its aligners were scored with."""
        return self._any.metric

    @property
    def _any(self) -> Aligner:
        return next(iter(self.aligners.values()))

    @cached_property
    def calibration(self) -> Calibration | None:
        """How scores of the modalities compare; None where an aligner has no calibration.

        Between two sources it is the mean of their lines to the target.
        """
        by_source = {name: aligner.calibration for name, aligner in self.aligners.items()}
        return combine_calibrations(by_source, self.target)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides about vectors: the names, and the aligners' fingerprints."""
        prints = {name: aligner.fingerprint for name, aligner in self.aligners.items()}
        text = json.dumps([self.target, prints], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def router_fingerprint(self) -> str:
        """SHA-256 of all routers, which decide about vectors of modality ``"auto"``, too."""
        prints = {name: aligner.router_fingerprint for name, aligner in self.aligners.items()}
        return hashlib.sha256(json.dumps(prints, sort_keys=True).encode()).hexdigest()

    def embed_query(self, text: str, *, modality: str = AUTO) -> Float32Array:
        """Encode and project one query: (d_out,) float32; see :meth:`embed_queries`."""
        return self.prepare_query(text, modality).vector

    def embed_queries(self, texts: Sequence[str], *, modality: str = AUTO) -> Float32Array:
        """Encode and project n queries: (n, d_out) float32.

        Args:
            modality: of all texts, one of :attr:`modalities`; or ``"auto"``: :meth:`route` decides
                for each text. Where it is unsure, the target encoder embeds the text.

        Raises:
            DataError: an unknown modality, or as :meth:`Aligner.embed_queries`.
            EncoderError, EncoderMismatchError: as :meth:`Aligner.embed_queries`.
        """
        return self._embed(texts, modality, "query")

    def embed_documents(self, texts: Sequence[str], *, modality: str | None = None) -> Float32Array:
        """Encode and project n documents: (n, d_out) float32.

        Args:
            modality: as for :meth:`embed_queries`; by default the target.
        """
        return self._embed(texts, self.target if modality is None else modality, "document")

    def _embed(self, texts: Sequence[str], modality: str, role: Role) -> Float32Array:
        if modality == AUTO:
            return embed_routed(self, texts, partial(self._embed, role=role))
        if modality == self.target:
            return self._any._embed(texts, "target", role)
        return self._aligner(modality)._embed(texts, "source", role)

    def prepare_query(self, text: str, modality: str = AUTO) -> Query:
        """Encode and project one query, and say what it was read as.

        Args:
            modality: one of :attr:`modalities`, or ``"auto"`` to let :meth:`route` decide; where
                that is unsure, the target encoder reads the text.

        Raises:
            DataError: another modality; or ``"auto"`` and an aligner has no router.
            EncoderError, EncoderMismatchError: as :meth:`Aligner.embed_queries`.
        """
        return prepare_query(self, text, modality)

    @property
    def routes(self) -> bool:
        """Whether all aligners have a router, so that a modality may be ``"auto"``."""
        return all(aligner.routes for aligner in self.aligners.values())

    def route(self, texts: Sequence[str]) -> list[str | None]:
        """Return the modality of each text; None where it cannot be told.

        Each aligner's router tells its source from the target they all share: odds of ``ja`` over
        ``en`` and of ``fr`` over ``en`` are odds of ``ja`` over ``fr``. A router that finds a text
        strange has no say in it. The likeliest modality has to lead the next by the threshold of
        the more cautious of their routers.

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
        evidence = {name: router.evidence(texts) for name, router in routers.items()}
        found: list[str | None] = []
        for row in range(len(texts)):
            odds = {n: e for n, each in evidence.items() if (e := each[row]) is not None}
            if not odds:
                found.append(None)
                continue
            order = sorted([*odds, self.target], key=lambda n: -odds.get(n, 0.0))
            margin = odds.get(order[0], 0.0) - odds.get(order[1], 0.0)
            asked = [routers[name].threshold for name in order[:2] if name in odds]
            found.append(order[0] if margin > max(asked) else None)
        return found

    def with_encoders(self, /, **encoders: Any) -> MultiAligner:
        """Return this bridge with encoders by modality, each checked on first use.

        Raises:
            DataError: a modality that it has not.
        """
        for name in encoders:
            if name not in self.modalities:
                raise DataError(
                    f"with_encoders({name}=...): the modalities are {', '.join(self.modalities)}."
                )
        target = encoders.get(self.target)
        bound = {
            n: a.with_encoders(source_encoder=encoders.get(n), target_encoder=target)
            for n, a in self.aligners.items()
        }
        return replace(self, aligners=bound)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the bridge with its aligners as a folder; nothing half-written is left there.

        Raises:
            FileExistsError: something is there already and ``overwrite`` is not set.
        """
        document = {
            "target": self.target,
            "aligners": {name: _prints(aligner) for name, aligner in self.aligners.items()},
            "fingerprint": self.fingerprint,
        }
        parts = {name: aligner.save for name, aligner in self.aligners.items()}
        return bundle.write_multi_aligner(Path(path), document, parts, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path) -> MultiAligner:
        """Load a saved bridge: parse, check, build. Needs neither torch nor a framework.

        Raises:
            BundleError: it cannot be read; the message says why.
            BundleTamperedError: it is not to be trusted.
        """
        folder = Path(path)
        record = bundle.read_multi_aligner(folder)
        names, target = record.get("aligners"), str(record.get("target"))
        if not isinstance(names, dict) or not all(_NAME.fullmatch(name) for name in names):
            raise BundleTamperedError(f"{folder}: the record names no aligners.")
        aligners = {name: Aligner.load(folder / bundle.ALIGNERS / name) for name in names}
        try:
            found = cls(aligners, target, folder.resolve())
        except (DataError, TypeError) as error:
            raise BundleTamperedError(
                f"{folder}: the record does not describe a bridge: {error}"
            ) from error
        for name, aligner in aligners.items():
            if _prints(aligner) != names[name]:
                raise BundleTamperedError(
                    f"{folder}: the aligner of {name} is another than the bridge was made of."
                )
        if found.fingerprint != record.get("fingerprint"):
            raise BundleTamperedError(f"{folder}: the fingerprint differs from the record.")
        return found

    def _aligner(self, modality: str) -> Aligner:
        """Return the aligner of a source, with an encoder that another has loaded already."""
        aligner = self.aligners.get(modality)
        if aligner is None:
            raise DataError(
                f"modality={modality!r}; the modalities are {', '.join(self.modalities)}, or auto."
            )
        identity = aligner.identities["source"]
        if aligner.encoders.get("source") is None and identity is not None and identity.model:
            wanted = (identity.model, identity.name)
            for other, side in product(self.aligners.values(), SIDES):
                theirs, encoder = other.identities[side], other.encoders.get(side)
                if theirs and encoder and (theirs.model, theirs.name) == wanted:
                    aligner.encoders["source"] = encoder
        return aligner


def _prints(aligner: Aligner) -> list[str]:
    """Return what tells an aligner from another, also where both give the same vectors."""
    return [aligner.fingerprint, aligner.retrieval_fingerprint]


def load(path: str | Path) -> Aligner | MultiAligner:
    """Load what a folder holds: an aligner or a bridge.

    Raises:
        BundleError: it cannot be read; the message says why.
        BundleTamperedError: it is not to be trusted.
    """
    return MultiAligner.load(path) if bundle.holds_multi_aligner(Path(path)) else Aligner.load(path)
