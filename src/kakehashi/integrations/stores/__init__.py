"""Stores, a file or a folder for each kind: an index at hand, for its check, and one at an address, to read.

An index at hand tells its record, a few of its documents, and what its scores mean, whichever
framework holds it. A file imports the package of its store when it is called.
"""
