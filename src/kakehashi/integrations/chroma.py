"""Chroma: an embedding function whose stored configuration rebuilds it and guards it."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from ..aligner import Aligner
from ..errors import AlignerMismatchError, DataError, KakehashiError, MissingExtraError
from ..multi_aligner import MultiAligner, load
from ..retrieval.document_modality import DocumentModality
from ..retrieval.index_record import KEY, IndexRecord
from ..retrieval.query import AUTO
from ._aligner_field import warn_unless_advised
from ._caller import caller_of
from ._find_aligner import find_aligner
from ._modalities import Space, document_modality_of, query_modality_of
from .stores.checked import require_index
from .stores.chroma import OUR_FUNCTION, ChromaIndex

try:
    from chromadb.api import AsyncClientAPI, ClientAPI
    from chromadb.api.models.AsyncCollection import AsyncCollection
    from chromadb.api.models.Collection import Collection
    from chromadb.api.types import Documents, EmbeddingFunction, Embeddings
    from chromadb.api.types import Space as Metric
    from chromadb.errors import NotFoundError
    from chromadb.utils.embedding_functions import register_embedding_function
except ImportError as error:
    raise MissingExtraError("chromadb", "chroma") from error

_COLLECTIONS = ("Collection", "AsyncCollection")
_load = lru_cache(maxsize=8)(find_aligner)
_LOADING = Lock()  # the cache alone would let every thread of a first use load its own


@register_embedding_function
class AlignedEmbeddingFunction(EmbeddingFunction[Documents]):
    """Chroma's embedding function in the aligner's space.

    Chroma stores the configuration with the collection: the aligner's folder and fingerprint. A
    process that has imported this module opens the collection without naming the function, and an
    aligner that has changed in that folder is refused. Chroma compares the names of functions
    only; :func:`open_collection` compares aligners. A query of a collection rescores nothing: a
    retriever of LangChain or LlamaIndex does.

    Args:
        aligner: a saved ``Aligner`` or ``MultiAligner``, or its folder.
        query_modality: the modality of queries. By default ``"source"``; for a multi aligner
            ``"auto"``, which lets the router read each query.
        document_modality: the modality of documents. By default the target; ``"auto"`` lets the
            router read each text.

    Raises:
        DataError: no such modality.
        KakehashiError: the aligner was never saved, so no configuration could rebuild it.
    """

    def __init__(
        self,
        aligner: Space | str | Path,
        *,
        query_modality: str | None = None,
        document_modality: str | None = None,
    ) -> None:
        aligner = aligner if isinstance(aligner, (Aligner, MultiAligner)) else load(aligner)
        if aligner.path is None:
            raise KakehashiError(
                "This aligner lives in memory only and a collection could not find it again; call "
                "aligner.save(DIR) and use Aligner.load(DIR)."
            )
        self._aligner: Space | None = warn_unless_advised(aligner)
        self._config: dict[str, Any] = {
            "path": str(aligner.path),
            "fingerprint": aligner.fingerprint,
            "query_modality": query_modality_of(aligner, query_modality),
            "document_modality": document_modality_of(aligner, document_modality),
            "space": aligner.metric,
            "router": "",
            "record": IndexRecord.of(aligner, "document").to_json(),
        }
        if self._config["document_modality"] == AUTO:
            self._config["router"] = aligner.router_fingerprint

    @property
    def aligner(self) -> Space:
        """The aligner; of a stored configuration it is loaded, and checked, on first use."""
        if self._aligner is None:
            with _LOADING:
                beside = _folders_beside(caller_of(*_COLLECTIONS))
                aligner = _load(self._config["path"], self._config["fingerprint"], beside)
                self._aligner = warn_unless_advised(aligner)
        return self._aligner

    def __call__(self, input: Documents) -> Embeddings:
        """Embed documents: n texts -> n float32 vectors.

        Raises:
            AlignerMismatchError: a collection calls for them, and holds vectors of another aligner.
        """
        self._require_caller()
        modality = self._config["document_modality"]
        return list(self.aligner.embed_documents(list(input), modality=modality))

    def embed_query(self, input: Documents) -> Embeddings:
        """Embed queries: n texts -> n float32 vectors; see :meth:`__call__`."""
        self._require_caller()
        modality = self._config["query_modality"]
        if modality == AUTO:
            return [self.aligner.prepare_query(text).vector for text in input]
        return list(self.aligner.embed_queries(list(input), modality=modality))

    def _require_caller(self) -> None:
        """Refuse the collection that calls, if it holds vectors of another aligner.

        ``get_collection`` compares the names of functions only. A collection of an async client is
        compared by its configuration: nothing of it can be read without waiting.
        """
        collection = caller_of(*_COLLECTIONS)
        if collection is None:
            return
        stored = collection.configuration_json.get("embedding_function") or {}
        if stored.get("name") == OUR_FUNCTION:
            _require_same(stored["config"], self._config)
        elif isinstance(collection, Collection):
            default = self._config["document_modality"]
            modality = DocumentModality("", self.aligner, None, "modality", default)
            require_index(collection, lambda: ChromaIndex(collection), self.aligner, modality)

    @staticmethod
    def name() -> str:
        """Return the name that Chroma registers and stores."""
        return OUR_FUNCTION

    def default_space(self) -> Metric:
        """Return the metric that the aligner was chosen and scored with."""
        space: Metric = self._config["space"]
        return space

    def get_config(self) -> dict[str, Any]:
        """Return what Chroma stores with a collection."""
        return dict(self._config)

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> AlignedEmbeddingFunction:
        """Rebuild from a stored configuration. Chroma does so often: nothing is loaded yet."""
        AlignedEmbeddingFunction.validate_config(config)
        made = object.__new__(AlignedEmbeddingFunction)
        made._aligner, made._config = None, dict(config)
        return made

    @staticmethod
    def validate_config(config: dict[str, Any]) -> None:
        """Raise DataError unless a configuration has all its fields."""
        fields = {"path", "fingerprint", "query_modality", "document_modality", "space"}
        if missing := fields - config.keys():
            raise DataError(f"The configuration lacks {', '.join(sorted(missing))}.")

    def validate_config_update(
        self, old_config: dict[str, Any], new_config: dict[str, Any]
    ) -> None:
        """Raise AlignerMismatchError where a collection is to change its aligner."""
        _require_same(old_config, new_config)


def _function_of(function: Any) -> AlignedEmbeddingFunction:
    """Return an embedding function: the value, or one of the aligner or folder that it is."""
    if isinstance(function, (Aligner, MultiAligner, str, Path)):
        function = AlignedEmbeddingFunction(function)
    if not isinstance(function, AlignedEmbeddingFunction):
        raise DataError(
            f"function={function!r:.60} is no AlignedEmbeddingFunction; pass one, an Aligner, a "
            "MultiAligner or the folder of one."
        )
    return function


def open_collection(
    client: ClientAPI,
    name: str,
    function: AlignedEmbeddingFunction | Space | str | Path,
    **options: Any,
) -> Collection:
    """Open a collection with an embedding function, or create it; refuse another aligner.

    Args:
        function: an embedding function; or an aligner, or the folder of a saved one.
        options: passed on to ``client.get_or_create_collection``, for a collection that is new.

    Raises:
        AlignerMismatchError: the collection was filled through another aligner, or made with
            another embedding function, or with none.
        DataError: ``function`` is none of ours; or an async client, which takes
            :func:`aopen_collection`.
    """
    given: Any = client
    if isinstance(given, AsyncClientAPI):
        raise DataError(
            "client is an async client of Chroma; await aopen_collection(client, name, function)."
        )
    function = _function_of(function)
    with suppress(NotFoundError):  # before Chroma, whose own ValueError says less
        _require_ours(client.get_collection(name, embedding_function=None), function)
    ours: Any = function
    collection = client.get_or_create_collection(name, embedding_function=ours, **options)
    _require_ours(collection, function)  # it may have been made by somebody else meanwhile
    return collection


async def aopen_collection(
    client: AsyncClientAPI,
    name: str,
    function: AlignedEmbeddingFunction | Space | str | Path,
    **options: Any,
) -> AsyncCollection:
    """Do the same with an async client; see :func:`open_collection`.

    Chroma calls the function inside the event loop: texts that are embedded block it.
    """
    function = _function_of(function)
    with suppress(NotFoundError):
        _require_ours(await client.get_collection(name, embedding_function=None), function)
    ours: Any = function
    collection = await client.get_or_create_collection(name, embedding_function=ours, **options)
    _require_ours(collection, function)
    return collection


def _folders_beside(collection: Any) -> tuple[Path, ...]:
    """Return the folders in which an aligner may lie that was copied with its collection."""
    settings: Any = getattr(getattr(collection, "_client", None), "get_settings", lambda: None)()
    if not getattr(settings, "is_persistent", False):
        return ()
    folder = Path(settings.persist_directory).resolve()
    return folder, folder.parent


def _require_ours(
    collection: Collection | AsyncCollection, function: AlignedEmbeddingFunction
) -> None:
    stored = collection.configuration_json.get("embedding_function") or {}
    if stored.get("name") == OUR_FUNCTION:
        _require_same(stored["config"], function.get_config())
        return
    record = IndexRecord.from_json((collection.metadata or {}).get(KEY))
    if record is not None and record.fingerprint == function.get_config()["fingerprint"]:
        return  # moved by `kakehashi migrate`, which writes vectors and the record alone
    if record is not None:
        now = function.get_config()["fingerprint"]
        raise AlignerMismatchError(
            f"The collection {collection.name!r} holds vectors of the aligner "
            f"{record.fingerprint[:12]!r}, not of {now[:12]!r}: vectors of the two do not mix. "
            "Open it through that one: of a collection that was moved, as_shared() of the aligner "
            "that it was moved with, saved."
        )
    maker = "no embedding function that Chroma recorded"
    if "name" in stored:
        maker = f"the embedding function {stored['name']!r}"
    raise AlignerMismatchError(
        f"The collection {collection.name!r} was made with {maker}, and Chroma cannot record an "
        "aligner in it afterwards. Give a new collection another name; or, where the aligner "
        "keeps the vectors of this one (mode keep), ask it by vectors: client.get_collection("
        f"{collection.name!r}).query(query_embeddings=function.embed_query(texts))."
    )


def _require_same(stored: dict[str, Any], current: dict[str, Any]) -> None:
    for field in ("fingerprint", "document_modality", "router"):
        before, now = stored.get(field, ""), current.get(field, "")
        if before != now:
            raise AlignerMismatchError(
                f"The collection was filled with {field} {before[:12]}, not {now[:12]}: vectors of "
                f"the two do not mix. Use that aligner ({stored['path']}), or fill a new "
                "collection."
            )
