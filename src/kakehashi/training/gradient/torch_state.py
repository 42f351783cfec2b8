"""The state of torch that training needs, whatever the caller has set."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from ..one_thread import Limit


def _one_thread() -> Callable[[], object]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    return lambda: torch.set_num_threads(before)


_ONE_THREAD = Limit(_one_thread)


def import_failure() -> Exception | None:
    """Import torch; return the error where it is not installed or fails to load."""
    try:
        import torch  # noqa: F401
    except (ImportError, OSError) as error:
        return error
    return None


def undisturbed(device: str) -> ExitStack:
    """Enter one thread, gradients, full precision, and a CPU where tensors are made.

    A fit may be called under ``torch.no_grad()``, ``inference_mode``, autocast or another default
    device. The caller's settings are back when the context ends.
    """
    import torch

    with ExitStack() as entered:
        for setting in (
            _ONE_THREAD,
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast(torch.device(device).type, enabled=False),
            torch.device("cpu"),
        ):
            entered.enter_context(setting)
        return entered.pop_all()
