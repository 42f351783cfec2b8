"""A diagnosis: all findings about an index, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..printable import printable_lines
from .finding import CANNOT_TELL as LEVEL_CANNOT_TELL
from .finding import FAULT, Finding

Outcome = Literal["healthy", "at fault", "cannot tell"]
HEALTHY: Outcome = "healthy"
AT_FAULT: Outcome = "at fault"
CANNOT_TELL: Outcome = "cannot tell"


@dataclass(frozen=True)
class Diagnosis:
    """What is in an index.

    Attributes:
        address: of the index.
        name: kind and name of the collection.
        findings: in the order in which they were made.
    """

    address: str
    name: str
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        """Return a line for each sentence, and the outcome last."""
        lines = []
        for finding in self.findings:
            lines += [f"{finding.about}: {finding.level}: {said}" for said in finding.says]
            lines += [f"    -> {finding.next_step}"] if finding.next_step else []
        return printable_lines("\n".join([*lines, self.outcome]))

    @property
    def outcome(self) -> Outcome:
        """``at fault`` where a finding is one; else ``cannot tell`` where one is that."""
        levels = {finding.level for finding in self.findings}
        if FAULT in levels:
            return AT_FAULT
        return CANNOT_TELL if LEVEL_CANNOT_TELL in levels else HEALTHY

    def about(self, name: str) -> Finding | None:
        """Return the finding about something; None where nothing was said about it."""
        return next((finding for finding in self.findings if finding.about == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready record."""
        findings = [finding.to_dict() for finding in self.findings]
        return {
            "outcome": self.outcome,
            "address": self.address,
            "name": self.name,
            "findings": findings,
        }
