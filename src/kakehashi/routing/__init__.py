"""Routing: which modality is this text?"""

from .router import Router
from .scripts import ScriptRouter

__all__ = ["Router", "ScriptRouter"]
