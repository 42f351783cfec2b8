"""Make the frozen aligner that every later kakehashi has to load: ``tests/data/format-1``.

Its vectors lie beside it, in ``format-1.json``. Run it from the root of the repository, and only
where the format itself changes::

    PYTHONPATH=src:tests python tests/data/make_format_1.py
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from support.toy_data import ENCODERS, reading_aligner

import kakehashi
from kakehashi.projection.hubness import HubnessCorrection
from kakehashi.projection.hubness_model import HubnessModel

HERE = Path(__file__).parent
FOLDER, EXPECTED = HERE / "format-1", HERE / "format-1.json"
TEXTS = ["弁3を開く", "open the valve 3", "→ 12 ←"]
ABOUT = """
## How it was made

`PYTHONPATH=src:tests python tests/data/make_format_1.py`, which also writes `../format-1.json`: the
vectors, modalities and scores that this aligner gave on that day. A later kakehashi has to give
them, too. The data are toy sentences and the encoders count letters.
"""


def make(folder: Path) -> kakehashi.Aligner:
    """Make an aligner with everything that the format can hold.

    Both sides read n-grams. It has the hubness correction, identities of both encoders, a router
    and a calibration.
    """
    verbs = {"開く": "open", "閉じる": "close", "調べる": "check", "外す": "remove"}
    things = {"弁": "the valve", "ポンプ": "the pump", "蓋": "the lid", "油槽": "the oil tank"}
    texts = [
        (f"{thing}{n}を{verb}", f"{verbs[verb]} {things[thing]} {n}")
        for n in range(12)
        for verb in verbs
        for thing in things
    ]
    pairs = kakehashi.Pairs(*map(list, zip(*texts, strict=True)), name="pumps", licence="CC0")
    like = kakehashi.fit(pairs, **ENCODERS, mode="shared")
    aligner = reading_aligner(like, folder)
    rows = np.random.default_rng(0).standard_normal((128, aligner.output_dimension))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    model = HubnessModel.of(rows[:64], rows[64:])
    correction = HubnessCorrection({"source": model, "target": model}, 0.5)
    return replace(aligner, projection=replace(aligner.projection, hubness=correction), path=None)


def answers(aligner: kakehashi.Aligner) -> dict[str, list]:
    """Return what the aligner gives for the texts, as JSON holds it.

    The vectors are not those of an encoder: a library may change, and the file must not.
    """
    x = np.linspace(-1, 1, 3 * aligner.dimensions["source"]).reshape(3, -1)
    y = np.linspace(-1, 1, 3 * aligner.dimensions["target"]).reshape(3, -1)
    found = {
        "query": aligner.project(x, texts=TEXTS),
        "document": aligner.project(y, texts=TEXTS, modality="target", role="document"),
        "scores": aligner.calibration.scores(
            similarity=[0.5, 0.4], place=[1, 2], lexical=[1, 0.2], query="source", document="target"
        ),
    }
    return {
        "routes": aligner.route(TEXTS),
        **{name: np.round(np.asarray(x, float), 7).tolist() for name, x in found.items()},
    }


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    with TemporaryDirectory() as scratch:
        make(Path(scratch) / "aligner").save(FOLDER)
    with (FOLDER / "README.md").open("a", encoding="utf-8") as card:
        card.write(ABOUT)
    answer = json.dumps(answers(kakehashi.Aligner.load(FOLDER)), ensure_ascii=False)
    EXPECTED.write_text(answer + "\n", encoding="utf-8")
