"""`kakehashi search`: one question to a store."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from ..aligner import Aligner
from ..data.arguments import checked_side
from ..integrations._aligner_field import with_encoders
from ..integrations._modalities import Space, query_modality_of
from ..integrations.address_search.hit import StoreHit
from ..integrations.address_search.searching import search_address
from ..language import translate
from ..multi_aligner import load
from ..printable import without_password
from ..projection.rescoring import MAX_HITS
from ..retrieval.query import AUTO
from .app import app
from .console import plain_console, print_json, short, warnings_as_lines
from .options import EXPERTS, EncoderName, Folder, Json, require_encoder


@app.command("search")
def search_command(
    folder: Folder,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="The text to search for.")],
    index: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="The store: chroma:FOLDER?collection=NAME, qdrant:FOLDER?collection=NAME, "
            "lancedb:..., postgres:..., faiss:FOLDER, llama-index:FOLDER, langchain:DUMP.json or "
            "parquet:FILE; chroma://HOST:PORT for a server. The kind may be left out where the "
            "folder shows it.",
        ),
    ],
    k: Annotated[int, typer.Option("-k", metavar="N", min=1, help="Number of documents.")] = 5,
    modality: Annotated[
        str | None,
        typer.Option(
            help="Modality of the question: source, unless named. auto: as the router reads it, "
            "which is the default of a multi aligner."
        ),
    ] = None,
    rescore: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            max=MAX_HITS,
            rich_help_panel=EXPERTS,
            help="Hits that the second map of the aligner orders again; 0 for none. Without it, "
            "as many as the fit chose.",
        ),
    ] = None,
    source_encoder: EncoderName = None,
    target_encoder: EncoderName = None,
    as_json: Json = False,
) -> None:
    """Ask a store one QUESTION through a saved aligner.

    The store is opened as your pipeline opens it, and nothing is written. An index that was not
    filled for this aligner is an error. A hit has its similarity, the inner product of unit
    vectors; where the store's scores cannot be read as one, its score. Where the aligner has a
    second map, that orders the first hits, and the similarity is its own.
    """
    space = with_encoders(load(folder), source_encoder, target_encoder)
    read_as, how = _read_as(space, question, modality)
    if isinstance(space, Aligner):
        require_encoder(space, checked_side(read_as))
    with warnings_as_lines():
        n_hits = True if rescore is None else rescore or False
        hits = search_address(index, space, question, modality=read_as, k=k, rescore=n_hits)
    if as_json:
        found = [{"rank": rank, **asdict(hit)} for rank, hit in enumerate(hits, 1)]
        about = {
            "question": question,
            "modality": read_as,
            "how": how,
            "index": without_password(index),
        }
        print_json({**about, "hits": found})
        return
    console = plain_console()
    console.print(translate("read as: {modality} ({HOW})", modality=read_as, HOW=how))
    if not hits:
        console.print(translate("nothing was found: is the store filled?"))
    elif hits[0].similarity is None:
        console.print(
            translate("The numbers are the store's own scores; of distances, less is better.")
        )
    for rank, hit in enumerate(hits, 1):
        console.print(Text.assemble(f"{rank:>2}  {_score(hit)}  ", short(hit.text)), soft_wrap=True)


def _read_as(space: Space, question: str, declared: str | None) -> tuple[str, str]:
    """Return the modality that the question is embedded as, and how it was found."""
    modality = query_modality_of(space, declared)
    if modality != AUTO:
        return modality, "by default" if declared is None else "declared"
    if not space.routes:
        return space.modalities[0], "there is no router"
    [routed] = space.route([question])
    if routed is None:
        return space.modalities[-1], "the router is unsure"
    return routed, "by the router"


def _score(hit: StoreHit) -> str:
    """Return the similarity, or else the score of the store."""
    score = hit.raw if hit.similarity is None else hit.similarity
    return "     " if score is None else f"{score:.3f}"
