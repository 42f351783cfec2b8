"""What a gate says: lines for a terminal, a summary in Markdown, and JUnit XML."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from xml.etree import ElementTree

from ..evaluation.gate import CANNOT_TELL, DIFFERENCE, FALLS_SHORT, PASSES, Check, Gate
from ..language import translate, translate_sentence
from ..printable import printable

_MARKS = {PASSES: "✅", FALLS_SHORT: "❌", CANNOT_TELL: "❔"}


class Subject(NamedTuple):
    """A gate, the aligner that stood before it, and the pairs that judged."""

    aligner: str
    pairs: str
    gate: Gate


def lines_of(about: Subject) -> Iterator[str]:
    """Yield a line for each check, for each note, and for the outcome."""
    gate = about.gate
    yield _heading(about)
    for check in gate.checks:
        outcome = translate_sentence(check.outcome)
        yield f"{outcome}: {translate_sentence(check.demand)} ({translate_sentence(check.reason)})"
    for note in gate.notes:
        yield translate("note: {NOTE}", NOTE=printable(note))
    yield translate("gate: {OUTCOME}", OUTCOME=gate.outcome)


def summary_of(about: Subject) -> str:
    """Return the summary in Markdown: the outcome, a table of the checks, and what to know."""
    gate = about.gate
    title = translate("Gate: {OUTCOME}", OUTCOME=gate.outcome)
    names = ("demand", "outcome", "measured", "95% interval", "bar")
    columns = [translate_sentence(name) for name in names]
    rows = [columns, ["---"] * len(columns), *map(_cells, gate.checks)]
    table = ["| " + " | ".join(map(_plain, row)) + " |" for row in rows]
    open_checks = [check for check in gate.checks if check.outcome != PASSES]
    sentences = [
        f"{translate_sentence(check.demand)}: {translate_sentence(check.reason)}"
        for check in open_checks
    ]
    sentences += [translate_sentence(note) for note in gate.notes]
    listed = [f"- {_plain(sentence)}" for sentence in sentences]
    parts = [[f"## {_MARKS[gate.outcome]} {title}"], [_plain(_heading(about))], table, listed]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def junit_of(about: Subject) -> bytes:
    """Return JUnit XML: a test case for each check, skipped where the questions cannot tell."""
    checks = about.gate.checks
    counts: dict[str, Any] = {
        "tests": str(len(checks)),
        "failures": str(sum(check.outcome == FALLS_SHORT for check in checks)),
        "errors": "0",
        "skipped": str(sum(check.outcome == CANNOT_TELL for check in checks)),
        "time": "0",
    }
    root = ElementTree.Element("testsuites", name="kakehashi gate", **counts)
    suite = ElementTree.SubElement(root, "testsuite", name=printable(about.aligner), **counts)
    for check in checks:
        name, reason = (printable(translate_sentence(s)) for s in (check.demand, check.reason))
        case = ElementTree.SubElement(
            suite, "testcase", classname="kakehashi.gate", name=name, time="0"
        )
        if check.outcome == FALLS_SHORT:
            ElementTree.SubElement(case, "failure", type="gate", message=reason).text = reason
        elif check.outcome == CANNOT_TELL:
            ElementTree.SubElement(case, "skipped", message=reason)
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _heading(about: Subject) -> str:
    return translate(
        "{aligner} on {pairs}: {n:,} questions in {pool:,} documents; read as: {ROW}",
        aligner=printable(about.aligner),
        pairs=printable(about.pairs),
        n=about.gate.n_queries,
        pool=about.gate.pool,
        ROW=about.gate.row,
    )


def _cells(check: Check) -> list[str]:
    sign = "+" if check.metric == DIFFERENCE else ""
    low, high = check.interval
    return [
        translate_sentence(check.demand),
        f"{_MARKS[check.outcome]} {translate_sentence(check.outcome)}",
        f"{check.measured:{sign}.3f}",
        translate("{low} to {high}", low=f"{low:{sign}.3f}", high=f"{high:{sign}.3f}"),
        f"{check.bar:.3f}",
    ]


def _plain(text: str) -> str:
    """Return a text whose letters mean nothing in Markdown or HTML: names are others'."""
    for letter in "\\`*_[]|#":
        text = text.replace(letter, f"\\{letter}")
    return printable(text).replace("&", "&amp;").replace("<", "&lt;")
