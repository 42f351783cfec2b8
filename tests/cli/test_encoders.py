"""The list of encoders: the command and the page of the guide say the same."""

import ast
import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kakehashi.cli.app import app
from kakehashi.cli.encoders import recall_of
from kakehashi.encoders import as_encoder
from kakehashi.encoders.known import KNOWN_ENCODERS
from kakehashi.errors import DataError

PAGE = Path(__file__).parents[2] / "docs" / "how_to" / "which_encoder.md"
BY_CALL = [each for each in KNOWN_ENCODERS if "(" in each.source_encoder]


def invoke(*arguments):
    done = CliRunner().invoke(app, ["encoders", *arguments])
    if done.exception is not None:
        raise done.exception
    return done.stdout


def test_the_page_has_the_table_of_the_command():
    rows = re.findall(r"^\| (?!encoder|---)(.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [row.split(" | ") for row in rows] == [
        [e.name, str(e.dimension), e.licence, e.languages, recall_of(e), e.note]
        for e in KNOWN_ENCODERS
    ]


def test_the_command_lists_all_and_those_of_this_machine_alone(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    said = invoke()
    assert all(each.name in said for each in KNOWN_ENCODERS)
    listed = json.loads(invoke("--local", "--json"))["encoders"]
    assert {each["local"] for each in listed} == {True}
    assert 0 < len(listed) < len(KNOWN_ENCODERS)


@pytest.mark.parametrize("encoder", KNOWN_ENCODERS, ids=lambda encoder: encoder.name)
def test_a_part_of_a_name_gives_a_command_that_a_shell_reads_as_it_is_meant(encoder):
    said = invoke(encoder.name)
    [command] = [line for line in said.splitlines() if encoder.source_encoder in line]
    words = shlex.split(command)
    assert words[words.index("--source-encoder") + 1] == encoder.source_encoder


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(DataError, match=r"no encoder is called 'word2vec'; choose .*LaBSE"):
        invoke("word2vec")


@pytest.mark.parametrize("encoder", BY_CALL, ids=lambda encoder: encoder.name)
def test_a_name_with_arguments_holds_literals_alone(encoder):
    call = ast.parse(encoder.source_encoder.partition(":")[2], mode="eval").body
    assert isinstance(call, ast.Call)
    assert not call.args
    for keyword in call.keywords:
        ast.literal_eval(keyword.value)


@pytest.mark.slow
def test_prompts_of_a_name_reach_queries_and_documents(minilm):
    """The pattern of e5's name, around a model that is at hand."""
    [e5] = [each for each in KNOWN_ENCODERS if each.name == "multilingual-e5-small"]
    named = as_encoder(e5.source_encoder.replace("intfloat/multilingual-e5-small", minilm))
    bare = as_encoder(minilm)
    for role, prompt in (("query", "query: "), ("document", "passage: ")):
        expected = bare.encode([f"{prompt}close the valve"], role)
        assert named.encode(["close the valve"], role) == pytest.approx(expected, abs=1e-5)
