"""A fit without pairs: what it learns from, how it serves, and what says that nothing judged it."""

import json

import numpy as np
import pytest
from support.command_line import BOTH_ENCODERS
from support.toy_data import ENCODERS, hashed_letters, machine_pairs, reversed_letters
from typer.testing import CliRunner

import kakehashi
from kakehashi import Pairs, fit
from kakehashi.cli import app
from kakehashi.data.index import IndexDocuments
from kakehashi.errors import DataError, FitError, NotAdvisedWarning
from kakehashi.evaluation import evaluate
from kakehashi.pairing import pseudo_pairs
from kakehashi.training.unjudged import MIN_QUESTIONS
from kakehashi.vectors import unit_rows

OTHERS = [
    f"{verb.upper()} THE {part.upper()} {n}."
    for verb in ("grease", "lift", "paint")
    for part in ("bearing", "lid", "frame", "wheel")
    for n in range(5)
]


@pytest.fixture(scope="module")
def index():
    texts = (*machine_pairs().target_texts, *OTHERS)
    return IndexDocuments(texts, reversed_letters(list(texts)), name="machines")


@pytest.fixture(scope="module")
def unjudged(index):
    return fit(list(machine_pairs().source_texts), **ENCODERS, learn_from=index)


def test_questions_find_their_documents_in_an_index_that_stays_as_it_is(unjudged, index):
    assert unjudged.mode == "keep"
    assert unjudged.rescoring.n_hits == 20
    pairs = machine_pairs()
    found = evaluate(unjudged, pairs, index=index)
    assert found.aligned.pool == 140
    assert found.aligned.means["mrr@10"] > 0.5
    assert found.base is None  # 32 and 24 dimensions
    assert found.target_encoder is not None
    assert found.judgement.verdict in ("use", "do not use")
    assert not [w for w in found.judgement.warnings if "says otherwise" in w]


def test_the_report_says_that_nothing_judged_it(unjudged, tmp_path):
    report = unjudged.report
    assert (report.verdict, report.judged, report.candidates) == ("not judged", False, {})
    assert "collect 30 questions" in report.reason
    assert str(report).startswith("not judged: there are no pairs")
    assert "learned from machines: 140 rows, which count as 1,000 pairs" in str(report)
    assert any("80 questions tell the middle of the source language" in n for n in report.notes)
    assert not unjudged.advised
    unjudged.save(tmp_path / "a")
    loaded = kakehashi.Aligner.load(tmp_path / "a")
    assert loaded.report == report
    card = (tmp_path / "a" / "README.md").read_text()
    assert "**Verdict: not judged.**" in card
    assert "| map |" not in card
    shown = CliRunner().invoke(app, ["info", str(tmp_path / "a")]).stdout
    assert "verdict: not judged" in shown
    json.loads(CliRunner().invoke(app, ["info", str(tmp_path / "a"), "--json"]).stdout)


def test_an_integration_warns_that_nothing_judged_it(unjudged):
    from kakehashi.integrations.langchain import AlignedEmbeddings

    with pytest.warns(NotAdvisedWarning, match="report says: not judged .* collect 30 questions"):
        embeddings = AlignedEmbeddings(aligner=unjudged)
    assert len(embeddings.embed_query("reset the pump 1")) == 24


def test_a_query_is_centred_by_the_questions(index):
    """Queries that all have the same offset find what they would find without it."""
    questions = list(machine_pairs().source_texts)

    def shifted(texts):
        capital = np.array([[text.isupper()] for text in texts])
        return unit_rows(np.where(capital, hashed_letters(texts), hashed_letters(texts) + 0.2))

    options = {"source_encoder": shifted, "target_encoder": reversed_letters, "learn_from": index}
    recall = {}
    for given in (questions, None):
        made = fit(given, **options)
        found = evaluate(made, machine_pairs(), index=index).aligned
        recall[given is None] = found.means["mrr@10"]
    assert recall[False] > recall[True] + 0.01


def test_it_is_a_first_aligner_for_pseudo_pairs_and_for_a_fit_of_its_own(unjudged, index):
    pairs = machine_pairs()
    more = pseudo_pairs(unjudged, list(pairs.source_texts), list(index.texts))
    right = set(zip(pairs.source_texts, pairs.target_texts, strict=True))
    found = list(zip(more.source_texts, more.target_texts, strict=True))
    assert np.mean([pair in right for pair in found]) > 0.5


def test_starter_pairs_alone_are_enough():
    pairs = machine_pairs()
    verbs, parts = ("grease", "lift", "paint", "clean", "turn"), ("pump", "valve", "tank", "seal")
    texts = [f"{verb} the {part} {n}" for verb in verbs for part in parts for n in range(9)]
    starter = Pairs(texts, [f"{text.upper()}." for text in texts], licence="CC0")
    made = fit(None, **ENCODERS, learn_from=starter, mode="shared")
    assert (made.mode, made.rescoring) == ("shared", None)
    assert made.data.licence == "CC0"
    assert made.data.n_pairs == 0
    assert made.router is not None
    assert evaluate(made, starter).judgement.verdict == "no verdict"  # these were fitted
    assert evaluate(made, pairs).aligned.means["mrr@10"] > 0.2


def test_between_one_encoder_and_itself_nothing_is_read(index):
    def once(texts):
        return reversed_letters(texts)

    asked = []

    def spying(texts):
        asked.extend(texts)
        return once(texts)

    texts = index.texts
    made = fit(None, source_encoder=spying, target_encoder=spying, learn_from=index)
    assert len({*asked} & {*texts}) <= 5  # those that tell whether the vectors are its own
    assert made.report.notes[0].startswith("0 questions")
    assert evaluate(made, machine_pairs(), index=index).base is not None


@pytest.mark.parametrize(
    ("given", "options", "kind", "said"),
    [
        (None, {"learn_from": None}, DataError, "nothing to learn from; pass learn_from="),
        (None, {"learn_from": []}, DataError, "nothing to learn from"),
        (["a question"], {}, FitError, f"1 different questions .* at least {MIN_QUESTIONS}"),
        (None, {"ngrams": True}, DataError, "ngrams=True needs pairs"),
        (None, {"learned": True}, DataError, "learned=True needs pairs"),
        (
            None,
            {"test": machine_pairs()},
            DataError,
            "validation= and test= are for a fit on pairs",
        ),
        (["a", ""] * 20, {}, DataError, "questions: '' is empty text"),
        (["a"] * 30, {"source_encoder": None}, DataError, "pass source_encoder="),
        (None, {"learn_from": ["a text", "another"]}, FitError, "2 rows are too few to learn from"),
    ],
)
def test_what_cannot_be_fitted_is_named(given, options, kind, said, index):
    with pytest.raises(kind, match=said):
        fit(given, **({**ENCODERS, "learn_from": index} | options))


@pytest.mark.slow
def test_the_command_fits_without_pairs(index, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "index.txt").write_text("\n".join(index.texts))
    (tmp_path / "log.txt").write_text("\n".join(machine_pairs().source_texts))

    def run(*arguments):
        return CliRunner().invoke(app, ["fit", *arguments, *BOTH_ENCODERS])

    given = ("--index", "index.txt", "--questions", "log.txt")
    cost = run("--out", "a", *given, "--dry-run", "--json")
    purposes = {row["purpose"]: row["texts"] for row in json.loads(cost.stdout)["alike"]}
    assert purposes["questions"] == 80
    assert purposes["index.txt: texts read"] == purposes["index.txt: all documents"] == 140
    done = run("--out", "a", *given)
    assert done.exit_code == 0, done.output
    assert "verdict: not judged" in done.stdout
    assert "kakehashi evaluate a OTHER_PAIRS" in done.stdout
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("source,target\na,b\n")
    assert isinstance(run(str(pairs), "--out", "b", *given).exception, DataError)
    assert "nothing to learn from" in str(run("--out", "b").exception)


@pytest.mark.slow
def test_japanese_questions_find_english_documents_without_a_pair(kicad, use, minilm, vector_cache):
    """USE reads a hundred and ten English texts, and nobody tells which question is whose."""
    encoders = {"source_encoder": use, "target_encoder": minilm, "cache": vector_cache}
    pairs = kicad.select(range(110))
    made = fit(list(pairs.source_texts), **encoders, learn_from=list(pairs.target_texts))
    found = evaluate(made, pairs, cache=vector_cache)
    assert found.aligned.means["recall@1"] > 0.5
    assert found.target_encoder.means["recall@1"] < 0.35
