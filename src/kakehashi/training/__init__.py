"""Training: choose a map by validation, judge it on held-out pairs, and assemble an aligner."""
