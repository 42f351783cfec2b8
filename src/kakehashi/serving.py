"""What serving mixed corpora needs beside the map: router and calibration of scores."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .retrieval.calibration import MIN_CALIBRATED, Calibration
from .routing.router import Router, ScriptRouter, router_from


@dataclass(frozen=True, eq=False)
class Serving:
    """What was learned for serving, each part None where the data did not allow for it."""

    router: Router | ScriptRouter | None = None
    calibration: Calibration | None = None

    def __repr__(self) -> str:
        """Name the parts that are there, without their arrays."""
        there = (each.name for each in fields(self) if getattr(self, each.name) is not None)
        return f"Serving({', '.join(there)})"

    def fingerprint(self, *names: str) -> str:
        """SHA-256 of parts by their names, of all by default; they decide about no vector's bits.

        The router does decide which encoder reads a text, where that is left to it.
        """
        parts = {name: getattr(self, name) for name in names or [f.name for f in fields(self)]}
        record, tensors = replace(Serving(), **parts).state()
        digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
        for name in sorted(tensors):
            digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode())
            digest.update(np.ascontiguousarray(tensors[name]).data)
        return digest.hexdigest()

    @property
    def facts(self) -> dict[str, str]:
        """What was learned, a line each for people, by name of the part."""
        found = {}
        if self.router is not None:
            found["router"] = str(self.router)
        if self.calibration is None:
            found["calibration"] = f"none: it takes {MIN_CALIBRATED} held-out pairs with an answer"
        else:
            kinds = "vectors and words" if self.calibration.hybrid else "vectors"
            found["calibration"] = f"of {kinds}, on {self.calibration.n_pairs} held-out pairs"
        return found

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what rebuilds this: a JSON-ready record and named tensors."""
        record: dict[str, Any] = {
            "calibration": None if self.calibration is None else self.calibration.to_dict()
        }
        tensors: dict[str, NDArray[Any]] = {}
        record["router"] = None
        if self.router is not None:
            record["router"], found = self.router.state()
            tensors |= {f"router.{key}": x for key, x in found.items()}
        return record, tensors

    @classmethod
    def from_state(
        cls, record: Mapping[str, Any] | None, tensors: Mapping[str, NDArray[Any]]
    ) -> Serving:
        """Rebuild from :meth:`state`; a record of a format that knew none of it gives nothing.

        Raises:
            ValueError, KeyError, TypeError: no such record.
        """
        own = {
            name.removeprefix("router."): tensor
            for name, tensor in tensors.items()
            if name.startswith("router.")
        }
        record = record or dict.fromkeys(("router", "calibration"))
        router, calibration = record["router"], record["calibration"]
        if router is None and own:
            raise ValueError("there are tensors of a router, and no record of one")
        return cls(
            None if router is None else router_from(router, own),
            None if calibration is None else Calibration.from_dict(calibration),
        )
