"""ERA (S. Maekawa and others, "Align then Train", arXiv 2604.03403): identical texts, then labels.

    python era.py SPLIT.npz OUT_FOLDER [--seed N] [--tuned]

The paper's, by its published code (megagonlabs/ERA on GitHub), written here anew: a linear map with
bias and unit output on the side of the query; the index stays as it is.

1. Identical texts, which both encoders have read: 1 - cosine, AdamW 1e-3, decay 0.01, batch 256,
   100 epochs.
2. Labelled pairs: softmax over the answer and 5 negatives at temperature 0.05, AdamW 1e-5, decay
   1e-4, batch 256, 1,000 epochs at most; the rate rises over a tenth of the steps and falls to 0.
   Training stops when the loss on the validation part has not fallen for 5 epochs. The map of step
   1 mines the negatives in the index: the hardest document that scores below 0.95 of the answer,
   and 4 of the 9 that follow it.

Ours to choose:

- texts: those of the index that the split says both encoders have read (the paper draws 1,000 of
  each of 126 corpora). Without any, step 1 cannot be run, and neither can the mining;
- labels: the split's pairs, and those of other fields where validation finds more with them;
- the last training, on both parts, runs as many epochs as the stopping said, by the same schedule;
- --tuned tries rates of 1e-5, 1e-4 and 1e-3 for the labels: the paper's rate is for many more.
"""

from __future__ import annotations

import copy

import contract  # first: it sets the number of threads
import numpy as np
import torch
from contract import Rows, Setting, Trained
from torch import Tensor, nn
from torch.nn import functional

ALIGN_EPOCHS, ALIGN_RATE, ALIGN_DECAY = 100, 1e-3, 1e-2
EPOCHS, DECAY, PATIENCE, TEMPERATURE, WARM_UP = 1000, 1e-4, 5, 0.05, 0.1
NEGATIVES, MARGIN, BATCH = 5, 0.95, 256
PUBLISHED: Setting = {"lr": 1e-5, "patience": PATIENCE}
TUNED = [PUBLISHED | {"lr": rate} for rate in (1e-5, 1e-4, 1e-3)]


class Adapter(nn.Module):
    """A linear map to vectors of unit length."""

    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__()
        self.proj = nn.Linear(d_in, d_out)

    def forward(self, x: Tensor) -> Tensor:
        """(n, d_in) -> (n, d_out)."""
        return functional.normalize(self.proj(x), dim=-1)


def align(rows: Rows, seed: int) -> Adapter:
    """Train on identical texts."""
    torch.manual_seed(seed)
    model = Adapter(*rows.dimensions)
    source, target = (torch.from_numpy(side) for side in (rows.source, rows.target))
    steps = torch.optim.AdamW(model.parameters(), lr=ALIGN_RATE, weight_decay=ALIGN_DECAY)
    for _ in range(ALIGN_EPOCHS):
        for batch in torch.randperm(len(source)).split(BATCH):
            steps.zero_grad()
            (1 - torch.cosine_similarity(model(source[batch]), target[batch])).mean().backward()
            steps.step()
    return model


class Labels:
    """Queries with their answers and mined negatives; loss of a model on some of them."""

    def __init__(self, rows: Rows, documents: Tensor, by: Adapter, seed: int) -> None:
        self.queries = torch.from_numpy(rows.source)
        self.answers = functional.normalize(torch.from_numpy(rows.target), dim=-1)
        with torch.inference_mode():
            asked = by(self.queries)
        self.negatives = torch.from_numpy(_mined(asked, self.answers, documents, seed))
        self.documents = documents

    def loss(self, model: nn.Module, batch: Tensor) -> Tensor:
        """Softmax over the answer and the negatives."""
        found = model(self.queries[batch])
        right = (found * self.answers[batch]).sum(1, keepdim=True)
        wrong = (self.documents[self.negatives[batch]] @ found[:, :, None])[:, :, 0]
        scores = torch.cat([right, wrong], 1) / TEMPERATURE
        return functional.cross_entropy(scores, torch.zeros(len(batch), dtype=torch.long))


def _mined(asked: Tensor, answers: Tensor, documents: Tensor, seed: int) -> np.ndarray:
    """Return NEGATIVES documents for each of n queries, (n, NEGATIVES)."""
    rng = np.random.default_rng(seed)
    found = np.empty((len(asked), NEGATIVES), np.int64)
    for i, scores in enumerate(asked @ documents.T):
        below = scores < MARGIN * (asked[i] @ answers[i])
        hardest = scores.masked_fill(~below, -torch.inf).topk(min(2 * NEGATIVES, len(scores)))
        hard = hardest.indices[torch.isfinite(hardest.values)].numpy()
        chosen = [*hard[:1], *rng.permutation(hard[1:])[: NEGATIVES - 1]]
        chosen += list(rng.choice(len(scores), NEGATIVES - len(chosen)))
        found[i] = chosen
    return found


def train_labels(
    start: Adapter, labels: Labels, setting: Setting, valid: Labels | None
) -> tuple[Adapter, int]:
    """Go on from the aligned map; return the best one by the validation part, and its epochs."""
    model, n = copy.deepcopy(start), len(labels.queries)
    steps = torch.optim.AdamW(model.parameters(), lr=setting["lr"], weight_decay=DECAY)
    total = EPOCHS * -(-n // BATCH)
    warm = WARM_UP * total
    rate = torch.optim.lr_scheduler.LambdaLR(
        steps, lambda step: min(step / warm, (total - step) / (total - warm))
    )
    best, best_epoch, kept = torch.inf, 0, start
    for epoch in range(1, setting.get("epochs", EPOCHS) + 1):
        for batch in torch.randperm(n).split(BATCH):
            steps.zero_grad()
            labels.loss(model, batch).backward()
            steps.step()
            rate.step()
        if valid is None:
            best_epoch, kept = epoch, model
            continue
        with torch.inference_mode():
            loss = float(valid.loss(model, torch.arange(len(valid.queries))))
        if loss < best:
            best, best_epoch, kept = loss, epoch, copy.deepcopy(model)
        elif epoch - best_epoch >= PATIENCE:
            break
    return kept, best_epoch


def main() -> None:
    """Align, then train on the labels that there are."""
    parser = contract.parser(__doc__)
    parser.add_argument("--tuned", action="store_true")
    args = parser.parse_args()
    split = contract.Split.read(args.split)
    if split.identical is None:
        contract.not_applicable(args.out, "no texts that both encoders have read")
        return
    torch.set_num_threads(1)
    with contract.Clock() as aligning:
        start = align(split.identical, args.seed)
    documents = functional.normalize(torch.from_numpy(split.test.target), dim=-1)

    def train(rows: Rows, setting: Setting, seed: int, valid: Rows | None) -> Trained:
        if not len(rows.source):
            return Trained(_applied(start))
        torch.manual_seed(seed)
        held = None if valid is None else Labels(valid, documents, start, seed)
        labels = Labels(rows, documents, start, seed)
        model, epochs = train_labels(start, labels, setting, held)
        return Trained(_applied(model), max(1, epochs))

    has_labels = len(split.train.source) or split.starter is not None
    settings = (TUNED if args.tuned else [PUBLISHED]) if has_labels else [{}]
    notes = f"aligning took {aligning.cpu_seconds:.1f} CPU seconds more"
    contract.run(
        split, settings, train, args.out, seed=args.seed, beside=split.starter, notes=notes
    )


def _applied(model: Adapter) -> contract.Apply:
    def apply(queries: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            mapped: np.ndarray = model(torch.from_numpy(queries)).numpy()
        return mapped

    return apply


if __name__ == "__main__":
    main()
