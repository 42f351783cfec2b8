"""Where the data came from, and what makes this page again."""

from __future__ import annotations

from importlib.metadata import version

from ...language import translate, translate_sentence
from ...types import SIDES
from ..blocks import Block, Commands, Details, Heading, Points, Section, Table, Text
from ..commands import fit_command
from ..facts import ReportFacts


def origin(facts: ReportFacts) -> Section:
    """Name data, licence, hashes, encoders and commands."""
    aligner = facts.aligner
    data, report = aligner.data, aligner.report
    unnamed, unstated = translate("unnamed"), translate("not stated")
    rows = [
        [translate("Data"), data.name or unnamed],
        [translate("Pairs"), f"{data.n_pairs:,}"],
        [translate("Licence of the data"), data.licence or unstated],
        [translate("SHA-256 of the data"), data.content_hash],
    ]
    labels = (translate("Source encoder"), translate("Target encoder"))
    for side, label in zip(SIDES, labels, strict=True):
        name = aligner.encoder_names[side] or translate("stored vectors")
        rows.append(
            [label, translate("{name} ({d:d} dimensions)", name=name, d=aligner.dimensions[side])]
        )
    for name, learned in report.learned_from.items():
        rows.append(
            [
                translate("Learned from, too"),
                translate("{name}: {n:,} texts", name=name, n=learned.rows),
            ]
        )
    rows += [
        [translate("Mode"), translate_sentence(aligner.mode)],
        [translate("Chosen map"), report.chosen],
        [translate("Fingerprint of the aligner"), aligner.fingerprint],
        [translate("Version"), f"kakehashi {version('kakehashi')}"],
    ]
    if facts.pairs is not None:
        rows.insert(4, [translate("Judged by"), facts.pairs.name or unnamed])
        rows.insert(5, [translate("Licence of these pairs"), facts.pairs.licence or unstated])
    blocks: list[Block] = [
        Table(
            translate("The record of this aligner"), [translate("Fact"), translate("Value")], rows
        )
    ]
    if report.judged:
        blocks.append(
            Text(
                translate(
                    "The report of the fit describes {DESCRIBES}.", DESCRIBES=report.describes
                )
            )
        )
    if report.remarks:
        notes = [translate_sentence(note) for note in report.notes]
        blocks.append(Details(translate("Notes of the fit"), [Points(notes)]))
    blocks.append(Heading(translate("Make it again")))
    by_the_fit = any(line.startswith("kakehashi fit ") for line in facts.commands)
    if report.judged and not by_the_fit:
        told = translate(
            "The fit, as far as the aligner records it. Groups, the index and how the file was "
            "read are not recorded:"
        )
        blocks += [Text(told), Commands(fit_command(aligner))]
    if facts.commands:
        blocks += [Text(translate("This page:")), Commands("\n".join(facts.commands))]
    return Section("origin", translate("Where it came from"), blocks)
