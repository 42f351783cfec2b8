"""The three maps of Drift-Adapter (H. Vejendla, EMNLP 2025, arXiv 2509.23471).

    python drift_adapter.py SPLIT.npz OUT_FOLDER --map procrustes|low-rank|mlp [--seed N]

The paper carries queries of a new encoder into the space of an old one, from paired vectors; that
is the task here. It fixes the three forms, fitted so that g(source) is near target in the squared
distance, and a diagonal matrix S that scales the output where that helps:

- procrustes: g(x) = S R x, R with orthonormal columns or rows (closed form, by one SVD);
- low-rank: g(x) = S (U V x + t);
- mlp: g(x) = S (x + W2 gelu(W1 x + b1) + b2); where the sides differ in dimension, x goes through
  a linear map first.

Ours to choose (of the paper no more was at hand than its abstract and introduction): rank 64 and
256 hidden units; AdamW, batch 256, 100 epochs at most, stopped when MRR on the validation part has
not risen for ten; learning rate 3e-3; S or none, by the validation part.
"""

from __future__ import annotations

import contract  # first: it sets the number of threads
import numpy as np
import torch
import training
from contract import Rows, Setting, Trained
from torch import Tensor, nn
from torch.nn import functional

RANK, HIDDEN = 64, 256
CLOSED: list[Setting] = [{"scaled": scaled} for scaled in (False, True)]
LEARNT: list[Setting] = [
    {"lr": 3e-3, "batch": 256, "epochs": 100, "patience": 10} | closed for closed in CLOSED
]


class LowRank(nn.Module):
    """U V x + t."""

    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__()
        self.down = nn.Linear(d_in, RANK, bias=False)
        self.up = nn.Linear(RANK, d_out)

    def forward(self, x: Tensor) -> Tensor:
        """(n, d_in) -> (n, d_out)."""
        mapped: Tensor = self.up(self.down(x))
        return mapped


class ResidualMLP(nn.Module):
    """x + W2 gelu(W1 x + b1) + b2, starting as x."""

    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__()
        self.carry = nn.Identity() if d_in == d_out else nn.Linear(d_in, d_out, bias=False)
        self.down = nn.Linear(d_in, HIDDEN)
        self.up = nn.Linear(HIDDEN, d_out)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(n, d_in) -> (n, d_out)."""
        mapped: Tensor = self.carry(x) + self.up(functional.gelu(self.down(x)))
        return mapped


class Scaled(nn.Module):
    """S g(x), S diagonal."""

    def __init__(self, inner: nn.Module, d_out: int) -> None:
        super().__init__()
        self.inner = inner
        self.scale = nn.Parameter(torch.ones(d_out))

    def forward(self, x: Tensor) -> Tensor:
        """(n, d_in) -> (n, d_out)."""
        scaled: Tensor = self.inner(x) * self.scale
        return scaled


def procrustes(rows: Rows, setting: Setting, seed: int, valid: Rows | None) -> Trained:
    """Fit R by one SVD; the best S for it is a regression of each output on itself."""
    u, _, vt = np.linalg.svd(rows.source.astype(np.float64).T @ rows.target, full_matrices=False)
    rotation = u @ vt  # (d_in, d_out)
    if setting["scaled"]:
        rotated = rows.source @ rotation
        rotation = rotation * ((rotated * rows.target).sum(0) / (rotated**2).sum(0))
    weights = rotation.astype(np.float32)
    return Trained(lambda queries: queries @ weights)


def learnt(form: type[nn.Module]) -> contract.Train:
    """Return the training of a form by the squared distance."""

    def train(rows: Rows, setting: Setting, seed: int, valid: Rows | None) -> Trained:
        torch.manual_seed(seed)
        model = form(*rows.dimensions)
        if setting["scaled"]:
            model = Scaled(model, rows.dimensions[1])
        source, target = (torch.from_numpy(side) for side in (rows.source, rows.target))

        def loss(network: nn.Module, batch: Tensor) -> Tensor:
            return functional.mse_loss(network(source[batch]), target[batch])

        return training.fit(
            model, loss, len(source), setting, seed=seed, valid=valid, optimizer=torch.optim.AdamW
        )

    return train


def main() -> None:
    """Fit one of the maps."""
    parser = contract.parser(__doc__)
    parser.add_argument("--map", choices=("procrustes", "low-rank", "mlp"), required=True)
    args = parser.parse_args()
    train, grid = {
        "procrustes": (procrustes, CLOSED),
        "low-rank": (learnt(LowRank), LEARNT),
        "mlp": (learnt(ResidualMLP), LEARNT),
    }[args.map]
    split = contract.Split.read(args.split)
    contract.run(split, grid, train, args.out, seed=args.seed, beside=split.beside)


if __name__ == "__main__":
    main()
