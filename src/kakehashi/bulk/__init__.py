"""Encoding and projecting files of millions of texts, block by block, on one machine or many."""
