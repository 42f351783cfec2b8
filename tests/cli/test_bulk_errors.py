"""The errors of `kakehashi bulk` that a user meets first are Japanese for a Japanese user."""

import re

import pytest
from support.parquet_files import changed, write_texts
from typer.main import get_command

from kakehashi.cli import app
from kakehashi.errors import KakehashiError
from kakehashi.language import translate_sentence, use_language

ENGLISH = re.compile(r"\b(the|of|is|are|and|that|were|with|to|has|have)\b")


@pytest.mark.parametrize(
    ("given", "out", "options"),
    [
        (lambda s: changed(s, id=[None, *range(89)]), "out", ["--second-map"]),
        (lambda s: changed(s, id=[1, *range(89)]), "out", ["--second-map"]),
        (lambda s: changed(s, text=range(90)), "out", ["--second-map"]),
        (lambda s: changed(s, vector=range(90)), "out", ["--second-map"]),
        (lambda s: s.parent / "none", "out", ["--second-map"]),
        (lambda s: (s.parent / "e").mkdir() or s.parent / "e", "out", ["--second-map"]),
        (lambda s: s, "in/a.parquet", ["--second-map"]),
        (lambda s: s, "out", []),
    ],
    ids=["no id", "same id", "text", "vector", "none", "no Parquet", "file", "mode keep"],
)
def test_errors_are_japanese(given, out, options, tmp_path, keeping_aligner):
    source = given(write_texts(tmp_path / "in/a.parquet", vectors=True))
    words = ["bulk", source, tmp_path / out, "--aligner", keeping_aligner.path, *options]
    with pytest.raises(KakehashiError) as error:
        get_command(app).main([*map(str, words)], standalone_mode=False)
    with use_language("ja"):
        said = translate_sentence(str(error.value))
    assert said != str(error.value)
    assert not ENGLISH.search(said.replace(str(tmp_path), ""))
