"""The first use of an aligner's encoder: it is loaded by its recorded name, and recognised."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, RLock
from typing import Any
from weakref import WeakValueDictionary

from ..errors import EncoderError
from .adapters import SentenceTransformersEncoder
from .identity import ASKED_AT_MOST, EncoderIdentity
from .protocol import Encoder
from .recorded_model import require_safe_loading

_LOCKS: WeakValueDictionary[object, Any] = WeakValueDictionary()
"""The lock of each encoder that is being recognised, for as long as a thread holds it. It is not a
field of an aligner, which is pickled: a lock cannot be. One thread can enter it again, because an
encoder may itself be built on an aligner."""
_REGISTRY = Lock()


def _renew_locks() -> None:
    global _LOCKS, _REGISTRY  # another thread may hold the old locks
    _LOCKS, _REGISTRY = WeakValueDictionary(), Lock()


if hasattr(os, "register_at_fork"):  # a child must not wait for a thread that it does not have
    os.register_at_fork(after_in_child=_renew_locks)


@contextmanager
def one_thread(encoder: Encoder | None, identity: EncoderIdentity | None) -> Iterator[None]:
    """Let one thread at a time load and recognise an encoder; others do not wait for it.

    Args:
        encoder: the encoder at hand; without one, the recorded model will be loaded.
        identity: the encoder of the training.
    """
    recorded = None if identity is None else identity.model
    with _REGISTRY:
        lock = _LOCKS.setdefault(recorded if encoder is None else id(encoder), RLock())
    with lock:
        yield


def recognised(encoder: Encoder | None, identity: EncoderIdentity | None, side: str) -> Encoder:
    """Return the encoder of a side after a check that it is that of the training.

    Args:
        encoder: the encoder at hand; without one, the recorded model is loaded.
        identity: the encoder of the training; None where only its vectors were given.

    Raises:
        EncoderError: none is at hand and none can be loaded.
        EncoderMismatchError: it is another encoder.
    """
    advice = f"with_encoders({side}_encoder=...)"
    if encoder is None and identity is not None and identity.model is not None:
        # Not as_encoder: a saved aligner may come from anyone, and must not name a module that is
        # then imported.
        require_safe_loading(identity.model, advice)
        moved = f"Where the model has moved, pass it by its new path: {advice}."
        encoder = SentenceTransformersEncoder(identity.model, name=identity.name, advice=moved)
    if encoder is None:
        raise EncoderError(f"The {missing_encoder(identity, side)}; pass it with {advice}.")
    # Noise may come in some calls only, and one answer does not show it: the encoder is asked more
    # often before it is refused.
    if identity is not None and not identity.matches(EncoderIdentity.of(encoder, times=1)):
        identity.require(EncoderIdentity.of(encoder, times=ASKED_AT_MOST), side)
    return encoder


def missing_encoder(identity: EncoderIdentity | None, side: str) -> str:
    """Say why a side's encoder cannot be loaded: the beginning of an error message."""
    if identity is None:
        return f"aligner was fitted on stored {side} vectors and knows no encoder of them"
    return f"aligner's {side} encoder {identity.recorded_name} cannot be loaded by name"
