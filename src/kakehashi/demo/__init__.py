"""The demo: Japanese notes find English documents in an existing index."""
