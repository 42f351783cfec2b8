"""`kakehashi curve`: what more pairs are likely to bring."""

from __future__ import annotations

from typing import Annotated

import typer

from ..evaluation.curve import learning_curve
from ..progress import show_progress
from ..types import Side
from .app import app
from .console import print_json
from .options import (
    CacheFile,
    EncoderName,
    Encoding,
    GroupColumn,
    IndexAddress,
    Json,
    Learn,
    OneMode,
    PairsFile,
    Seed,
    Sheet,
    SourceColumn,
    Starter,
    TargetColumn,
    TestFile,
    load_index,
    load_pairs,
    sources_of,
)


@app.command("curve")
def curve_command(
    pairs: PairsFile,
    source_encoder: EncoderName = None,
    target_encoder: EncoderName = None,
    cache: CacheFile = None,
    as_json: Json = False,
    source: SourceColumn = "source",
    target: TargetColumn = "target",
    group: GroupColumn = None,
    encoding: Encoding = None,
    sheet: Sheet = None,
    index: IndexAddress = None,
    learn: Learn = None,
    starter: Starter = None,
    size: Annotated[
        list[int] | None,
        typer.Option(
            help="Number of pairs to fit on; may be given several times. By default all, a half, "
            "a quarter and an eighth."
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(help="Random parts of each smaller size.")] = 3,
    mode: OneMode = "keep",
    test: TestFile = None,
    seed: Seed = 0,
) -> None:
    """Fit on parts of PAIRS, and estimate the gain from twice as many pairs.

    The fits are closed forms, from pairs alone or also from texts of --index and --starter pairs.
    They read vectors and, where texts are encoded here, character n-grams. They train no head with
    torch, as `fit` does by default in keep mode, so `fit` may find a little more.

    Ten fits by default: one on all pairs, and --repeats on each smaller size. Each takes as long
    as `fit` on as many pairs. Every text is encoded once; --cache keeps its vector.
    """
    how_file = {"encoding": encoding, "sheet": sheet}
    learn_from = sources_of(load_index(index, target, learn, **how_file), learn, starter)
    names = {"source": source, "target": target, "group": group, **how_file}
    encoders: dict[Side, str | None] = {"source": source_encoder, "target": target_encoder}
    with show_progress(not as_json):
        result = learning_curve(
            load_pairs(pairs, encoders, **names),
            source_encoder=source_encoder,
            target_encoder=target_encoder,
            mode=mode,  # type: ignore[arg-type]  # learning_curve names the allowed values
            sizes=size,
            test=None if test is None else load_pairs(test, encoders, **names),
            learn_from=learn_from,
            seed=seed,
            repeats=repeats,
            cache=cache,
        )
    if as_json:
        print_json(result.to_dict())
    else:
        print(result)
