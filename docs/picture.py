"""Draw before_after.svg from what `kakehashi demo` left: python docs/picture.py kakehashi-demo."""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import kakehashi
from kakehashi.demo.pipeline import english_model, multilingual_encoder
from kakehashi.encoders import as_encoder
from kakehashi.encoders.cache import encode_texts
from kakehashi.vectors import unit_rows

demo = Path(sys.argv[1])
test = kakehashi.read_pairs(demo / "test.jsonl")
rows = list(range(0, len(test), 9))
cache = demo / "vectors.sqlite"
minilm = as_encoder(english_model(), name="all-MiniLM-L6-v2")
english = encode_texts(minilm, test.target_texts, "document", cache=cache)
before = encode_texts(minilm, test.source_texts, "query", cache=cache)
asked = encode_texts(multilingual_encoder(), test.source_texts, "query", cache=cache)
shared = kakehashi.Aligner.load(demo / "aligner-shared")
heads = shared.projection  # drawn without the two dimensions that carry the hubness correction
panels = {
    "before": (before, english, before, english),
    "after": (
        shared.project(asked),
        shared.project(english, modality="target", role="document"),
        heads.source(asked),
        heads.target(english),
    ),
}

plt.rcParams["svg.hashsalt"] = "kakehashi"  # the same picture gives the same file
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for axis, (name, (queries, stored, notes, paragraphs)) in zip(axes, panels.items(), strict=True):
    recall = np.mean((unit_rows(queries) @ stored.T).argmax(axis=1) == np.arange(len(test)))
    both = np.vstack([unit_rows(notes)[rows], paragraphs[rows]])
    _, _, directions = np.linalg.svd(both - both.mean(axis=0), full_matrices=False)
    japanese_xy, english_xy = np.split(both @ directions[:2].T, 2)
    axis.plot(*np.stack([japanese_xy, english_xy], axis=1).transpose(2, 1, 0), c="0.8", lw=1)
    axis.scatter(*japanese_xy.T, c="tab:red", s=16, label="Japanese notes", zorder=2)
    axis.scatter(*english_xy.T, c="tab:blue", s=16, label="English index", zorder=2)
    axis.set(title=f"{name}: {recall:.0%} found first", xticks=[], yticks=[])
axes[0].legend(fontsize=8)
figure.savefig(Path(__file__).with_name("before_after.svg"), metadata={"Date": None})
