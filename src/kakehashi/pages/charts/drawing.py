"""Matplotlib figures as SVG that belongs to its page: colours and font are those of the page."""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...printable import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, FAINT, GRID, ACCENT, SECOND = "#010101", "#020202", "#030303", "#040404", "#050505"
"""Stand-ins that become the variables of the style sheet."""
_VARIABLES = {
    INK: "--ink",
    FAINT: "--faint",
    GRID: "--line",
    ACCENT: "--accent",
    SECOND: "--second",
}
_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 12,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": FAINT,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
}
_WIDTH = 10.0
"""Inches: 720 points, the width of the page, so that a letter of 12 points is one of 12 pixels."""


def draw_svg(
    name: str, height: float, title: str, description: str, draw: Callable[[Figure], None]
) -> str:
    """Return a drawing as an ``svg`` element with its title and description.

    Args:
        name: of the chart; its identifiers begin with it, so that two charts share none.
        height: in inches; the figure is ten inches wide.
        draw: fills the figure.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    written = io.StringIO()
    settings: Any = {**_SETTINGS, "svg.hashsalt": name}
    with rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the page's font has it
        figure = Figure(figsize=(_WIDTH, height))
        draw(figure)
        figure.savefig(written, format="svg", metadata={"Date": None}, transparent=True)
    return _inline(written.getvalue(), name, title, description)


def _inline(svg: str, name: str, title: str, description: str) -> str:
    """Make the file of matplotlib an element of a page."""
    box = re.search(r'viewBox="([^"]+)"', svg)
    assert box is not None
    inside = svg[svg.index(">", box.end()) + 1 :]
    inside = re.sub(r"<metadata>.*?</metadata>", "", inside, flags=re.S)
    inside = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", inside)
    inside = re.sub(r"font: (\d+\.?\d*)px [^;\"]*", r"font-size: \1px", inside)
    for stand_in, variable in _VARIABLES.items():
        inside = inside.replace(stand_in, f"var({variable})")
    labels = f"{name}-title {name}-about"
    return (
        f'<svg class="chart" role="img" aria-labelledby="{labels}" viewBox="{box[1]}">'
        f'<title id="{name}-title">{html.escape(printable(title))}</title>'
        f'<desc id="{name}-about">{html.escape(printable(description))}</desc>{inside}'
    )
