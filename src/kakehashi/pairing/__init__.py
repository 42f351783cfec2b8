"""Pairing: which texts to pair next, pairs found without labels, and public ones to start with."""

from .active_selection import select_for_pairing
from .mining import pseudo_pairs
from .starters import build_starter, starter_pairs

__all__ = ["build_starter", "pseudo_pairs", "select_for_pairing", "starter_pairs"]
