"""The projection network of the paper that this package answers, with its loss and schedule.

A. Yadav, A. B. McMillan, "Mind the Gap: A Generalized Approach for Cross-Modal Embedding
Alignment", arXiv 2410.23437 (2024). Both encoders are frozen; the vectors go in as they are given,
and what comes out is compared by Euclidean distance, which is what the loss trains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DataError, MissingExtraError
from ...progress import track
from ...vectors import Float32Array, FloatArray
from .torch_state import undisturbed

if TYPE_CHECKING:
    from torch import Tensor

HIDDEN = 2048
MARGIN = 1.0
LEARNING_RATE = 1e-4
BATCH_SIZE = 32
EPOCHS = 5


@dataclass(frozen=True, eq=False)
class ProjectionNetwork:
    """A trained network: affine layers with ReLU between them; no residual, no normalisation.

    Attributes:
        layers: weight (d_in, d_out) and bias (d_out,) of each layer, float32.
    """

    layers: tuple[tuple[Float32Array, Float32Array], ...]

    def __call__(self, x: Float32Array) -> Float32Array:
        """Project (n, d_source) float32 -> (n, d_target) float32, with NumPy alone."""
        *inner, (weight, bias) = self.layers
        for w, b in inner:
            x = np.maximum(x @ w + b, 0)
        result: Float32Array = x @ weight + bias
        return result


def train(source: FloatArray, target: FloatArray, *, seed: int = 0) -> ProjectionNetwork:
    """Train Linear d-2048, ReLU, 2048-2048, ReLU, 2048-d' by the paper's recipe.

    Adam at 1e-4, batches of 32, 5 epochs, :func:`triplet_loss` with margin 1; PyTorch's own
    initialisation. A last batch of one row has no negatives and is left out.

    Args:
        source: (n, d) vectors that are projected, of any float dtype.
        target: (n, d') vectors of the same rows, in whose space the projections are to lie.
        seed: decides the initial weights and the order of the rows; the same seed gives the same
            bits on one machine with one number of threads. torch's global state is left as it was.

    Raises:
        DataError: fewer than two rows, or a different number of them.
        MissingExtraError: torch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("torch", "training") from error
    n = len(source)
    if n < 2 or len(target) != n:
        raise DataError(
            f"{n} source and {len(target)} target vectors; give as many of each, at least 2."
        )
    with undisturbed("cpu"):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = torch.nn.Sequential(
                torch.nn.Linear(source.shape[1], HIDDEN, dtype=torch.float32),
                torch.nn.ReLU(),
                torch.nn.Linear(HIDDEN, HIDDEN, dtype=torch.float32),
                torch.nn.ReLU(),
                torch.nn.Linear(HIDDEN, target.shape[1], dtype=torch.float32),
            )
            optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
            orders = [torch.randperm(n).numpy() for _ in range(EPOCHS)]
        batches = [order[i : i + BATCH_SIZE] for order in orders for i in range(0, n, BATCH_SIZE)]
        for rows in track(batches, "training mind-the-gap"):
            if len(rows) < 2:
                continue
            anchors = torch.from_numpy(np.asarray(target[rows], np.float32))  # (b, d')
            positives = network(torch.from_numpy(np.asarray(source[rows], np.float32)))  # (b, d')
            loss = triplet_loss(anchors, positives)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has not typed it
            optimiser.step()
    return ProjectionNetwork(tuple(_as_numpy(m) for m in network if hasattr(m, "weight")))


def triplet_loss(anchors: Tensor, positives: Tensor) -> Tensor:
    """Return the hinge over all other rows of the batch: (b, d) and (b, d) -> ().

        mean over i and j != i of max(0, |a_i - p_i| - |a_i - p_j| + 1),  distances Euclidean

    ``anchors`` are the vectors of the space that is kept, ``positives`` the projected ones.
    """
    import torch

    # Not by way of a matrix product, which loses the digits of small distances.
    distances = torch.cdist(anchors, positives, compute_mode="donot_use_mm_for_euclid_dist")
    hinge = (distances.diagonal()[:, None] - distances + MARGIN).clamp(min=0)  # (b, b)
    others = ~torch.eye(len(anchors), dtype=torch.bool)
    return hinge[others].mean()


def _as_numpy(layer: Any) -> tuple[Float32Array, Float32Array]:
    weight: Float32Array = np.ascontiguousarray(layer.weight.detach().numpy().T)
    bias: Float32Array = layer.bias.detach().numpy().copy()
    return weight, bias
