"""Encoders by name, with arguments: literals only, and pickled by that name."""

import pickle

import numpy as np
import pytest
from support.toy_data import hashed_letters

from kakehashi.encoders import as_encoder
from kakehashi.encoders.named import imported
from kakehashi.errors import EncoderError

HERE = __name__
TEXTS = ["Close the valve.", "栓"]


class Scaled:
    """Holds something that cannot be pickled, as a session of a model does."""

    def __init__(self, size=32, *, threads=4, prefix=""):
        self.size, self.threads, self.prefix = size, threads, prefix
        self.session = lambda texts: hashed_letters([prefix + t for t in texts])[:, :size] + 1e-3

    def encode(self, texts):
        return self.session(texts)


class Plain:
    def encode(self, texts):
        return hashed_letters(texts)


class Shelf:
    Scaled = Scaled


def make(prefix):
    return Scaled(prefix=prefix).encode


@pytest.mark.parametrize(
    ("name", "size", "prefix"),
    [
        (f"{HERE}:Scaled", 32, ""),
        (f"{HERE}:Scaled()", 32, ""),
        (f"{HERE}:Scaled(24)", 24, ""),
        (f"{HERE}:Scaled(size=24, prefix='query: ')", 24, "query: "),
        (f"{HERE}:Shelf.Scaled(prefix='a:b(c)')", 32, "a:b(c)"),
        (f"{HERE}:make('query: ')", 32, "query: "),
    ],
)
def test_a_name_takes_literal_arguments(name, size, prefix):
    expected = hashed_letters([prefix + text for text in TEXTS])[:, :size] + 1e-3
    assert np.array_equal(as_encoder(name).encode(TEXTS), expected)


@pytest.mark.parametrize(
    ("arguments", "threads"), [("", 1), ("()", 1), ("(24)", 1), ("(threads=3)", 3)]
)
def test_one_thread_unless_the_name_says_otherwise(arguments, threads):
    assert imported(f"{HERE}:Scaled{arguments}").threads == threads


def test_a_class_without_a_number_of_threads_is_called_as_it_is():
    assert isinstance(imported(f"{HERE}:Plain"), Plain)


@pytest.mark.parametrize("name", [f"{HERE}:Scaled(24)", f"{HERE}:make('q: ')", f"{HERE}:Plain"])
@pytest.mark.parametrize("called", [None, "mine"])
def test_an_encoder_is_pickled_by_its_name(name, called):
    encoder = as_encoder(name, name=called)
    again = pickle.loads(pickle.dumps(encoder))
    assert again.name == encoder.name
    assert np.array_equal(again.encode(TEXTS), encoder.encode(TEXTS))


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("Scaled(size=print(1))", "ValueError: malformed node"),
        ("Scaled(__import__('os').getcwd())", "ValueError: malformed node"),
        ("Scaled(**{'size': 3})", r"ValueError: \*\* is no literal"),
        ("Scaled().encode", "ValueError: after the colon comes an attribute"),
        ("(lambda: 1)()", "ValueError: after the colon comes an attribute"),
        ("Scaled(24", "SyntaxError"),
        ("Scaled(widht=24)", "TypeError: .*'widht'"),
    ],
)
def test_only_literals_are_read_and_no_code_is_run(expression, said):
    with pytest.raises(EncoderError, match=f"(?s)as module:attribute it cannot .*{said}.*literals"):
        as_encoder(f"{HERE}:{expression}")
