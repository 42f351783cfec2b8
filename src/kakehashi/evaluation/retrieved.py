"""The hits of a retriever in either framework, and whether one answers a question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from ..data.pairs import Pairs
from ..errors import DataError, add_note

Match = Literal["text", "contains", "id"]
HOW: dict[str, str] = {
    "text": "a hit answers if its text is that of the answer, white space aside",
    "contains": "a hit answers if its text holds that of the answer, or is a part of it",
    "id": "a hit answers if its id is that of the pair",
}


class Found(NamedTuple):
    """A hit of a retriever: its text and its id."""

    text: str
    id: str | None


def asking(retriever: Any) -> Callable[[str], Any]:
    """Return what asks a retriever one question."""
    for method in ("invoke", "retrieve"):
        if callable(getattr(retriever, method, None)):
            ask: Callable[[str], Any] = getattr(retriever, method)
            return ask
    if callable(retriever):
        asks: Callable[[str], Any] = retriever
        return asks
    raise DataError(
        f"retriever={retriever!r:.80} cannot be asked; give a retriever of LangChain or "
        "LlamaIndex, or a function from a question to its documents (of a store: "
        "store.as_retriever(), index.as_retriever())."
    )


def answers_of(pairs: Pairs, match: Match) -> dict[str, list[str]]:
    """Return what answers each question: texts, or ids."""
    column = pairs.ids if match == "id" else pairs.target_texts
    if pairs.source_texts is None or column is None:
        lacks = "source texts" if pairs.source_texts is None else "target texts"
        lacks = "ids" if match == "id" and pairs.source_texts is not None else lacks
        raise DataError(f"the pairs have no {lacks}, which match={match!r} needs; give them.")
    answers: dict[str, list[str]] = {}
    for question, answer in zip(pairs.source_texts, column, strict=True):
        answers.setdefault(question, []).append(answer)
    return {question: list(dict.fromkeys(each)) for question, each in answers.items()}


def hits_of(ask: Callable[[str], Any], question: str) -> Sequence[Any]:
    """Ask one question; the error of a retriever gets a note that names it."""
    try:
        hits = ask(question)
    except Exception as error:
        add_note(error, f"The retriever raised this over the question {question!r:.200}.")
        raise
    if not isinstance(hits, (list, tuple)):
        raise DataError(
            f"the retriever returned {type(hits).__name__}, not a list of documents, over "
            f"{question!r:.80}; end the chain where it returns documents."
        )
    return hits


def found_of(hit: Any, id_field: str | None) -> Found:
    """Return the text and the id of a document of LangChain, a node of LlamaIndex, or a text."""
    if isinstance(hit, str):
        return Found(hit, None)
    node = getattr(hit, "node", hit)  # LlamaIndex: a node with its score
    text = getattr(node, "page_content", None)
    if text is None and callable(getattr(node, "get_content", None)):
        text = node.get_content()
    if not isinstance(text, str):
        raise DataError(
            f"a hit is {hit!r:.80}; expected a document of LangChain, a node of LlamaIndex, or "
            "a text."
        )
    if id_field is not None:
        name = node.metadata.get(id_field)
    else:
        name = getattr(node, "node_id", None) or getattr(node, "id", None)
    return Found(text, None if name is None else str(name))


def answers_it(hit: Found, answers: Sequence[str], match: Match) -> bool:
    """Whether a hit is one of the answers (texts, or ids)."""
    if match == "id":
        return hit.id in answers
    text = " ".join(hit.text.split())
    wanted = [" ".join(answer.split()) for answer in answers]
    if match == "text":
        return text in wanted
    return bool(text) and any(answer in text or text in answer for answer in wanted)
