"""The gap between the two modalities, before and after, in two dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...language import translate
from ...vectors import Float32Array, drawn, unit_rows
from ..blocks import Chart
from ..facts import Spaces
from .drawing import ACCENT, FAINT, GRID, SECOND, draw_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AT_MOST = 150
"""Pairs that are drawn; more would hide one another."""


def gap_chart(spaces: Spaces) -> Chart:
    """Draw questions and their documents, joined by a line, before and after."""
    panels = _panels(spaces)

    def draw(figure: Figure) -> None:
        width = 0.47 if len(panels) > 1 else 0.6
        for place, (name, (questions, documents)) in enumerate(panels.items()):
            axes = figure.add_axes((0.01 + 0.51 * place, 0.02, width, 0.86))
            axes.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
            axes.set_title(name, color=FAINT)
            axes.spines[:].set_visible(True)
            lines = np.stack([questions, documents], axis=1).transpose(2, 1, 0)
            axes.plot(*lines, color=GRID, lw=0.8, zorder=1)
            axes.scatter(
                documents[:, 0], documents[:, 1], color=SECOND, s=20, marker="s", lw=0, zorder=2
            )
            axes.scatter(questions[:, 0], questions[:, 1], color=ACCENT, s=22, lw=0, zorder=3)

    title = translate("Questions and their documents in two dimensions")
    about = translate(
        "Dots are questions, squares their documents, lines join the pairs. How far a pair lies "
        "apart, as a share of the distance of any question and any document: {DISTANCES}.",
        DISTANCES=", ".join(f"{k.lower()} {v:.2f}" for k, v in relative_distances(spaces).items()),
    )
    return Chart(draw_svg("gap", 4.8, title, about, draw), about)


def relative_distances(spaces: Spaces) -> dict[str, float]:
    """Return by panel how far a pair lies apart, as a share of what any two do (of unit rows)."""
    before = {} if spaces.before is None else {_before(): (spaces.before, spaces.stored)}
    both = before | {_after(): (spaces.after, spaces.documents)}
    return {name: _relative(*map(unit_rows, vectors)) for name, vectors in both.items()}


def _relative(questions: Float32Array, documents: Float32Array) -> float:
    own = np.sqrt(((questions - documents) ** 2).sum(axis=1)).mean()
    squares = np.maximum(2 - 2 * questions @ documents.T, 0)
    return float(own / np.sqrt(squares).mean())


def _panels(spaces: Spaces) -> dict[str, Any]:
    """Project on the two main directions of all vectors; a space of its own has its own."""
    rows = np.sort(drawn(len(spaces.after), AT_MOST, 0))
    after = [unit_rows(spaces.after)[rows], unit_rows(spaces.documents)[rows]]
    if spaces.before is None:
        plane = _plane(np.concatenate(after))
        return {_after(): [v @ plane for v in after]}
    before = [unit_rows(spaces.before)[rows], unit_rows(spaces.stored)[rows]]
    return {
        name: [v @ _plane(np.concatenate(vectors)) for v in vectors]
        for name, vectors in ((_before(), before), (_after(), after))
    }


def _plane(vectors: Float32Array) -> NDArray[Any]:
    """Return the two main directions, (d, 2), each with the sign of its largest part."""
    directions = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)[2][:2].T
    largest = directions[np.abs(directions).argmax(axis=0), range(directions.shape[1])]
    plane: NDArray[Any] = directions * np.sign(largest)
    return plane


def _before() -> str:
    return translate("Before")


def _after() -> str:
    return translate("After")
