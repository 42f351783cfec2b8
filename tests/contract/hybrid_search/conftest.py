"""Fixtures of the suite over both frameworks and every vector store."""

from dataclasses import replace

import pytest
from support.frameworks import EVERY, FRAMEWORKS, PAIRS, PLAIN, Entry, Memo, Shop

from kakehashi import Aligner
from kakehashi.encoders import as_encoder
from kakehashi.types import SIDES


@pytest.fixture(scope="session")
def aligner(real_aligner, use, minilm, tmp_path_factory):
    """Without a second map: this suite is about what is fused, not about what is rescored."""
    folder = tmp_path_factory.mktemp("plain") / "aligner"
    replace(real_aligner, rescoring=None, path=None).save(folder)
    return Aligner.load(folder).with_encoders(
        source_encoder=Memo(as_encoder(use)), target_encoder=Memo(as_encoder(minilm))
    )


@pytest.fixture(scope="session")
def corpus(kicad):
    """Both sides of a few pairs; enough of each language to fill any list by itself."""
    return [
        Entry(text, side, "abc"[i % 3], i)
        for side in SIDES
        for i, text in enumerate(kicad.texts(side)[:PAIRS])
    ]


@pytest.fixture(scope="session")
def shops(aligner, corpus, tmp_path_factory, chroma_server):
    made = {}

    def shop(framework, name):
        if (framework, name) not in made:
            f = FRAMEWORKS[framework]
            folder = tmp_path_factory.mktemp("stores")
            made[framework, name] = Shop(f(aligner), f.stores[name], corpus, folder, chroma_server)
        return made[framework, name]

    return shop


@pytest.fixture(params=EVERY, ids=lambda p: f"{p[0]}: {p[1]}")
def shop(request, shops):
    return shops(*request.param)


@pytest.fixture(params=PLAIN, ids=lambda p: p[0])
def plain(request, shops):
    return shops(*request.param)
