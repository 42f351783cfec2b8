"""Adam, the optimiser of the trained heads.

``torch.optim.Adam`` does the same, but making one imports torch's compiler: a second and 74 MB, as
much as the whole training of a small fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_BETAS, _EPSILON = (0.9, 0.999), 1e-8


class Adam:
    """Kingma & Ba, Adam: a method for stochastic optimization (ICLR 2015), algorithm 1.

    Attributes:
        steps: that were taken so far.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        import torch

        self.steps = 0
        self._parameters = list(parameters)
        self._means = [torch.zeros_like(p, requires_grad=False) for p in parameters]
        self._squares = [torch.zeros_like(p, requires_grad=False) for p in parameters]

    def step(self, gradients: Sequence[Tensor], rate: float) -> None:
        """Move every parameter against its gradient."""
        import torch

        self.steps += 1
        first, second = _BETAS
        unbiased, spread = 1 - first**self.steps, 1 - second**self.steps
        with torch.no_grad():
            moved = zip(self._parameters, gradients, self._means, self._squares, strict=True)
            for parameter, gradient, mean, square in moved:
                mean.lerp_(gradient, 1 - first)
                square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
                size = (square.sqrt() / spread**0.5).add_(_EPSILON)
                parameter.addcdiv_(mean, size, value=-rate / unbiased)
