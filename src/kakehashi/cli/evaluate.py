"""`kakehashi evaluate`: a saved aligner on other pairs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ..aligner import Aligner
from ..evaluation.scoring import Evaluation, evaluate
from ..language import translate, translate_sentence
from ..progress import show_progress
from ..report import TARGET_ENCODER
from ..types import SIDES
from .app import app
from .console import plain_console, print_json
from .options import (
    CacheFile,
    EncoderName,
    Encoding,
    Folder,
    GroupColumn,
    IndexAddress,
    Json,
    PairsFile,
    Sheet,
    SourceOfFit,
    TargetOfFit,
    TrainedOn,
    load_for,
    load_pairs,
    require_encoder,
)
from .records import scores_json
from .saving import check_file, write_file
from .tables import print_scores

_SCORES = ("base", "target_encoder", "bm25", "aligned", "rescored", "shared")


@app.command("evaluate")
def evaluate_command(
    folder: Folder,
    pairs: PairsFile,
    source_encoder: EncoderName = None,
    target_encoder: EncoderName = None,
    cache: CacheFile = None,
    as_json: Json = False,
    source: SourceOfFit = None,
    target: TargetOfFit = None,
    group: GroupColumn = None,
    encoding: Encoding = None,
    sheet: Sheet = None,
    index: IndexAddress = None,
    trained_on: TrainedOn = None,
    questions: Annotated[
        Path | None,
        typer.Option(help="File to write: a line of JSON for each question, with its ranks."),
    ] = None,
) -> None:
    """Score a saved aligner on PAIRS that it was not trained on.

    Each query searches all targets of the file and, with --index, all documents of the index.
    Every target that is paired with its text answers it. A document that stands there several
    times is one.
    """
    if questions is not None:
        check_file(questions, pairs)
    encoders = {"source_encoder": source_encoder, "target_encoder": target_encoder}
    aligner = Aligner.load(folder).with_encoders(**encoders)
    names, data, documents = load_for(
        aligner, pairs, index, (source, target), group, encoding=encoding, sheet=sheet
    )
    fitted = None if trained_on is None else load_pairs(trained_on, **names)
    for side in SIDES:
        if data.vectors(side) is None:
            require_encoder(aligner, side)
    with show_progress(not as_json):
        result = evaluate(aligner, data, index=documents, trained_on=fitted, cache=cache)
    if questions is not None:
        lines = [json.dumps(each, ensure_ascii=False) + "\n" for each in result.questions()]
        write_file(questions, "".join(lines))
    if as_json:
        _print_json(result)
    else:
        _print(result)


def _print_json(result: Evaluation) -> None:
    scores = {name: getattr(result, name) for name in _SCORES}
    rows = {name: None if s is None else scores_json(s) for name, s in scores.items()}
    about = {"n_queries": result.aligned.n_queries, "pool": result.aligned.pool}
    print_json({**about, **rows, "note": result.note, **result.to_dict()["judgement"]})


def _print(result: Evaluation) -> None:
    shown = {"untouched": result.base}
    if result.target_encoder is not None:
        shown[TARGET_ENCODER] = result.target_encoder
    shown |= {"BM25": result.bm25, "aligned": result.aligned}
    if result.rescored is not None:
        shown |= {"rescored": result.rescored, "shared": result.shared}
    title = translate(
        "{n:,} queries in {pool:,} documents",
        n=result.aligned.n_queries,
        pool=result.aligned.pool,
    )
    print_scores(title, shown)
    notes = [f"note: {result.note}"] if result.note else []
    for line in (*notes, *str(result.judgement).split("\n")):
        plain_console().print(translate_sentence(line), soft_wrap=True)
