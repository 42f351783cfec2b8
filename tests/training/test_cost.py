"""What a fit is said to cost, against what it asks for."""

import pytest
from support.toy_data import ENCODERS, hashed_letters, machine_pairs, reversed_letters

import kakehashi
from kakehashi.encoders import as_encoder
from kakehashi.training.cost import cost_of_fit, estimated_tokens
from kakehashi.training.fit_inputs import FitInputs
from kakehashi.training.sources import as_sources


class Service:
    """A model as LangChain's are, which keeps the texts of each call."""

    def __init__(self, encode, prompt=""):
        self.model, self._encode, self._prompt = f"service {prompt}", encode, prompt
        self.calls = []

    def embed_documents(self, texts):
        self.calls.append(list(texts))
        return self._encode(texts)

    def embed_query(self, text):
        self.calls.append([text])
        return self._encode([self._prompt + text])[0]


def total(costs, what):
    return sum(getattr(cost, what) for cost in costs)


@pytest.mark.parametrize("prompt", ["", "query: "], ids=["alike", "own way"])
@pytest.mark.parametrize("texts", [None, [], ["grease the bearing", "close the lid"]])
def test_a_fit_asks_for_no_more_than_was_said(prompt, texts):
    services = {
        "source": Service(hashed_letters, prompt),
        "target": Service(reversed_letters, prompt),
    }
    inputs = FitInputs(machine_pairs(), learn_from=as_sources(texts))
    encoders = {side: as_encoder(service) for side, service in services.items()}
    said = cost_of_fit(inputs, encoders, tells_roles=bool(prompt))
    assert not any(service.calls for service in services.values())
    kakehashi.fit(
        machine_pairs(),
        source_encoder=services["source"],
        target_encoder=services["target"],
        learn_from=texts,
        ngrams=False,
        learned=False,
    )
    calls = [call for service in services.values() for call in service.calls]
    asked = sum(map(len, calls))
    assert asked <= total(said, "texts") <= 1.35 * asked
    assert len(calls) <= total(said, "calls") <= 1.35 * len(calls) + 20


def test_functions_and_local_models_are_told_apart():
    inputs = FitInputs(machine_pairs(), learn_from=())
    encoders = {side: as_encoder(ENCODERS[f"{side}_encoder"]) for side in ("source", "target")}
    rows = cost_of_fit(inputs, encoders, tells_roles=True)
    assert [(row.side, row.purpose, row.texts, row.calls) for row in rows] == [
        ("source", "probe texts, at most", 36, 12),
        ("source", "source texts", 80, 2),
        ("target", "probe texts, at most", 36, 12),
        ("target", "target texts", 80, 2),
        ("target", "held-out sources, as a rival", 80, 2),
    ]
    local = {**encoders, "target": as_encoder("/a/path/of/a/model")}
    rows = cost_of_fit(inputs, local, tells_roles=False)
    assert "probe texts, at most" not in [row.purpose for row in rows if row.side == "target"]


def test_stored_vectors_cost_nothing():
    pairs = machine_pairs()
    pairs = pairs.with_vectors(hashed_letters(pairs.source_texts), None)
    encoders = {"source": None, "target": as_encoder(reversed_letters)}
    rows = cost_of_fit(FitInputs(pairs, learn_from=()), encoders, tells_roles=False)
    assert {row.side for row in rows} == {"target"}


@pytest.mark.parametrize(
    ("texts", "tokens"), [([], 0), (["abcd"], 1), (["abcde"], 2), (["圧力"], 2), (["5V です"], 3)]
)
def test_tokens_are_estimated_by_characters(texts, tokens):
    assert estimated_tokens(texts) == tokens
