"""The settings of a collection of Qdrant, and those of a new one that is to be like it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....errors import DataError
from ....retrieval.index_record import KEY
from ....retrieval.move_note import NOTE_KEY

_PARAMS = ("shard_number", "replication_factor", "write_consistency_factor", "on_disk_payload")
_PARAMS_OF_NEW = ("payload", "id_tracker")
"""Of servers and clients of 2026; an older client takes no such argument."""


def dense_names(info: Any) -> list[str]:
    """Return the names of the dense vectors, one a point; the empty name is the only one's."""
    return [name for name, params in _vectors(info).items() if params.multivector_config is None]


def other_vectors(info: Any, vector: str) -> frozenset[str]:
    """Return the names of the vectors that the store makes unit vectors, without one."""
    by_name = _vectors(info).items()
    return frozenset(n for n, params in by_name if n != vector and params.distance == "Cosine")


def settings_of(info: Any, vector: str) -> Mapping[str, Any]:
    """Return the settings of a collection, as JSON: no dimension of the moved vectors, no data."""
    stated = info.config.model_dump(mode="json", exclude_none=True, exclude={"metadata"})
    sized = stated["params"]["vectors"]
    sized.get(vector, sized).pop("size", None)
    indices = {
        field: (index.params or index.data_type) for field, index in info.payload_schema.items()
    }
    stated["payload_indices"] = {
        field: index.model_dump(mode="json", exclude_none=True)
        if hasattr(index, "model_dump")
        else index.value
        for field, index in indices.items()
    }
    return dict(stated)


def creation(info: Any, vector: str, dimension: int) -> dict[str, Any]:
    """Return the arguments that create a collection like another one.

    Args:
        info: of the other one, as the client gives it.
        vector: the name of the vectors whose dimension changes.
        dimension: the new one.

    Raises:
        DataError: its shards have keys of the application's own.
    """
    from qdrant_client import models

    config, params = info.config, info.config.params
    if str(getattr(params.sharding_method, "value", params.sharding_method)) == "custom":
        raise DataError(
            "a collection of Qdrant with shard keys of your own is not moved: nothing here can "
            "test such a move. Create the new collection with its keys, and copy shard by shard."
        )
    vectors = _vectors(info)
    vectors[vector] = vectors[vector].model_copy(update={"size": dimension})
    wanted: dict[str, Any] = {
        "vectors_config": vectors[""] if [*vectors] == [""] else vectors,
        "sparse_vectors_config": params.sparse_vectors,
        "hnsw_config": _as(models.HnswConfigDiff, config.hnsw_config),
        "optimizers_config": _as(models.OptimizersConfigDiff, config.optimizer_config),
        "wal_config": _as(models.WalConfigDiff, config.wal_config),
        "quantization_config": config.quantization_config,
        "strict_mode_config": _strict(config),
        "metadata": _metadata(config),
        **{name: getattr(params, name) for name in _PARAMS},
        **{name: getattr(params, name, None) for name in _PARAMS_OF_NEW},
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _vectors(info: Any) -> dict[str, Any]:
    vectors = info.config.params.vectors
    if vectors is None:
        return {}
    return dict(vectors) if isinstance(vectors, dict) else {"": vectors}


def _as(kind: Any, stated: Any) -> Any:
    """Return settings that a server states as those that it takes."""
    return None if stated is None else kind(**stated.model_dump(exclude_none=True))


def _strict(config: Any) -> Any:
    from qdrant_client import models

    stated = getattr(config, "strict_mode_config", None)
    return None if stated is None else _as(models.StrictModeConfig, stated)


def _metadata(config: Any) -> dict[str, Any] | None:
    """Return the application's own metadata: a record and a note belong to the old vectors."""
    there = getattr(config, "metadata", None) or {}
    return {name: value for name, value in there.items() if name not in (KEY, NOTE_KEY)} or None
