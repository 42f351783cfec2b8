"""Commands that make something: demo, fit, project, bridge."""

from __future__ import annotations

import json
import os
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.text import Text

from ..aligner import Aligner
from ..bundle import BRIDGE, check_parent, check_place
from ..data.readers import open_npz, texts_beside
from ..errors import DataError, ReaderError
from ..multi_aligner import MultiAligner
from ..training.fit import fit as fit_aligner
from ..training.inputs import ROLES
from ..types import SIDES, Side
from .app import app
from .console import plain_console, print_json, print_report, print_table, report_json, row, short
from .options import (
    AsJson,
    Cache,
    EncoderName,
    EveryRung,
    Folder,
    Group,
    HeldOut,
    NoUnpaired,
    PairsFile,
    Source,
    Target,
    TestPairs,
    Unpaired,
    read,
    read_unpaired,
)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for all that the demo leaves.")] = Path(
        "kakehashi-demo"
    ),
    as_json: AsJson = False,
) -> None:
    """Train on a sample that comes along, and search an English index in Japanese."""
    from ..demo.pipeline import COLLECTIONS, LEGEND, run

    result = run(out, progress=not as_json)
    if as_json:
        print_json(
            {
                "rows": {name: row(scores) for name, scores in result.rows.items()},
                "questions": [asdict(question) for question in result.questions],
                "gained": result.gained,
                "lost": result.lost,
                "verdict": result.verdict,
                "n_train": result.n_train,
                "aligner": str(result.aligner),
                "chroma": str(result.chroma),
                "seconds": result.seconds,
            }
        )
        return
    console = plain_console()
    pool = next(iter(result.rows.values())).pool
    print_table(
        f"{pool} Japanese queries in {pool} English documents, trained on {result.n_train} others",
        result.rows,
    )
    for name, meaning in LEGEND.items():
        console.print(f"{name:14}{meaning}", style="dim")
    console.print(f"\nverdict (keep): {result.verdict}\n", style="bold")
    console.print(
        f"{result.gained} queries find their document first with the aligner (keep) only, "
        f"{result.lost} before only. Of both together, one from each of "
        f"{len(result.questions)} sections:"
    )
    for number, question in enumerate(result.questions, 1):
        console.print(f"{number}. {short(question.text)}", style="bold")
        for label, hit in question.hits.items():
            mark = ("✓", "green") if hit == question.wanted else ("✗", "red")
            console.print(Text.assemble(f"   {label:18} ", mark, f" {short(hit)}"), soft_wrap=True)
    console.print(
        f"\n{result.seconds:.0f} s. In {out}/: aligner/ (keep), aligner-shared/, chroma/, "
        "train.jsonl, test.jsonl. The README's next step uses them."
    )
    held = "; ".join(f"{name} ({what})" for name, what in COLLECTIONS.items())
    console.print(f"Collections in chroma/: {held}.")


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
    test: TestPairs = None,
    metric: Annotated[
        str | None, typer.Option(help="The store's: cosine, ip or l2. Found out by default.")
    ] = None,
    seed: HeldOut = 0,
    refit: Annotated[bool, typer.Option(help="Fit the chosen map again on all pairs.")] = True,
    ngrams: Annotated[
        bool | None,
        typer.Option(
            help="Also read the texts, by character n-grams; whatever serves then needs texts, "
            "too. By default where encoders embed them here."
        ),
    ] = None,
    learned: Annotated[
        str,
        typer.Option(
            help="What is trained on with torch: linear, mlp or none; auto: linear where torch is "
            "installed."
        ),
    ] = "auto",
    unpaired: Unpaired = None,
    no_unpaired: NoUnpaired = False,
    source: Source = "source",
    target: Target = "target",
    group: Group = None,
    licence: Annotated[str, typer.Option(help="Licence of the data, kept in the record.")] = "",
    cache: Cache = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an aligner in --out.")] = False,
    every_rung: EveryRung = False,
    as_json: AsJson = False,
) -> None:
    """Train an aligner on PAIRS, and say whether it helps on held-out queries."""
    if os.path.lexists(out) and not overwrite:
        raise FileExistsError(f"{out} exists; pass --overwrite or another folder.")
    check_place(out, overwrite=overwrite)  # not after the fit, which would be lost
    free = read_unpaired(unpaired, no_unpaired, target, encoders=(source_encoder, target_encoder))
    names = {"source": source, "target": target, "group": group, "licence": licence}
    encoders: dict[Side, str | None] = {"source": source_encoder, "target": target_encoder}
    training = read(pairs, encoders, **names)
    aligner = fit_aligner(
        training,
        source_encoder=source_encoder,
        target_encoder=target_encoder,
        # Options are plain strings here; fit checks them and names the allowed values.
        mode=mode,  # type: ignore[arg-type]
        validation=None if validation is None else read(validation, encoders, **names),
        test=None if test is None else read(test, encoders, **names),
        metric=metric,  # type: ignore[arg-type]
        seed=seed,
        refit=refit,
        ngrams=ngrams,
        learned=learned,  # type: ignore[arg-type]
        unpaired=free,
        cache=cache,
        progress=not as_json,
    )
    aligner.save(out, overwrite=overwrite)
    if as_json:
        print_json({"out": str(out), **report_json(aligner.report)})
        return
    print_report(aligner.report, every_rung=every_rung)
    _print_next_step(aligner, out, encoders)


def _print_next_step(aligner: Aligner, out: Path, encoders: Mapping[Side, str | None]) -> None:
    console = plain_console()
    if aligner.projection.is_identity and not aligner.advised:
        console.print(
            f"{out} holds the identity and changes nothing: ask the index with the target encoder, "
            "which finds more; what loads this aligner will warn. More pairs may help."
        )
        return
    if aligner.projection.is_identity:
        console.print(
            f"{out} holds the identity and changes nothing: keep your pipeline. More pairs, or an "
            "encoder that reads the source better, may help."
        )
        return
    if not aligner.advised:
        console.print(f"{out} is saved to be looked at, not to be used: what loads it will warn.")
        return
    arguments, options = [json.dumps(str(out), ensure_ascii=False)], ""
    for side, name in encoders.items():
        identity = aligner.identities[side]
        if name is not None and identity is not None and identity.model is None:
            arguments.append(f"{side}_encoder={json.dumps(name, ensure_ascii=False)}")
            options += f" --{side}-encoder {shlex.quote(name)}"
    load = f"load({', '.join(arguments)})"
    # Lines to be copied: not wrapped, and brackets in a name are no markup.
    for line in (f"AlignedEmbeddings.{load}", f"AlignedEmbedding.{load}"):
        console.print(f"saved: {line}", soft_wrap=True, markup=False)
    if aligner.mode == "shared":
        console.print("shared mode: project the stored vectors once (kakehashi project) and index")
    check = f"kakehashi evaluate {shlex.quote(str(out))} OTHER_PAIRS{options}"
    console.print(f"check it on other pairs: {check}", soft_wrap=True, markup=False)


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
    overwrite: Annotated[bool, typer.Option(help="Replace a file that is OUT already.")] = False,
    as_json: AsJson = False,
) -> None:
    """Project stored vectors: the array `source` as queries, the array `target` as documents."""
    _check_free(out, vectors, overwrite)
    check_parent(out)
    aligner = Aligner.load(folder)
    if vectors.suffix != ".npz" or not vectors.is_file():
        raise ReaderError(f"{vectors} is not an .npz file.")
    with open_npz(vectors) as archive:
        given = {side: archive[side] for side in SIDES if side in archive}
        texts = {
            side: texts_beside(archive, side, len(np.atleast_2d(x)), vectors)
            for side, x in given.items()
        }
    if not given:
        raise DataError(f"{vectors} has neither an array 'source' nor 'target'.")
    projected: dict[str, Any] = {
        side: aligner.project(x, texts=texts[side], modality=side, role=ROLES[side])
        for side, x in given.items()
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    made = out.with_name(f".{out.name}-{secrets.token_hex(4)}.part")
    try:
        with made.open("xb") as file:  # np.savez would add an ending to a name
            np.savez(file, **projected)
        os.replace(made, out)
    finally:
        made.unlink(missing_ok=True)
    shapes = {side: list(x.shape) for side, x in projected.items()}
    if as_json:
        print_json({"out": str(out), "shapes": shapes})
    else:
        plain_console().print(f"{out}: {shapes}")


def _check_free(out: Path, vectors: Path, overwrite: bool) -> None:
    """Raise FileExistsError where OUT would take the place of something it must not."""
    if not os.path.lexists(out):
        return
    if vectors.exists() and out.exists() and out.samefile(vectors):
        raise FileExistsError(f"{out} is the file that is read; name another one.")
    if not overwrite:
        raise FileExistsError(f"{out} exists; pass --overwrite or another file.")
    if out.is_symlink() or not out.is_file():
        raise FileExistsError(f"{out} is no plain file; it is not overwritten. Name another one.")


@app.command()
def bridge(
    aligners: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=FOLDER...",
            help="Saved aligners of mode keep, each with the "
            "name of its source modality: ja=DIR code=DIR.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    target: Annotated[str, typer.Option(help="What the target modality is called.")] = "target",
    overwrite: Annotated[bool, typer.Option(help="Replace a bridge that is OUT already.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put several aligners into one: source modalities of their own names, one index."""
    check_place(out, overwrite=overwrite, record=BRIDGE)
    parts: dict[str, Aligner] = {}
    for given in aligners:
        name, equals, folder = given.partition("=")
        if not equals or not folder:
            raise DataError(f"{given!r} is no NAME=FOLDER, such as ja=aligners/ja.")
        if name in parts:
            raise DataError(f"{name} is named twice; give each modality one aligner.")
        parts[name] = Aligner.load(folder)
    made = MultiAligner(parts, target)
    folders = made.save(out, overwrite=overwrite)
    if as_json:
        about = {"out": str(folders), "modalities": made.modalities}
        print_json({**about, "fingerprint": made.fingerprint})
    else:
        plain_console().print(f"{folders}: {made}")
