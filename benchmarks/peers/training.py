"""The loop by which the peers that are written here in torch are trained."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import contract  # first: it sets the number of threads
import numpy as np
import torch
from contract import Rows, Setting, Trained
from torch import Tensor, nn

torch.set_num_threads(1)

Loss = Callable[[nn.Module, Tensor], Tensor]
"""(model, rows of the batch as indices) -> the loss of a batch."""


def fit(
    model: nn.Module,
    loss: Loss,
    n_rows: int,
    setting: Setting,
    *,
    seed: int,
    valid: Rows | None,
    optimizer: type[torch.optim.Optimizer] = torch.optim.Adam,
) -> Trained:
    """Train by `lr`, `batch` and `epochs` of the setting, in a new order each epoch.

    With `patience` and a validation part, training stops when mean reciprocal rank there has not
    risen for so many epochs, and the best weights are kept.
    """
    order = torch.Generator().manual_seed(seed)
    steps = optimizer(model.parameters(), lr=setting["lr"])  # type: ignore[call-arg]
    best, best_epoch, best_state = -1.0, setting["epochs"], None
    for epoch in range(1, setting["epochs"] + 1):
        model.train()
        for rows in _batches(n_rows, setting["batch"], order):
            steps.zero_grad()
            loss(model, rows).backward()
            steps.step()
        if valid is None or "patience" not in setting:
            continue
        score = contract.mrr(_apply(model)(valid.source), valid.target)
        if score > best:
            best, best_epoch, best_state = score, epoch, copy.deepcopy(model.state_dict())
        elif epoch - best_epoch >= setting["patience"]:
            break
    if best_state is not None:
        model.load_state_dict(best_state)
    return Trained(_apply(model), best_epoch)


def _batches(n: int, size: int, order: torch.Generator) -> Iterator[Tensor]:
    yield from torch.randperm(n, generator=order).split(size)


def _apply(model: nn.Module) -> Callable[[np.ndarray], np.ndarray]:
    def apply(vectors: np.ndarray) -> np.ndarray:
        model.eval()
        with torch.inference_mode():
            mapped: np.ndarray = model(torch.from_numpy(vectors)).numpy()
        return mapped

    return apply
