"""What the index finds without a map has to be beaten; what is not advised warns."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from langchain_core.embeddings import Embeddings
from support.inner_fit import inner_fit
from support.toy_data import hashed_letters, machine_pairs, reversed_letters

from kakehashi import Aligner, Pairs, fit
from kakehashi.cli.next_step import NextStep
from kakehashi.errors import CacheError, NotAdvisedWarning
from kakehashi.evaluation import evaluate
from kakehashi.integrations.chroma import AlignedEmbeddingFunction
from kakehashi.integrations.langchain import AlignedEmbeddings
from kakehashi.projection import Projection
from kakehashi.training.held_out_ranks import HeldOutRanks
from kakehashi.training.split_plan import plan_split
from kakehashi.training.verdict import decide

QUICK = {"mode": "keep", "ngrams": False, "learn_from": []}


def judge(chosen, base, bm25, *, is_identity, **rest):
    return decide(HeldOutRanks(chosen, base, bm25, **rest), is_identity=is_identity)


@pytest.mark.parametrize(
    ("alone", "advice", "said"),
    [
        ([1] * 40, "do not use", "asked with the questions as they are, finds more on 40"),
        ([3, 1] * 20, "do not use", "the questions as they are, is not shown to be beaten"),
        ([9] * 40, "use", "over the index's own encoder, asked with the questions"),
    ],
)
@pytest.mark.parametrize("base", [None, np.full(40, 9)])
def test_the_target_encoder_alone_has_to_be_beaten(base, alone, advice, said):
    ours = np.array([1, 3] * 20)
    verdict = judge(ours, base, None, target_encoder=np.array(alone), is_identity=False)
    assert verdict.advice == advice
    assert said in verdict.reason


@pytest.mark.parametrize(
    ("n", "is_identity", "why"),
    [
        (40, True, "no map beats the vectors as they are"),
        (40, False, "is not shown to help"),
        (9, False, "9 held-out queries are too few"),
    ],
)
def test_the_identity_that_ships_is_held_against_it_too(n, is_identity, why):
    base = np.full(n, 9)
    led = judge(base, base, None, target_encoder=base // 9, is_identity=is_identity)
    assert why in led.reason
    assert "as they are, finds more than the untouched vectors" in led.reason
    assert (led.advice, led.beats_base, led.target_leads) == ("do not use", False, True)
    level = judge(base, base, None, target_encoder=base, is_identity=is_identity)
    alone = judge(base, base, None, is_identity=is_identity)
    assert level == alone
    assert not level.target_leads


def weak(texts):
    """See little of a text."""
    return hashed_letters(texts)[:, :8] + 1e-3


class TwoWays(Embeddings):
    """An encoder that could read the source as well, and embeds queries in a way of their own."""

    model = "two ways"

    def embed_documents(self, texts):
        return reversed_letters(texts).tolist()

    def embed_query(self, text):
        return (reversed_letters([text])[0] + np.linspace(0, 0.4, 24)).tolist()


def asked_twice() -> Pairs:
    """Every document is asked for in two ways."""
    pairs = machine_pairs()
    sources = [*pairs.source_texts, *(f"please {text}" for text in pairs.source_texts)]
    return Pairs(sources, pairs.target_texts * 2, groups=[*range(80), *range(80)])


@pytest.fixture(scope="module")
def across() -> Aligner:
    """Fit from an encoder that sees little to one that could read the source as well."""
    return fit(asked_twice(), source_encoder=weak, target_encoder=TwoWays(), **QUICK)


def test_it_is_scored_on_the_queries_that_judge(across):
    """By hand: the same split, sources asked of the target encoder, documents counted once."""
    pairs = asked_twice()
    vectors = weak(pairs.source_texts), reversed_letters(pairs.target_texts)
    plan = plan_split(pairs.with_vectors(*vectors), validation=None, test=None, seed=0)
    held = plan.questions
    asked = np.array([TwoWays().embed_query(text) for text in held.source_texts])
    wanted = list(held.target_texts)
    documents = sorted(set(pairs.target_texts))
    assert len(documents) == 80
    stored = reversed_letters(documents).astype(np.float64)
    scores = asked @ stored.T / np.linalg.norm(stored, axis=1)
    own = scores[np.arange(len(held)), [documents.index(text) for text in wanted]]
    found = (scores >= own[:, None] - 1e-6).sum(axis=1)
    assert 0 < np.mean(found == 1) < 1
    assert across.report.target_encoder.means["recall@1"] == np.mean(found == 1)
    assert across.report.base is None


def test_a_map_that_it_beats_is_not_advised_and_warns_where_it_serves(across, tmp_path):
    report = across.report
    assert report.verdict == "do not use"
    assert "the index's own encoder" in report.reason
    assert "  target encoder " in str(report)
    across.save(tmp_path / "bridge")
    assert "| target encoder |" in (tmp_path / "bridge" / "README.md").read_text()
    loaded = Aligner.load(tmp_path / "bridge")
    assert loaded.report == report
    assert not loaded.advised
    with pytest.warns(NotAdvisedWarning, match="do not use") as caught:
        AlignedEmbeddings(aligner=loaded)
    assert caught[0].filename == __file__
    with pytest.warns(NotAdvisedWarning, match="do not use"):
        function = AlignedEmbeddingFunction(loaded)
    stored = AlignedEmbeddingFunction.build_from_config(function.get_config())
    with pytest.warns(NotAdvisedWarning, match="do not use"):
        assert stored.aligner.fingerprint == loaded.fingerprint


def test_what_is_advised_or_changes_nothing_serves_without_a_warning(aligner):
    identity = replace(
        aligner,
        projection=Projection(),
        report=replace(aligner.report, verdict="do not use"),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", NotAdvisedWarning)
        for each in (aligner, identity):
            assert each.advised
            AlignedEmbeddings(aligner=each)


def test_an_identity_that_it_beats_is_not_advised_and_the_command_line_says_who_should_ask(
    tmp_path, capsys
):
    """The source encoder sees a text through noise that no map can take away."""
    noise = np.random.default_rng(0).standard_normal((80, 24))
    pairs = machine_pairs()
    x = reversed_letters(pairs.source_texts) + 0.8 * noise
    given = pairs.with_vectors(x, reversed_letters(pairs.target_texts))
    aligner = inner_fit(given, target_encoder=reversed_letters, same_space=True, **QUICK)
    assert aligner.projection.is_identity
    assert aligner.report.target_leads
    loaded = Aligner.load(aligner.save(tmp_path / "bridge"))
    assert not loaded.advised
    with pytest.warns(NotAdvisedWarning, match="ask the index with it"):
        AlignedEmbeddings(aligner=loaded)
    NextStep(loaded, tmp_path / "bridge", {}).print()
    said = " ".join(capsys.readouterr().out.split())
    assert "ask the index with the target encoder" in said
    assert "keep your pipeline" not in said


def test_it_is_asked_in_one_space_too_unless_it_is_the_source_encoder_itself():
    """A weak student in its teacher's space: the base is the student, the teacher finds more."""
    noise = np.random.default_rng(0)

    def student(texts):
        strays = [noise.standard_normal(24) for _ in texts]
        return reversed_letters(texts) + 0.1 * np.array(strays)

    pairs = machine_pairs()
    vectors = pairs.with_vectors(student(pairs.source_texts), None)
    report = inner_fit(vectors, target_encoder=reversed_letters, same_space=True, **QUICK).report
    assert report.base is not None
    assert report.target_encoder.means["mrr@10"] > report.base.means["mrr@10"]
    assert report.verdict == "do not use"
    assert list(report.before) == ["untouched vectors", "target encoder"]
    alone = fit(pairs, source_encoder=hashed_letters, target_encoder=hashed_letters, **QUICK).report
    assert alone.target_encoder is None


def test_an_encoder_that_refuses_the_queries_costs_a_note_and_not_the_fit():
    pairs = machine_pairs()

    def english_only(texts):
        if any(text in pairs.source_texts for text in texts):
            raise RuntimeError("another\nlanguage")
        return reversed_letters(texts)

    report = fit(pairs, source_encoder=hashed_letters, target_encoder=english_only, **QUICK).report
    assert report.target_encoder is None
    [note] = [note for note in report.notes if "target encoder" in note]
    assert note.endswith("it raised RuntimeError: another language")
    assert report.reason.endswith("what the target encoder finds by itself is not known")


def unless(refused, raised=None):
    """Make an encoder that knows no word of some texts, or raises over them."""

    def encode(texts):
        if raised is not None and refused & set(texts):
            raise raised
        return reversed_letters(texts) * [[text not in refused] for text in texts]

    encode.__name__ = "bilingual"
    return encode


@pytest.mark.parametrize("raised", [None, ValueError("too long")])
def test_a_query_that_it_cannot_encode_ranks_last_and_the_others_count(raised):
    pairs = asked_twice()
    held = pairs.source_texts
    lost = {*held[:2]}
    whole, without = (
        fit(pairs, source_encoder=weak, target_encoder=unless(refused, raised), **QUICK)
        for refused in (set(), lost)
    )
    n_asked = without.report.target_encoder.n_queries  # some are asked as known ones, too
    assert n_asked == without.report.sizes["test"] >= len(held)
    assert without.report.verdict == whole.report.verdict == "do not use"
    difference = (
        whole.report.target_encoder.means["mrr@10"] - without.report.target_encoder.means["mrr@10"]
    )
    assert 0 < difference <= 4 / n_asked
    said = rf"the target encoder could not encode [2-4] of {n_asked} queries"
    assert any(re.match(said, note) for note in without.report.notes)
    assert "not known" not in without.report.reason
    stored = pairs.with_vectors(None, reversed_letters(pairs.target_texts))
    later = evaluate(whole.with_encoders(target_encoder=unless(lost, raised)), stored)
    assert later.note.startswith(f"the target encoder could not encode 2 of {len(pairs)} queries")
    assert (
        0
        < later.target_encoder.means["mrr@10"]
        < evaluate(whole, stored).target_encoder.means["mrr@10"]
    )


def test_a_query_that_it_encodes_alone_only_costs_nothing():
    pairs = asked_twice()

    def one_at_a_time(texts):
        if len(texts) > 1 and set(texts) & set(pairs.source_texts):
            raise MemoryError
        return reversed_letters(texts)

    reports = [
        fit(pairs, source_encoder=weak, target_encoder=encode, **QUICK).report
        for encode in (reversed_letters, one_at_a_time)
    ]
    assert reports[0].target_encoder == reports[1].target_encoder
    assert reports[0].notes == reports[1].notes


def test_a_cache_that_fails_is_no_fault_of_the_encoder():
    pairs = machine_pairs()
    target = unless(set(pairs.source_texts), CacheError("database is locked"))
    with pytest.raises(CacheError, match="locked"):
        fit(pairs, source_encoder=weak, target_encoder=target, **QUICK)


def test_evaluate_does_without_a_target_encoder_that_cannot_be_asked():
    pairs = asked_twice()
    stored = pairs.with_vectors(None, reversed_letters(pairs.target_texts))
    calls = []

    def refuses(texts):
        if set(texts) & set(pairs.source_texts):
            calls.append(texts)
            raise ValueError("language not supported")
        return reversed_letters(texts)

    fitted = fit(pairs, source_encoder=weak, target_encoder=reversed_letters, **QUICK)

    def gone(texts):
        raise OSError("the model has moved")

    for target, why in ((refuses, "language not supported"), (gone, "the model has moved")):
        found = evaluate(fitted.with_encoders(target_encoder=target), stored)
        assert found.aligned == evaluate(fitted, stored).aligned
        assert found.target_encoder is None
        assert found.note.startswith("what the target encoder finds by itself is not known")
        assert why in found.note
    assert 1 < len(calls) < 60  # it does not go on for ever where nothing is encoded


def test_evaluate_scores_it_where_it_judged_and_is_at_hand(across, tmp_path):
    pairs = asked_twice()
    asked = np.array([TwoWays().embed_query(text) for text in pairs.source_texts])
    documents = reversed_letters(pairs.target_texts[:80]).astype(np.float64)
    scores = asked @ documents.T / np.linalg.norm(documents, axis=1)
    own = scores[np.arange(160), np.arange(160) % 80]
    expected = np.mean((scores >= own[:, None] - 1e-6).sum(axis=1) == 1)
    found = evaluate(across, pairs)
    assert found.target_encoder.means["recall@1"] == pytest.approx(expected)
    bare = pairs.with_vectors(weak(pairs.source_texts), reversed_letters(pairs.target_texts))
    unbound = Aligner.load(across.save(tmp_path / "bridge"))
    assert evaluate(unbound, bare).target_encoder is None
