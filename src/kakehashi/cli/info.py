"""`kakehashi info`: the description of a saved aligner."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..aligner import Aligner
from ..language import translate
from ..multi_aligner import MultiAligner, load
from ..retrieval.calibration import MIN_CALIBRATED
from ..types import SIDES
from .app import app
from .console import plain_console, print_facts, print_json
from .options import AllCandidates, Folder, Json
from .records import report_json
from .tables import print_report


@app.command("info")
def info_command(
    folder: Folder,
    all_candidates: AllCandidates = False,
    as_json: Json = False,
) -> None:
    """Describe a saved aligner: its encoders, the data that made it, and its held-out scores."""
    loaded = load(folder)
    if isinstance(loaded, MultiAligner):
        if as_json:
            parts = {name: _aligner_json(part) for name, part in loaded.aligners.items()}
            about = {"fingerprint": loaded.fingerprint, "target": loaded.target}
            print_json({**about, "aligners": parts})
        else:
            _show_multi_aligner(loaded, all_candidates)
    elif as_json:
        print_json(_aligner_json(loaded))
    else:
        _show(loaded, all_candidates)


def _aligner_json(aligner: Aligner) -> dict[str, Any]:
    return {
        "fingerprint": aligner.fingerprint,
        "mode": aligner.mode,
        "encoders": _encoder_names(aligner),
        "dimensions": aligner.dimensions,
        "output_dimension": aligner.output_dimension,
        "reads_texts": [side for side in SIDES if aligner.reads(side)],
        "retrieval": aligner.retrieval_state()[0],
        # Thousands of hashes serve `evaluate` alone.
        "data": {n: v for n, v in asdict(aligner.data).items() if n != "texts_sample"},
        **report_json(aligner.report),
    }


def _encoder_names(aligner: Aligner) -> dict[str, str | None]:
    return {s: None if e is None else e.name for s, e in aligner.identities.items()}


def _show_multi_aligner(combined: MultiAligner, all_candidates: bool) -> None:
    sources = ", ".join(combined.aligners)
    print_facts(
        {
            "aligners": translate(
                "{names} into the space of {target}", names=sources, target=combined.target
            ),
            "fingerprint": f"{combined.fingerprint} (of all together)",
        }
    )
    for name, aligner in combined.aligners.items():
        plain_console().print(f"\n{name}", style="bold")
        _show(aligner, all_candidates)


def _show(aligner: Aligner, all_candidates: bool) -> None:
    data, names = aligner.data, _encoder_names(aligner)
    facts: dict[str, str] = {}
    for side in SIDES:
        facts[side] = translate(
            "{NAME}, {inputs:d} -> {outputs:d} dimensions",
            NAME=names[side] or "stored vectors",
            inputs=aligner.dimensions[side],
            outputs=aligner.output_dimension,
        )
        if aligner.reads(side):
            facts[side] += translate(", reads the texts, too")
    facts["data"] = translate("{NAME}, {n:,} pairs", NAME=data.name or "unnamed", n=data.n_pairs)
    if data.columns != SIDES:
        source, target = data.columns
        facts["data"] += translate(", columns {source} and {target}", source=source, target=target)
    facts["licence"] = data.licence or "not stated"
    facts["SHA-256"] = f"{data.content_hash} (of the data)"
    if data.texts_hash:
        facts["texts"] = f"{data.texts_hash} (SHA-256 of the texts alone)"
    facts["fingerprint"] = f"{aligner.fingerprint} (of the aligner)"
    print_facts(facts | retrieval_facts(aligner))
    print_report(aligner.report, all_candidates=all_candidates)


def retrieval_facts(aligner: Aligner) -> dict[str, str]:
    """Return a line each about rescoring, router and calibration, by name."""
    facts = {} if aligner.router is None else {"router": str(aligner.router)}
    if (again := aligner.rescoring) is not None:
        reads = ", reads the texts, too" if again.reads("target") else ""
        facts["rescoring"] = f"the first {again.n_hits} hits, by a second map{reads}"
    calibration = aligner.calibration
    facts["calibration"] = f"none: it takes {MIN_CALIBRATED} held-out pairs with an answer"
    if calibration is not None:
        kinds = "vectors and words" if calibration.hybrid else "vectors"
        facts["calibration"] = f"of {kinds}, on {calibration.n_pairs} held-out pairs"
    return facts
