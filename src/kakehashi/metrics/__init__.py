"""Metrics: scores of a ranking, and how sure they are."""
