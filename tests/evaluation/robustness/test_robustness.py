"""The report on perturbed queries."""

import json

import numpy as np
import pytest
from support.command_line import run
from support.toy_data import hashed_letters, machine_pairs, reversed_letters

import kakehashi
from kakehashi import Pairs
from kakehashi.cli.tables import print_robustness
from kakehashi.encoders.protocol import checked_encode
from kakehashi.errors import DataError, EncoderError
from kakehashi.evaluation.robustness.measure import measure_robustness
from kakehashi.evaluation.robustness.perturbations import PERTURBATIONS
from kakehashi.metrics.ranking import per_query, ranks
from kakehashi.metrics.relevance import Relevance


@pytest.fixture(scope="module")
def english() -> Pairs:
    nouns, verbs = ("pump", "valve", "tank", "seal", "motor"), ("Reset", "Check", "Drain", "Fit")
    rows = [f"{v} the {n} number {i}" for v in verbs for n in nouns for i in range(4)]
    return Pairs(rows, [f"{row.upper()} NOW" for row in rows], ids=range(len(rows)))


@pytest.mark.slow
def test_the_report_is_that_of_the_ranks(kicad, use):
    rows = np.arange(len(kicad))
    train, test = kicad.select(rows[rows % 3 > 0]), kicad.select(rows[rows % 3 == 0])

    def target(texts):  # some of its dimensions, so that the fit is quick
        return use(texts)[:, ::16]

    def source(texts):  # beside them, which a map undoes
        return target(texts) + np.float32(0.1)

    fitted = kakehashi.fit(
        train, source_encoder=source, target_encoder=target, mode="keep", test=test
    )
    assert not fitted.projection.is_identity
    report = measure_robustness(fitted, test)
    assert report.aligned.means["mrr@10"] > report.base.means["mrr@10"] + 0.3
    relevance, documents = Relevance.of(test), list(test.target_texts)
    asking = {"modality": "source", "role": "query"}
    storing = {"modality": "target", "role": "document"}
    y = checked_encode(fitted.encoder("target"), documents, "document")
    stored = fitted.project(y, texts=documents, **storing)

    def scored(texts):
        x = checked_encode(fitted.encoder("source"), texts, "query")
        ours = fitted.project(x, texts=texts, **asking)
        both = {"base": (x, y), "aligned": (ours, stored)}
        metric = fitted.report.metric
        return {s: per_query(ranks(*v, metric, relevance=relevance)) for s, v in both.items()}

    clean = scored(list(test.source_texts))
    for system, of_clean in clean.items():
        assert getattr(report, system).means["mrr@10"] == of_clean["mrr@10"].mean()
    for name, result in report.perturbations.items():
        both = zip(test.source_texts, test.target_texts, strict=True)
        changed = [PERTURBATIONS[name](s, target=t) for s, t in both]
        n_changed = sum(a != b for a, b in zip(changed, test.source_texts, strict=True))
        assert (result.n_changed, result.share_changed) == (n_changed, n_changed / len(test))
        for system, of_system in scored(changed).items():
            perturbed = getattr(result, system)
            for metric, values in of_system.items():
                assert perturbed.scores.means[metric] == values.mean()
                change = float((values - clean[system][metric]).mean())
                assert perturbed.change[metric] == change
                low, high = perturbed.interval[metric]
                assert low <= change <= high
    assert report.perturbations["cut-both-ends"].aligned.change["mrr@10"] < 0
    assert report.perturbations["full-width"].base.change["mrr@10"] == 0  # this encoder folds it
    assert set(report.perturbations) | set(report.not_run) == set(PERTURBATIONS)
    assert json.loads(json.dumps(report.to_dict()))["pool"] == report.pool


def test_an_aligner_that_reads_texts_reads_the_perturbed_ones(english, ngram_aligner):
    names = ["typing-errors", "cut-both-ends"]
    report = measure_robustness(ngram_aligner, english, names=names)
    assert report.base is None
    relevance, documents = Relevance.of(english), list(english.target_texts)
    y = ngram_aligner.embed_documents(documents, modality="target")

    def found(texts, read):
        x = checked_encode(ngram_aligner.encoder("source"), texts, "query")
        asked = ngram_aligner.project(x, texts=read, modality="source", role="query")
        return per_query(ranks(asked, y, ngram_aligner.report.metric, relevance=relevance))

    clean = list(english.source_texts)
    assert report.aligned.means["mrr@10"] == found(clean, clean)["mrr@10"].mean()
    for name in names:
        changed = [PERTURBATIONS[name](text) for text in clean]
        expected = found(changed, changed)["mrr@10"].mean()
        assert report.perturbations[name].aligned.scores.means["mrr@10"] == expected
        assert found(changed, clean)["mrr@10"].mean() != expected


@pytest.mark.slow
def test_one_encoder_for_both_sides_has_a_base(english, capsys):
    fitted = kakehashi.fit(
        english, source_encoder=hashed_letters, target_encoder=hashed_letters, mode="keep"
    )
    report = measure_robustness(fitted, english, names=["upper-case", "typing-errors"], seed=3)
    assert list(report.perturbations) == ["upper-case", "typing-errors"]
    upper = report.perturbations["upper-case"]
    assert upper.share_changed == 1
    assert upper.base.change == dict.fromkeys(upper.base.change, 0)  # it folds case
    assert report.perturbations["typing-errors"].base.change["mrr@10"] < 0
    print_robustness(report)
    assert "100% changed" in capsys.readouterr().out


def test_a_perturbation_that_changes_nothing_says_so(text_aligner, capsys):
    pairs = Pairs(["ポンプ", "バルブ", "タンク"], ["A", "B", "C"])
    report = measure_robustness(text_aligner, pairs, names=["lower-case", "title-case", "cut-end"])
    result = report.perturbations["lower-case"]
    assert (result.n_changed, result.share_changed) == (0, 0.0)
    assert set(result.aligned.change.values()) == {0.0}
    print_robustness(report)
    printed = capsys.readouterr().out
    assert "changed nothing: lower-case, title-case" in printed
    assert "100% changed" in printed
    assert "│ 0% changed" not in printed


@pytest.mark.slow
def test_the_help_names_every_perturbation_and_what_it_costs():
    printed = " ".join(run("robustness", "--help").stdout.replace("│", " ").split())
    for said in (*PERTURBATIONS, "about twelve times the work"):
        assert said in printed


@pytest.mark.slow
def test_each_different_text_is_encoded_once(english):
    asked = []

    def encode(batch):
        asked.extend(batch)
        return hashed_letters(batch)

    fitted = kakehashi.fit(
        english, source_encoder=encode, target_encoder=reversed_letters, mode="keep"
    )
    fitted.encoder("source")
    asked.clear()
    measure_robustness(fitted, english, names=["upper-case", "lower-case", "title-case"])
    assert len(asked) == len(set(asked))
    assert set(english.source_texts) < set(asked)


def test_what_cannot_be_run_is_named_or_raises(english, text_aligner, capsys):
    assert measure_robustness(text_aligner, english).not_run == {}
    stored = Pairs(english.source_texts, target_vectors=reversed_letters(english.target_texts))
    report = measure_robustness(text_aligner, stored)
    assert list(report.not_run) == ["mixed-languages"]
    print_robustness(report)
    assert "not run: mixed-languages: the perturbation" in capsys.readouterr().out
    with pytest.raises(DataError, match="target text"):
        measure_robustness(text_aligner, stored, names=["mixed-languages"])


def test_robustness_refuses_what_has_no_texts_or_no_encoder(aligner, vector_pairs, english):
    with pytest.raises(DataError, match="source vectors only"):
        measure_robustness(aligner, vector_pairs)
    with pytest.raises(EncoderError, match="with_encoders"):
        measure_robustness(aligner, english)


@pytest.mark.slow
def test_the_command(text_aligner, english, tmp_path):
    text_aligner.save(tmp_path / "bridge")
    pages = [f"page {i // 5}" for i in range(len(english))]
    names, path = ("source", "target", "page"), tmp_path / "pairs.jsonl"
    rows = zip(english.source_texts, english.target_texts, pages, strict=True)
    records = (dict(zip(names, row, strict=True)) for row in rows)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    refused = run("robustness", tmp_path / "bridge", path)
    assert (refused.returncode, "--source-encoder" in refused.stderr) == (2, True)
    encoders = ("--source-encoder", "support.toy_data:hashed_letters")
    encoders += ("--target-encoder", "support.toy_data:reversed_letters")
    chosen = ("--perturbation", "cut-end", "--perturbation", "upper-case")
    done = run("robustness", tmp_path / "bridge", path, *encoders, *chosen, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert list(report["perturbations"]) == ["cut-end", "upper-case"]
    chosen = ("--perturbation", "cut-end", "--group", "page", "--json")
    by_page = json.loads(run("robustness", tmp_path / "bridge", path, *encoders, *chosen).stdout)
    grouped = Pairs(english.source_texts, english.target_texts, groups=pages)
    expected = measure_robustness(text_aligner, grouped, names=["cut-end"]).to_dict()
    assert by_page == json.loads(json.dumps(expected))
    assert by_page["aligned"]["intervals"] != report["aligned"]["intervals"]
    evaluated = run("evaluate", tmp_path / "bridge", path, *encoders, "--json")
    mrr = json.loads(evaluated.stdout)["aligned"]["mrr@10"]
    assert report["aligned"]["means"]["mrr@10"] == mrr


def test_the_documents_of_an_index_are_searched_too(text_aligner):
    pairs = machine_pairs()
    test = pairs.select(range(0, 80, 3))
    alone, among = (
        measure_robustness(text_aligner, test, names=["typing-errors"], index=index)
        for index in (None, list(pairs.target_texts))
    )
    assert (alone.pool, among.pool) == (27, 80)
    typed = [r.perturbations["typing-errors"].aligned.scores for r in (alone, among)]
    assert [scores.pool for scores in typed] == [27, 80]
    assert typed[1].means["mrr@10"] <= typed[0].means["mrr@10"]
