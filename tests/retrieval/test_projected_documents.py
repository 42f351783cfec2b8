"""Projected documents are kept in bounded memory, by text, vector and map."""

import threading

import numpy as np

from kakehashi.retrieval.projected_documents import ProjectedDocuments, keys_of


def rows(n, d=8):
    return np.random.default_rng(0).standard_normal((n, d)).astype(np.float32)


def test_what_was_kept_is_found_and_is_a_copy():
    cache, vectors = ProjectedDocuments(), rows(3)
    keys = keys_of("map", ["a", "b", "c"], list(vectors))
    cache.put(dict(zip(keys, vectors, strict=True)))
    first = vectors[0].copy()
    vectors[:] = 0
    found = cache.get([*keys, b"unknown"])
    assert found.keys() == {*keys}
    np.testing.assert_array_equal(found[keys[0]], first)


def test_over_the_limit_the_longest_unused_goes():
    each = 8 * 4 + 200
    cache = ProjectedDocuments(limit=3 * each)
    for key in (b"a", b"b", b"c"):
        cache.put({key: rows(1)[0]})
    cache.get([b"a"])
    cache.put({b"d": rows(1)[0]})
    assert cache.get([b"a", b"b", b"c", b"d"]).keys() == {b"a", b"c", b"d"}
    assert (len(cache), cache.n_bytes) == (3, 3 * each)
    cache.put({b"large": rows(1, 1000)[0]})
    assert cache.n_bytes <= cache.limit
    cache.clear()
    assert (len(cache), cache.n_bytes) == (0, 0)


def test_another_map_text_or_vector_is_another_document():
    one, other = rows(2)
    asked = [("map", "a", one), ("other", "a", one), ("map", "b", one), ("map", "a", other)]
    keys = [keys_of(name, [text], [vector])[0] for name, text, vector in asked]
    assert len(set(keys)) == 4
    assert keys_of("map", ["a"], [one.copy()]) == keys[:1]
    assert keys_of("map", ["a", "\udce3"], [None, None])[0] not in keys


def test_threads_share_it():
    cache = ProjectedDocuments(limit=50 * (8 * 4 + 200))
    vectors = {str(row).encode(): vector for row, vector in enumerate(rows(200))}

    def work(start):
        for key in list(vectors)[start::4]:
            cache.put({key: vectors[key]})
            for found, vector in cache.get(list(vectors)[:60]).items():
                np.testing.assert_array_equal(vector, vectors[found])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(cache), cache.n_bytes) == (50, cache.limit)
