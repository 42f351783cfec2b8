"""The vector cache: each text once, apart by encoder and role, and never another vector."""

import contextlib
import sqlite3

import numpy as np
import pytest
from support.toy_data import hashed_letters

import kakehashi
from kakehashi.encoders import as_encoder
from kakehashi.encoders.cache import encode_texts
from kakehashi.encoders.identity import PROBES
from kakehashi.errors import CacheError, EncoderError, KakehashiError

TEXTS = [f"part {i} of {'a ' * (i % 7)}machine" for i in (*range(25), *range(24, 4, -1))]
UNIQUE = set(TEXTS)


class Recording:
    """A callable encoder that keeps the batches it was asked for, probes left out."""

    def __init__(self, encode=hashed_letters, fails_at=None):
        self._encode, self.fails_at, self.batches = encode, fails_at, []

    def __call__(self, texts):
        if tuple(texts) not in (PROBES, PROBES[:1]):
            if len(self.batches) + 1 == self.fails_at:
                raise ConnectionError("the third batch is lost")
            self.batches.append(list(texts))
        return self._encode(texts)

    @property
    def texts(self):
        return [text for batch in self.batches for text in batch]


def run(recording, cache=None, role="document", texts=TEXTS, name="trigrams", batch_size=8):
    encoder = as_encoder(recording, name=name)
    return encode_texts(encoder, texts, role, cache=cache, batch_size=batch_size)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "not" / "there" / "yet" / "vectors.sqlite"


@pytest.mark.parametrize("cached", [False, True])
def test_each_different_text_is_encoded_once_in_batches(cached, cache):
    recording = Recording()
    vectors = run(recording, cache if cached else None)
    assert sorted(recording.texts) == sorted(UNIQUE)
    assert [len(batch) for batch in recording.batches[:-1]] == [8] * (len(UNIQUE) // 8)
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, hashed_letters(TEXTS))


def test_cached_vectors_have_the_bits_of_uncached_ones(cache):
    plain = run(Recording())
    for _ in range(2):
        assert run(Recording(), cache).tobytes() == plain.tobytes()


def test_a_second_run_encodes_nothing(cache):
    run(Recording(), cache)
    again = Recording()
    run(again, cache, texts=TEXTS[::-1])
    assert again.batches == []


def test_an_interrupted_run_resumes_where_it_was(cache):
    first = Recording(fails_at=3)
    with pytest.raises(ConnectionError):
        run(first, cache)
    assert len(first.texts) == 16
    second = Recording()
    assert np.array_equal(run(second, cache), hashed_letters(TEXTS))
    assert set(second.texts) == UNIQUE - set(first.texts)
    assert len(second.texts) == len(UNIQUE) - 16


def test_new_texts_alone_are_encoded(cache):
    run(Recording(), cache, texts=TEXTS[:10])
    again = Recording()
    run(again, cache)
    assert set(again.texts) == UNIQUE - set(TEXTS[:10])


def test_a_role_keeps_its_own_vectors(cache):
    class Prompted:
        embed_documents = staticmethod(hashed_letters)

        @staticmethod
        def embed_query(text):
            return hashed_letters([f"query: {text}"])[0]

    for _ in range(2):
        query, document = (run(Prompted(), cache, role) for role in ("query", "document"))
        assert np.array_equal(document, hashed_letters(TEXTS))
        assert np.array_equal(query, hashed_letters([f"query: {text}" for text in TEXTS]))


def mirrored(texts):
    return hashed_letters(texts)[:, ::-1]


def narrow(texts):
    return hashed_letters(texts)[:, :30] + np.float32(1e-3)


@pytest.mark.parametrize("other", [mirrored, narrow], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", ["trigrams", "others"])
def test_another_model_never_gets_the_vectors_of_the_first(other, name, cache):
    run(Recording(), cache)
    for expected_texts in (UNIQUE, set()):
        recording = Recording(other)
        assert np.array_equal(run(recording, cache, name=name), other(TEXTS))
        assert set(recording.texts) == expected_texts
    first = Recording()
    assert np.array_equal(run(first, cache), hashed_letters(TEXTS))
    assert first.batches == []


def test_a_broken_batch_is_not_kept(cache):
    def broken(texts):
        vectors = hashed_letters(texts)
        if tuple(texts) not in (PROBES, PROBES[:1]):
            vectors[0] = np.nan
        return vectors

    with pytest.raises(KakehashiError, match="NaN"):
        run(Recording(broken), cache)
    again = Recording()
    assert np.array_equal(run(again, cache), hashed_letters(TEXTS))
    assert set(again.texts) == UNIQUE


@pytest.mark.parametrize("cached", [False, True])
def test_batches_of_other_widths_are_refused(cached, cache):
    def narrower(texts):
        return (
            hashed_letters(texts)[:, : 32 if texts[0] in (PROBES[0], "part 0 of machine") else 30]
            + 1e-3
        )

    with pytest.raises(
        EncoderError, match=r"gave 32 dimensions, then 30 for a batch .*'part \d+ of"
    ):
        run(Recording(narrower), cache if cached else None)


@pytest.mark.slow
def test_fit_uses_the_cache(cache):
    texts = [f"check the {part} {n}" for part in ("pump", "valve", "seal") for n in range(10)]
    pairs = kakehashi.Pairs(texts, [text.upper() for text in texts])
    fits = []
    for _ in range(2):
        source, target = Recording(), Recording(mirrored)
        encoders = {
            "source_encoder": as_encoder(source, name="a"),
            "target_encoder": as_encoder(target, name="b"),
        }
        fits.append(kakehashi.fit(pairs, **encoders, mode="keep", cache=cache))
    assert source.batches == target.batches == []
    assert fits[0].fingerprint == fits[1].fingerprint


def garbage(path):
    path.write_bytes(b"this is no database " * 500)


def cut_off(path):
    path.write_bytes(path.read_bytes()[:5000])


def other_tables(path):
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE vectors (something_else TEXT)")


def test_a_file_that_is_no_cache_is_called_so_and_left_as_it_is(cache):
    """It may be the user's own: a slip of the name must not advise to throw it away."""
    cache.parent.mkdir(parents=True)
    cache.write_text('{"source": "a", "target": "b"}\n' * 50)
    before = cache.read_bytes()
    with pytest.raises(CacheError, match=r"vectors\.sqlite is no cache .* Give another name"):
        run(Recording(), cache)
    assert cache.read_bytes() == before


@pytest.mark.parametrize("table", ["customers", "vectors"])
def test_a_database_of_something_else_is_refused_and_left_as_it_is(table, cache):
    cache.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(cache)) as database:
        database.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, name TEXT)")
        database.commit()
    before = cache.read_bytes()
    wanted = rf"is a database of something else \(tables {table}\).* Give another name"
    with pytest.raises(CacheError, match=wanted):
        run(Recording(), cache)
    assert cache.read_bytes() == before


def test_an_empty_file_becomes_a_cache(cache):
    cache.parent.mkdir(parents=True)
    cache.touch()
    assert np.array_equal(run(Recording(), cache), hashed_letters(TEXTS))
    again = Recording()
    run(again, cache)
    assert again.batches == []


def short_vectors(path):
    with sqlite3.connect(path) as database:
        database.execute("UPDATE vectors SET vector = X'0000'")


@pytest.mark.parametrize("damage", [garbage, cut_off, other_tables, short_vectors])
def test_a_damaged_cache_is_recovered_or_refused_with_an_error_of_ours(damage, cache):
    run(Recording(), cache)
    damage(cache)
    with contextlib.suppress(KakehashiError):
        assert np.array_equal(run(Recording(), cache), hashed_letters(TEXTS))
