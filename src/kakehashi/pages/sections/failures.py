"""Where it fails: by group, length and script, and the worst questions one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...data.hashing import numbered
from ...evaluation.parts import LENGTHS, lengths_of, scores_by
from ...language import translate
from ...metrics.relevance import Clusters, groups_of
from ...metrics.statistics import Scores
from ...routing.scripts import script_of
from ..blocks import Block, Case, Details, Heading, Section, Table, Text
from ..facts import Questions, ReportFacts
from ..words import clipped, first_right, interval

WORST, AT_ONCE = 20, 4
"""Questions that are shown, and how many of them at once."""
_LABELS, _LEAST = 12, 5
"""Rows of a table, and questions of a row; parts with fewer are put together."""


def failures(facts: ReportFacts) -> Section | None:
    """Show parts of the questions, and single ones; None where only scores are known."""
    asked = facts.questions
    if asked is None:
        return None
    ranks = asked.ranks
    blocks: list[Block] = [
        Text(
            translate(
                "{missed:,} of {n:,} questions do not find their document first; {far:,} of them "
                "do not find it among the first ten.",
                missed=int((ranks > 1).sum()),
                n=len(ranks),
                far=int((ranks > 10).sum()),
            )
        )
    ]
    blocks.append(Heading(translate("Which questions")))
    blocks += [*_parts(asked), *_worst(asked)]
    return Section("failures", translate("Where it fails"), blocks)


def _parts(asked: Questions) -> list[Block]:
    """Return a table for each way to part the questions that gives two parts or more."""
    tables: list[Block] = []
    pairs, ranks, pool = asked.pairs, asked.ranks, asked.pool
    clusters = groups_of(pairs)
    if pairs.groups is not None:
        labels = _grouped(pairs.groups)
        tables += _table(
            translate("By group, the weakest first"),
            translate("Group"),
            _weakest(scores_by(labels, ranks, pool, units_of(labels, pairs.groups))),
        )
    if pairs.source_texts is not None:
        places = lengths_of(pairs.source_texts)
        by_place = scores_by([str(place) for place in places], ranks, pool, clusters)
        in_order = {_length(int(p)): by_place[p] for p in sorted(by_place, key=int)}
        tables += _table(translate("By length of the question"), translate("Letters"), in_order)
        scripts = [script_of(text) or "" for text in pairs.source_texts]
        by_script = scores_by(_merged(scripts, ""), ranks, pool, clusters)
        named = {name or translate("Other"): scores for name, scores in by_script.items()}
        tables += _table(
            translate("By the script of most letters of the question"),
            translate("Script"),
            _weakest(named),
        )
    return tables


def _table(caption: str, first: str, parts: dict[str, Scores]) -> list[Block]:
    if len(parts) < 2:
        return []
    rows = [
        [
            clipped(label, 80),
            str(s.n_queries),
            str(first_right(s)),
            f"{s.means['recall@1']:.0%}",
            interval(s),
        ]
        for label, s in parts.items()
    ]
    columns = [
        first,
        translate("Questions"),
        translate("First answer right"),
        translate("Share"),
        translate("95% interval"),
    ]
    return [Table(caption, columns, rows, numeric=range(1, 5))]


def _weakest(parts: dict[str, Scores]) -> dict[str, Scores]:
    in_order = sorted(parts, key=lambda label: parts[label].means["recall@1"])
    return {label: parts[label] for label in in_order[:_LABELS]}


def units_of(labels: Sequence[str], groups: Sequence[str]) -> Clusters:
    """Return what an interval counts, (n,): the questions of a group, and whole smaller groups."""
    units = [
        f"question {row}" if label == group else f"group {group}"
        for row, (label, group) in enumerate(zip(labels, groups, strict=True))
    ]
    return numbered(units)


def _grouped(groups: Sequence[str]) -> list[str]:
    return _merged(groups, translate("All smaller groups"))


def _merged(labels: Sequence[str], rest: str) -> list[str]:
    """Put the labels of few questions together."""
    names, counts = np.unique(np.asarray(labels, dtype=object), return_counts=True)
    few = {name for name, count in zip(names, counts, strict=True) if count < _LEAST}
    return [rest if label in few else label for label in labels]


def _length(place: int) -> str:
    if place == 0:
        return translate("up to {n:d}", n=LENGTHS[0])
    if place == len(LENGTHS):
        return translate("more than {n:d}", n=LENGTHS[-1])
    return translate("{a:d} to {b:d}", a=LENGTHS[place - 1] + 1, b=LENGTHS[place])


def _worst(asked: Questions) -> list[Block]:
    """Return the questions whose document is found last, with the text found instead."""
    if asked.pairs.source_texts is None or asked.pairs.target_texts is None:
        return []
    last = np.argsort(-asked.ranks, kind="stable")
    cases = [case_of(asked, int(row)) for row in last[:WORST] if asked.ranks[row] > 1]
    if not cases:
        return [Text(translate("No question fails."))]
    heading = translate("The {n:,} questions whose document is found last", n=len(cases))
    blocks: list[Block] = [Heading(heading), *cases[:AT_ONCE]]
    if cases[AT_ONCE:]:
        more = translate("{n:,} more questions", n=len(cases) - AT_ONCE)
        blocks.append(Details(more, cases[AT_ONCE:]))
    return blocks


def case_of(asked: Questions, row: int) -> Case:
    """Return a question with its document, and with the text found first where it is known."""
    pairs = asked.pairs
    assert pairs.source_texts is not None
    assert pairs.target_texts is not None
    facts = [(translate("Should find"), clipped(pairs.target_texts[row]))]
    if asked.found is not None:
        facts.append((translate("Found first"), clipped(asked.found[row])))
    place = translate("{rank:,} in the whole index", rank=int(asked.ranks[row]))
    facts.append((translate("Place"), place))
    if pairs.groups is not None:
        facts.append((translate("Group"), clipped(pairs.groups[row], 80)))
    return Case(clipped(pairs.source_texts[row]), facts)
