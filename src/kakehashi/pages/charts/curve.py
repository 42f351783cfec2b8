"""Accuracy by number of pairs, with what the next doubling is likely to bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...evaluation.curve_result import LearningCurve
from ...language import translate
from ..blocks import Chart
from .drawing import ACCENT, FAINT, draw_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_METRIC = "recall@1"


def curve_chart(curve: LearningCurve) -> Chart:
    """Draw the share of right first answers at each size, and the forecast."""
    sizes = [point.n_pairs for point in curve.points]
    shares = [point.scores.means[_METRIC] for point in curve.points]
    ends = [point.scores.intervals[_METRIC] for point in curve.points]
    gain = curve.next_doubling[_METRIC]
    low, high = (min(1.0, max(0.0, shares[-1] + end)) for end in gain.interval)
    ticks = [*sizes, gain.n_to]

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0.07, 0.16, 0.86, 0.8))
        axes.set_xscale("log")
        axes.set(ylim=(0, 1), xlim=(sizes[0] * 0.9, gain.n_to * 1.15))
        axes.set_xticks(ticks, [f"{n:,}" for n in ticks])
        axes.set_xticks([], minor=True)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
        axes.grid(axis="y")
        axes.tick_params(length=0, pad=8)
        axes.tick_params(axis="y", labelcolor=FAINT)
        axes.spines[:].set_visible(False)
        axes.set_xlabel(translate("Pairs that were fitted"), color=FAINT)
        axes.fill_between(
            sizes, [e[0] for e in ends], [e[1] for e in ends], color=ACCENT, alpha=0.15, lw=0
        )
        axes.plot(sizes, shares, "o-", color=ACCENT, lw=2.5, ms=8)
        axes.plot([gain.n_to] * 2, [low, high], color=FAINT, lw=3, solid_capstyle="round")
        expected = shares[-1] + gain.gain
        axes.plot([sizes[-1], gain.n_to], [shares[-1], expected], "--", color=FAINT, lw=1.5)
        axes.plot(gain.n_to, expected, "o", color=FAINT, ms=8)
        for n, share in zip([*sizes, gain.n_to], [*shares, expected], strict=True):
            axes.annotate(
                f"{share:.0%}", (n, share), xytext=(0, 12), textcoords="offset points", ha="center"
            )

    told = [f"{n:,}: {share:.0%}" for n, share in zip(sizes, shares, strict=True)]
    about = translate(
        "Share of questions whose first answer is right, by pairs that were fitted: {SHARES}. With "
        "{n:,} pairs it is likely {low:.0%} to {high:.0%}.",
        SHARES="; ".join(told),
        n=gain.n_to,
        low=low,
        high=high,
    )
    title = translate("Accuracy by number of pairs")
    return Chart(draw_svg("curve", 4.2, title, about, draw), about)
