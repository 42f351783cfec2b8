"""Our Adam takes the steps of torch's, without its compiler."""

import subprocess
import sys

import pytest

from kakehashi.training.gradient.adam import Adam

torch = pytest.importorskip("torch")


@pytest.mark.slow  # torch's own imports its compiler
def test_the_steps_are_those_of_torch():
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(4, 3, generator=generator), torch.randn((), generator=generator)]
    ours, theirs = ([p.clone().requires_grad_() for p in start] for _ in range(2))
    adam, reference = Adam(ours), torch.optim.Adam(theirs)
    for rate in (1e-3, 1e-2, 1e-4, 0.0, 1e-3):
        reference.param_groups[0]["lr"] = rate
        for parameters in (ours, theirs):
            loss = sum(((p - 0.3) ** 4).sum() for p in parameters)
            gradients = torch.autograd.grad(loss, parameters)
            if parameters is ours:
                adam.step(gradients, rate)
            else:
                for p, gradient in zip(theirs, gradients, strict=True):
                    p.grad = gradient
                reference.step()
        for mine, other in zip(ours, theirs, strict=True):
            assert torch.allclose(mine, other, rtol=1e-6, atol=1e-7)
    assert adam.steps == 5


@pytest.mark.slow
def test_a_training_does_not_import_the_compiler_of_torch():
    code = (
        "import sys, numpy as np; from kakehashi import Pairs; "
        "from kakehashi.projection import Projection; "
        "from kakehashi.training.feature_data import TrainingRows; "
        "from kakehashi.training.gradient.contrastive import refine; "
        "x = np.random.default_rng(0).standard_normal((40, 8)); "
        "rows = TrainingRows([(Pairs(source_vectors=x, target_vectors=x), np.arange(40))], 0); "
        "refine(Projection(), rows, 'keep'); print('torch._dynamo' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
