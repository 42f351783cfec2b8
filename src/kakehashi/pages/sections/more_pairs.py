"""What more pairs are likely to bring."""

from __future__ import annotations

from ...language import translate, translate_sentence
from ..blocks import Block, Details, Points, Section, Text
from ..charts.curve import curve_chart
from ..facts import ReportFacts


def more_pairs(facts: ReportFacts) -> Section:
    """Show the curve, or say how to get it."""
    blocks: list[Block] = []
    if facts.curve is not None:
        gain = facts.curve.next_doubling["recall@1"]
        low, high = gain.interval
        blocks += [
            curve_chart(facts.curve),
            Text(
                translate(
                    "Twice as many pairs ({n_from:,} to {n_to:,}) are likely to change the share "
                    "by {gain:+.0%} ({low:+.0%} to {high:+.0%} in nine cases of ten).",
                    n_from=gain.n_from,
                    n_to=gain.n_to,
                    gain=gain.gain,
                    low=low,
                    high=high,
                )
            ),
            Text(
                translate(
                    "The fits of the curve are closed forms, without a trained head; a fit may "
                    "find a little more. All were judged by the same questions."
                ),
                "note",
            ),
        ]
        if facts.curve.notes:
            notes = [translate_sentence(note) for note in facts.curve.notes]
            blocks.append(Details(translate("Notes of the curve"), [Points(notes)]))
    else:
        blocks.append(
            Text(
                translate(
                    "Accuracy by number of pairs was not measured: it takes about ten more fits. "
                    "The option --curve measures it, with the pairs of the fit in --trained-on."
                )
            )
        )
    return Section("more-pairs", translate("What more pairs would bring"), blocks)
