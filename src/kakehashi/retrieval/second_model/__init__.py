"""A second model: it embeds the first hits of a search, and orders them again."""

from .model import SecondModel

__all__ = ["SecondModel"]
