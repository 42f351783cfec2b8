"""Which texts to pair next."""

from __future__ import annotations

from ...language import translate
from ..blocks import Block, Details, Points, Section, Text
from ..facts import ReportFacts
from ..words import clipped

_AT_ONCE = 10


def next_pairs(facts: ReportFacts) -> Section:
    """List the texts, the most useful first, or say how to get them."""
    heading = translate("What to pair next")
    if facts.next_texts is None:
        how = translate(
            "Give a file of questions without answers, such as a log, with --questions. Those that "
            "tell most about all others are then listed here."
        )
        return Section("next-pairs", heading, [Text(how)])
    texts = [clipped(text) for text in facts.next_texts]
    told = translate("Pair these questions next: together they tell most about all others.")
    blocks: list[Block] = [Text(told), Points(texts[:_AT_ONCE])]
    if texts[_AT_ONCE:]:
        more = translate("{n:,} more questions", n=len(texts) - _AT_ONCE)
        blocks.append(Details(more, [Points(texts[_AT_ONCE:])]))
    return Section("next-pairs", heading, blocks)
