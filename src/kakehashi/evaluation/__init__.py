"""Metrics, intervals and baselines: what a map is judged by."""
