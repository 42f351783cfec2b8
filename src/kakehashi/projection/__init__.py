"""The maps: fitted in NumPy, applied in NumPy, one idea a file."""

from .projection import Projection

__all__ = ["Projection"]
