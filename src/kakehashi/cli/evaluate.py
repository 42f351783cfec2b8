"""`kakehashi evaluate`: a saved aligner on other pairs."""

from __future__ import annotations

from ..aligner import Aligner
from ..evaluation.scoring import evaluate
from ..progress import show_progress
from ..report import TARGET_ENCODER
from ..types import SIDES
from .app import app
from .console import plain_console, print_json, print_scores, scores_json
from .options import (
    CacheFile,
    EncoderName,
    Folder,
    Json,
    PairsFile,
    SourceColumn,
    TargetColumn,
    load_pairs,
    require_encoder,
)


@app.command("evaluate")
def evaluate_command(
    folder: Folder,
    pairs: PairsFile,
    source_encoder: EncoderName = None,
    target_encoder: EncoderName = None,
    source: SourceColumn = "source",
    target: TargetColumn = "target",
    cache: CacheFile = None,
    as_json: Json = False,
) -> None:
    """Score a saved aligner on PAIRS that it was not trained on.

    Each query searches all targets of the file, and only its own target counts. A target that
    stands in several pairs is one document.
    """
    aligner = Aligner.load(folder).with_encoders(
        source_encoder=source_encoder, target_encoder=target_encoder
    )
    data = load_pairs(pairs, source=source, target=target)
    for side in SIDES:
        if data.vectors(side) is None:
            require_encoder(aligner, side)
    with show_progress(not as_json):
        result = evaluate(aligner, data, cache=cache)
    pool = result.aligned.pool
    if as_json:
        scores = {
            "base": result.base,
            "target_encoder": result.target_encoder,
            "aligned": result.aligned,
        }
        rows = {name: None if s is None else scores_json(s) for name, s in scores.items()}
        print_json({"n_queries": len(data), "pool": pool, **rows, "note": result.note})
        return
    shown = {"untouched": result.base}
    if result.target_encoder is not None:
        shown[TARGET_ENCODER] = result.target_encoder
    shown["aligned"] = result.aligned
    print_scores(f"{len(data)} queries in {pool} documents", shown)
    if result.note:
        plain_console().print(f"note: {result.note}")
