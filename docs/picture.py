"""Draw before_after.svg from the demo's folder: python docs/picture.py kakehashi-demo [FILE].

One encoder, MiniLM, reads both languages in both panels. Before: its vectors of the demo's test
pairs. After: the same Japanese vectors through a map that `fit` trains on the demo's other pairs.
The English vectors and the axes are the same in both panels. A trained head is left out, which
saves time. The shares are of the test pairs, ranked among all paragraphs of the manual.
"""

import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

import kakehashi
from kakehashi.demo.inputs import english_model
from kakehashi.encoders import as_encoder
from kakehashi.encoders.cache import encode_texts
from kakehashi.metrics.pool import Pool
from kakehashi.metrics.ranking import ranks
from kakehashi.vectors import unit_rows

GREY = "#767676"  # readable on white and on a dark page
JAPANESE, ENGLISH = "#d1495b", "#2f7fd1"

demo = Path(sys.argv[1])
picture = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).with_name("before_after.svg")
train, test = (kakehashi.read_pairs(demo / f"{part}.jsonl") for part in ("train", "test"))
minilm = as_encoder(english_model())
cache = demo / "vectors.sqlite"
aligner = kakehashi.fit(
    train, source_encoder=minilm, target_encoder=minilm, mode="keep", learned=False, cache=cache
)
pool = Pool.of([test, train])  # the index; its first documents are those of the test pairs
index = encode_texts(minilm, pool.texts, "document", cache=cache)
english = index[: len(test)]
japanese = encode_texts(minilm, test.source_texts, "query", cache=cache)
panels = {"before": japanese, "after": aligner.project(japanese, texts=test.source_texts)}

documents, before, after = map(unit_rows, [english, *panels.values()])
# Across: from the mean Japanese to the mean English vector, before. Up: the direction in which
# paragraphs and mapped notes vary most together (Tucker's inter-battery analysis).
across = documents.mean(axis=0) - before.mean(axis=0)
across /= np.linalg.norm(across)
shared = (documents - documents.mean(axis=0)).T @ (after - after.mean(axis=0))
up = np.linalg.svd(shared)[0][:, 0]
up -= across * (across @ up)
up *= np.sign(up[np.abs(up).argmax()]) / np.linalg.norm(up)  # a singular vector has no sign
plane = np.stack([across, up], axis=1)
shown = list(range(0, len(test), 9))

# The same picture gives the same file, with text as text.
mpl.rcParams.update({"svg.hashsalt": "kakehashi", "svg.fonttype": "none", "text.color": GREY})
mpl.rcParams.update({"axes.labelcolor": GREY, "axes.edgecolor": GREY, "axes.titleweight": "bold"})
figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharex=True, sharey=True, layout="constrained")
for axis, (name, queries) in zip(axes, panels.items(), strict=True):
    recall = np.mean(ranks(queries, index, "cosine", relevance=pool.relevance(test)) == 1)
    print(f"{name}: recall@1 {recall:.3f}")
    notes, paragraphs = unit_rows(queries)[shown] @ plane, documents[shown] @ plane
    axis.plot(*np.stack([notes, paragraphs], axis=1).transpose(2, 1, 0), c=GREY, alpha=0.5, lw=0.8)
    axis.scatter(*notes.T, c=JAPANESE, s=18, label="Japanese note", zorder=2)
    axis.scatter(*paragraphs.T, c=ENGLISH, s=18, marker="s", label="English paragraph", zorder=2)
    axis.set(title=f"{name}: {recall:.1%} find their paragraph first", xticks=[], yticks=[])
    axis.set(xlabel="difference between the languages", facecolor="none")
axes[0].set(ylabel="variation that the pairs share")
axes[0].legend(frameon=False, labelcolor=GREY)
figure.savefig(picture, metadata={"Date": None}, transparent=True)
