"""Pairing: which texts to pair next, and pairs found without labels."""

from .active_selection import select_for_pairing
from .mining import pseudo_pairs

__all__ = ["pseudo_pairs", "select_for_pairing"]
