"""Trained heads: affine maps that start from a closed form and are trained further by contrast.

For each query of a batch the loss asks that its own targets score above all others:

    L = -log( sum over positives of exp(s/t) / sum over positives and negatives of exp(s/t) )

(InfoNCE, van den Oord et al. 2018; with several positives as in Khosla et al., Supervised
contrastive learning, 2020), and the same from the targets of the batch to its queries. The
temperature t is learned. s is the inner product that the store will rank by.

Vectors are those of the encoders, computed once; only the heads are trained. What comes out serves
with NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...data.pairs import Pairs
from ...errors import MissingExtraError
from ...progress import track
from ...projection import Projection
from ...projection.coordinates import CoordinateHead
from ...projection.head import AffineHead, grid_weight
from ...types import SIDES, Mode
from ...vectors import chunks, unit_rows
from ..feature_data import TrainingRows
from .adam import Adam
from .torch_state import undisturbed

if TYPE_CHECKING:
    from torch import Generator, Tensor

EPOCHS = 6
LEARNING_RATE = 1e-3
BATCH_SIZE = 256
N_RANDOM = 768
"""Other targets, drawn anew for each batch, that a query has to tell its own from in ``keep`` mode.
In ``shared`` mode each would have to be projected; there the targets of the batch are enough."""
N_HARD, N_LOOKED_AT, MINE_EVERY = 1, 8, 2
"""Wrong answers mined for a query, out of so many of its nearest targets, every so many epochs."""
NEAR_DUPLICATE = 0.98
"""Cosine of two unprojected targets from which neither is mined as a wrong answer to the other."""
TEMPERATURE = 0.05
LEARNED = "learned"
"""The name of the candidate in the report of :func:`kakehashi.fit`."""
MAX_ROWS = 20_000
"""Pairs trained on; a sample of more. It bounds memory (120 MB of 384 + 1,024 float32)."""

_MAX_SCALE = 100.0  # 1 / temperature, as in CLIP
_WARM_UP = 0.05


def refine(
    start: Projection,
    training: TrainingRows,
    mode: Mode,
    *,
    epochs: int = EPOCHS,
    stop_after: int | None = None,
    learning_rate: float = LEARNING_RATE,
    seed: int = 0,
    label: str = "training",
) -> list[Projection]:
    """Train on from a closed form; return the projection after each epoch.

    Args:
        start: a projection without hubness correction; its heads are where training starts.
        training: the pairs, as the feature set of ``start`` reads them.
        mode: in ``keep`` the source head alone is trained, against the untouched targets.
        epochs: passes over the pairs; the learning rate falls to zero over all of them.
        stop_after: passes to make of these, if not all.
        seed: decides the order of the rows and the negatives; the same seed gives the same bits on
            one machine and device (a GPU if torch finds one).
        label: of the progress bar.

    Raises:
        MissingExtraError: torch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("torch", "training") from error
    pairs = training.sample(MAX_ROWS)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with undisturbed(device):
        generator = torch.Generator().manual_seed(seed)
        task = _Task.of(pairs, mode, device, scaled=not training.in_coordinates)
        heads = _Heads(start, task)
        steps = -(-len(pairs) // BATCH_SIZE)
        optimiser = Adam(heads.parameters)
        rate = _Schedule(learning_rate, steps * epochs)
        history, hard = [], torch.empty(0)
        for epoch in track(range(epochs)[:stop_after], label):
            if epoch % MINE_EVERY == 0:
                hard = _mine(heads, task)
            for rows, candidates in _batches(task, hard, steps, generator):
                loss = _loss(heads, task, rows.to(device), candidates.to(device))
                gradients = torch.autograd.grad(loss, heads.parameters)
                optimiser.step(gradients, rate(optimiser.steps))
            history.append(heads.projection())
    return history


def _batches(
    task: _Task, hard: Tensor, steps: int, generator: Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the rows of each batch in random order, and the rows of their candidate targets."""
    import torch

    n = len(task.x)
    n_random = N_RANDOM if task.mode == "keep" else 0
    order = torch.randperm(n, generator=generator)
    for batch in range(steps):
        rows = order[batch::steps]
        others = torch.randint(n, (n_random,), generator=generator)
        yield rows, torch.cat([rows, hard[rows].flatten(), others])


@dataclass(frozen=True, eq=False)
class _Schedule:
    """Rise over the first steps, then fall along a cosine to zero (Loshchilov & Hutter 2017)."""

    highest: float
    steps: int

    def __call__(self, step: int) -> float:
        rise = min(1.0, (step + 1) / max(1.0, _WARM_UP * self.steps))
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.steps)))
        return self.highest * rise * fall


@dataclass(frozen=True, eq=False)
class _Task:
    """The pairs as tensors, and which targets answer which queries.

    Attributes:
        x, y: (n, d_x) and (n, d_y) float32, as the heads take them.
        asks, answers: (n,) int64; rows of one number have one source text, or one target.
        asked_again: the rows whose source text stands in other rows, too.
    """

    mode: Mode
    x: Tensor
    y: Tensor
    asks: Tensor
    answers: Tensor
    asked_again: Tensor

    @classmethod
    def of(cls, pairs: Pairs, mode: Mode, device: str, *, scaled: bool = True) -> _Task:
        import torch

        x, y = (np.asarray(pairs.required_vectors(side)) for side in SIDES)
        if scaled:
            x, y = unit_rows(x), unit_rows(y)
        numbers = [np.unique(pairs.keys(s), return_inverse=True)[1] for s in SIDES]
        numbers.append(np.flatnonzero(np.bincount(numbers[0])[numbers[0]] > 1))
        return cls(mode, *(torch.from_numpy(a).to(device) for a in (x, y, *numbers)))

    def positives(self, rows: Tensor, candidates: Tensor) -> Tensor:
        """Whether a candidate's target answers a row's query, by any row's word: (b, c) bool."""
        import torch

        same = self.answers[rows][:, None] == self.answers[candidates][None]
        if len(self.asked_again):
            again = self.asked_again
            row, pair = (self.asks[rows][:, None] == self.asks[again][None]).nonzero(as_tuple=True)
            answered = torch.zeros(len(rows), len(self.x), dtype=torch.bool, device=rows.device)
            answered[row, self.answers[again[pair]]] = True
            same |= answered[:, self.answers[candidates]]
        return same


class _Heads:
    """The parameters that are trained."""

    def __init__(self, start: Projection, task: _Task) -> None:
        import torch

        self._task, self._start = task, start
        self._scales: list[float] = []
        self.source = self._layers(start.source, task.x)
        self.target = None
        if task.mode == "shared":
            self.target = self._layers(start.target, task.y)
        self.log_scale = torch.tensor(
            math.log(1 / TEMPERATURE),
            dtype=torch.float32,
            device=task.x.device,
            requires_grad=True,
        )
        self.parameters = [*self.source, *(self.target or []), self.log_scale]

    def _layers(self, head: AffineHead | None, x: Tensor) -> list[Tensor]:
        import torch

        d = x.shape[1]
        weight = np.eye(d, dtype=np.float32) if head is None else head.weight
        bias = np.zeros(weight.shape[1], np.float32) if head is None else head.bias
        # Only directions count in the end. At unit length one learning rate suits every start.
        lengths = np.linalg.norm(x.cpu().numpy() @ weight + bias, axis=1)
        scale = float(np.sqrt((lengths**2).mean())) or 1.0
        self._scales.append(scale)
        layers = [torch.from_numpy(a / np.float32(scale)) for a in (weight, bias)]
        return [layer.to(x.device).requires_grad_() for layer in layers]

    def queries(self, rows: Tensor) -> Tensor:
        """Project the sources of some rows, before they get unit length."""
        return _forward(self.source, self._task.x[rows])

    def documents(self, rows: Tensor) -> Tensor:
        """Project the targets of some rows, before they get unit length."""
        y = self._task.y[rows]
        return y if self.target is None else _forward(self.target, y)

    def projection(self) -> Projection:
        """Return what the parameters are now."""
        source = _head(self.source, self._start.source, self._scales[0])
        if self.target is None:
            return Projection(source)
        return Projection(source, _head(self.target, self._start.target, self._scales[1]))


def _forward(layers: list[Tensor], x: Tensor) -> Tensor:
    weight, bias = layers
    return x @ weight + bias


def _head(layers: list[Tensor], start: AffineHead | None, scale: float) -> AffineHead:
    """Return trained layers as a head; what no row reaches stays as it was at the start."""
    weight, bias = (layer.detach().cpu().numpy() for layer in layers)
    weight, bias = grid_weight(weight), bias.copy()
    if isinstance(start, CoordinateHead):
        return CoordinateHead(weight, bias, start.outside / scale)
    return AffineHead(weight, bias)


def _loss(heads: _Heads, task: _Task, rows: Tensor, candidates: Tensor) -> Tensor:
    """Contrast the queries of some rows with candidates, of which the first are their own."""
    from torch.nn.functional import normalize

    positive = task.positives(rows, candidates)
    scale = heads.log_scale.exp().clamp(max=_MAX_SCALE)
    queries = normalize(heads.queries(rows), dim=1)
    documents = normalize(heads.documents(candidates), dim=1)
    scores = scale * (queries @ documents.T)
    to_targets = _contrast(scores, positive)
    to_queries = _contrast(scores[:, : len(rows)].T, positive[:, : len(rows)].T)
    return (to_targets + to_queries) / 2


def _contrast(scores: Tensor, positive: Tensor) -> Tensor:
    right = scores.masked_fill(~positive, float("-inf")).logsumexp(dim=1)
    return (scores.logsumexp(dim=1) - right).mean()


def _mine(heads: _Heads, task: _Task) -> Tensor:
    """Return the rows of the hardest wrong answers to each query, (n, N_HARD), in bounded memory.

    Its own answers and near-duplicates of them are passed over. Where nothing else is among the
    nearest, one of them is returned all the same: the loss knows the answers, and a near-duplicate
    is then rare enough.
    """
    import torch
    from torch.nn.functional import normalize

    n = len(task.x)
    every = torch.arange(n, device=task.x.device)
    with torch.no_grad():
        documents = normalize(heads.documents(every), dim=1)
        hardest = []
        for part in chunks(n, 1024):
            rows = every[part]
            scores = normalize(heads.queries(rows), dim=1) @ documents.T
            scores[task.positives(rows, every)] = float("-inf")
            nearest = scores.topk(min(N_LOOKED_AT, n), dim=1).indices  # (b, k), the hardest first
            answer = task.y[rows][:, :, None]
            alike = (task.y[nearest] @ answer)[:, :, 0] > NEAR_DUPLICATE
            order = alike.to(torch.int8).argsort(dim=1, stable=True)
            hardest.append(nearest.gather(1, order)[:, :N_HARD])
    return torch.cat(hardest).cpu()
