"""Does the signature of an encoder's space tell its vectors from others, without the encoder?

    python benchmarks/signatures.py DATA

DATA/vectors/NAME.npz with arrays ``minilm_*`` and ``use_*``: samples of n documents are held
against the signature of each set's ``minilm_target``. Own: other rows of that array. Elsewhere:
MiniLM on all other texts, Japanese and code among them. Others: the first 384 dimensions of the
Universal Sentence Encoder, and MiniLM turned at random.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from setting import describe, setting, table

from kakehashi.encoders.signature import SpaceSignature
from kakehashi.vectors import Float32Array, unit_rows

LEARNED, REPEATS = 1000, 20


def arrays_of(folder: Path) -> dict[str, Float32Array]:
    """Return every array of vectors by its set and name, cut to 384 dimensions."""
    arrays = {}
    for path in sorted((folder / "vectors").glob("*.npz")):
        with np.load(path) as archive:
            for name in archive.files:
                if name.startswith(("minilm_", "use_")):
                    arrays[f"{path.stem} {name}"] = unit_rows(np.float32(archive[name][:, :384]))
    return arrays


def main() -> None:
    """Print how far above chance samples of each kind are."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("data", type=Path)
    arrays = arrays_of(parser.parse_args().data)
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.standard_normal((384, 384)))[0].astype(np.float32)
    rows = []
    for n in (4, 8, 16, 32):
        excesses: dict[str, list[float]] = {"own": [], "elsewhere": [], "others": []}
        for name, learned_from in arrays.items():
            if not name.endswith("minilm_target"):
                continue
            signature = SpaceSignature.of(learned_from[:LEARNED])
            assert signature is not None
            for other, vectors in arrays.items():
                unseen = vectors[LEARNED:] if len(vectors) > 2 * LEARNED else vectors[-400:]
                for _ in range(REPEATS):
                    sample = unseen[rng.choice(len(unseen), n, replace=False)]
                    kind = "others" if " use_" in other else "own" if other == name else "elsewhere"
                    excesses[kind].append(signature.excess(sample))
                    if kind != "others":
                        excesses["others"].append(signature.excess(sample @ turn))
        for kind, found in excesses.items():
            rows.append(
                [
                    n,
                    kind,
                    len(found),
                    *(f"{value:.1f}" for value in np.quantile(found, [0, 0.05, 0.5, 1])),
                    f"{np.mean(np.array(found) >= 10):.3f}",
                ]
            )
    print(describe(setting()))
    header = ["documents", "vectors", "samples", "least", "5%", "median", "most", "recognised"]
    print(table(header, rows))


if __name__ == "__main__":
    main()
