"""Moving an index: its stored vectors are projected into a new collection beside the old one."""

from __future__ import annotations

from .dry_run import Plan, dry_run
from .migrate import migrate
from .outcome import Migration, Recall
from .way_back import CleanedUp, RolledBack, clean_up, roll_back

__all__ = [
    "CleanedUp",
    "Migration",
    "Plan",
    "Recall",
    "RolledBack",
    "clean_up",
    "dry_run",
    "migrate",
    "roll_back",
]
