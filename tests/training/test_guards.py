"""What a fit says about its data where scores would mislead; how training texts are recognised."""

import re
from dataclasses import replace

import numpy as np
import pytest
from support.toy_data import ENCODERS, machine_pairs

from kakehashi import Pairs, fit, read_pairs
from kakehashi.data.index import IndexDocuments
from kakehashi.encoders import as_encoder
from kakehashi.report import DataRecord
from kakehashi.training.assemble import notes_on
from kakehashi.training.fit_inputs import FitInputs, FitSettings
from kakehashi.training.guards import (
    copies_across_the_split,
    few_groups,
    swapped_columns,
    unread_script,
)
from kakehashi.training.near_copies import near_copies
from kakehashi.training.prepare import prepare
from kakehashi.training.seen_pairs import SAMPLE, sample_of, seen_in, texts_hash
from kakehashi.training.sources import as_sources
from kakehashi.training.split_plan import plan_split

WORDS = re.findall(r"\w+", (np.__doc__ or "") + (re.__doc__ or ""))


def sentences(n: int, *, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(WORDS), size=(n, 9))
    return [" ".join(WORDS[i] for i in row) for row in rows]


def kinds_of_trouble() -> Pairs:
    """Two hundred rows of forty kinds: five of a kind differ in a number and a name."""
    asked, done = sentences(40), sentences(40, seed=1)
    rooms = ("Oslo", "Lyon", "Kyoto", "Quito", "Bern")
    return Pairs(
        [f"{text} in room {i} of {room}" for text in asked for i, room in enumerate(rooms)],
        [f"{text}, says {room} on {i}." for text in done for i, room in enumerate(rooms)],
        groups=[f"kind {i // 5}" for i in range(200)],
    )


def test_rows_that_differ_in_a_name_and_a_number_are_near_copies():
    pairs = kinds_of_trouble()
    found = near_copies(pairs)
    assert (found.n, found.compared) == (200, 200)
    assert found.worth_a_note
    assert str(found).startswith("200 of 200 (such as '")
    one_of_each = pairs.select(range(0, 200, 5))
    assert not near_copies(one_of_each).n
    others = pairs.select(range(1, 100, 5))
    assert near_copies(one_of_each, others)[:2] == (20, 40)


def test_copies_on_one_side_alone_are_no_near_copies():
    pairs = kinds_of_trouble()
    assert not near_copies(Pairs(pairs.source_texts, sentences(200, seed=2))).n
    vectors = Pairs(source_vectors=np.ones((9, 2)), target_vectors=np.ones((9, 2)))
    assert near_copies(vectors) == (0, 0, ("", ""))


def test_near_copies_across_the_split_are_told_unless_groups_keep_kinds_whole():
    pairs = kinds_of_trouble()
    bare = Pairs(pairs.source_texts, pairs.target_texts)
    options = {"validation": None, "test": None, "seed": 0}
    [note] = copies_across_the_split(plan_split(bare, **options))
    assert note.startswith("near copies of held-out pairs were fitted: 40 of 40 (such as")
    assert not list(copies_across_the_split(plan_split(pairs, **options)))


@pytest.mark.slow
def test_fit_notes_that_a_test_set_looks_swapped_and_that_copies_were_fitted():
    pairs = machine_pairs()
    test = Pairs([f"NOW {t}" for t in pairs.target_texts], [f"now {s}" for s in pairs.source_texts])
    swapped, *others = fit(pairs, test=test, **ENCODERS, learned=False).report.notes
    assert swapped.startswith("the columns of the test set look swapped: the router reads 80 of 80")
    assert any(n.startswith("near copies of held-out pairs were fitted") for n in others)


@pytest.mark.parametrize("as_index", [True, False])
def test_documents_that_read_like_the_sources_tell_that_the_columns_are_swapped(
    text_aligner, as_index
):
    pairs = machine_pairs()
    pairs.columns = ("en", "ja")
    for texts, said in ((pairs.source_texts, True), (pairs.target_texts, False)):
        index = as_sources(IndexDocuments(texts) if as_index else texts)
        found = list(swapped_columns(text_aligner.router, FitInputs(pairs, learn_from=index)))
        assert len(found) == said
    assert not list(swapped_columns(text_aligner.router, FitInputs(pairs)))
    [note] = swapped_columns(
        text_aligner.router, FitInputs(pairs, learn_from=(IndexDocuments(pairs.source_texts),))
    )
    assert note == (
        "the columns of the pairs look swapped: 80 of 80 documents of the index read like the "
        "sources. Run it again with --source ja --target en"
    )


def test_a_hash_over_the_texts_alone_names_the_data():
    pairs = machine_pairs()
    other_order = pairs.select(range(79, -1, -1))
    encoded = pairs.with_vectors(np.ones((80, 3)), None)
    assert texts_hash([pairs]) == texts_hash([other_order]) == texts_hash([encoded])
    assert texts_hash([pairs.select(range(40)), pairs.select(range(40, 80))]) == texts_hash([pairs])
    assert texts_hash([pairs]) != texts_hash([pairs.select(range(79))])
    assert texts_hash([Pairs(pairs.source_texts, target_vectors=np.ones((80, 3)))]) == ""


@pytest.mark.parametrize("n", [100, 5000])
def test_pairs_of_a_training_are_recognised_by_its_sample(n):
    texts = sentences(n)
    whole = Pairs(texts, [text.upper() for text in texts])
    record = replace(DataRecord("", "", "", n), texts_sample=sample_of([whole]))
    assert len(record.texts_sample) == 16 * min(n, SAMPLE)
    assert seen_in(record, whole) == (min(n, SAMPLE), min(n, SAMPLE))
    half_new = Pairs([*texts[:50], *sentences(50, seed=3)], [text.upper() for text in texts[:100]])
    seen = seen_in(record, half_new)
    if n == 100:
        assert seen == (50, 100)
    assert seen.n <= seen.checked
    swapped = Pairs(whole.target_texts, whole.source_texts)
    assert seen_in(record, swapped).n == 0
    assert seen_in(DataRecord("", "", "", n), whole) == (0, 0)


def test_an_aligner_keeps_columns_and_hashes_when_it_is_saved(text_aligner, tmp_path):
    data = text_aligner.data
    assert data.columns == ("source", "target")
    assert data.texts_hash == texts_hash([machine_pairs()])
    assert seen_in(data, machine_pairs()) == (80, 80)
    (tmp_path / "pairs.csv").write_text("ja,en\n" + "".join(f"a{i},b{i}\n" for i in range(3)))
    assert read_pairs(tmp_path / "pairs.csv", source="ja", target="en").columns == ("ja", "en")
    with pytest.raises(ValueError, match="holds no hashes"):
        replace(data, texts_sample="no")


def of_groups(names, seed=0):
    x = np.random.default_rng(seed).standard_normal((len(names), 4))
    return Pairs(source_vectors=x, target_vectors=x + 0.1, groups=names)


def notes_of(*sets):
    return notes_on(prepare(FitInputs(*sets), None, None, FitSettings()))


@pytest.mark.parametrize(
    ("n_groups", "said"),
    [
        (1, "all questions stand in one group, so each counts by itself"),
        (5, "the questions stand in 5 groups: intervals count whole groups, so they are wide"),
        (6, "the questions stand in 6 groups, and whole groups count"),
        (20, None),
    ],
)
def test_a_fit_says_where_few_groups_judge(n_groups, said):
    test = of_groups([f"test {i % n_groups}" for i in range(40)])
    notes = notes_of(of_groups([str(i) for i in range(60)], 1), None, test)
    found = [note for note in notes if "questions stand in" in note]
    assert found == [few_groups(test)] if said else found == []
    assert said is None or found[0].startswith(said)


def test_a_fit_says_which_groups_of_a_set_were_fitted_before_it_asked():
    pairs, validation = of_groups([f"g{i % 30}" for i in range(60)]), of_groups(list("abcdefg"), 1)
    test = of_groups(["a", "b", "z", "g1"], 2)
    notes = [note for note in notes_of(pairs, validation, test) if "also stand in" in note]
    assert [note.split(":")[0] for note in notes] == [
        "1 of 4 groups of the test set also stand in the pairs",
        "2 of 4 groups of the test set also stand in the validation set",
    ]


def test_a_script_that_the_source_encoder_does_not_know_is_told_with_the_next_step(minilm, kicad):
    encoder = as_encoder(minilm)
    [note] = unread_script(encoder, kicad)
    assert re.match(r"the source encoder does not know 1\d% of the tokens of the sources", note)
    assert "`kakehashi encoders`" in note
    english = Pairs(kicad.target_texts, kicad.target_texts)
    assert list(unread_script(encoder, english)) == []
    assert list(unread_script(as_encoder(ENCODERS["source_encoder"]), kicad)) == []
    assert list(unread_script(None, kicad)) == []
