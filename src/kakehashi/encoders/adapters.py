"""Encoders: frozen embedding models behind one small protocol, and how to recognise one again."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ..errors import (
    EncoderError,
    EncoderMismatchError,
    KakehashiError,
    MissingExtraError,
    VectorError,
    add_note,
)
from ..types import Role
from ..vectors import WANTED, Float32Array, as_array, as_matrix, unit_rows

PROBES = (
    "The quick brown fox jumps over the lazy dog.",
    "圧力センサーの定格電圧は5Vです。",
    "def add(a, b): return a + b",
    "Part no. 74HC595, -40 to 125 °C",
    " ".join(f"Step {i}: turn valve {i} until gauge {i} reads zero." for i in range(60)),
)
"""Texts whose vectors tell one encoder from another, whatever both are called. The last is longer
than most encoders read: where they cut it is part of what they are. The first is asked as a query,
too, for some encoders put other words before a query."""

_RAISED_BY = "raised by encoder"

_PROBE_TOLERANCE = 5e-3
"""Largest distance of two unit probe vectors that are taken for equal. Another batch size, thread
count or library release moves a vector by 1e-6 to 1e-4; another model by 0.1 and more."""


@runtime_checkable
class Encoder(Protocol):
    """A frozen text encoder: a name, and texts to vectors."""

    @property
    def name(self) -> str:
        """What the encoder is called; part of its identity."""

    def encode(self, texts: list[str], role: Role = "document") -> Float32Array:
        """Encode n texts -> (n, d) float32."""


@dataclass(frozen=True, eq=False)
class EncoderIdentity:
    """How an aligner recognises its encoder: name, dimension, and vectors of the probe texts.

    Attributes:
        model: what sentence-transformers loads the encoder from (a path or a hub name), or None
            for an encoder that has to be passed in.
        probes: (6, d) float32 unit vectors of ``PROBES`` as documents, and of the first as a query.
    """

    name: str
    dimension: int
    model: str | None
    probes: Float32Array = field(repr=False)

    @classmethod
    def of(cls, encoder: Encoder) -> EncoderIdentity:
        """Encode the probe texts and return the identity."""
        documents = checked_encode(encoder, list(PROBES), "document")
        queries = checked_encode(encoder, list(PROBES[:1]), "query")
        if queries.shape[1] != documents.shape[1]:
            raise EncoderError(
                f"Encoder {encoder.name!r} gives queries {queries.shape[1]} dimensions and "
                f"documents {documents.shape[1]}; both need the same."
            )
        vectors = np.concatenate([documents, queries])
        known = isinstance(encoder, (SentenceTransformersEncoder, _Renamed))
        model: str | None = getattr(encoder, "model", None) if known else None
        return cls(encoder.name, vectors.shape[1], model, unit_rows(vectors))

    @property
    def recorded_name(self) -> str:
        """The name for messages, and what to pass where the name alone is not accepted."""
        dotted = re.fullmatch(r"([A-Za-z_]\w*(?:\.\w+)*)\.([A-Za-z_]\w*)", self.name)
        if self.model is not None or dotted is None:
            return repr(self.name)
        return f"{self.name!r} (as a name to pass: '{dotted[1]}:{dotted[2]}')"

    @property
    def tells_roles(self) -> bool:
        """Whether it encodes a query otherwise than a document, as far as one probe shows."""
        return bool(np.linalg.norm(self.probes[0] - self.probes[-1]) > _PROBE_TOLERANCE)

    def matches(self, other: EncoderIdentity) -> bool:
        """Whether both encode the probes alike; names may differ."""
        if self.probes.shape != other.probes.shape:
            return False
        distances = np.linalg.norm(self.probes - other.probes, axis=1)
        return bool(distances.max() <= _PROBE_TOLERANCE)

    def require(self, found: EncoderIdentity, side: str) -> None:
        """Raise EncoderMismatchError unless ``found`` is this encoder."""
        if not self.matches(found):
            reason = "" if self.name != found.name else ", under the same name but another model"
            raise EncoderMismatchError(
                f"The {side} encoder is {found.name!r} ({found.dimension} dimensions){reason}; "
                f"this aligner was trained with {self.recorded_name} ({self.dimension} "
                "dimensions). Pass that encoder, or fit a new aligner."
            )


def checked_encode(encoder: Encoder, texts: list[str], role: Role) -> Float32Array:
    """Encode texts and check what comes back: one finite, non-zero row a text.

    What the encoder itself raises is passed on, with a note that says whose it is.
    """
    try:
        given = encoder.encode(texts, role)
    except KakehashiError:
        raise
    except Exception as error:  # whatever an encoder of the caller's raises
        first = f", the first {texts[0][:60]!r}" if texts else ""
        add_note(error, f"{_RAISED_BY} {encoder.name!r} over {len(texts)} texts{first}")
        raise
    what = f"vectors of encoder {encoder.name!r}"
    given = as_array(given, what)
    if given.ndim == 2 and len(given) != len(texts):
        raise EncoderError(
            f"Encoder {encoder.name!r} returned {len(given)} vectors for {len(texts)} texts."
        )

    def named(row: int) -> str:  # by its text: rows count inside a batch of sorted texts
        ours = " (a probe text of kakehashi's; every text needs a vector)"
        return f"that of the text {texts[row][:60]!r}{ours if texts[row] in PROBES else ''}"

    return as_matrix(given, what=what, row_name=named)


def raised_by(error: Exception) -> str:
    """Return what :func:`checked_encode` noted on an encoder's own error, or nothing."""
    notes = getattr(error, "__notes__", [])
    return next((note for note in notes if note.startswith(_RAISED_BY)), "")


def as_encoder(model: Any, *, name: str | None = None) -> Encoder:
    """Wrap whatever embeds texts as an :class:`Encoder`.

    Args:
        model: an ``Encoder``; a sentence-transformers model, or its name or path; a LangChain
            ``Embeddings``; a LlamaIndex ``BaseEmbedding``; any callable (or object with
            ``encode``) that takes a list of texts and returns one vector each; or, as
            ``"module:attribute"``, the name of one of these, which is imported (a class is called
            without arguments). A path that exists is taken for a path.
        name: what to call it; otherwise taken from the model.

    Raises:
        EncoderError: nothing of the kind, a class, or a name that cannot be imported.
        MissingExtraError: a name or path was given, and sentence-transformers is not installed.
    """
    if isinstance(model, str) and ":" in model and not Path(model).exists():
        model = _imported(model)
    if isinstance(model, (str, Path)):
        return SentenceTransformersEncoder(str(model), name=name)
    if isinstance(model, type):
        raise EncoderError(
            f"{model.__name__} is a class; pass an instance, {model.__name__}(...), or the method "
            "of one that takes a list of texts and returns their vectors."
        )
    if isinstance(model, (SentenceTransformersEncoder, FunctionEncoder)) or _is_encoder(model):
        return model if name in (None, model.name) else _Renamed(model, str(name))
    if _is_a(model, "SentenceTransformer"):
        return SentenceTransformersEncoder(model, name=name)
    name = name or _name_of(model)
    if hasattr(model, "embed_documents") and hasattr(model, "embed_query"):
        return FunctionEncoder(name, model.embed_documents, partial(_one_by_one, model.embed_query))
    if hasattr(model, "get_text_embedding_batch"):
        return FunctionEncoder(
            name,
            model.get_text_embedding_batch,
            partial(_one_by_one, model.get_query_embedding),
        )
    if hasattr(model, "encode"):
        return FunctionEncoder(name, model.encode)
    if callable(model):
        return FunctionEncoder(name, model)
    raise EncoderError(
        f"{type(model).__name__} is no encoder. Pass the name or path of a sentence-transformers "
        "model, a LangChain Embeddings, a LlamaIndex BaseEmbedding, a callable that takes a list "
        "of texts and returns their vectors, or the name module:attribute of one of these."
    )


def _imported(name: str) -> Any:
    """Return what ``module:attribute`` names; of a class an instance."""
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module), attribute)
        return found() if isinstance(found, type) else found
    # The module and the class are the caller's, and a module may be a script that ends with
    # sys.exit; the cause stays.
    except (Exception, SystemExit) as error:
        raise EncoderError(
            f"encoder {name!r} is no path that exists, and as module:attribute it cannot be "
            f"imported or made: {type(error).__name__}: {error}. The module must be installed or "
            "lie on PYTHONPATH, and a class must need no arguments."
        ) from error


class SentenceTransformersEncoder:
    """A sentence-transformers model, loaded when it is first needed.

    Args:
        advice: what to do where it cannot be loaded.
    """

    def __init__(
        self,
        model: Any,
        *,
        name: str | None = None,
        advice: str = "Pass a path that holds a model, or a hub name that is cached or online.",
    ) -> None:
        self._advice = advice
        self._loaded = None if isinstance(model, str) else model
        path = model if isinstance(model, str) else _model_path(model)
        self.model = path
        self.name = name or _short_name(path) or "unnamed"

    def encode(self, texts: list[str], role: Role = "document") -> Float32Array:
        """Encode n texts -> (n, d) float32, by the model's own way for the role if it has one."""
        model = self._load()
        encode = getattr(model, f"encode_{role}", model.encode)
        result: Float32Array = encode(texts, show_progress_bar=False, convert_to_numpy=True)
        return result

    def _load(self) -> Any:
        if self._loaded is None:
            try:
                from sentence_transformers import SentenceTransformer
            except ImportError as error:
                raise MissingExtraError("sentence-transformers", "sentence-transformers") from error
            try:
                self._loaded = SentenceTransformer(self.model)
            except Exception as error:  # the library raises many kinds; the cause stays attached
                raise EncoderError(
                    f"sentence-transformers cannot load {self.model!r}: {error}. {self._advice}"
                ) from error
        return self._loaded

    def __getstate__(self) -> dict[str, Any]:
        """Leave a model behind that can be loaded again by its path."""
        return {**self.__dict__, "_loaded": None if self.model else self._loaded}


def _short_name(model: str | None) -> str | None:
    """Return a hub name as it is, and of a path the last two parts."""
    if model is None or not Path(model).exists():
        return model
    return "/".join(Path(model).parts[-2:])


class FunctionEncoder:
    """Any function from texts to vectors, and perhaps another one for queries."""

    def __init__(
        self,
        name: str,
        encode_documents: Callable[[list[str]], Any],
        encode_queries: Callable[[list[str]], Any] | None = None,
    ) -> None:
        self.name = name
        self._functions = {
            "document": encode_documents,
            "query": encode_queries or encode_documents,
        }

    def encode(self, texts: list[str], role: Role = "document") -> Float32Array:
        """Encode n texts -> (n, d) float32."""
        vectors = self._functions[role](texts)
        try:
            return np.asarray(vectors, dtype=np.float32)
        # RuntimeError is torch's, over a tensor with a gradient.
        except (ValueError, TypeError, RuntimeError) as error:
            raise VectorError(
                f"vectors of encoder {self.name!r}: rows have different lengths, or hold something "
                f"that is no number: {str(error).rstrip('.')}. {WANTED}"
            ) from error


class _Renamed:
    """An encoder under another name."""

    def __init__(self, encoder: Encoder, name: str) -> None:
        self._encoder, self.name = encoder, name
        known = isinstance(encoder, SentenceTransformersEncoder)
        self.model: str | None = getattr(encoder, "model", None) if known else None

    def encode(self, texts: list[str], role: Role = "document") -> Float32Array:
        """Encode n texts -> (n, d) float32."""
        return self._encoder.encode(texts, role)


def _is_encoder(model: Any) -> bool:
    """Whether an object is an :class:`Encoder` as it stands: its ``encode`` takes a role, too."""
    if not isinstance(model, Encoder):
        return False
    try:
        return "role" in inspect.signature(model.encode).parameters
    except (TypeError, ValueError):
        return False


def _one_by_one(encode: Callable[[str], Any], texts: list[str]) -> list[Any]:
    return [encode(text) for text in texts]


def _is_a(model: Any, class_name: str) -> bool:
    """Whether a class of this name is among the model's bases, without importing its package."""
    return any(base.__name__ == class_name for base in type(model).__mro__)


def _name_of(model: Any) -> str:
    for attribute in ("model_name", "model"):
        value = getattr(model, attribute, None)
        if isinstance(value, str) and value not in ("", "unknown"):  # LlamaIndex's own default
            return value
    owner = getattr(model, "__self__", None)
    if owner is not None:
        return f"{type(owner).__module__}.{type(owner).__qualname__}"
    named = model if hasattr(model, "__qualname__") else type(model)
    return f"{named.__module__}.{named.__qualname__}"


def _model_path(model: Any) -> str | None:
    """Return what a loaded SentenceTransformer was loaded from, if it still knows."""
    card = getattr(model, "model_card_data", None)
    for candidate in (
        getattr(card, "base_model", None),
        getattr(getattr(model[0], "auto_model", None), "name_or_path", None),
    ):
        if isinstance(candidate, str) and candidate:
            return candidate
    return None
