"""`kakehashi fit`: pairs to a saved aligner."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ..data.pairs import Pairs
from ..data.readers import read_texts
from ..errors import DataError
from ..language import current_language
from ..pages.gathering import Asked
from ..pages.report import write_page
from ..progress import show_progress
from ..training.fit import fit_and_judge
from ..training.fit_inputs import FitInputs
from ..training.inputs import as_encoders
from ..training.sources import as_sources
from ..types import Side
from .app import app
from .console import print_json
from .dry_run import print_cost
from .next_step import NextStep
from .options import (
    EXPERTS,
    READING,
    AllCandidates,
    CacheFile,
    EncoderName,
    Encoding,
    GroupColumn,
    IndexAddress,
    Json,
    Learn,
    OneMode,
    OptionalPairsFile,
    Overwrite,
    QuestionsFile,
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
from .records import report_json
from .report import check_page, this_command
from .saving import check_folder, save_somewhere, saying_what_is_kept, saying_what_is_saved
from .tables import print_report


@app.command("fit")
def fit_command(
    pairs: OptionalPairsFile = None,
    *,
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    source_encoder: EncoderName = None,
    target_encoder: EncoderName = None,
    cache: CacheFile = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print how many texts, tokens and calls it would take, and end."
        ),
    ] = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
    source: SourceColumn = "source",
    target: TargetColumn = "target",
    group: GroupColumn = None,
    encoding: Encoding = None,
    sheet: Sheet = None,
    licence: Annotated[
        str,
        typer.Option(rich_help_panel=READING, help="Licence of the data, kept in the aligner."),
    ] = "",
    index: IndexAddress = None,
    learn: Learn = None,
    starter: Starter = None,
    questions: QuestionsFile = None,
    mode: OneMode = "keep",
    validation: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=EXPERTS,
            help="Pairs to choose the map by. By default parts of PAIRS take turns.",
        ),
    ] = None,
    test: TestFile = None,
    metric: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=EXPERTS,
            help="Metric of the store: cosine, ip or l2. By default read off the vectors.",
        ),
    ] = None,
    seed: Seed = 0,
    ngrams: Annotated[
        bool | None,
        typer.Option(
            rich_help_panel=EXPERTS,
            help="Whether the map also reads character n-grams of the texts, which it then needs "
            "beside every vector. By default yes where encoders embed the texts here.",
        ),
    ] = None,
    learned: Annotated[
        bool | None,
        typer.Option(
            rich_help_panel=EXPERTS,
            help="Whether to train a head with torch, from the best closed form. By default yes in "
            "keep mode, if torch is installed.",
        ),
    ] = None,
    all_candidates: AllCandidates = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="HTML page to write at once, as `report` does."),
    ] = None,
) -> None:
    """Train an aligner on PAIRS, and report whether it helps on held-out queries.

    Without PAIRS it is trained on texts of --index, on --starter pairs, or on both. Then nothing
    judges it: collect thirty questions with their documents, and run `evaluate`.
    """
    if not dry_run:  # which writes nothing
        check_folder(out, overwrite=overwrite)
    if report is not None and not dry_run:
        check_page(report, pairs, validation, test, questions, overwrite=overwrite)
        if out.resolve() in (report.resolve(), *report.resolve().parents):
            raise FileExistsError(f"{report} lies in the aligner's folder; choose another place.")
    how_file = {"encoding": encoding, "sheet": sheet}
    names = {"source": source, "target": target, "group": group, "licence": licence, **how_file}
    encoders: dict[Side, str | None] = {"source": source_encoder, "target": target_encoder}
    documents = load_index(index, target, learn, **how_file)
    sets = {
        name: None if path is None else load_pairs(path, encoders, documents, **names)
        for name, path in (("validation", validation), ("test", test))
    }
    loaded: Pairs | list[str] | None
    loaded = (
        _questions(questions, source, how_file)
        if pairs is None
        else load_pairs(pairs, encoders, documents, **names)
    )
    if pairs is not None and questions is not None:
        raise DataError("--questions is for a fit without PAIRS; leave one of them out.")
    learn_from = as_sources(sources_of(documents, learn, starter))
    if dry_run:
        print_cost(
            FitInputs(loaded, sets["validation"], sets["test"], learn_from)
            if isinstance(loaded, Pairs)
            else (loaded, learn_from),
            as_encoders(source_encoder, target_encoder),
            cache=cache,
            as_json=as_json,
        )
        return
    with saying_what_is_kept(out, cache), show_progress(not as_json):
        fitted = fit_and_judge(
            loaded,
            source_encoder=source_encoder,
            target_encoder=target_encoder,
            mode=mode,  # type: ignore[arg-type]  # fit checks these strings and names the allowed ones
            validation=sets["validation"],
            test=sets["test"],
            metric=metric,  # type: ignore[arg-type]
            seed=seed,
            ngrams=ngrams,
            learned=learned,
            learn_from=learn_from,
            cache=cache,
        )
        aligner = fitted.aligner
        save_somewhere(aligner, out, overwrite=overwrite)
        if report is not None:
            asked = Asked(
                index=documents,
                trained_on=loaded if isinstance(loaded, Pairs) else None,
                commands=[this_command()],
                fitted=fitted,
            )
            at_place = replace(aligner, path=out)
            language = current_language()
            with saying_what_is_saved(out):
                write_page(at_place, sets["test"], report, asked, language=language, cache=cache)
    if as_json:
        print_json({"out": str(out), **report_json(aligner.report)})
        return
    print_report(aligner.report, all_candidates=all_candidates)
    known = loaded if isinstance(loaded, Pairs) else None
    NextStep(aligner, out, encoders, test, how_file, known, report).print()


def _questions(path: Path | None, column: str, how_file: dict[str, str | None]) -> list[str] | None:
    """Read the texts of --questions."""
    return None if path is None else read_texts(path, column=column, **how_file)
