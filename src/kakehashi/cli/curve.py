"""`kakehashi curve`: what more pairs are likely to bring."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from ..evaluation.curve import learning_curve
from ..evaluation.curve_result import FORECAST, LearningCurve
from ..language import translate, translate_sentence
from ..progress import show_progress
from ..types import Side
from .app import app
from .console import plain_console, print_json
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
from .tables import dimmed, interval_of, plain_table, print_table


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
        _print(result)


def _print(curve: LearningCurve) -> None:
    """Print a row for each number of pairs, and what the next doubling is likely to bring."""
    scores = curve.points[-1].scores
    title = translate(
        "{n:d} held-out questions in the whole index: {pool:,} documents, mode {mode}",
        n=scores.n_queries,
        pool=scores.pool,
        mode=curve.mode,
    )
    columns = [translate(name) for name in ("pairs", "fits", "verdict")]
    table = plain_table(*columns[:2], "recall@1", "MRR@10", columns[2])
    for point in curve.points:
        cells = [
            dimmed(f"{point.scores.means[name]:.3f}\n", interval_of(*point.scores.intervals[name]))
            for name in FORECAST
        ]
        use, fits = point.verdicts.count("use"), len(point.verdicts)
        advice = translate("use" if use == fits else "use {use:d} of {fits:d}", use=use, fits=fits)
        said = advice if use else translate("do not use")
        table.add_row(f"{point.n_pairs:,}", str(fits), *cells, said)
    console = plain_console()
    print_table(title, table)
    for line in (*_read(curve), *_forecasts(curve), *(f"note: {note}" for note in curve.notes)):
        console.print(translate_sentence(line), soft_wrap=True)


def _read(curve: LearningCurve) -> Iterator[str]:
    """Say what the fits have learned from."""
    read = "vectors and character n-grams" if curve.ngrams else "vectors alone"
    yield f"fits of closed forms over {read}"
    for name, rows in curve.learned_from.items():
        yield f"learned beside the pairs: {rows:,} rows of {name}"


def _forecasts(curve: LearningCurve) -> Iterator[str]:
    for name, label in zip(FORECAST, ("recall@1", "MRR@10"), strict=True):
        gain = curve.next_doubling[name]
        low, high = gain.interval
        yield (
            f"the next doubling ({gain.n_from:,} -> {gain.n_to:,} pairs) is likely to bring "
            f"{gain.gain:+.3f} [{low:+.3f}, {high:+.3f}] {label}"
        )
    yield "intervals: 95% of a score, over the queries; 90% of what the doubling brings"
