"""Every sentence that the code can make, and every string of the command line, has Japanese."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import kakehashi
from kakehashi.language.catalogue import catalogue

from .test_catalogue import parts, shape

SOURCE = Path(kakehashi.__file__).parent
MAKERS = (
    "training/verdict.py",
    "training/guards.py",
    "training/near_copies.py",
    "training/judge_second.py",
    "training/assemble.py",
    "training/target_encoder.py",
    "training/unjudged.py",
    "training/sufficient_statistics.py",
    "evaluation/guards.py",
    "evaluation/judgement.py",
    "evaluation/comparison_verdict.py",
    "evaluation/second_verdict.py",
    "evaluation/scoring.py",
    "evaluation/curve.py",
    *(f"doctor/{name}.py" for name in ("contents", "copies", "recorded", "leftovers", "mixed")),
    *(f"doctor/{name}.py" for name in ("with_aligner", "with_encoders", "bias", "whereabouts")),
    "routing/swapped.py",
    "routing/routing_report.py",
)
"""Files whose sentences end up in a report, a note, a verdict or a next step."""


def strings(node: ast.AST) -> Iterator[str]:
    """The shapes of the strings below a node, without docstrings and errors."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Raise, ast.Assert)):
            continue
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        if isinstance(child, (ast.Constant, ast.JoinedStr)):
            yield parts(child)
        else:
            yield from strings(child)


def is_sentence(text: str) -> bool:
    words = text.replace("{}", "").split()
    return len(words) > 1 and sum(word.isalpha() for word in words) > 1


@pytest.fixture(scope="module")
def shapes() -> set[str]:
    return {shape(message) for message in catalogue("ja")}


@pytest.mark.parametrize("file", MAKERS)
def test_every_sentence_of_a_report_is_translated(file, shapes):
    tree = ast.parse((SOURCE / file).read_text(encoding="utf-8"))
    assert {text for text in strings(tree) if is_sentence(text)} <= shapes


def said(node: ast.expr) -> set[str]:
    """The strings that an argument may be."""
    if isinstance(node, ast.IfExp):
        return said(node.body) | said(node.orelse)
    return {node.value} if isinstance(node, ast.Constant) else set()


def test_every_string_that_is_translated_when_it_is_printed_has_a_translation():
    messages = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "translate":
                messages |= said(node.args[0])
    assert len(messages) > 50
    assert messages <= set(catalogue("ja"))
