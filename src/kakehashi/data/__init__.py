"""Pairs: read from files, checked, split and told apart."""
