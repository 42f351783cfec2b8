"""Hashed character n-grams, and the projections that read them."""

import json
import shutil
import tracemalloc
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.toy_data import ENCODER_OF, machine_pairs

from kakehashi import Aligner, bundle
from kakehashi.bundle.layout import record_hash
from kakehashi.errors import BundleError, BundleTamperedError, DataError
from kakehashi.projection import Projection
from kakehashi.projection.exact import GRID
from kakehashi.projection.head import AffineHead
from kakehashi.projection.ngrams import CharacterNgrams

repeatable = settings(derandomize=True, deadline=None, max_examples=60)
any_text = st.text(st.characters(exclude_categories=()), max_size=60)
MASK = 2**64 - 1


def naive(text: str, dimension: int) -> np.ndarray:
    """Count the signed buckets of a text one n-gram at a time, in Python's own integers."""
    folded = unicodedata.normalize("NFKC", text[:4000]).lower()
    padded = " " + " ".join(folded.split()) + " "
    counts = np.zeros(dimension)
    for length in (2, 3):
        for start in range(len(padded) - length + 1):
            first, *rest = padded[start : start + length]
            code = ord(first) * 0x9E3779B97F4A7C15 & MASK
            for character in rest:
                code = (code ^ code >> 29) * 0xFF51AFD7ED558CCD & MASK
                code = (code + ord(character) * 0x94D049BB133111EB) & MASK
            code ^= length
            code ^= code >> 31
            code = code * 0xFF51AFD7ED558CCD & MASK
            code ^= code >> 33
            counts[code % dimension] += 1 if code >> 63 else -1
    return counts


ODD = [
    "",
    " ",
    "a",
    "\0",
    "\ud800",
    "a\udfffb",
    "🙂",
    "👩‍👩‍👧",
    "ﷺ",
    "İ",
    "１２３",
    "\u3000\n",
    "\u0301",
]


@pytest.mark.parametrize("text", [*ODD, "a" * 100_000, "語" * 100_000, "\ud800" * 5000])
def test_any_text_gives_a_finite_row_of_length_one(text):
    [row] = CharacterNgrams(128)([text])
    assert row.dtype == np.float32
    # The number of n-grams is odd, so that their signs never cancel.
    assert np.linalg.norm(row) == pytest.approx(1, rel=1e-5)


@given(texts=st.lists(any_text, min_size=1, max_size=6), dimension=st.sampled_from([1, 7, 512]))
@example(texts=ODD, dimension=64)
@repeatable
def test_rows_are_those_of_a_naive_loop_whatever_stands_beside_them(texts, dimension):
    ngrams = CharacterNgrams(dimension)
    rows = ngrams(texts)
    for row, text in zip(rows, texts, strict=True):
        assert np.array_equal(ngrams([text])[0], row)
        counts = naive(text, dimension)
        np.testing.assert_allclose(row, counts / np.linalg.norm(counts), atol=1e-6)


@given(text=any_text, others=st.lists(any_text, max_size=5), seed=st.integers(0, 99))
@repeatable
def test_what_is_read_of_a_row_does_not_depend_on_the_batch(text, others, seed):
    ngrams, rng = CharacterNgrams(96), np.random.default_rng(seed)
    x = rng.standard_normal((len(others) + 1, 11)).astype(np.float32)
    whole = ngrams.beside(x, [*others, text])
    assert np.array_equal(ngrams.beside(x[-1:], [text]), whole[-1:])
    assert whole.shape == (len(x), 11 + 96)
    np.testing.assert_allclose(np.linalg.norm(whole[:, :11], axis=1), 1, atol=1e-6)


@given(text=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
@repeatable
def test_width_case_and_white_space_do_not_matter(text):
    full_width = "".join(chr(ord(c) - 33 + 0xFF01) for c in text)
    rows = CharacterNgrams(64)([text, full_width, text.swapcase(), f"\u3000{text}\t\n"])
    assert (rows == rows[0]).all()
    spaced = CharacterNgrams(64)([f"{text} {text}", f" {text} \u00a0\n {full_width} "])
    assert np.array_equal(spaced[0], spaced[1])


def test_half_width_and_ligatures_are_folded_and_words_are_not_run_together():
    ngrams = CharacterNgrams(256)
    rows = ngrams(["ﾎﾟﾝﾌﾟ ﬁt №5", "ポンプ fit No5"])
    assert np.array_equal(rows[0], rows[1])
    rows = ngrams(["oil pump", "oilpump"])
    assert not np.array_equal(rows[0], rows[1])


GOLDEN = [  # text, dimension, and each bucket that is not empty with its sign
    ("a", 512, [-9, -55, -511]),
    ("圧力 5V", 1024, [-67, 127, 350, 391, 392, 481, 506, 727, -743, -972, -998]),
    ("🙂", 64, [19, 37, -51]),
]


@pytest.mark.parametrize(("text", "dimension", "expected"), GOLDEN)
def test_the_hash_never_changes(text, dimension, expected):
    """A saved aligner holds one weight a bucket: another hash would make noise of all of them."""
    [row] = CharacterNgrams(dimension)([text])
    signs = np.sign(row).astype(int)
    assert [i * signs[i] for i in row.nonzero()[0]] == expected


def test_only_the_first_4000_characters_are_read():
    ngrams, head = CharacterNgrams(64), "pump " * 800
    rows = ngrams([head, head + "valve", head[:-5] + "valve"])
    assert np.array_equal(rows[0], rows[1])
    assert not np.array_equal(rows[0], rows[2])


def test_texts_that_share_identifiers_are_nearer_than_those_that_do_not():
    ngrams = CharacterNgrams()
    query = ngrams(["74HC595 の電圧は 3.3V です"])[0]
    same, other = ngrams(["Supply the 74HC595 with 3.3V.", "Supply the LM358N with 12 mA."])
    assert query @ same > query @ other + 0.1


def test_a_row_of_no_count_stays_zero_beside_its_vector(monkeypatch):
    monkeypatch.setattr("kakehashi.projection.ngrams._hashes", lambda text: np.empty(0, np.uint64))
    row = CharacterNgrams(8).beside(np.ones((1, 2), np.float32), ["a"])[0]
    assert np.array_equal(row[2:], np.zeros(8))
    assert np.linalg.norm(row) == pytest.approx(1)


# -- projections and aligners that read them --------------------------------------------------

TEXTS = ["drain the pump 3", "部品の値 R12", "", "🙂", "x" * 500, "Drain the tank.", "\0"]


def random_head(rng, d_in, d_out):
    return AffineHead.of(rng.standard_normal((d_in, d_out)), rng.standard_normal(d_out))


@pytest.mark.parametrize(("d_in", "d_out"), [(24, 10), (384, 384), (512, 384)])
def test_a_row_has_the_same_bits_alone_and_in_any_batch(d_in, d_out):
    rng = np.random.default_rng(0)
    head = random_head(rng, d_in + 128, d_out)
    projection = Projection(source=head, ngrams={"source": CharacterNgrams(128)})
    x = rng.standard_normal((70, d_in)).astype(np.float32)
    texts = [TEXTS[i % len(TEXTS)] + str(i) for i in range(70)]

    def project(rows):
        given = [texts[i] for i in rows]
        return projection(x[rows], modality="source", role="query", texts=given)

    alone = np.concatenate([project([i]) for i in range(70)])
    for size in (2, 3, 7, 33, 70):
        assert np.array_equal(project(range(size)), alone[:size])
    order = rng.permutation(70)
    assert np.array_equal(project(order), alone[order])


@pytest.fixture
def reader(ngram_aligner):
    return ngram_aligner


def test_the_fixture_is_what_it_is_called(ngram_aligner):
    assert ngram_aligner.reads("source")
    assert ngram_aligner.reads("target")
    assert type(ngram_aligner.projection.source) is AffineHead


@pytest.mark.parametrize("modality", ["source", "target"])
def test_embedding_is_encoding_and_projecting_with_the_texts(reader, modality):
    texts = [text for text in TEXTS if text]
    vectors = ENCODER_OF[modality](texts)
    found = reader.embed_documents(texts, modality=modality)
    expected = reader.project(vectors, texts=texts, modality=modality, role="document")
    assert np.array_equal(found, expected)
    one = reader.project(vectors[1], texts=texts[1], modality=modality, role="document")
    assert np.array_equal(one, expected[1])
    other = reader.project(vectors, texts=texts[::-1], modality=modality, role="document")
    assert np.abs(other - expected).max() > 0.01  # the texts take part
    assert found.shape == (len(texts), 20)


def test_saving_and_loading_keeps_every_bit(reader, tmp_path):
    pairs = machine_pairs()
    again = Aligner.load(reader.save(tmp_path / "again"))
    assert again.fingerprint == reader.fingerprint
    assert again.projection.ngrams == reader.projection.ngrams
    x, texts = ENCODER_OF["source"](pairs.source_texts), pairs.source_texts
    assert np.array_equal(again.project(x, texts=texts), reader.project(x, texts=texts))
    record = json.loads((tmp_path / "again" / "aligner.json").read_text())
    assert record["format"] == bundle.FORMAT == 1


def test_missing_texts_are_asked_for_with_the_next_step(reader):
    x = np.ones((2, 32), np.float32)
    with pytest.raises(DataError, match=r"source texts; pass texts= .*embed.*ngrams=False"):
        reader.project(x)
    with pytest.raises(DataError, match="target texts"):
        reader.project(np.ones((2, 24)), modality="target", role="document")
    with pytest.raises(DataError, match="3 texts for 2 source vectors; give one text a vector"):
        reader.project(x, texts=["a", "b", "c"])


@pytest.mark.parametrize("texts", ["ab", {"a", "b"}, {"a": 1, "b": 2}, iter(["a", "b"]), 2])
def test_texts_that_stand_in_no_order_are_refused(reader, texts):
    """A set of as many texts as there are vectors gave vectors, of other texts."""
    kind = type(texts).__name__
    with pytest.raises(DataError, match=f"texts of the source.* got {kind}"):
        reader.project(np.ones((2, 32), np.float32), texts=texts)
    with pytest.raises(DataError, match=f"texts: expected a list of strings.* got {kind}"):
        reader.embed_queries(texts, modality="source")


def column(texts):
    pandas = pytest.importorskip("pandas")
    return pandas.Series(texts, index=range(len(texts), 0, -1))


@pytest.mark.parametrize("kind", [tuple, np.array, lambda t: np.array(t, object), column])
def test_texts_may_be_a_tuple_an_array_or_a_column(kind, reader):
    texts = [text for text in TEXTS if text.strip("\0")]  # which NumPy would cut off
    expected = reader.embed_queries(texts, modality="source")
    same, vectors = kind(texts), ENCODER_OF["source"](texts)
    assert np.array_equal(reader.embed_queries(same, modality="source"), expected)
    assert np.array_equal(reader.project(vectors, texts=same), expected)


@pytest.mark.slow
def test_many_stored_vectors_are_projected_a_part_at_a_time():
    """Beside 1,024 n-grams a row of 8 numbers takes 4 KB; of all rows at once that would be 25 MB,
    and the sums in float64 as much again."""
    rng = np.random.default_rng(0)
    head = random_head(rng, 8 + 1024, 4)
    projection = Projection(source=head, ngrams={"source": CharacterNgrams(1024)})
    n = 6 * 1024 + 5
    x, texts = rng.standard_normal((n, 8)).astype(np.float32), [f"part {i}" for i in range(n)]

    def project(rows):
        given = texts[rows]
        return projection(x[rows], modality="source", role="query", texts=given)

    tracemalloc.start()
    whole = project(slice(None))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6
    for rows in (slice(0, 3), slice(1020, 1030), slice(n - 4, n)):
        assert np.array_equal(project(rows), whole[rows])
    assert project(slice(0, 0)).shape == (0, 4)


@pytest.mark.parametrize("text", [None, 5, b"ab", 1.5, ["a"]])
def test_what_is_no_text_is_named(reader, text):
    with pytest.raises(DataError, match="text 1 of the source is not a string"):
        reader.project(np.ones((2, 32)), texts=["a", text])


def test_an_aligner_of_vectors_takes_no_notice_of_texts(aligner, vector_pairs):
    x = vector_pairs.source_vectors[:3]
    assert not aligner.reads("source")
    assert np.array_equal(aligner.project(x, texts=["a"]), aligner.project(x))


@pytest.fixture
def folder(reader, tmp_path):
    return shutil.copytree(reader.path, tmp_path / "copy")


def test_no_flipped_byte_goes_unnoticed(folder, reader):
    rng = np.random.default_rng(0)
    for name in ("aligner.json", "weights.safetensors"):
        path, sound = folder / name, (folder / name).read_bytes()
        for position in rng.integers(0, len(sound), 30):
            damaged = bytearray(sound)
            damaged[position] ^= 1 << int(rng.integers(8))
            path.write_bytes(bytes(damaged))
            try:
                assert Aligner.load(folder).fingerprint == reader.fingerprint
            except BundleError:
                continue
        path.write_bytes(sound)


def test_other_buckets_are_another_fingerprint(ngram_aligner):
    from dataclasses import replace

    known = {ngram_aligner.fingerprint}
    for ngrams in (
        {"source": CharacterNgrams(64), "target": CharacterNgrams(32)},
        {"source": CharacterNgrams(32), "target": CharacterNgrams(64)},
        {"source": CharacterNgrams(64)},
        {},
    ):
        projection = replace(ngram_aligner.projection, ngrams=ngrams)
        known.add(replace(ngram_aligner, projection=projection).fingerprint)
    assert len(known) == 5


def ngrams_of(record):
    return record["projection"]["ngrams"]


@pytest.mark.parametrize(
    "change",
    [
        lambda r: ngrams_of(r)["source"].update(dimension=63),
        lambda r: ngrams_of(r)["source"].update(dimension=96),
        lambda r: ngrams_of(r)["source"].update(dimension=10**12),
        lambda r: ngrams_of(r)["source"].update(dimension=0),
        lambda r: ngrams_of(r)["source"].update(dimension=-64),
        lambda r: ngrams_of(r)["source"].update(dimension=64.0),
        lambda r: ngrams_of(r)["source"].update(dimension=True),
        lambda r: ngrams_of(r)["source"].update(dimension="64"),
        lambda r: ngrams_of(r)["source"].update(lengths=[2, 3]),
        lambda r: ngrams_of(r).pop("target"),
        lambda r: ngrams_of(r).update(source=None),
        lambda r: r["projection"].pop("ngrams"),
        lambda r: r["projection"].update(ngrams=None),
        lambda r: r["projection"].update(ngrams=["source"]),
    ],
)
def test_weights_that_contradict_the_record_are_refused(folder, change):
    record = json.loads((folder / "aligner.json").read_text())
    change(record)
    record["sha256"] = record_hash(record)
    (folder / "aligner.json").write_text(json.dumps(record))
    with pytest.raises(BundleTamperedError):
        Aligner.load(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.update({"source.bias": t["source.bias"][1:]}),
        lambda t: t.update({"source.weight": t["source.weight"][:, 0]}),
        lambda t: t.update({"source.up": t["source.weight"]}),
        lambda t: t.pop("source.bias"),
        lambda t: t.pop("source.weight"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(ngram_aligner, change):
    """Also where every hash is right: what is loaded must be able to serve."""
    record, tensors = ngram_aligner.projection.state()
    Projection.from_state(record, tensors)
    change(tensors)
    with pytest.raises((ValueError, KeyError)):
        Projection.from_state(record, tensors)


def test_ngrams_that_no_head_takes_are_refused():
    record = {"hubness_strength": None, "ngrams": {"source": {"dimension": 8}}}
    with pytest.raises(ValueError, match="read, but by no head"):
        Projection.from_state(record, {})
    assert GRID == 2**22  # what grid_weight rounds to is part of the format as well
