"""Aligner: the result of training, which serves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from . import bundle
from .aligner_record import (
    Tensors,
    encoders_state,
    fingerprint_of,
    parts_of,
    rescoring_state,
    router_state,
    signature_state,
)
from .card import contents, render_card
from .data.arguments import checked_side
from .data.hashing import hash_of
from .encoders import Encoder, EncoderIdentity, as_encoder
from .encoders.first_use import one_thread, recognised
from .encoders.protocol import checked_aencode, checked_encode
from .encoders.signature import SpaceSignature
from .errors import BundleTamperedError, DataError
from .printable import printable
from .projection import Projection
from .projection.rescoring import Rescoring
from .report import DataRecord, Report
from .retrieval.calibration import Calibration
from .retrieval.embedding_methods import EmbeddingMethods
from .retrieval.encoded_query import EncodedQuery
from .retrieval.query import QueryVectors
from .routing import Router, ScriptRouter
from .types import SIDES, Mode, Role, Side
from .vectors import Float32Array, as_array, as_matrix


@dataclass(frozen=True, eq=False)
class Aligner(EmbeddingMethods):
    """A fitted projection with the identities of its encoders, its report and its data record.

    The methods that embed are those of :class:`.EmbeddingMethods`; ``aembed_query`` and so on are
    their async twins, which await the encoder.

    Attributes:
        projection: the map of each modality.
        mode: ``"keep"`` (the index stays as it is) or ``"shared"`` (both sides are projected).
        dimensions: the dimension of each modality's encoder.
        identities: how each modality's encoder is recognised; None where only its vectors were
            given.
        data: the data that made the aligner.
        report: the verdict and the held-out scores.
        encoders: the encoders at hand, by modality; they are not saved.
        path: the folder that it was loaded from.
        router: finds the modality of a text; None where it could not be learned.
        calibration: makes scores of both modalities comparable; None where it could not be
            learned.
        target_signature: tells vectors of the target encoder without loading it; None where it
            was not learned.
        rescoring: in ``keep`` mode, the second map, which orders the first hits of a search again;
            None where there is none, or where it was not shown to find more.
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
    target_signature: SpaceSignature | None = None
    rescoring: Rescoring | None = None
    _verified: set[Side] = field(default_factory=set, repr=False)

    default_query_modality = "source"

    def __repr__(self) -> str:
        """Describe it in a line: frameworks print their fields, and arrays would fill pages."""
        parts = [f"mode={self.mode!r}"]
        for side in SIDES:
            identity = self.identities[side]
            name = "vectors" if identity is None else repr(identity.name)
            parts.append(f"{side}={name} ({self.dimensions[side]} -> {self.output_dimension})")
        if self.rescoring is not None:
            parts.append(f"rescores {self.rescoring.n_hits} hits")
        parts += [f"chosen={self.report.chosen!r}", f"verdict={self.report.verdict!r}"]
        if "fingerprint" in self.__dict__:  # hashing all weights costs too much for a repr
            parts.append(f"fingerprint={self.fingerprint[:12]!r}")
        return f"Aligner({', '.join(parts)})"

    @property
    def modalities(self) -> tuple[str, ...]:
        """The names of the modalities; the last is the target."""
        return SIDES

    @property
    def metric(self) -> str:
        """The metric by which it was chosen and scored."""
        return self.report.metric

    @property
    def output_dimension(self) -> int:
        """The dimension of projected vectors, the same for both modalities."""
        mapped = self.projection.dimensions("source")
        return self.dimensions["source"] if mapped is None else mapped[1]

    def project(
        self,
        vectors: Any,
        *,
        texts: str | Sequence[str] | None = None,
        modality: Side = "source",
        role: Role = "query",
    ) -> Float32Array:
        """Project the vectors of an encoder into the common space.

        Args:
            vectors: (n, d) or (d,) of any float dtype, as the modality's encoder gives them.
            texts: the texts behind the vectors, in the same order. Only an aligner that reads
                texts (:meth:`reads`) needs them; any other ignores them.
            modality: ``"source"`` or ``"target"``.
            role: ``"query"`` or ``"document"``; they differ under the hubness correction.

        Returns:
            (n, d_out) or (d_out,) float32.

        Raises:
            VectorError: another dimension, rows of different lengths, NaN, infinite or zero rows.
            DataError: an unknown modality or role; or texts are needed and missing, or not one
                for each vector.
        """
        if modality not in SIDES or role not in ("query", "document"):
            raise DataError(
                f"modality={modality!r}, role={role!r}: a modality is source or target, "
                "a role is query or document."
            )
        label = f"{modality} vectors"
        array = as_array(vectors, label)
        single = array.ndim == 1
        matrix = as_matrix(
            array[None] if single else array, dimension=self.dimensions[modality], what=label
        )
        if single and isinstance(texts, str):
            texts = [texts]
        projected = self.projection(matrix, modality=modality, role=role, texts=texts)
        return projected[0] if single else projected

    def _embed_as(self, modality: str, texts: list[str], role: Role) -> Float32Array:
        side = checked_side(modality)
        vectors = checked_encode(self.encoder(side), texts, role)
        return self.project(vectors, texts=texts, modality=side, role=role)

    async def _aembed_as(self, modality: str, texts: list[str], role: Role) -> Float32Array:
        side = checked_side(modality)
        vectors = await self._aencode(texts, side, role)
        return self.project(vectors, texts=texts, modality=side, role=role)

    def _query_as(self, modality: str, text: str, encoded: EncodedQuery) -> QueryVectors:
        side = checked_side(modality)
        maker = self.identities[side] or self.encoders.get(side)
        vector = encoded.get(maker)
        if vector is None:
            vector = encoded.put(maker, checked_encode(self.encoder(side), [text], "query"))
        return self._projected(vector, side, text)

    async def _aquery_as(self, modality: str, text: str, encoded: EncodedQuery) -> QueryVectors:
        side = checked_side(modality)
        maker = self.identities[side] or self.encoders.get(side)
        vector = encoded.get(maker)
        if vector is None:
            vector = encoded.put(maker, await self._aencode([text], side, "query"))
        return self._projected(vector, side, text)

    async def _aencode(self, texts: list[str], side: Side, role: Role) -> Float32Array:
        if side not in self._verified:
            await asyncio.to_thread(self.encoder, side)
        return await checked_aencode(self.encoder(side), texts, role)

    def _projected(self, encoded: Float32Array, side: Side, text: str) -> QueryVectors:
        """Project the (1, d) vector of a query with both maps."""
        [vector] = self.project(encoded, texts=[text], modality=side)
        if (rescoring := self.rescoring_of(side)) is None:
            return vector, None
        [again] = rescoring.query(encoded, texts=[text])
        return vector, again

    def rescoring_of(self, modality: str) -> Rescoring | None:
        """Return the rescoring of queries of a modality; None where there is none.

        A query of the target is not rescored: it asks the index in the index's own space, which a
        map between two spaces does not improve.
        """
        return self.rescoring if modality == "source" else None

    def as_shared(self) -> Aligner:
        """Return the second map as an aligner of mode ``shared``, for an index that is moved.

        The verdict, the data record and the calibration stay those of the fit.

        Raises:
            DataError: there is no second map.
        """
        if self.rescoring is None:
            raise DataError(
                f"This aligner of mode {self.mode!r} holds no second map. Fit with mode='shared'."
            )
        report = self.report
        if report.second is not None:
            report = replace(report, mode="shared", chosen=report.second.candidate, second=None)
        return replace(
            self,
            projection=self.rescoring.projection,
            mode="shared",
            report=report,
            rescoring=None,
            path=None,
        )

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

        An aligner that changes nothing does no harm either. The exception: where the target
        encoder finds more than the source encoder, the target encoder should embed the queries.
        """
        unchanged = self.projection.is_identity and self.rescoring is None
        harmless = unchanged and not self.report.target_leads
        return self.report.verdict == "use" or harmless

    @property
    def encoder_names(self) -> dict[str, str]:
        """The recorded name of each modality's encoder; empty where only vectors were given."""
        identities = {side: self.identities[side] for side in SIDES}
        return {side: "" if known is None else known.name for side, known in identities.items()}

    def recognises(self, vectors: Float32Array, modality: str) -> bool:
        """Whether (n, d_out) stored document vectors are surely its own, by themselves.

        No encoder is loaded. False says nothing: the vectors may be its own all the same.
        """
        if vectors.shape[1] != self.output_dimension:
            return False
        if self.projection.hubness is not None:
            return self.projection.hubness.made(vectors, modality)
        kept = self.mode == "keep" and modality == "target"
        return kept and self.target_signature is not None and self.target_signature.fits(vectors)

    def reads(self, modality: Side) -> bool:
        """Whether it reads this modality's texts, too (character n-grams)."""
        return modality in self.projection.ngrams

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
        """SHA-256 of the router, which also decides about vectors of modality ``"auto"``."""
        return hash_of(*router_state(self.router))

    @cached_property
    def retrieval_fingerprint(self) -> str:
        """SHA-256 of all that orders results and changes no vector of a named modality.

        That is the router, the calibration and the rescoring.
        """
        return hash_of(*self.retrieval_state())

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything that decides about vectors: weights, settings, encoders."""
        return fingerprint_of(self.mode, self.projection, self.identities)

    def retrieval_state(self) -> tuple[dict[str, Any], Tensors]:
        """Return router, calibration and rescoring as a JSON-ready record and tensors."""
        router, tensors = router_state(self.router)
        calibration = None if self.calibration is None else self.calibration.to_dict()
        rescoring, second_map = rescoring_state(self.rescoring)
        record = {"router": router, "calibration": calibration, **rescoring}
        return record, tensors | second_map

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the aligner as a folder; nothing half-written is ever left at ``path``.

        Raises:
            FileExistsError: something is there already and ``overwrite`` is not set.
        """
        projection, tensors = self.projection.state()
        encoders, probes = encoders_state(self.identities)
        retrieval, of_retrieval = self.retrieval_state()
        document = {
            "mode": self.mode,
            "projection": projection,
            "retrieval": retrieval,
            "dimensions": self.dimensions,
            "encoders": encoders,
            "data": self.data.__dict__,
            "report": self.report.to_dict(),
            "fingerprint": self.fingerprint,
        }
        tensors = tensors | probes | of_retrieval | signature_state(self.target_signature)
        holds = contents(tensors, hashes=bool(self.data.texts_sample))
        n_rescored = None if self.rescoring is None else self.rescoring.n_hits
        about = (self.report, self.data, self.identities, self.dimensions)
        card = render_card(*about, holds, n_rescored)
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
            aligner = cls(**parts_of(document, tensors), path=folder.resolve())
        # The errors that the lines above raise over a record of another shape.
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise BundleTamperedError(
                f"{folder}: the record does not describe an aligner: {printable(error)}"
            ) from error
        if aligner.fingerprint != document["fingerprint"]:
            raise BundleTamperedError(f"{folder}: the fingerprint differs from the record.")
        return aligner

    def encoder(self, side: Side) -> Encoder:
        """Return a modality's encoder, after a check that it is that of the training.

        Raises:
            EncoderError: none is at hand, or it cannot be loaded.
            EncoderMismatchError: it is another one.
        """
        if side not in self._verified:
            identity = self.identities[side]
            with one_thread(self.encoders.get(side), identity):
                if side not in self._verified:  # another thread may have been first
                    if self.encoders.get(side) is None:
                        bundle.refuse_model_of_aligner(identity, side)
                    self.encoders[side] = recognised(self.encoders.get(side), identity, side)
                    self._verified.add(side)
        ready = self.encoders[side]
        assert ready is not None
        return ready
