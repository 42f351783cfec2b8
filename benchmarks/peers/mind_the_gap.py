"""The recipe of "Mind the Gap" (A. Yadav, A. B. McMillan, arXiv 2410.23437), on stored vectors.

    python mind_the_gap.py SPLIT.npz OUT_FOLDER [--seed N]

The paper's: Linear d-2048, ReLU, Linear 2048-2048, ReLU, Linear 2048-d on the source side, without
residual or normalisation; in-batch triplet hinge, the mean over i and j != i of max(0, |a_i - p_i|
- |a_i - p_j| + 1), Euclidean; Adam 1e-4, batch 32, 5 epochs. Not the paper's: its encoder
(mean-pooled CodeBERT of 768 dimensions, whose vectors are far longer than one, so that a margin of
1 is much here), and how scores are compared (by cosine, as the stores here do).

Nothing is chosen by the validation part: this is the recipe as it was published.
"""

from __future__ import annotations

import contract  # first: it sets the number of threads
import torch
import training
from contract import Rows, Setting, Trained
from torch import Tensor, nn

HIDDEN, MARGIN = 2048, 1.0
SETTING: Setting = {"lr": 1e-4, "batch": 32, "epochs": 5}


def train(rows: Rows, setting: Setting, seed: int, valid: Rows | None) -> Trained:
    """Train the network."""
    torch.manual_seed(seed)
    d_in, d_out = rows.dimensions
    model = nn.Sequential(
        nn.Linear(d_in, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, d_out),
    )
    source, target = (torch.from_numpy(side) for side in (rows.source, rows.target))

    def loss(network: nn.Module, batch: Tensor) -> Tensor:
        # The target is the anchor a, the projected source p.
        distances = torch.cdist(target[batch], network(source[batch]))
        hinge = torch.relu(distances.diag()[:, None] - distances + MARGIN)
        others = ~torch.eye(len(batch), dtype=torch.bool)
        return hinge[others].sum() / max(1, int(others.sum()))

    return training.fit(model, loss, len(source), setting, seed=seed, valid=valid)


def main() -> None:
    """Train by the paper's setting."""
    args = contract.parser(__doc__).parse_args()
    contract.run(
        contract.Split.read(args.split),
        [SETTING],
        train,
        args.out,
        seed=args.seed,
    )


if __name__ == "__main__":
    main()
