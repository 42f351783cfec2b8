"""Encoders: frozen embedding models behind one protocol, their identity, and a cache of vectors."""

from .adapters import as_encoder
from .identity import EncoderIdentity
from .protocol import Encoder

__all__ = ["Encoder", "EncoderIdentity", "as_encoder"]
