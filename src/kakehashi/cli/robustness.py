"""`kakehashi robustness`: a saved aligner on queries with errors."""

from __future__ import annotations

from typing import Annotated

import typer

from ..aligner import Aligner
from ..evaluation.robustness.measure import measure_robustness
from ..evaluation.robustness.perturbations import PERTURBATIONS
from ..progress import show_progress
from ..types import SIDES
from .app import app
from .console import print_json
from .options import (
    CacheFile,
    EncoderName,
    Encoding,
    Folder,
    GroupColumn,
    IndexAddress,
    Json,
    PairsFile,
    Seed,
    Sheet,
    SourceOfFit,
    TargetOfFit,
    load_for,
    require_encoder,
)
from .tables import print_robustness


@app.command("robustness")
def robustness_command(
    folder: Folder,
    pairs: PairsFile,
    source_encoder: EncoderName = None,
    target_encoder: EncoderName = None,
    perturbation: Annotated[
        list[str] | None,
        typer.Option(
            help="Run only this perturbation; may be given several times. By default all: "
            f"{', '.join(PERTURBATIONS)}."
        ),
    ] = None,
    cache: CacheFile = None,
    as_json: Json = False,
    source: SourceOfFit = None,
    target: TargetOfFit = None,
    group: GroupColumn = None,
    encoding: Encoding = None,
    sheet: Sheet = None,
    index: IndexAddress = None,
    seed: Seed = 0,
) -> None:
    """Perturb the queries of PAIRS (typing errors, cut-offs, ...) and score what they still find.

    Documents stay as they are. The output names each perturbation that could not be run.

    Nothing is fitted. Most of the time goes into encoding: each of the 11 perturbations makes
    another copy of every query that it changes. Together this is about twelve times the work of
    `evaluate`. Choose some with --perturbation; --cache keeps the vectors. Documents are encoded
    once, or not at all where PAIRS holds their vectors.
    """
    encoders = {"source_encoder": source_encoder, "target_encoder": target_encoder}
    aligner = Aligner.load(folder).with_encoders(**encoders)
    _, data, documents = load_for(
        aligner, pairs, index, (source, target), group, encoding=encoding, sheet=sheet
    )
    for side in SIDES:
        if side == "source" or data.vectors(side) is None:
            require_encoder(aligner, side)
    with show_progress(not as_json):
        report = measure_robustness(
            aligner,
            data,
            index=documents,
            names=perturbation or None,
            seed=seed,
            cache=cache,
        )
    if as_json:
        print_json(report.to_dict())
    else:
        print_robustness(report)
