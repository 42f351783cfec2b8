"""Retrieval: search several lists, make their scores comparable, and fuse them. No framework."""
