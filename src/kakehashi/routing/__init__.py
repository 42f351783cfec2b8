"""Routing: tell the modality of a text."""

from .router import Router
from .scripts import ScriptRouter

__all__ = ["Router", "ScriptRouter"]
