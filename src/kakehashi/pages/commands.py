"""Commands of this package, written out for a page."""

from __future__ import annotations

import shlex
from typing import Any

from ..aligner import Aligner
from ..types import SIDES


def command(name: str, *words: str, **options: Any) -> str:
    """Return a command line; options that are None are left out."""
    line = ["kakehashi", name, *words]
    for option, value in options.items():
        if value is not None:
            line += [f"--{option.replace('_', '-')}", str(value)]
    return shlex.join(line)


def encoder_options(aligner: Aligner) -> dict[str, str]:
    """Return the options for encoders that the aligner cannot load by its own record."""
    options = {}
    for side in SIDES:
        identity = aligner.identities[side]
        if identity is not None and identity.passed_name is not None:
            options[f"{side}_encoder"] = identity.passed_name
    return options


def folder_of(aligner: Aligner) -> str:
    """Return the folder that an aligner was loaded from."""
    return "FOLDER" if aligner.path is None else str(aligner.path)


def fit_command(aligner: Aligner) -> str:
    """Return the fit, as far as the aligner records it."""
    data, report = aligner.data, aligner.report
    encoders = {}
    for side in SIDES:
        identity = aligner.identities[side]
        if identity is not None:
            encoders[f"{side}_encoder"] = identity.passed_name or identity.model or identity.name
    columns = {}
    if data.columns != SIDES:
        columns = dict(zip(SIDES, data.columns, strict=True))
    settings = {"mode": aligner.mode, "seed": report.seed, "licence": data.licence or None}
    return command(
        "fit", data.name or "PAIRS", **encoders, **columns, **settings, out=folder_of(aligner)
    )
