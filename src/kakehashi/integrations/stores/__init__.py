"""Stores, a file or a folder for each: an index at hand, to check, and one at an address, to read.

An index at hand tells its record, a few of its documents, and what its scores mean, whichever
framework holds it. A file imports the package of its store when it is called.
"""
