"""The table of a diagnosis, in the chosen language and at most 80 columns wide."""

from __future__ import annotations

from rich.text import Text

from ..doctor.diagnosis import Diagnosis
from ..doctor.finding import CANNOT_TELL, FAULT, Finding
from ..language import translate, translate_sentence
from ..printable import printable
from .console import plain_console
from .tables import plain_table

_WIDTH, _MOST = 80, 4
_STYLES = {FAULT: "red", CANNOT_TELL: "yellow"}


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """Print a row for each finding, and the outcome."""
    console = plain_console()
    console.print(printable(diagnosis.address), soft_wrap=True)
    table = plain_table()
    for column in ("", "", ""):
        table.add_column(column, overflow="fold")
    table.show_header, table.padding = False, (0, 2, 0, 0)
    for finding in diagnosis.findings:
        table.add_row(*_cells(finding))
    console.print(table, width=min(_WIDTH, console.width))
    languages = diagnosis.about("languages")
    if languages is not None and languages.evidence.get("places"):
        _print_places(languages)
    outcome = translate("doctor: {OUTCOME}", OUTCOME=diagnosis.outcome)
    console.print(outcome, soft_wrap=True)


def _cells(finding: Finding) -> tuple[Text, Text, Text]:
    said = [translate_sentence(printable(sentence)) for sentence in finding.says]
    if finding.next_step:
        said.append("-> " + translate_sentence(printable(finding.next_step)))
    level = Text(translate_sentence(finding.level), _STYLES.get(finding.level, ""))
    return Text(translate_sentence(finding.about)), level, Text("\n".join(said))


def _print_places(finding: Finding) -> None:
    """Print the places that each modality gets for its own questions, a row for each remedy."""
    console, rows = plain_console(), finding.evidence["places"]
    names = list(finding.evidence["shares"])[:_MOST]
    table = plain_table(translate("of the ten places for its own questions"))
    for name in names:
        table.add_column(translate_sentence(printable(name)), justify="right")
    table.padding = (0, 2, 0, 0)
    shares = finding.evidence["shares"]
    table.add_row(translate("by its share"), *(f"{shares[name]:.1f}" for name in names))
    for remedy, places in rows.items():
        cells = [f"{places[n][n]:.1f}" if n in places else "" for n in names]
        table.add_row(translate_sentence(remedy), *cells)
    console.print(table)
