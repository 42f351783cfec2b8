"""The command line: demo, fit, evaluate, compare, curve, robustness, project, info."""

from __future__ import annotations

import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from . import __version__
from .aligner import Aligner
from .cache import encode_texts
from .console import (
    print_json,
    print_report,
    print_robustness,
    print_table,
    report_json,
    row,
    short,
)
from .curve import learning_curve
from .development import MAX_TEST, TEST_SHARE
from .encoders import as_encoder
from .errors import DataError, EncoderError, KakehashiError, ReaderError
from .evaluation.baselines import Baseline, Both, named
from .evaluation.comparison import compare as compare_baselines
from .evaluation.intervals import Scores, clusters_of
from .evaluation.metrics import ranks
from .evaluation.named import NAMES
from .evaluation.relevance import Relevance
from .gather import with_vectors
from .ladder import fit as fit_aligner
from .pairs import SIDES, Pairs, Side
from .readers import read_pairs
from .robustness import robustness as perturb_and_score
from .splits import hold_out

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Train a small projection on pairs of texts, and see whether it helps.",
)
PairsFile = Annotated[
    Path, typer.Argument(help="Pairs: .jsonl, .csv, .tsv, .parquet, .tmx, .po, or vectors: .npz.")
]
Folder = Annotated[Path, typer.Argument(help="Folder of a saved aligner.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Source = Annotated[str, typer.Option(help="Column, array or language of the source.")]
Target = Annotated[str, typer.Option(help="Column, array or language of the target.")]
Group = Annotated[
    str | None,
    typer.Option(
        help="Column of the document that a pair comes from; none is ever on both sides of a "
        "split. By default the column 'group', where there is one."
    ),
]
EncoderName = Annotated[
    str | None,
    typer.Option(
        help="A sentence-transformers name or path, or module:attribute of a function or class."
    ),
]
Cache = Annotated[Path | None, typer.Option(help="File that keeps encoded vectors between runs.")]


def main() -> None:
    """Run the command line; bad input is one line on standard error and exit code 2."""
    try:
        app()
    except (KakehashiError, OSError) as error:
        console = Console(stderr=True)
        console.print("[red]error:[/] ", end="")
        console.print(" ".join(str(error).split()), soft_wrap=True, markup=False)
        sys.exit(2)


def _version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def _app(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for all that the demo leaves.")] = Path(
        "kakehashi-demo"
    ),
    as_json: AsJson = False,
) -> None:
    """Train on a sample that comes along, and search an English index in Japanese."""
    from .demo.pipeline import LEGEND, run

    result = run(out, progress=not as_json)
    if as_json:
        print_json(
            {
                "rows": {name: row(scores) for name, scores in result.rows.items()},
                "questions": [asdict(question) for question in result.questions],
                "verdict": result.verdict,
                "n_train": result.n_train,
                "aligner": str(result.aligner),
                "chroma": str(result.chroma),
                "seconds": result.seconds,
            }
        )
        return
    console = Console()
    pool = next(iter(result.rows.values())).pool
    print_table(
        f"{pool} Japanese queries in {pool} English documents, trained on {result.n_train} others",
        result.rows,
    )
    for name, meaning in LEGEND.items():
        console.print(f"[dim]{name:14}{meaning}")
    console.print(f"\n[bold]verdict (keep): {result.verdict}[/]\n")
    for number, question in enumerate(result.questions, 1):
        console.print(f"[bold]{number}. {short(question.text)}[/]")
        for label, hit in question.hits.items():
            mark = "[green]✓[/]" if hit == question.wanted else "[red]✗[/]"
            console.print(f"   {label:18} {mark} ", end="")
            console.print(short(hit), markup=False)
    console.print(
        f"\n{result.seconds:.0f} s. In {out}/: aligner/ (keep), aligner-shared/, chroma/, "
        "train.jsonl, test.jsonl. The README's next step uses them."
    )


@app.command()
def fit(
    pairs: PairsFile,
    out: Annotated[Path, typer.Option(help="Folder to write the aligner to.")],
    source_encoder: EncoderName = None,
    target_encoder: EncoderName = None,
    mode: Annotated[
        str, typer.Option(help="keep: the index stays; shared: re-projected; auto: whichever pays.")
    ] = "auto",
    validation: Annotated[Path | None, typer.Option(help="Pairs to choose by.")] = None,
    test: Annotated[Path | None, typer.Option(help="Pairs to report on.")] = None,
    metric: Annotated[
        str | None, typer.Option(help="The store's: cosine, ip or l2. Found out by default.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides which pairs are held out.")] = 0,
    refit: Annotated[bool, typer.Option(help="Fit the chosen map again on all pairs.")] = True,
    source: Source = "source",
    target: Target = "target",
    group: Group = None,
    licence: Annotated[str, typer.Option(help="Licence of the data, kept in the record.")] = "",
    cache: Cache = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an aligner in --out.")] = False,
    every_rung: Annotated[bool, typer.Option("--all", help="Show every map tried.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train an aligner on PAIRS, and say whether it helps on held-out queries."""
    if out.exists() and not overwrite:
        raise FileExistsError(f"{out} exists; pass --overwrite or another folder.")
    names = {"source": source, "target": target, "group": group, "licence": licence}
    training = _read(pairs, **names)
    given = {"source": source_encoder, "target": target_encoder}
    for side in SIDES:
        if training.vectors(side) is None and given[side] is None:
            raise EncoderError(f"{pairs} has texts; name their encoder with --{side}-encoder.")
    aligner = fit_aligner(
        training,
        source=_encoder(source_encoder),
        target=_encoder(target_encoder),
        mode=mode,  # type: ignore[arg-type]  # fit names the allowed values
        validation=None if validation is None else _read(validation, **names),
        test=None if test is None else _read(test, **names),
        metric=metric,  # type: ignore[arg-type]
        seed=seed,
        refit=refit,
        cache=cache,
        progress=sys.stderr.isatty() and not as_json,
    )
    aligner.save(out, overwrite=overwrite)
    if as_json:
        print_json({"out": str(out), **report_json(aligner.report)})
        return
    print_report(aligner.report, every_rung=every_rung)
    _print_next_step(aligner, out)


def _print_next_step(aligner: Aligner, out: Path) -> None:
    console = Console()
    if aligner.projection.is_identity:
        console.print(
            f"{out} holds the identity and changes nothing: keep your pipeline. More pairs, or an "
            "encoder that reads the source better, may help."
        )
        return
    console.print(f'saved: AlignedEmbeddings.load("{out}") or AlignedEmbedding.load("{out}")')
    if aligner.mode == "shared":
        console.print("shared mode: project the stored vectors once (kakehashi project) and index")
    console.print(f"check it on other pairs: kakehashi evaluate {out} OTHER_PAIRS")


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
    aligner = Aligner.load(folder).bind(
        source=_encoder(source_encoder), target=_encoder(target_encoder)
    )
    data = _read(pairs, source=source, target=target)
    x, y = (_vectors_of(aligner, data, side, cache) for side in SIDES)
    metric: Any = aligner.report.metric
    queries = aligner.project(x, texts=data.source_texts, modality="source", role="query")
    documents = aligner.project(y, texts=data.target_texts, modality="target", role="document")
    relevance, clusters = Relevance.of(data, own_only=True), clusters_of(data.groups)
    pool = len(relevance.pool)
    base = None
    if aligner.report.base is not None:
        raw = ranks(
            np.asarray(x, np.float32), np.asarray(y, np.float32), metric, relevance=relevance
        )
        base = Scores.of_ranks(raw, pool, clusters=clusters)
    found = ranks(queries, documents, metric, relevance=relevance)
    aligned = Scores.of_ranks(found, pool, clusters=clusters)
    if as_json:
        scored = {"base": None if base is None else row(base), "aligned": row(aligned)}
        print_json({"n_queries": len(data), "pool": pool, **scored})
        return
    print_table(f"{len(data)} queries in {pool} documents", {"untouched": base, "aligned": aligned})


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
    mode: Annotated[
        str, typer.Option(help="keep: the index stays; shared: both sides may be projected.")
    ] = "keep",
    test_share: Annotated[
        float, typer.Option(min=0.01, max=0.9, help="Share of PAIRS that judges.")
    ] = TEST_SHARE,
    seed: Annotated[int, typer.Option(help="Decides which pairs are held out.")] = 0,
    source: Source = "source",
    target: Target = "target",
    group: Group = None,
    cache: Cache = None,
    as_json: AsJson = False,
) -> None:
    """Fit baselines on one part of PAIRS, and score them on the rest.

    recall@1 and MRR@10 are among all held-out documents, top-1/250 among the answer and 249 others.
    ms/query is the mean time of one query, and h-mean the harmonic mean of top-1/250 and of speed:
    0.1 s / (0.1 s + time).
    """
    progress = sys.stderr.isatty() and not as_json
    encoders: dict[Side, Any] = {"source": source_encoder, "target": target_encoder}
    for side, name in encoders.items():
        encoders[side] = None if name is None else as_encoder(_encoder(name))
    others = [as_encoder(_encoder(name)) for name in both or []]
    rows: list[Baseline] = [named(name) for name in baseline or NAMES]
    rows += [Both(f"both: {other.name}", other) for other in others]
    data = _read(pairs, source=source, target=target, group=group)
    data = with_vectors(data, encoders, cache, progress, required=False)
    split = hold_out(data, test_share, seed=seed, at_most=MAX_TEST)
    train, test = data.select(split.kept), data.select(split.held_out)
    options: dict[str, Any] = {
        "source": encoders["source"],
        "target": encoders["target"],
        "mode": mode,
        "seed": seed,
        "cache": cache,
        "progress": progress,
    }
    aligner = fit_aligner(train, test=test, **options) if fitted else None
    found = compare_baselines(train, test, rows, aligner=aligner, **options)
    if as_json:
        print_json(found.to_dict())
    else:
        print(found)


@app.command()
def curve(
    pairs: PairsFile,
    source_encoder: EncoderName = None,
    target_encoder: EncoderName = None,
    mode: Annotated[
        str, typer.Option(help="keep: the index stays; shared: both sides may be projected.")
    ] = "keep",
    size: Annotated[
        list[int] | None,
        typer.Option(help="Pairs to fit on; by default all, a half, a quarter and an eighth."),
    ] = None,
    test: Annotated[Path | None, typer.Option(help="Pairs to report on.")] = None,
    repeats: Annotated[int, typer.Option(help="Random parts of each smaller size.")] = 3,
    seed: Annotated[int, typer.Option(help="Decides which pairs are held out.")] = 0,
    source: Source = "source",
    target: Target = "target",
    group: Group = None,
    cache: Cache = None,
    as_json: AsJson = False,
) -> None:
    """Fit on parts of PAIRS, and say what twice as many pairs are likely to bring."""
    names = {"source": source, "target": target, "group": group}
    found = learning_curve(
        _read(pairs, **names),
        source=_encoder(source_encoder),
        target=_encoder(target_encoder),
        mode=mode,  # type: ignore[arg-type]  # learning_curve names the allowed values
        sizes=size,
        test=None if test is None else _read(test, **names),
        seed=seed,
        repeats=repeats,
        cache=cache,
        progress=sys.stderr.isatty() and not as_json,
    )
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
        typer.Option(help="Run this perturbation only; may be given several times."),
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
    """
    aligner = Aligner.load(folder).bind(
        source=_encoder(source_encoder), target=_encoder(target_encoder)
    )
    data = _read(pairs, source=source, target=target)
    for side in SIDES:
        if side == "source" or data.vectors(side) is None:
            _require_encoder(aligner, side)
    report = perturb_and_score(
        aligner,
        data,
        names=perturbation or None,
        seed=seed,
        cache=cache,
        progress=sys.stderr.isatty() and not as_json,
    )
    if as_json:
        print_json(report.to_dict())
        return
    print_robustness(report)


@app.command()
def project(
    folder: Folder,
    vectors: Annotated[
        Path,
        typer.Argument(
            help="An .npz with an array source, target or both; beside each its texts "
            "(source_texts, target_texts), if the aligner reads them."
        ),
    ],
    out: Annotated[Path, typer.Argument(help="The .npz to write.")],
    as_json: AsJson = False,
) -> None:
    """Project stored vectors: the array `source` as queries, the array `target` as documents."""
    aligner = Aligner.load(folder)
    if vectors.suffix != ".npz" or not vectors.is_file():
        raise ReaderError(f"{vectors} is not an .npz file.")
    try:
        with np.load(vectors, allow_pickle=False) as archive:
            given = {side: archive[side] for side in SIDES if side in archive}
            texts = {s: archive[k].tolist() for s in SIDES if (k := f"{s}_texts") in archive}
    except (ValueError, OSError, EOFError, TypeError) as error:
        raise ReaderError(f"{vectors} is not an .npz of plain arrays: {error}") from error
    if not given:
        raise DataError(f"{vectors} has neither an array 'source' nor 'target'.")
    roles: Any = {"source": "query", "target": "document"}
    projected: dict[str, Any] = {
        side: aligner.project(x, texts=texts.get(side), modality=side, role=roles[side])
        for side, x in given.items()
    }
    with out.open("wb") as file:  # np.savez would add an ending to the name that was asked for
        np.savez(file, **projected)
    shapes = {side: list(x.shape) for side, x in projected.items()}
    if as_json:
        print_json({"out": str(out), "shapes": shapes})
    else:
        Console().print(f"{out}: {shapes}")


@app.command()
def info(
    folder: Folder,
    every_rung: Annotated[bool, typer.Option("--all", help="Show every map tried.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a saved aligner is, which data made it, and what it scored."""
    aligner = Aligner.load(folder)
    names = {s: None if e is None else e.name for s, e in aligner.encoders.items()}
    if as_json:
        about = {"fingerprint": aligner.fingerprint, "encoders": names}
        print_json({**about, "data": asdict(aligner.data), **report_json(aligner.report)})
        return
    console = Console()
    console.print(f"encoders {names}, dimensions {aligner.dimensions}")
    console.print(f"data {aligner.data.name!r}, licence {aligner.data.licence or 'not stated'!r}")
    console.print(f"SHA-256 of the data {aligner.data.content_hash}")
    print_report(aligner.report, every_rung=every_rung)


def _read(path: Path, **names: Any) -> Pairs:
    """Read pairs, drop rows that cannot be used, and say on standard error what was found."""
    found = read_pairs(path, **names, on_invalid="drop")
    if found.validation.findings:
        Console(stderr=True).print(f"{path}: {found.validation}", markup=False)
    return found


def _encoder(name: str | None) -> Any:
    """Resolve an encoder's name; ``module:attribute`` is imported, and a class is called."""
    if name is None or ":" not in name or Path(name).exists():
        return name
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise EncoderError(f"encoder {name!r} cannot be imported: {error}") from error
    return as_encoder(found() if isinstance(found, type) else found)


def _vectors_of(aligner: Aligner, data: Pairs, side: Side, cache: Path | None) -> Any:
    stored, texts = data.vectors(side), data.texts(side)
    if stored is not None:
        return stored
    _require_encoder(aligner, side)
    role: Any = "query" if side == "source" else "document"
    return encode_texts(
        aligner.encoder(side), list(texts or ()), role, cache=cache, label=f"encoding {side}"
    )


def _require_encoder(aligner: Aligner, side: Side) -> None:
    """Raise where an encoder is needed that is neither passed nor recorded."""
    identity = aligner.encoders[side]
    if aligner.bound.get(side) is None and (identity is None or identity.model is None):
        known = "" if identity is None else f"; it was trained with {identity.name!r}"
        raise EncoderError(f"the aligner records no {side} model{known}. Pass --{side}-encoder.")
