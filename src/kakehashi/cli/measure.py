"""Commands that measure: evaluate, compare, curve, robustness."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from ..aligner import Aligner
from ..data.splits import hold_out
from ..data.validation import checked_seed
from ..encoders import as_encoder
from ..errors import DataError
from ..evaluation.baselines import Baseline, Both, named
from ..evaluation.comparison import Comparison
from ..evaluation.comparison import compare as compare_baselines
from ..evaluation.curve import LearningCurve, learning_curve
from ..evaluation.named_baselines import NAMES
from ..evaluation.robustness.measure import measure_robustness as perturb_and_score
from ..evaluation.robustness.perturbations import PERTURBATIONS
from ..evaluation.scoring import evaluate as evaluate_aligner
from ..report import TARGET_ENCODER
from ..training.fit import fit as fit_aligner
from ..training.inputs import as_encoders, with_vectors
from ..training.split_plan import MAX_TEST, TEST_SHARE
from ..types import SIDES, Side
from .app import app
from .console import print_json, print_robustness, print_table, row
from .options import (
    AsJson,
    Cache,
    EncoderName,
    Folder,
    Group,
    HeldOut,
    ModeOfOne,
    NoUnpaired,
    PairsFile,
    Source,
    Target,
    TestPairs,
    Unpaired,
    read,
    read_unpaired,
    require_encoder,
)


@app.command()
def evaluate(
    folder: Folder,
    pairs: PairsFile,
    source_encoder: EncoderName = None,
    target_encoder: EncoderName = None,
    source: Source = "source",
    target: Target = "target",
    cache: Cache = None,
    as_json: AsJson = False,
) -> None:
    """Score a saved aligner on PAIRS: each query's own target among all targets of the file.

    A target that stands several times is one document.
    """
    aligner = Aligner.load(folder).with_encoders(
        source_encoder=source_encoder, target_encoder=target_encoder
    )
    data = read(pairs, source=source, target=target)
    for side in SIDES:
        if data.vectors(side) is None:
            require_encoder(aligner, side)
    found = evaluate_aligner(aligner, data, cache=cache, progress=not as_json)
    scored = {"base": found.base, "target_encoder": found.target_encoder, "aligned": found.aligned}
    pool = found.aligned.pool
    if as_json:
        rows = {name: None if scores is None else row(scores) for name, scores in scored.items()}
        print_json({"n_queries": len(data), "pool": pool, **rows, "note": found.note})
        return
    shown = {
        "untouched": found.base,
        TARGET_ENCODER: found.target_encoder,
        "aligned": found.aligned,
    }
    if found.target_encoder is None:
        del shown[TARGET_ENCODER]
    print_table(f"{len(data)} queries in {pool} documents", shown)
    if found.note:
        Console().print(f"note: {found.note}", markup=False)


@app.command()
def compare(
    pairs: PairsFile,
    source_encoder: EncoderName = None,
    target_encoder: EncoderName = None,
    baseline: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(NAMES)}; all of them by default.")
    ] = None,
    both: Annotated[
        list[str] | None, typer.Option(help="Encoder for both sides; a row of its own.")
    ] = None,
    fitted: Annotated[
        bool, typer.Option("--fit", help="Add the aligner that `fit` makes of the training part.")
    ] = False,
    unpaired: Unpaired = None,
    no_unpaired: NoUnpaired = False,
    mode: ModeOfOne = "keep",
    test_share: Annotated[
        float, typer.Option(min=0.01, max=0.9, help="Share of PAIRS that judges.")
    ] = TEST_SHARE,
    seed: HeldOut = 0,
    source: Source = "source",
    target: Target = "target",
    group: Group = None,
    cache: Cache = None,
    as_json: AsJson = False,
) -> None:
    """Fit baselines on one part of PAIRS, and score them on the rest.

    Every text is encoded once (--cache keeps it), those that judge once more for each --both. The
    closed forms are solved at once, ridge 36 times to find its strength; mind-the-gap trains a
    network and takes longest of them: leave it out by naming the others with --baseline. --fit adds
    a whole fit. For the time of a query, every row is asked up to 50 of them one by one.

    recall@1 and MRR@10 are among all held-out documents, top-1/250 among the answer and 249 others
    (top-1/80, say, among all where only 80 are held out).
    ms/query is the mean time of one query, and h-mean the harmonic mean of top-1/250 and of speed:
    0.1 s / (0.1 s + time).
    """
    if not fitted and (unpaired is not None or no_unpaired):
        raise DataError("--unpaired and --no-unpaired are for the aligner's row; pass --fit, too.")
    free = read_unpaired(unpaired, no_unpaired, target, encoders=(source_encoder, target_encoder))
    progress, seed = not as_json, checked_seed(seed)
    encoders = as_encoders(source_encoder, target_encoder)
    others = [as_encoder(name) for name in both or []]
    rows: list[Baseline] = [named(name) for name in baseline or NAMES]
    rows += [Both(f"both: {other.name}", other) for other in others]
    # Without encoders the rows that need vectors say so; a fit cannot do without.
    needed = encoders if fitted else None
    data = read(pairs, needed, source=source, target=target, group=group)
    data = with_vectors(data, encoders, cache, progress, required=False)
    split = hold_out(data, test_share, seed=seed, at_most=MAX_TEST)
    train, test = data.select(split.kept), data.select(split.held_out)
    options: dict[str, Any] = {
        "source_encoder": encoders["source"],
        "target_encoder": encoders["target"],
        "mode": mode,
        "seed": seed,
        "cache": cache,
        "progress": progress,
    }
    aligner = fit_aligner(train, test=test, unpaired=free, **options) if fitted else None
    _show(compare_baselines(train, test, rows, aligner=aligner, **options), as_json)


@app.command()
def curve(
    pairs: PairsFile,
    source_encoder: EncoderName = None,
    target_encoder: EncoderName = None,
    mode: ModeOfOne = "keep",
    size: Annotated[
        list[int] | None,
        typer.Option(help="Pairs to fit on; by default all, a half, a quarter and an eighth."),
    ] = None,
    test: TestPairs = None,
    unpaired: Unpaired = None,
    repeats: Annotated[int, typer.Option(help="Random parts of each smaller size.")] = 3,
    seed: HeldOut = 0,
    source: Source = "source",
    target: Target = "target",
    group: Group = None,
    cache: Cache = None,
    as_json: AsJson = False,
) -> None:
    """Fit on parts of PAIRS, and say what twice as many pairs are likely to bring.

    Fits are of closed forms, over vectors and, where texts are encoded here, character n-grams,
    from pairs alone or with the texts of --unpaired beside them. What `fit` also trains by contrast
    (--learned) is left out, so that `fit` itself may find a little more.

    Ten fits by default: one on all pairs, and --repeats on each smaller size; each takes what
    `fit --learned none` in one mode takes on as many pairs. Every text is encoded once; --cache
    keeps it.
    """
    free = read_unpaired(unpaired, False, target, encoders=(source_encoder, target_encoder))
    names = {"source": source, "target": target, "group": group}
    encoders: dict[Side, str | None] = {"source": source_encoder, "target": target_encoder}
    found = learning_curve(
        read(pairs, encoders, **names),
        source_encoder=source_encoder,
        target_encoder=target_encoder,
        mode=mode,  # type: ignore[arg-type]  # learning_curve names the allowed values
        sizes=size,
        test=None if test is None else read(test, encoders, **names),
        unpaired=free,
        seed=seed,
        repeats=repeats,
        cache=cache,
        progress=not as_json,
    )
    _show(found, as_json)


def _show(found: Comparison | LearningCurve, as_json: bool) -> None:
    if as_json:
        print_json(found.to_dict())
    else:
        print(found)


@app.command()
def robustness(
    folder: Folder,
    pairs: PairsFile,
    perturbation: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Run this perturbation only; may be given several times. One of "
            f"{', '.join(PERTURBATIONS)}; all of them by default."
        ),
    ] = None,
    source_encoder: EncoderName = None,
    target_encoder: EncoderName = None,
    source: Source = "source",
    target: Target = "target",
    seed: Annotated[int, typer.Option(help="Decides what the perturbations draw.")] = 0,
    cache: Cache = None,
    as_json: AsJson = False,
) -> None:
    """Perturb the queries of PAIRS (typing errors, cut-offs, ...) and score what they still find.

    Documents stay as they are. What could not be run is named.

    Nothing is fitted. What takes time is encoding: each of the 11 perturbations makes another
    copy of every query that it changes. With the queries as they are, that is about twelve times
    what `evaluate` encodes. Choose some with --perturbation; --cache keeps what is encoded.
    Documents are encoded once, or not at all where PAIRS holds their vectors.
    """
    aligner = Aligner.load(folder).with_encoders(
        source_encoder=source_encoder, target_encoder=target_encoder
    )
    data = read(pairs, source=source, target=target)
    for side in SIDES:
        if side == "source" or data.vectors(side) is None:
            require_encoder(aligner, side)
    report = perturb_and_score(
        aligner,
        data,
        names=perturbation or None,
        seed=seed,
        cache=cache,
        progress=not as_json,
    )
    if as_json:
        print_json(report.to_dict())
        return
    print_robustness(report)
