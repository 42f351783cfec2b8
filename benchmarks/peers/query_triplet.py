"""A query-only linear map trained by a triplet margin loss, by two published recipes.

    python query_triplet.py SPLIT.npz OUT_FOLDER --recipe santander|chroma [--tuned] [--seed N]

santander: linear-adapter-trainer (github.com/SantanderAI/linear-adapter-trainer, DOCUMENTATION.md
and examples/config.toml). q' = unit(q + W q) with W = 0 at the start; loss max(0, d(q', p) -
d(q', n) + 0.2) with d the cosine distance; two negatives a query, mined once: half from the ten
documents least like the positive, three tenths from the ten most like it, the rest at random; Adam
1e-3, batch 64, 30 epochs at most, stopped when MRR on the validation part has not risen for five.
Where the sides differ in dimension there is no residual, and the map starts at random.

chroma: "Embedding Adapters" (research.trychroma.com/embedding-adapters; experiments in
github.com/suvansh/ChromaAdaptEmbed). q' = W q + b with torch's own start; Euclidean triplet loss
with margin 1, summed over the batch; one random negative a query; AdamW 3e-3, batch 32, 10 epochs.

The default is the recipe's own setting. --tuned chooses among a few by the validation part. Both
are then trained again on train and validation part (for as many epochs as were best). Ours to
choose: the grids; that chroma's negatives are drawn anew each epoch.
"""

from __future__ import annotations

import contract  # first: it sets the number of threads
import numpy as np
import torch
import training
from contract import Rows, Setting, Trained
from torch import Tensor, nn
from torch.nn import functional

POOL, NEGATIVES = 10, 2
SHARES = {"mixed": (0.5, 0.3, 0.2), "hard": (0.0, 1.0, 0.0)}  # opposite, hard, random
SANTANDER: Setting = {"lr": 1e-3, "batch": 64, "epochs": 30, "patience": 5, "negatives": "mixed"}
CHROMA: Setting = {"lr": 3e-3, "batch": 32, "epochs": 10}
GRIDS: dict[str, list[Setting]] = {
    "santander": [SANTANDER, *(SANTANDER | {"lr": 5e-3, "negatives": kind} for kind in SHARES)],
    "chroma": [CHROMA, *(CHROMA | {"lr": lr, "batch": 256, "epochs": 30} for lr in (3e-3, 1e-2))],
}


class Residual(nn.Module):
    """unit(q + W q), or unit(W q) where the dimensions differ."""

    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__()
        self.square = d_in == d_out
        self.linear = nn.Linear(d_in, d_out, bias=False)
        if self.square:
            nn.init.zeros_(self.linear.weight)

    def forward(self, q: Tensor) -> Tensor:
        """(n, d_in) -> (n, d_out)."""
        return functional.normalize(q + self.linear(q) if self.square else self.linear(q), dim=1)


def santander(rows: Rows, setting: Setting, seed: int, valid: Rows | None) -> Trained:
    """Train by the recipe of linear-adapter-trainer."""
    torch.manual_seed(seed)
    documents = functional.normalize(torch.from_numpy(rows.target), dim=1)
    queries = torch.from_numpy(rows.source)
    negatives = torch.from_numpy(_mine(documents.numpy(), SHARES[setting["negatives"]], seed))

    def loss(model: nn.Module, batch: Tensor) -> Tensor:  # a row of the batch is one triplet
        i, j = batch // NEGATIVES, batch % NEGATIVES
        q = model(queries[i])
        positive = (q * documents[i]).sum(1)
        negative = (q * documents[negatives[i, j]]).sum(1)
        return functional.relu(negative - positive + 0.2).mean()

    model = Residual(*rows.dimensions)
    return training.fit(model, loss, NEGATIVES * len(queries), setting, seed=seed, valid=valid)


def chroma(rows: Rows, setting: Setting, seed: int, valid: Rows | None) -> Trained:
    """Train by the recipe of Chroma's report."""
    torch.manual_seed(seed)
    queries, documents = (torch.from_numpy(side) for side in (rows.source, rows.target))

    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        other = (batch + torch.randint(1, len(queries), batch.shape)) % len(queries)
        return functional.triplet_margin_loss(
            model(queries[batch]), documents[batch], documents[other], reduction="sum"
        )

    model = nn.Linear(*rows.dimensions)
    return training.fit(
        model, loss, len(queries), setting, seed=seed, valid=valid, optimizer=torch.optim.AdamW
    )


def _mine(documents: np.ndarray, shares: tuple[float, ...], seed: int) -> np.ndarray:
    """Draw NEGATIVES other documents for each of n unit documents -> (n, NEGATIVES)."""
    rng = np.random.default_rng(seed)
    n = len(documents)
    pool = min(POOL, n - 1)
    drawn = np.empty((n, NEGATIVES), np.int64)
    for i in range(n):
        alike = documents @ documents[i]
        alike[i] = -np.inf
        hard = np.argpartition(-alike, pool - 1)[:pool]
        alike[i] = np.inf
        opposite = np.argpartition(alike, pool - 1)[:pool]
        for j, kind in enumerate(rng.choice(3, NEGATIVES, p=shares)):
            drawn[i, j] = (
                (i + rng.integers(1, n)) % n if kind == 2 else rng.choice((opposite, hard)[kind])
            )
    return drawn


def main() -> None:
    """Train one recipe, as it is or tuned."""
    parser = contract.parser(__doc__)
    parser.add_argument("--recipe", choices=GRIDS, required=True)
    parser.add_argument("--tuned", action="store_true")
    args = parser.parse_args()
    default = {"santander": SANTANDER, "chroma": CHROMA}[args.recipe]
    split = contract.Split.read(args.split)
    contract.run(
        split,
        GRIDS[args.recipe] if args.tuned else [default],
        {"santander": santander, "chroma": chroma}[args.recipe],
        args.out,
        seed=args.seed,
        beside=split.beside,
    )


if __name__ == "__main__":
    main()
