"""Pairs that look wrong, for people to check."""

from __future__ import annotations

from ...language import translate
from ..blocks import Block, Details, Section, Text
from ..facts import ReportFacts
from .failures import AT_ONCE, case_of

MOST = 20
_SHARE = 0.15
"""Where more of the pairs than this look wrong, the aligner is at fault, and not the pairs."""


def suspects(facts: ReportFacts) -> Section | None:
    """Show the pairs of which neither side finds the other; None where that says nothing."""
    asked, pairs, rows = facts.questions, facts.pairs, facts.wrong_pairs
    if asked is None or pairs is None or rows is None or facts.standing.case != "helps":
        return None
    if pairs.source_texts is None or pairs.target_texts is None:
        return None
    if len(rows) > _SHARE * len(pairs):
        return None
    rule = translate(
        "A pair is named here where neither side finds the other among its first ten. Some of "
        "them are right and only hard; read them before you change them."
    )
    blocks: list[Block] = []
    if not rows:
        blocks = [Text(translate("No pair looks wrong.")), Text(rule, "note")]
    else:
        cases = [case_of(asked, row) for row in rows[:MOST]]
        told = translate(
            "{n:,} of {of:,} pairs look as if their two texts do not belong together.",
            n=len(rows),
            of=len(pairs),
        )
        blocks = [Text(told), Text(rule, "note"), *cases[:AT_ONCE]]
        if cases[AT_ONCE:]:
            more = translate("{n:,} more pairs", n=len(cases) - AT_ONCE)
            blocks.append(Details(more, cases[AT_ONCE:]))
    return Section("suspects", translate("Pairs that look wrong"), blocks)
