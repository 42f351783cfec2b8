"""What training needs of torch, whatever the caller has set."""

from __future__ import annotations

from contextlib import ExitStack

from ...threads import TORCH


def undisturbed(device: str) -> ExitStack:
    """Enter one thread, gradients, full precision, and a CPU where tensors are made.

    A fit may be called under ``torch.no_grad()``, ``inference_mode``, autocast or another default
    device. The caller's settings are back when the context ends.
    """
    import torch

    with ExitStack() as entered:
        for setting in (
            TORCH,
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast(torch.device(device).type, enabled=False),
            torch.device("cpu"),
        ):
            entered.enter_context(setting)
        return entered.pop_all()
