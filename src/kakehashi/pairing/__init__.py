"""Pairing: which texts to pair next, and pairs found without labels."""
