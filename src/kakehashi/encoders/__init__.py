"""Encoders: frozen embedding models behind one protocol, their identity, and a cache of vectors."""
