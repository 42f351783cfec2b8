"""The gap between the two modalities, as a picture."""

from __future__ import annotations

from ...language import translate
from ..blocks import Block, Section, Text
from ..charts.gap import gap_chart
from ..facts import ReportFacts


def gap(facts: ReportFacts) -> Section | None:
    """Draw the vectors of the pairs that judged; None where there are none."""
    if facts.spaces is None:
        return None
    blocks: list[Block] = [gap_chart(facts.spaces)]
    if facts.spaces.before is None:
        blocks.append(
            Text(
                translate(
                    "There is no picture of before: the encoders give vectors of different spaces."
                ),
                "note",
            )
        )
    blocks.append(
        Text(
            translate(
                "The two axes are the main directions of all these vectors. Two of several hundred "
                "dimensions show the gap, and not every reason why a document is found."
            ),
            "note",
        )
    )
    return Section("gap", translate("The gap between questions and documents"), blocks)
