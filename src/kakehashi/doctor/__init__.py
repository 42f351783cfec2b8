"""What is in an index: which encoder, which aligner, and what is wrong with it."""
