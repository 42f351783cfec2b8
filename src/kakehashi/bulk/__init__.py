"""Encoding and projecting files of millions of texts, block by block, on one machine or many."""

from .run import BulkResult, embed_parquet

__all__ = ["BulkResult", "embed_parquet"]
