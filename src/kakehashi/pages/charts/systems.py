"""The share of first answers that are right, of every system, with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...language import translate
from ...metrics.statistics import Scores
from ..blocks import Chart
from ..words import interval, name_of, percent
from .drawing import ACCENT, FAINT, INK, draw_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_METRIC = "recall@1"


def systems_chart(rows: Mapping[str, Scores], served: str | None) -> Chart:
    """Draw a dot and its interval a system; the one that serves has the accent.

    Args:
        rows: scores by system, the first at the top.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0.31, 0.13 if len(rows) > 4 else 0.2, 0.63, 0.86 - 0.07))
        axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5))
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
        axes.set_yticks(range(len(rows)), [name_of(name) for name in rows])
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.tick_params(length=0, pad=8)
        axes.spines[:].set_visible(False)
        for place, (name, scores) in enumerate(rows.items()):
            share, (low, high) = scores.means[_METRIC], scores.intervals[_METRIC]
            colour = ACCENT if name == served else FAINT
            axes.plot([low, high], [place, place], color=colour, lw=3, solid_capstyle="round")
            axes.plot(share, place, "o", color=colour, ms=10)
            beside = high + 0.02 if high < 0.9 else low - 0.02
            axes.text(
                beside,
                place,
                percent(share),
                color=colour if name == served else INK,
                va="center",
                ha="left" if high < 0.9 else "right",
                weight="bold" if name == served else "normal",
            )

    told = [
        translate(
            "{SYSTEM}: {share:.0%} ({INTERVAL})",
            SYSTEM=name_of(name),
            share=scores.means[_METRIC],
            INTERVAL=interval(scores),
        )
        for name, scores in rows.items()
    ]
    title = translate("Share of questions whose first answer is right")
    svg = draw_svg("systems", 0.5 + 0.45 * len(rows), title, "; ".join(told), draw)
    return Chart(
        svg, translate("Share of questions whose first answer is right, with 95% intervals")
    )
