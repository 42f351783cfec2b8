"""The table of a diagnosis, in the chosen language and at most 80 columns wide."""

from __future__ import annotations

from rich.text import Text

from ..doctor.diagnosis import Diagnosis
from ..doctor.finding import CANNOT_TELL, FAULT, Finding
from ..language import translate, translate_sentence
from ..printable import printable
from .console import plain_console
from .tables import plain_table

_WIDTH = 80
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
    outcome = translate("doctor: {OUTCOME}", OUTCOME=diagnosis.outcome)
    console.print(outcome, soft_wrap=True)


def _cells(finding: Finding) -> tuple[Text, Text, Text]:
    said = [translate_sentence(printable(sentence)) for sentence in finding.says]
    if finding.next_step:
        said.append("-> " + translate_sentence(printable(finding.next_step)))
    level = Text(translate_sentence(finding.level), _STYLES.get(finding.level, ""))
    return Text(translate_sentence(finding.about)), level, Text("\n".join(said))
