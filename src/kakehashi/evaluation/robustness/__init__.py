"""Robustness: what perturbed queries find."""
