"""The verdict of evaluate(): given where the pairs can judge, withheld with a reason where not."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from support.command_line import BOTH_ENCODERS
from support.toy_data import machine_pairs
from typer.testing import CliRunner

from kakehashi import Pairs
from kakehashi.cli.app import app
from kakehashi.evaluation import evaluate
from kakehashi.evaluation.guards import warnings_about
from kakehashi.evaluation.judgement import judge
from kakehashi.metrics.relevance import Relevance


def other_pairs() -> Pairs:
    """Instructions of the same kind that no fit has seen."""
    parts, things = ("paint", "move", "store", "list", "cool"), ("crane", "motor", "fan", "belt")
    texts = [f"{p} the {t} of {n} tons" for p in parts for t in things for n in (5, 70, 900)]
    return Pairs(texts, [f"{t.upper()}." for t in texts])


def flipped(pairs: Pairs) -> Pairs:
    return Pairs(pairs.target_texts, pairs.source_texts)


def test_its_own_pairs_give_no_verdict_and_a_part_of_them_is_counted(text_aligner):
    own = evaluate(text_aligner, machine_pairs()).judgement
    assert (own.verdict, own.reason) == ("no verdict", "the pairs cannot judge")
    assert own.warnings[0].startswith("these are the very pairs that the aligner was fitted on")
    assert own.next_step == "evaluate on pairs that the aligner was not fitted on"
    part = machine_pairs().select(range(0, 80, 2))
    assert warnings_about(text_aligner, part)[0].text == "40 of 40 pairs were fitted"
    few = Pairs(
        [*other_pairs().source_texts, part.source_texts[0]],
        [*other_pairs().target_texts, part.target_texts[0]],
    )
    [fitted] = [w for w in warnings_about(text_aligner, few) if "fitted" in w.text]
    assert (fitted.text, fitted.spoils) == ("1 of 61 pairs were fitted", False)
    assert not any("fitted" in w.text for w in warnings_about(text_aligner, other_pairs()))


def test_stored_vectors_of_the_training_are_recognised(aligner, vector_pairs):
    judgement = evaluate(aligner, vector_pairs).judgement
    assert judgement.verdict == "no verdict"
    new = vector_pairs.select(range(0, 400, 2))
    assert evaluate(aligner, new).judgement.verdict == "use"


def test_a_report_that_says_otherwise_and_known_documents_are_named(aligner, vector_pairs):
    against = replace(aligner, report=replace(aligner.report, verdict="do not use", reason="few"))
    new = vector_pairs.select(range(0, 400, 2))
    judgement = evaluate(against, new, trained_on=vector_pairs).judgement
    assert "200 of 200 answers are documents of the pairs that were fitted" in judgement.warnings
    assert "the report of the fit says otherwise: do not use, few" in judgement.warnings
    assert not any("otherwise" in w for w in evaluate(aligner, new).judgement.warnings)


def test_swapped_columns_give_no_verdict_and_the_right_options(text_aligner):
    pairs = flipped(other_pairs())
    pairs.columns = ("en", "ja")
    judgement = evaluate(text_aligner, pairs).judgement
    assert judgement.verdict == "no verdict"
    assert judgement.warnings[0].startswith(
        "the columns look swapped: the router reads 60 of 60 sources as targets, and"
    )
    assert judgement.next_step == "run it again with --source ja --target en"
    same = Pairs(pairs.source_texts, pairs.source_texts)
    [warned, *_] = warnings_about(text_aligner, same)
    assert warned.text.startswith("the column 'source' does not read like the source")
    assert warned.next_step == "name the right column with --source"


def test_near_copies_are_counted_within_the_pairs_and_against_the_training(text_aligner):
    pairs = other_pairs()
    [copies] = warnings_about(text_aligner, pairs)
    assert copies.text.startswith("near copies among the pairs: 60 of 60 (such as 'PAINT THE")
    assert copies.next_step.endswith("with --group")
    grouped = Pairs(pairs.source_texts, pairs.target_texts, groups=[i // 3 for i in range(60)])
    assert not warnings_about(text_aligner, grouped)
    trained = Pairs(*([f"{t} again" for t in texts] for texts in (pairs.source_texts,) * 2))
    assert not warnings_about(text_aligner, grouped, machine_pairs())
    trained = Pairs([f"{t}!" for t in pairs.source_texts], [f"{t}!" for t in pairs.target_texts])
    [fitted] = warnings_about(text_aligner, grouped, trained)
    assert fitted.text.startswith("near copies of these pairs were fitted: 60 of 60")


@pytest.fixture
def judged(text_aligner):
    """Judge ranks of sixty unlike questions."""
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice([*"abcdefghijklmnop"], 40)) for _ in range(60)]
    pairs = Pairs(texts, [text.upper() for text in texts])
    quiet = replace(text_aligner, router=None)

    def of(n=60, **ranks):
        part = pairs.select(range(n))
        by_name = {name: np.resize(rank, n).astype(np.intp) for name, rank in ranks.items()}
        return judge(quiet, part, by_name, relevance=Relevance.of(part), clusters=None)

    return of


def test_the_next_step_follows_from_the_rival_that_leads(judged):
    use = judged(aligned=1, base=[1, 5], bm25=9, target_encoder=[1, 3])
    assert (use.verdict, use.warnings) == ("use", ())
    assert use.next_step.startswith("serve it; to see what it finds: kakehashi search ")
    assert "held-out" not in use.reason
    words = judged(aligned=[1, 4], base=9, bm25=1)
    assert words.verdict == "do not use"
    assert words.warnings == ("BM25 finds more than the aligner (MRR@10 1.000 against 0.625)",)
    assert words.next_step.startswith("search by words, too")
    own = judged(aligned=[1, 4], base=9, bm25=9, target_encoder=1)
    assert own.next_step == "ask the index with its own encoder, without the aligner"
    base = judged(aligned=[1, 4], base=1)
    assert base.next_step == "ask the index with the source encoder, without the aligner"
    level = judged(aligned=[1, 2], base=[2, 1])
    assert (level.verdict, level.next_step[:15]) == ("do not use", "give more pairs")
    few = judged(n=5, aligned=1, base=9)
    assert few.next_step == "collect more questions with their answers: at least 50"
    assert str(words).splitlines()[-2:] == [
        f"verdict: do not use ({words.reason})",
        f"next: {words.next_step}",
    ]


def test_the_command_takes_the_columns_of_the_fit_and_writes_every_question(text_aligner, tmp_path):
    data = replace(text_aligner.data, columns=("asked", "said"))
    folder = replace(text_aligner, data=data, path=None).save(tmp_path / "aligner")
    pairs, path = other_pairs(), tmp_path / "pairs.jsonl"
    rows = zip(pairs.source_texts, pairs.target_texts, strict=True)
    path.write_text(
        "".join(
            json.dumps({"asked": s, "said": t, "kind": str(i // 3)}) + "\n"
            for i, (s, t) in enumerate(rows)
        )
    )
    out = tmp_path / "questions.jsonl"
    command = ["evaluate", str(folder), str(path), *BOTH_ENCODERS, "--group", "kind"]
    done = CliRunner().invoke(app, [*command, "--questions", str(out), "--json"])
    assert done.exception is None, done.output
    found = json.loads(done.stdout)
    assert {"verdict", "reason", "next_step", "warnings", "bm25", "aligned"} <= set(found)
    assert found["warnings"][0].startswith("BM25 finds more than the aligner (MRR@10 1.000")
    assert found["next_step"] == "ask the index with its own encoder, without the aligner"
    questions = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(questions) == found["n_queries"] == 60
    assert questions[4] == {
        "row": 4,
        "group": "1",
        "source": pairs.source_texts[4],
        "target": pairs.target_texts[4],
        "found": questions[4]["found"],
        "ranks": questions[4]["ranks"],
    }
    for each in questions:
        assert (each["found"] == each["target"]) == (each["ranks"]["aligned"] == 1)
    first = np.mean([each["ranks"]["aligned"] == 1 for each in questions])
    assert first == pytest.approx(found["aligned"]["recall@1"])
    (tmp_path / "index.txt").write_text("A page.\n" + "\n".join(pairs.target_texts))
    whole = CliRunner().invoke(app, [*command, "--index", str(tmp_path / "index.txt"), "--json"])
    assert json.loads(whole.stdout)["pool"] == found["pool"] + 1 == 61
    said = CliRunner().invoke(app, [*command, "--source", "said", "--target", "asked"]).stdout
    assert "warning: the columns look swapped" in said
    assert said.splitlines()[-2:] == [
        "verdict: no verdict (the pairs cannot judge)",
        "next: run it again with --source asked --target said",
    ]
