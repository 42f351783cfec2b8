"""`kakehashi compare`: baselines, and an aligner beside them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..data.arguments import checked_seed
from ..data.splits import hold_out
from ..encoders import as_encoder
from ..encoders.protocol import checked_encode
from ..errors import DataError
from ..evaluation.baselines import Baseline, Both, named
from ..evaluation.comparison import compare
from ..evaluation.comparison_result import Comparison
from ..evaluation.named_baselines import NAMES
from ..evaluation.paper_metrics import INSTANT, POOL
from ..evaluation.second_look import AGAIN
from ..language import translate, translate_sentence
from ..printable import printable
from ..progress import show_progress
from ..training.fit import fit
from ..training.inputs import as_encoders, with_vectors
from ..training.split_plan import MAX_TEST, TEST_SHARE
from .app import app
from .console import plain_console, print_json
from .next_step import after_comparison
from .options import (
    EXPERTS,
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
    load_index,
    load_pairs,
    sources_of,
)
from .tables import dimmed, interval_of, plain_table, print_table


@app.command("compare")
def compare_command(
    pairs: PairsFile,
    source_encoder: EncoderName = None,
    target_encoder: EncoderName = None,
    both: Annotated[
        list[str] | None,
        typer.Option(help="An encoder for both sides, as another row; may be given several times."),
    ] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            help="A baseline to run; may be given several times. By default all: "
            f"{', '.join(NAMES)}."
        ),
    ] = None,
    with_fit: Annotated[
        bool, typer.Option("--fit", help="Add the aligner that `fit` makes of the training part.")
    ] = False,
    second_model: Annotated[
        str | None,
        typer.Option(
            help="With --fit: an encoder that orders the first hits of the aligner again, and "
            "another row where it embeds the whole index. The index stays as it is."
        ),
    ] = None,
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
    mode: OneMode = "keep",
    test_share: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            min=0.01,
            max=0.9,
            rich_help_panel=EXPERTS,
            help="Share of PAIRS to judge by.",
        ),
    ] = TEST_SHARE,
    seed: Seed = 0,
) -> None:
    """Fit baselines on one part of PAIRS, and score them on the rest.

    Every text is encoded once (--cache keeps its vector), and each --both encodes the test texts
    once more. Most baselines take seconds. mind-the-gap trains a network and takes longest; leave
    it out by naming the others with --baseline. ridge is solved 36 times to choose its strength.
    --fit adds a whole fit.

    Every row searches the whole index: all documents that PAIRS name, and those of --index.
    top-1/250 counts among the answer and 249 others (top-1/80 where there are only 80).
    ms/query is the mean time of one query, measured on up to 50 of them. h-mean is the harmonic
    mean of top-1/250 and speed: 0.1 s / (0.1 s + time).
    """
    for option, value in (("--learn", learn), ("--starter", starter or None)):
        if not with_fit and value is not None:
            raise DataError(f"{option} is for the aligner's row; pass --fit, too.")
    if second_model is not None and not with_fit:
        raise DataError("--second-model is for the hits of an aligner; pass --fit, too.")
    how_file = {"encoding": encoding, "sheet": sheet}
    documents = load_index(index, target, learn, **how_file)
    learn_from = sources_of(documents, learn, starter)
    rows = _rows(baseline, both)
    options: dict[str, Any] = {"mode": mode, "seed": checked_seed(seed), "cache": cache}
    encoders = as_encoders(source_encoder, target_encoder)
    # A fit needs the encoders; a baseline that lacks one gives the reason as its row.
    data = load_pairs(
        pairs,
        encoders if with_fit else None,
        documents,
        source=source,
        target=target,
        group=group,
        **how_file,
    )
    with show_progress(not as_json):
        data = with_vectors(data, encoders, cache, required=False)
    split = hold_out(data, test_share, seed=options["seed"], at_most=MAX_TEST)
    train, test = data.select(split.kept), data.select(split.held_out)
    options |= {f"{side}_encoder": encoder for side, encoder in encoders.items()}
    with show_progress(not as_json):
        aligner = fit(train, test=test, learn_from=learn_from, **options) if with_fit else None
        others: dict[str, Any] = {
            "aligner": aligner,
            "second_model": second_model,
            "index": documents,
        }
        result = compare(train, test, rows, **others, **options)
    assert result.verdict is not None
    given = {
        "source_encoder": source_encoder,
        "target_encoder": target_encoder,
        "index": index,
        "learn": learn,
        "starter": starter,
        "mode": None if mode == "keep" else mode,
        "seed": seed or None,
        "source": None if source == "source" else source,
        "target": None if target == "target" else target,
        "group": group,
        **how_file,
        "cache": cache,
    }
    next_step = after_comparison(result.verdict, pairs, given | {"fit": with_fit})
    if as_json:
        print_json({**result.to_dict(), "next_step": next_step})
    else:
        _print(result)
        said = translate("next: {STEP}", STEP=next_step)
        plain_console().print(said, soft_wrap=True)


def _print(result: Comparison) -> None:
    """Print the rows that could be scored as a table, and why the others could not."""
    drawn = f"top-1/{min(POOL, result.pool)}"
    columns = ("", "recall@1", "@5", "@10", "MRR@10", drawn, "ms/query", "h-mean", "train s")
    title = translate(
        "{n:,} queries in the whole index: {pool:,} documents, {n_train:,} training pairs",
        n=result.n_queries,
        pool=result.pool,
        n_train=result.n_train,
    )
    table = plain_table(*columns)
    lines = []
    for name, row in result.rows.items():
        if isinstance(row, str):
            lines.append(translate("{name} has no row: {REASON}", name=name, REASON=row))
            continue
        means, (low, high) = row.scores.means, row.scores.intervals["recall@1"]
        recall = dimmed(f"{means['recall@1']:.3f}\n", interval_of(low, high))
        others = [f"{means[name]:.3f}" for name in ("recall@5", "recall@10", "mrr@10")]
        speed = (
            f"{1000 * row.latency:.2f}",
            f"{row.harmonic_mean:.3f}",
            f"{row.train_seconds:.1f}",
        )
        table.add_row(printable(name), recall, *others, f"{row.accuracy:.3f}", *speed)
    console = plain_console()
    print_table(title, table)
    lines += [
        translate(
            "{top}: share of queries whose answer comes first among {n:d} documents, the answer "
            "and others at random",
            top=drawn,
            n=min(POOL, result.pool),
        ),
        translate(
            "ms/query: mean time of one query; h-mean: harmonic mean of {top} and of speed, "
            "{seconds} s / ({seconds} s + time)",
            top=drawn,
            seconds=INSTANT,
        ),
        *(translate("note: {NOTE}", NOTE=note) for note in result.notes),
        translate("verdict: {VERDICT}", VERDICT=str(result.verdict)),
    ]
    if result.second is not None:
        lines.append(translate_sentence(str(result.second)))
    for line in lines:
        console.print(line, soft_wrap=True)


def _rows(names: list[str] | None, encoders: list[str] | None) -> list[Baseline]:
    """Return the baselines of these names, and one for each encoder of both sides.

    A wrong name would else be found after minutes: each encoder embeds a text at once.
    """
    others = [as_encoder(name) for name in encoders or []]
    for other in others:
        checked_encode(other, ["kakehashi"], "query")
    rows: list[Baseline] = [named(name) for name in names or NAMES]
    return rows + [Both(f"{AGAIN}{other.name}", other) for other in others]
