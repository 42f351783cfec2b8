"""Every way to search, side by side, in the same index."""

from __future__ import annotations

from ...language import translate, translate_sentence
from ...report import BM25, KEEP, RESCORED, SHARED, TARGET_ENCODER, UNTOUCHED
from ..blocks import Block, Details, Section, Table, Text
from ..charts.systems import systems_chart
from ..facts import ReportFacts
from ..standing import EMBEDDED_AGAIN, SECOND_AGAIN, SECOND_MODEL
from ..words import first_right, interval, meaning_of, name_of

ORDER = (
    RESCORED,
    KEEP,
    SHARED,
    TARGET_ENCODER,
    UNTOUCHED,
    BM25,
    EMBEDDED_AGAIN,
    SECOND_MODEL,
    SECOND_AGAIN,
)


def systems(facts: ReportFacts) -> Section | None:
    """Show the scores of every system; None where nothing was scored."""
    told = facts.standing
    rows = {name: told.rows[name] for name in ORDER if name in told.rows}
    if not rows:
        return None
    names = list(rows)
    some = next(iter(rows.values()))
    table = Table(
        caption=translate(
            "{n:,} questions, each among {pool:,} documents; 95% intervals beside the first column",
            n=some.n_queries,
            pool=some.pool,
        ),
        columns=[
            translate("System"),
            translate("First answer right"),
            translate("Interval"),
            translate("Within 5"),
            translate("Within 10"),
            "MRR@10",
        ],
        rows=[
            [
                name_of(name),
                f"{first_right(s)} / {s.n_queries}",
                interval(s),
                f"{s.means['recall@5']:.0%}",
                f"{s.means['recall@10']:.0%}",
                f"{s.means['mrr@10']:.3f}",
            ]
            for name, s in rows.items()
        ],
        numeric=range(1, 6),
        strong=[names.index(told.served)] if told.served in names else [],
    )
    blocks: list[Block] = [systems_chart(rows, told.served), table]
    blocks.append(
        Details(
            translate("What each row means"),
            [
                Table(
                    translate("Systems"),
                    [translate("System"), translate("How it searches")],
                    [[name_of(name), meaning_of(name)] for name in names],
                )
            ],
        )
    )
    if facts.second_model is not None:
        blocks.append(Text(translate_sentence(facts.second_model)))
    if EMBEDDED_AGAIN not in rows:
        blocks.append(
            Text(
                translate(
                    "Embedding the whole index again was not measured; the option --embed-again "
                    "measures it."
                ),
                "note",
            )
        )
    return Section("systems", translate("Beside every other way to search"), blocks)
