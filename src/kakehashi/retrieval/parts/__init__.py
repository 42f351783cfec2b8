"""The search of an index in parts, each with an aligner of its own."""
