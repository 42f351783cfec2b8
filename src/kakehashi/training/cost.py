"""What a fit asks its encoders for, told before anything is encoded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ..data.index import IndexDocuments
from ..data.pairs import Pairs
from ..encoders import Encoder
from ..encoders.cache import BATCH_SIZE
from ..encoders.functions import FrameworkEncoder, FunctionEncoder
from ..encoders.identity import ASKED_AT_MOST, PROBE_ROWS, PROBES
from ..encoders.protocol import is_local
from ..types import SIDES, Role, Side
from .fit_inputs import FitInputs
from .index_as_seen import MAX_READ
from .inputs import ROLES
from .known_questions import KNOWN_SHARE
from .sources import TARGETS, LearnFrom
from .split_plan import TEST_SHARE, judged_by_folds, n_folds
from .target_encoder import MAX_ASKED


@dataclass(frozen=True)
class Cost:
    """Texts that one encoder is asked for, of one purpose.

    Attributes:
        side: whose encoder it is.
        purpose: what the texts are.
        texts: different texts.
        tokens: an estimate, see :func:`estimated_tokens`.
        calls: of the encoder's method, each a request of a service.
    """

    side: Side
    purpose: str
    texts: int
    tokens: int
    calls: int


def estimated_tokens(texts: Iterable[str]) -> int:
    """Estimate the tokens of texts: one for four ASCII characters, and one for any other.

    Tokenizers differ. English has about four characters a token, Japanese about one.
    """
    n_ascii = n_others = 0
    for text in texts:
        others = sum(not character.isascii() for character in text)
        n_others += others
        n_ascii += len(text) - others
    return n_others + math.ceil(n_ascii / 4)


def cost_of_fit(
    inputs: FitInputs, encoders: Mapping[Side, Encoder | None], *, tells_roles: bool
) -> list[Cost]:
    """Return what a fit asks for; no encoder is asked. A cache may hold some of it already.

    Args:
        tells_roles: whether encoders that can encode queries in their own way do so. Only their
            vectors show it. They then read held-out texts in both roles, and a model of LangChain
            or LlamaIndex takes one query in a call.
    """
    return _costs(partial(_asked, inputs), encoders, tells_roles=tells_roles)


def cost_without_pairs(
    questions: Sequence[str] | None,
    learn_from: LearnFrom,
    encoders: Mapping[Side, Encoder | None],
    *,
    tells_roles: bool,
) -> list[Cost]:
    """Return what a fit without pairs asks for, as :func:`cost_of_fit` does."""

    def asked(side: Side, own_way: bool) -> Iterator[tuple[str, Role, Iterable[str]]]:
        if side == "source":
            yield "questions", ROLES[side], questions or ()
        yield from _of_sources(learn_from, side)

    return _costs(asked, encoders, tells_roles=tells_roles)


def _costs(
    asked: Callable[[Side, bool], Iterable[tuple[str, Role, Iterable[str]]]],
    encoders: Mapping[Side, Encoder | None],
    *,
    tells_roles: bool,
) -> list[Cost]:
    costs = []
    for side in SIDES:
        encoder = encoders[side]
        if encoder is None:
            continue
        own_way = tells_roles and type(encoder) is not FunctionEncoder
        if not is_local(encoder):
            tokens = estimated_tokens([*PROBES, PROBES[0]]) * ASKED_AT_MOST
            probes = "probe texts, at most"
            costs.append(Cost(side, probes, PROBE_ROWS * ASKED_AT_MOST, tokens, 2 * ASKED_AT_MOST))
        known: set[tuple[str, Role]] = set()
        for purpose, role, texts in asked(side, own_way):
            asked_as: Role = role if own_way else "document"
            new = {text for text in texts if (text, asked_as) not in known}
            known |= {(text, asked_as) for text in new}
            if new:
                calls = _calls(encoder, len(new), asked_as)
                costs.append(Cost(side, purpose, len(new), estimated_tokens(new), calls))
    return costs


def _asked(
    inputs: FitInputs, side: Side, own_way: bool
) -> Iterator[tuple[str, Role, Iterable[str]]]:
    """Yield the purpose, the role and the texts of each stage that asks the encoder of a side."""
    role, pairs = ROLES[side], inputs.pairs
    for name, part in (("", pairs), ("validation ", inputs.validation), ("test ", inputs.test)):
        if part is not None and part.vectors(side) is None:
            yield f"{name}{side} texts", role, part.texts(side) or ()
    yield from _of_sources(inputs.learn_from, side)
    targets = pairs.target_texts or ()
    reads_targets = inputs.learn_from != () and not inputs.indices
    if side == "source" and reads_targets and len(targets) <= MAX_READ:
        yield TARGETS, role, targets
    if side == "target":
        yield "held-out sources, as a rival", "query", _that_judge(inputs)
    if own_way:
        other: Role = "document" if role == "query" else "query"
        yield f"held-out {side} texts as {other}", other, _held_out(inputs, side)


def _of_sources(learn_from: LearnFrom, side: Side) -> Iterator[tuple[str, Role, Iterable[str]]]:
    """Yield what is read of each source; which texts of an index are drawn does not matter."""
    role = ROLES[side]
    for source in learn_from or ():
        name = source.name or "pairs"
        if isinstance(source, Pairs):
            if source.vectors(side) is None:
                yield f"{name}: {side} texts", role, source.texts(side) or ()
        elif side == "target" and source.vectors is None:
            yield f"{name}: all documents", role, source.texts or ()
        elif side == "source" and source.source_vectors is None:
            different = list(dict.fromkeys(source.texts or ()))
            yield f"{name}: texts read", role, different[: _n_read(source)]


def _n_read(index: IndexDocuments) -> int:
    return MAX_READ if index.learn is None else index.learn


def _that_judge(inputs: FitInputs) -> list[str]:
    """Return as many sources as will judge beside the target encoder."""
    if judged_by_folds(inputs.pairs, inputs.validation, inputs.test):
        return list(inputs.pairs.source_texts or ())[:MAX_ASKED]
    return _held_out(inputs, "source")


def _held_out(inputs: FitInputs, side: Side) -> list[str]:
    """Return as many texts as one part holds out. Which is not known before they are encoded."""
    listed = list(inputs.pairs.texts(side) or ())
    if judged_by_folds(inputs.pairs, inputs.validation, inputs.test):
        return listed[: math.ceil(len(listed) / n_folds(len(listed)))]
    share = round(KNOWN_SHARE + (TEST_SHARE if inputs.test is None else 0), 6)
    test = [] if inputs.test is None else list(inputs.test.texts(side) or ())
    return [*test, *listed[: math.ceil(share * len(listed))]]


def _calls(encoder: Encoder, n: int, role: Role) -> int:
    if isinstance(encoder, FrameworkEncoder):
        return n if role == "query" else math.ceil(n / min(BATCH_SIZE, encoder.batch_size))
    return math.ceil(n / BATCH_SIZE)
