"""The maps: fitted in NumPy, applied in NumPy, one idea a file."""

from .projection import Mode, Projection, Role

__all__ = ["Mode", "Projection", "Role"]
