"""Files of pairs (tables, spreadsheets, TMX, gettext PO, .npz), and of texts without a pair."""

from .files import read_pairs, read_texts
from .npz import open_npz, texts_beside

__all__ = ["open_npz", "read_pairs", "read_texts", "texts_beside"]
