"""The record and the tensors of an aligner: how it is saved, rebuilt and fingerprinted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bundle.typed import check_type, check_types
from .data.hashing import hash_of
from .encoders import EncoderIdentity
from .encoders.identity import PROBE_ROWS
from .encoders.signature import SpaceSignature
from .projection import Projection
from .projection.rescoring import Rescoring
from .report import DataRecord, Report
from .retrieval.calibration import Calibration
from .routing import Router, ScriptRouter
from .routing.router import router_from
from .types import SIDES, Mode, Side

Tensors = dict[str, NDArray[Any]]
Identities = Mapping[Side, EncoderIdentity | None]

_ROUTER, _PROBES, _RESCORING = "router.", "probes.", "rescoring."
"""Prefixes of the tensors of a saved router, of the probe vectors, and of the second map."""
_SIGNATURE = "signature.target"
"""The tensor of the signature of the target encoder's space."""


def fingerprint_of(mode: str, projection: Projection, identities: Identities) -> str:
    """Return the SHA-256 of everything that decides about vectors: weights, settings, encoders."""
    record, tensors = projection.state()
    for side in SIDES:
        identity = identities[side]
        if identity is not None:
            record[side] = [identity.name, identity.dimension]
            tensors = {**tensors, _PROBES + side: identity.probes}
    return hash_of([mode, record], tensors)


def encoders_state(identities: Identities) -> tuple[dict[str, Any], Tensors]:
    """Return the identities of the encoders as a JSON-ready record and tensors."""
    record: dict[str, Any] = dict.fromkeys(SIDES)
    tensors: Tensors = {}
    for side in SIDES:
        identity = identities[side]
        if identity is not None:
            record[side] = {
                "name": identity.name,
                "dimension": identity.dimension,
                "model": identity.model,
            }
            tensors[_PROBES + side] = identity.probes
    return record, tensors


def router_state(router: Router | ScriptRouter | None) -> tuple[dict[str, Any] | None, Tensors]:
    """Return a router as a JSON-ready record and tensors; None and no tensors without one."""
    if router is None:
        return None, {}
    record, tensors = router.state()
    return record, {_ROUTER + name: tensor for name, tensor in tensors.items()}


def rescoring_state(rescoring: Rescoring | None) -> tuple[dict[str, Any], Tensors]:
    """Return an entry for the record and the tensors of a rescoring; nothing without one."""
    if rescoring is None:
        return {}, {}
    record, tensors = rescoring.state()
    return {"rescoring": record}, {_RESCORING + name: tensor for name, tensor in tensors.items()}


def signature_state(signature: SpaceSignature | None) -> Tensors:
    """Return the tensor of a signature; none without one."""
    return {} if signature is None else {_SIGNATURE: signature.directions}


def parts_of(document: Mapping[str, Any], tensors: Tensors) -> dict[str, Any]:
    """Rebuild the parts of an aligner, by the names of its fields.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, OverflowError: the record has another
            shape, or parts contradict each other.
    """
    beside = (_PROBES, _ROUTER, _SIGNATURE, _RESCORING)
    weights = {name: x for name, x in tensors.items() if not name.startswith(beside)}
    router, calibration = (document["retrieval"][part] for part in ("router", "calibration"))
    parts = {
        "projection": Projection.from_state(document["projection"], weights),
        "mode": document["mode"],
        "dimensions": document["dimensions"],
        "identities": {side: _identity(document, tensors, side) for side in SIDES},
        "data": DataRecord(**document["data"]),
        "report": Report.from_dict(document["report"]),
        "router": _router(router, tensors),
        "rescoring": _rescoring(document["retrieval"].get("rescoring"), tensors),
        "calibration": None if calibration is None else Calibration.from_dict(calibration),
        "target_signature": SpaceSignature.from_state(
            tensors.get(_SIGNATURE), document["dimensions"]["target"]
        ),
    }
    _check(parts)
    return parts


def _check(parts: Mapping[str, Any]) -> None:
    """Raise ValueError where parts of an aligner contradict each other, or are of other types."""
    projection, dimensions, identities = (
        parts[name] for name in ("projection", "dimensions", "identities")
    )
    widths = set()
    for side in SIDES:
        stated, identity = dimensions[side], identities[side]
        mapped = projection.dimensions(side)
        if type(stated) is not int or (mapped is not None and mapped[0] != stated):
            raise ValueError(f"dimension {stated!r} of the {side} does not fit the weights")
        if identity is not None and identity.probes.shape[1:] != (stated,):
            raise ValueError(f"dimension {stated!r} of the {side} does not fit its encoder")
        widths.add(stated if mapped is None else mapped[1])
    if len(widths) > 1:
        raise ValueError(f"the two sides end in different dimensions {sorted(widths)}")
    check_type(parts["mode"], Mode, "mode")
    if parts["rescoring"] is not None:
        _check_rescoring(parts["mode"], parts["rescoring"], dimensions)
    for name in ("data", "report"):
        check_types(parts[name], name)
    parts["report"].check()


def _check_rescoring(mode: str, rescoring: Rescoring, dimensions: Mapping[str, Any]) -> None:
    if mode != "keep":
        raise ValueError(f"an aligner of mode {mode!r} has no second map")
    for side in SIDES:
        mapped = rescoring.projection.dimensions(side)
        if mapped is None or mapped[0] != dimensions[side]:
            raise ValueError(f"the second map does not fit the vectors of the {side}")
    if len({(rescoring.projection.dimensions(side) or (0, 0))[1] for side in SIDES}) > 1:
        raise ValueError("the two sides of the second map end in different dimensions")


def _identity(document: Any, tensors: Any, side: str) -> EncoderIdentity | None:
    record = document["encoders"][side]
    if record is None:
        return None
    probes = tensors[_PROBES + side]
    if len(probes) == 0 or len(probes) % PROBE_ROWS:
        raise ValueError(f"{len(probes)} rows of the {side} are no answers to the probe texts")
    check_type(record["name"], str, f"the encoder of the {side}")
    check_type(record["model"], str | None, f"the model of the {side}")
    if probes.dtype != np.float32 or not (np.abs(probes) <= 1.001).all():
        raise ValueError(f"the probe vectors of the {side} are no unit vectors of float32")
    return EncoderIdentity(record["name"], record["dimension"], record["model"], probes)


def _router(record: dict[str, Any] | None, tensors: Tensors) -> Router | ScriptRouter | None:
    saved = _named(_ROUTER, tensors)
    if record is not None:
        return router_from(record, saved)
    if saved:
        raise ValueError("there are tensors of a router, and no record of one")
    return None


def _rescoring(record: dict[str, Any] | None, tensors: Tensors) -> Rescoring | None:
    saved = _named(_RESCORING, tensors)
    if record is not None:
        return Rescoring.from_state(record, saved)
    if saved:
        raise ValueError("there are tensors of a second map, and no record of one")
    return None


def _named(prefix: str, tensors: Tensors) -> Tensors:
    """Return the tensors whose names begin with a prefix, without it."""
    return {k.removeprefix(prefix): x for k, x in tensors.items() if k.startswith(prefix)}
