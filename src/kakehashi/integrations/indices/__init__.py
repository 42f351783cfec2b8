"""An index at hand: its record, a few of its documents, and what its scores mean.

Each file knows one kind of store, whichever framework holds it.
"""
