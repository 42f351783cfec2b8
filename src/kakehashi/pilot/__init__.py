"""A pilot project: the files that `kakehashi init` writes."""
