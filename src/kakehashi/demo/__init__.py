"""The main job on real input: Japanese notes find English documents in an index already there."""
