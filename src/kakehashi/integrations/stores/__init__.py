"""Vector stores by their address: their documents, read without any of our objects.

Each file knows one kind of store and imports its package when it is called.
"""

from .reading import read_index

__all__ = ["read_index"]
