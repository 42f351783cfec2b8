"""Moving an index: its stored vectors are projected into a new collection beside the old one."""

from __future__ import annotations

from .migrate import migrate
from .outcome import Migration, Recall
from .way_back import CleanedUp, RolledBack, clean_up, roll_back

__all__ = ["CleanedUp", "Migration", "Recall", "RolledBack", "clean_up", "migrate", "roll_back"]
