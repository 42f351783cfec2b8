"""Stores as a migration reads and writes them: one file for each store."""
