"""What a saved aligner or bridge is: info."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..aligner import Aligner
from ..multi_aligner import MultiAligner, load
from ..retrieval.calibration import MIN_CALIBRATED
from ..types import SIDES
from .app import app
from .console import plain_console, print_facts, print_json, print_report, report_json
from .options import AsJson, EveryRung, Folder


@app.command()
def info(
    folder: Folder,
    every_rung: EveryRung = False,
    as_json: AsJson = False,
) -> None:
    """Show what a saved aligner or bridge is, which data made it, and what it scored."""
    found = load(folder)
    if isinstance(found, MultiAligner):
        if as_json:
            parts = {name: _about(aligner) for name, aligner in found.aligners.items()}
            about = {"fingerprint": found.fingerprint, "target": found.target, "aligners": parts}
            print_json(about)
            return
        print_facts({"bridge": f"{', '.join(found.aligners)} into the space of {found.target}"})
        print_facts({"fingerprint": f"{found.fingerprint} (of the bridge)"})
        for name, aligner in found.aligners.items():
            plain_console().print(f"\n{name}", style="bold")
            _show(aligner, every_rung)
    elif as_json:
        print_json(_about(found))
    else:
        _show(found, every_rung)


def _about(aligner: Aligner) -> dict[str, Any]:
    return {
        "fingerprint": aligner.fingerprint,
        "mode": aligner.mode,
        "encoders": _names(aligner),
        "dimensions": aligner.dimensions,
        "output_dimension": aligner.output_dimension,
        "reads_texts": [side for side in SIDES if aligner.reads(side)],
        "serving": aligner.retrieval_state()[0],
        "data": asdict(aligner.data),
        **report_json(aligner.report),
    }


def _names(aligner: Aligner) -> dict[str, str | None]:
    return {s: None if e is None else e.name for s, e in aligner.identities.items()}


def _show(aligner: Aligner, every_rung: bool) -> None:
    data, names = aligner.data, _names(aligner)
    facts: dict[str, str] = {}
    for side in SIDES:
        facts[side] = (
            f"{names[side] or 'stored vectors'}, "
            f"{aligner.dimensions[side]} -> {aligner.output_dimension} dimensions"
            f"{', reads the texts, too' if aligner.reads(side) else ''}"
        )
    unpaired = f" and {data.n_unpaired:,} unpaired rows" if data.n_unpaired else ""
    facts["data"] = f"{data.name or 'unnamed'}, {data.n_pairs:,} pairs{unpaired}"
    facts["licence"] = data.licence or "not stated"
    facts["SHA-256"] = f"{data.content_hash} (of the data)"
    facts["fingerprint"] = f"{aligner.fingerprint} (of the aligner)"
    print_facts(facts | retrieval_facts(aligner))
    print_report(aligner.report, every_rung=every_rung)


def retrieval_facts(aligner: Aligner) -> dict[str, str]:
    """Return a line for people of router and calibration each, by name."""
    facts = {} if aligner.router is None else {"router": str(aligner.router)}
    calibration = aligner.calibration
    facts["calibration"] = f"none: it takes {MIN_CALIBRATED} held-out pairs with an answer"
    if calibration is not None:
        kinds = "vectors and words" if calibration.hybrid else "vectors"
        facts["calibration"] = f"of {kinds}, on {calibration.n_pairs} held-out pairs"
    return facts
