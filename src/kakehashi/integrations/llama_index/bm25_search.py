"""LlamaIndex: the search of a hybrid search over words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

from llama_index.core.schema import BaseNode, MetadataMode

from ...errors import DataError
from ...retrieval.document_key import Merge, MergeParts, key_of
from ...retrieval.document_modality import DocumentModality
from ...retrieval.hits import SearchResult
from ...retrieval.lexical_search import LexicalSearch, Refreshed
from ...retrieval.search import SearchRequest
from .embedding import AlignedEmbedding
from .filters import permits

_OF_ONE_STORE = ("where", "where_document", "qdrant_filters", "string_expr")
"""Restrictions in the form of one store."""


@dataclass(frozen=True)
class BM25Search:
    """Search nodes by their words (BM25): part numbers and error codes cross no embedding.

    Args:
        nodes: the nodes to search; the same that the indices hold. :meth:`refresh` gives others.
        name, modality: as of a :class:`VectorSearch`.
        tokenizer: a function from a text to its words, such as one of SudachiPy: ``lambda text:
            [m.normalized_form() for m in sudachi.tokenize(text)]``. By default words are runs of
            letters, and pairs of characters where a script has no spaces.

    ``filters``, ``node_ids`` and ``doc_ids`` of the retriever restrict this search too.
    """

    by_vector: ClassVar[bool] = False
    not_rescored: ClassVar[bool] = False

    nodes: Sequence[BaseNode] = field(repr=False)
    name: str = "words"
    modality: str | None = None
    tokenizer: Callable[[str], Iterable[str]] | None = field(default=None, repr=False)
    _index: Refreshed | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what are no nodes; an iterator of nodes is read once."""
        check_texts(name=self.name, modality=self.modality)
        object.__setattr__(self, "nodes", _checked_nodes(self.nodes))

    def prepared(
        self,
        embedding: AlignedEmbedding,
        *,
        needs_similarity: bool,
        merge: Merge,
    ) -> BM25Search:
        """Return this search with an index of its nodes as they are now."""
        modality = embedding.modality_of_documents(self.name, self.modality)
        nodes_of = partial(getattr, self, "nodes")
        return replace(
            self, _index=Refreshed(nodes_of, partial(self._build, embedding, modality, merge))
        )

    def refresh(self, nodes: Iterable[BaseNode]) -> None:
        """Search other nodes from now on, in every retriever that was made with this search."""
        object.__setattr__(self, "nodes", _checked_nodes(nodes))

    def _build(
        self,
        embedding: AlignedEmbedding,
        modality: DocumentModality,
        merge: Merge,
        nodes: list[BaseNode],
    ) -> LexicalSearch:
        return LexicalSearch(
            self.name,
            nodes,
            texts=[_text(node) for node in nodes],
            keys=[key_of_node(node, merge) for node in nodes],
            modalities=[
                modality.of(node.metadata, partial(embedding.text_of, node)) for node in nodes
            ],
            tokenizer=self.tokenizer,
        )

    def find(self, request: SearchRequest, n: int, *, per_modality: bool) -> SearchResult:
        """Return at most n nodes of each modality that share a word, the best first."""
        assert self._index is not None
        index, nodes = self._index.current()
        return index.find(request.text, n, _allowed(nodes, request.options))


def _allowed(nodes: Sequence[BaseNode], options: Mapping[str, Any]) -> list[bool] | None:
    """Return, for each node, whether the options of the retriever permit it; None for all.

    Raises:
        DataError: a restriction that only a store can read. To ignore it would return what the
            caller shut out.
    """
    store_options = options.get("vector_store_kwargs") or {}
    for name in _OF_ONE_STORE:
        if store_options.get(name) is not None:
            raise DataError(
                f"A search by words cannot read vector_store_kwargs[{name!r}]; give filters= "
                "llama_index's MetadataFilters, which every search reads, or put it into the "
                "options of the search of that store."
            )
    filters, names = options.get("filters"), {"node_ids": "node_id", "doc_ids": "ref_doc_id"}
    ids = {of: set(options[name]) for name, of in names.items() if options.get(name)}
    if filters is None and not ids:
        return None
    return [
        (filters is None or permits(filters, node))
        and all(getattr(node, name) in wanted for name, wanted in ids.items())
        for node in nodes
    ]


def _checked_nodes(nodes: Any) -> list[BaseNode]:
    """Return nodes as a list; raise DataError for anything else."""
    if not isinstance(nodes, Iterable) or isinstance(nodes, (str, BaseNode)):
        raise DataError(f"nodes={nodes!r:.80}; give a list of nodes, such as TextNode(text=...).")
    listed = list(nodes)
    for node in listed:
        if not isinstance(node, BaseNode):
            raise DataError(f"nodes hold {node!r:.80}; give nodes, such as TextNode(text=...).")
    return listed


def check_texts(*, name: Any, **optional: Any) -> None:
    """Raise DataError where a name is no text, or an optional one is neither a text nor None."""
    for what, value in {"name": name, **optional}.items():
        if not isinstance(value, str) and (what == "name" or value is not None):
            raise DataError(f"{what}={value!r:.80}; give a text.")


def key_of_node(node: BaseNode, merge: MergeParts) -> str:
    """Return the key of a node, equal for what is one node."""
    return key_of(_text(node), node.metadata, merge, node.node_id)


def _text(node: BaseNode) -> str:
    return str(node.get_content(metadata_mode=MetadataMode.NONE))
