"""Aligner: what training gives and serving needs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import bundle
from .card import render_card
from .data.pairs import DataRecord, checked_side
from .data.validation import in_order, text_problem
from .encoders import Encoder, EncoderIdentity, as_encoder
from .encoders.adapters import SentenceTransformersEncoder
from .encoders.protocol import checked_encode
from .errors import BundleTamperedError, DataError, EncoderError
from .projection import Projection
from .report import Report
from .retrieval.calibration import Calibration
from .retrieval.query import AUTO, Query, embed_routed, prepare_query
from .routing.router import Router, ScriptRouter, router_from
from .types import SIDES, Mode, Role, Side
from .vectors import Float32Array, as_array, as_matrix

Tensors = dict[str, NDArray[Any]]
_ROUTER = "router."
"""What the names of a saved router's tensors begin with."""
_FIRST_USE = RLock()
"""Held while an encoder is loaded and recognised, so that many threads load it once. It belongs to
the module and not to an aligner, because a lock cannot be pickled; it can be entered again, because
an encoder may itself be built on an aligner."""


def _renew_lock() -> None:
    global _FIRST_USE  # noqa: PLW0603  # a new lock is what is wanted; the old may be held
    _FIRST_USE = RLock()


if hasattr(os, "register_at_fork"):  # a child must not wait for a thread that it does not have
    os.register_at_fork(after_in_child=_renew_lock)


@dataclass(frozen=True, eq=False)
class Aligner:
    """A fitted projection with the identities of its encoders, its report and its data record.

    Attributes:
        dimensions: of each modality's encoder.
        identities: of each modality's encoder, None where only vectors were given.
        encoders: those at hand; they are not saved.
        path: the folder it was loaded from or saved to.
        router: tells the modality of a text; None where it could not be learned.
        calibration: makes scores of the modalities comparable; None where it could not be learned.
    """

    projection: Projection
    mode: Mode
    dimensions: dict[str, int]
    identities: dict[Side, EncoderIdentity | None]
    data: DataRecord
    report: Report
    encoders: dict[Side, Encoder | None] = field(default_factory=dict)
    path: Path | None = None
    router: Router | ScriptRouter | None = None
    calibration: Calibration | None = None
    _verified: set[Side] = field(default_factory=set, repr=False)

    def __repr__(self) -> str:
        """Say in a line what it is: frameworks print their fields, and arrays would fill pages."""
        parts = [f"mode={self.mode!r}"]
        for side in SIDES:
            identity = self.identities[side]
            name = "vectors" if identity is None else repr(identity.name)
            parts.append(f"{side}={name} ({self.dimensions[side]} -> {self.output_dimension})")
        parts += [f"chosen={self.report.chosen!r}", f"verdict={self.report.verdict!r}"]
        if "fingerprint" in self.__dict__:  # hashing all weights is no price for a repr
            parts.append(f"fingerprint={self.fingerprint[:12]!r}")
        return f"Aligner({', '.join(parts)})"

    @property
    def modalities(self) -> tuple[str, ...]:
        """What a text of this space can be; the last is the target."""
        return SIDES

    @property
    def metric(self) -> str:
        """The metric that it was chosen and scored with."""
        return self.report.metric

    @property
    def output_dimension(self) -> int:
        """The dimension of projected vectors, the same for both modalities."""
        found = self.projection.dimensions("source")
        return self.dimensions["source"] if found is None else found[1]

    def project(
        self,
        vectors: Any,
        *,
        texts: str | Sequence[str] | None = None,
        modality: Side = "source",
        role: Role = "query",
    ) -> Float32Array:
        """Carry encoder vectors into the common space.

        Args:
            vectors: (n, d) or (d,) of any float dtype, as the modality's encoder gives them.
            texts: the texts behind the vectors, in their order (one text for one vector), which
                an aligner needs if it reads them (:meth:`reads`); others take no notice of them.
            modality: which side they are of.
            role: query or document; they differ where the hubness correction is used.

        Returns:
            (n, d_out) or (d_out,) float32.

        Raises:
            VectorError: another dimension, rows of different lengths, NaN, infinite or zero rows.
            DataError: an unknown modality or role; texts are needed and are not given, one each
                and in order.
        """
        if modality not in SIDES or role not in ("query", "document"):
            raise DataError(
                f"modality={modality!r}, role={role!r}: a modality is source or target, "
                "a role is query or document."
            )
        what = f"{modality} vectors"
        array = as_array(vectors, what)
        single = array.ndim == 1
        matrix = as_matrix(
            array[None] if single else array, dimension=self.dimensions[modality], what=what
        )
        if single and isinstance(texts, str):
            texts = [texts]
        projected = self.projection(matrix, modality=modality, role=role, texts=texts)
        return projected[0] if single else projected

    def embed_query(self, text: str, *, modality: str = "source") -> Float32Array:
        """Encode and project one query: (d_out,) float32; see :meth:`embed_queries`."""
        return self.prepare_query(text, modality).vector

    def embed_queries(self, texts: Sequence[str], *, modality: str = "source") -> Float32Array:
        """Encode and project n queries: (n, d_out) float32.

        Args:
            modality: of all texts, ``"source"`` or ``"target"``; or ``"auto"``: the router decides
                for each text. Where it is unsure, the target encoder embeds the text.

        Raises:
            DataError: not a list, tuple, array or column of strings; an unknown modality; or
                ``"auto"`` without a router.
            EncoderError: no encoder is at hand.
            EncoderMismatchError: the encoder is not the one of the training.
        """
        return self._embed(texts, modality, "query")

    def embed_documents(self, texts: Sequence[str], *, modality: str = "target") -> Float32Array:
        """Encode and project n documents: (n, d_out) float32; see :meth:`embed_queries`."""
        return self._embed(texts, modality, "document")

    def _embed(self, texts: Sequence[str], modality: str, role: Role) -> Float32Array:
        if modality == AUTO:
            embed = partial(self._embed, role=role)
            return embed_routed(self, _checked(texts), embed)
        side = checked_side(modality)
        vectors = self._encode(texts, modality=side, role=role)
        return self.project(vectors, texts=texts, modality=side, role=role)

    def prepare_query(self, text: str, modality: str = AUTO) -> Query:
        """Encode and project one query, and say what it was read as.

        Args:
            modality: ``"source"``, ``"target"``, or ``"auto"`` to let the router decide; where that
                is unsure, the target encoder reads the text.

        Raises:
            DataError: another modality; or ``"auto"`` and there is no router.
            EncoderError, EncoderMismatchError: as :meth:`embed_queries`.
        """
        return prepare_query(self, text, modality)

    @property
    def routes(self) -> bool:
        """Whether there is a router, so that a modality may be ``"auto"``."""
        return self.router is not None

    def route(self, texts: Sequence[str]) -> list[Side | None]:
        """Return the modality of each text; None where the router cannot tell.

        Raises:
            DataError: no list of strings, or there is no router.
        """
        if self.router is None:
            raise DataError(
                "This aligner has no router: it was fitted without texts. Name the modality of the "
                "text, 'source' or 'target'; or fit it again on pairs with texts, or give it a "
                "router: aligner.with_router(...)."
            )
        return self.router.route(texts)

    def with_router(self, router: Router | ScriptRouter) -> Aligner:
        """Return this aligner with another router, which is saved with it.

        Where the modalities are written in different scripts, ``ScriptRouter`` needs no training.
        """
        if not isinstance(router, (Router, ScriptRouter)):
            raise DataError(f"router={router!r:.80}; give a Router or a ScriptRouter.")
        return replace(self, router=router, path=None)

    @property
    def advised(self) -> bool:
        """Whether its report says to use it.

        One that changes nothing does no harm either, unless the target encoder finds more than
        the source encoder: that one should ask.
        """
        harmless = self.projection.is_identity and not self.report.target_leads
        return self.report.verdict == "use" or harmless

    def reads(self, modality: Side) -> bool:
        """Whether this modality's texts are read beside their vectors (character n-grams)."""
        return modality in self.projection.ngrams

    def _encode(self, texts: Sequence[str], *, modality: Side, role: Role) -> Float32Array:
        """Encode n texts with the modality's own encoder, unprojected: (n, d) float32."""
        given = _checked(texts)
        return checked_encode(self.encoder(modality), given, role)

    def with_encoders(self, *, source_encoder: Any = None, target_encoder: Any = None) -> Aligner:
        """Return this aligner with encoders to embed texts with; both are checked on first use.

        Args:
            source_encoder, target_encoder: as :func:`kakehashi.encoders.as_encoder` takes them;
                None keeps the encoder that is there.
        """
        passed: dict[Side, Any] = {"source": source_encoder, "target": target_encoder}
        encoders = {
            side: self.encoders.get(side) if encoder is None else as_encoder(encoder)
            for side, encoder in passed.items()
        }
        return replace(self, encoders=encoders, _verified=set())

    @cached_property
    def router_fingerprint(self) -> str:
        """SHA-256 of the router, which decides about vectors of modality ``"auto"``, too."""
        return _sha256(*_saved_router(self.router))

    @cached_property
    def retrieval_fingerprint(self) -> str:
        """SHA-256 of router and calibration, which decide about no vector's bits."""
        return _sha256(*self.retrieval_state())

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides about vectors: weights, configuration, encoders."""
        record, tensors = self.projection.state()
        for side in SIDES:
            identity = self.identities[side]
            if identity is not None:
                record[side] = [identity.name, identity.dimension]
                tensors = {**tensors, f"probes.{side}": identity.probes}
        return _sha256([self.mode, record], tensors)

    def retrieval_state(self) -> tuple[dict[str, Any], Tensors]:
        """Return router and calibration as they are saved: a JSON-ready record and tensors."""
        router, tensors = _saved_router(self.router)
        calibration = None if self.calibration is None else self.calibration.to_dict()
        return {"router": router, "calibration": calibration}, tensors

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the aligner as a folder; nothing half-written is ever left at ``path``.

        Raises:
            FileExistsError: something is there already and ``overwrite`` is not set.
        """
        record, tensors = self.projection.state()
        encoders: dict[str, Any] = {}
        for side in SIDES:
            identity = self.identities[side]
            encoders[side] = None
            if identity is not None:
                encoders[side] = {
                    "name": identity.name,
                    "dimension": identity.dimension,
                    "model": identity.model,
                }
                tensors[f"probes.{side}"] = identity.probes
        retrieval, beside = self.retrieval_state()
        tensors |= beside
        document = {
            "mode": self.mode,
            "projection": record,
            "retrieval": retrieval,
            "dimensions": self.dimensions,
            "encoders": encoders,
            "data": self.data.__dict__,
            "report": self.report.to_dict(),
            "fingerprint": self.fingerprint,
        }
        card = render_card(self.report, self.data, self.identities, self.dimensions)
        return bundle.write(Path(path), document, tensors, card, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path) -> Aligner:
        """Load a saved aligner: parse, check, build. Needs neither torch nor a framework.

        Raises:
            BundleError: it cannot be read; the message says why.
            BundleTamperedError: it is not to be trusted.
        """
        folder = Path(path)
        document, tensors = bundle.read(folder)
        try:
            identities: dict[Side, EncoderIdentity | None] = {
                side: _identity(document, tensors, side) for side in SIDES
            }
            beside = ("probes.", _ROUTER)
            weights = {k: v for k, v in tensors.items() if not k.startswith(beside)}
            router, calibration = (document["retrieval"][x] for x in ("router", "calibration"))
            aligner = cls(
                projection=Projection.from_state(document["projection"], weights),
                mode=document["mode"],
                dimensions=document["dimensions"],
                identities=identities,
                data=DataRecord(**document["data"]),
                report=Report.from_dict(document["report"]),
                path=folder.resolve(),
                router=_loaded_router(router, tensors),
                calibration=None if calibration is None else Calibration.from_dict(calibration),
            )
            aligner._check()
        # What a record of another shape makes the lines above raise; they read nothing else.
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise BundleTamperedError(
                f"{folder}: the record does not describe an aligner: {error}"
            ) from error
        if aligner.fingerprint != document["fingerprint"]:
            raise BundleTamperedError(f"{folder}: the fingerprint differs from the record.")
        return aligner

    def _check(self) -> None:
        """Raise ValueError where a record contradicts itself."""
        widths = set()
        for side in SIDES:
            stated, identity = self.dimensions[side], self.identities[side]
            found = self.projection.dimensions(side)
            if type(stated) is not int or (found is not None and found[0] != stated):
                raise ValueError(f"dimension {stated!r} of the {side} does not fit the weights")
            if identity is not None and identity.probes.shape[1:] != (stated,):
                raise ValueError(f"dimension {stated!r} of the {side} does not fit its encoder")
            widths.add(stated if found is None else found[1])
        if len(widths) > 1:
            raise ValueError(f"the two sides end in different dimensions {sorted(widths)}")
        if self.report.chosen not in self.report.candidates:
            raise ValueError(f"the report has no rung {self.report.chosen!r}")

    def encoder(self, side: Side) -> Encoder:
        """Return a modality's encoder, once it is known to be the one of the training.

        Raises:
            EncoderError: none is at hand, or it cannot be loaded.
            EncoderMismatchError: it is another one.
        """
        if side in self._verified:
            ready = self.encoders[side]
            assert ready is not None
            return ready
        with _FIRST_USE:
            return self._verified_encoder(side)

    def _verified_encoder(self, side: Side) -> Encoder:
        encoder, identity = self.encoders.get(side), self.identities[side]
        if encoder is None and identity is not None and identity.model is not None:
            # Not as_encoder: a saved aligner may come from anyone, and must not name a module
            # that is then imported.
            moved = f"with_encoders({side}_encoder=...)"
            moved = f"Where the model has moved, pass it by its new path: {moved}."
            encoder = SentenceTransformersEncoder(identity.model, name=identity.name, advice=moved)
            self.encoders[side] = encoder
        if encoder is None:
            lacks = f"The aligner was fitted on stored {side} vectors and knows no encoder of them"
            if identity is not None:
                name = identity.recorded_name
                lacks = f"The aligner's {side} encoder {name} cannot be loaded by name"
            raise EncoderError(f"{lacks}; pass it with with_encoders({side}_encoder=...).")
        if identity is not None:
            identity.require(EncoderIdentity.of(encoder), side)
        self._verified.add(side)
        return encoder


def _checked(texts: Any) -> list[str]:
    given = in_order(texts, "texts")
    for row, text in enumerate(given):
        problem = text_problem(text)
        if problem and text != "" and not (isinstance(text, str) and text.isspace()):
            raise DataError(f"text {row} is {problem}.")
    return given


def _saved_router(router: Router | ScriptRouter | None) -> tuple[dict[str, Any] | None, Tensors]:
    if router is None:
        return None, {}
    record, tensors = router.state()
    return record, {_ROUTER + name: tensor for name, tensor in tensors.items()}


def _loaded_router(record: dict[str, Any] | None, tensors: Tensors) -> Router | ScriptRouter | None:
    own = {k.removeprefix(_ROUTER): x for k, x in tensors.items() if k.startswith(_ROUTER)}
    if record is not None:
        return router_from(record, own)
    if own:
        raise ValueError("there are tensors of a router, and no record of one")
    return None


def _sha256(record: Any, tensors: Tensors) -> str:
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].shape}".encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()


def _identity(document: Any, tensors: Any, side: str) -> EncoderIdentity | None:
    record = document["encoders"][side]
    if record is None:
        return None
    return EncoderIdentity(
        record["name"], record["dimension"], record["model"], tensors[f"probes.{side}"]
    )
