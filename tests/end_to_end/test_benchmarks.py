"""The benchmark runner on a few rows of the demo's data, with one cheap peer."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.toy_data import hashed_letters

import kakehashi
from kakehashi.evaluation.robustness.perturbations import PERTURBATIONS

pytest.importorskip("torch")  # contract.py's other peers share its loop

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
SET = "few_ja_en:letters-letters"


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Sixty rows of the demo's data in the benchmarks' layout, with vectors of their letters."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "vectors").mkdir()
    demo = Path(kakehashi.__file__).parent / "demo" / "kicad_ja_en.jsonl"
    lines = demo.read_text(encoding="utf-8").split("\n")[:60]
    (folder / "few_ja_en.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = [json.loads(line) for line in lines]
    vectors = {f"letters_{s}": hashed_letters([r[s] for r in rows]) for s in ("source", "target")}
    groups = [row["group"] for row in rows]
    np.savez(folder / "vectors" / "few_ja_en.npz", **vectors, group=groups)
    return folder


def run(script: str, code: str) -> str:
    """Run a few lines with the benchmarks' folder importable, as their scripts have it."""
    command = [sys.executable, "-c", code]
    paths = [str(BENCHMARKS), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, f"{script}: {done.stderr[-3000:]}"
    return done.stdout + done.stderr


def test_a_run_measures_what_is_missing_and_nothing_else(data, tmp_path):
    code = f"""
import sys, accuracy
accuracy.SYSTEMS = {{"procrustes": accuracy.SYSTEMS["drift-adapter procrustes"]}}
accuracy.MODES = ("keep",)
sys.argv = ["accuracy.py", {str(data)!r}, {str(tmp_path)!r}, "--sets", "all", "--sizes", "all",
            "--seeds", "1"]
accuracy.main()
"""
    first = run("accuracy.py", code)
    for system in ("raw cosine", "bm25", "kakehashi keep", "procrustes"):
        assert f"{SET}__all__0__{system} 0." in first
    measured = sorted((tmp_path / "cells").iterdir())
    assert len(measured) == 5
    run("tables.py", f"import sys, tables; sys.argv = ['', {str(tmp_path)!r}]; tables.main()")
    assert f"## {SET}" in (tmp_path / "results.md").read_text(encoding="utf-8")
    measured[0].unlink()
    assert run("accuracy.py", code).count("__all__0__") == 1


def test_rungs_and_an_index_that_is_read_are_rows_of_their_own(data, tmp_path):
    code = f"""
import sys, accuracy, tables
from datasets import chosen
from pathlib import Path
from protocol import Parts
accuracy.MODES = ("keep",)
for kind in ("index", "rungs", "baselines"):
    sys.argv = ["accuracy.py", {str(data)!r}, {str(tmp_path)!r}, "--sets", "all", "--sizes", "20",
                "--seeds", "1", "--only", kind]
    accuracy.main()
sys.argv = ["", {str(tmp_path)!r}]
tables.main()
[data_set] = chosen(Path({str(data)!r}), ["all"])
pairs = data_set.load(Path({str(data)!r}), Path("none.sqlite"))
parts = Parts.of(pairs, 20, 0)
seen = data_set.targets_as_source(pairs, Path({str(data)!r}), Path("none.sqlite"))
index = parts.index(pairs, seen)
assert not {{*index.texts}} & {{*parts.test.target_texts}}
assert len(index) > len(parts.pairs)
again = parts.of_same_rows(pairs.with_vectors(2 * pairs.source_vectors, None))
assert again.test.target_texts == parts.test.target_texts
assert (again.train.source_vectors == 2 * parts.train.source_vectors).all()
"""
    run("accuracy.py", code)
    shown = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "kakehashi keep, index" in shown
    assert "rung keep/cca " in shown
    assert "of 1 fits" in shown


def test_finding_gives_a_fit_and_its_peers_the_same_rows(data, tmp_path):
    demo = Path(kakehashi.__file__).parent / "demo" / "kicad_ja_en.jsonl"
    lines = demo.read_text(encoding="utf-8").split("\n")[60:180]
    rows = [json.loads(line) for line in lines]
    vectors = {f"letters_{s}": hashed_letters([r[s] for r in rows]) for s in ("source", "target")}
    (data / "others_ja_en.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    np.savez(data / "vectors" / "others_ja_en.npz", **vectors)
    code = f"""
import sys, finding
sys.modules["torch"] = None  # a trained head adds nothing here but seconds
sys.argv = ["finding.py", {str(data)!r}, {str(tmp_path)!r}, "--sets", {SET!r}, "--sizes", "all",
            "--starters", "few_ja_en", "others_ja_en", "--given", "both", "none"]
finding.main()
"""
    found = run("finding.py", code)
    for row in ("index + other sets", ""):
        for system in ("kakehashi", "drift-adapter procrustes", "era", "shift"):
            assert f"{SET}__all__{row}__0__{system} 0." in found
    assert "embedded again" in found
    table = (tmp_path / "finding.md").read_text(encoding="utf-8")
    assert table.count(f"| {SET} |") == 3
    assert "index + other sets | 1 | " in table
    assert "__0__" not in run("finding.py", code)


def test_the_benchmark_of_perturbed_queries_scores_each_pair_of_encoders(data, tmp_path):
    out = tmp_path / "result.json"
    code = f"""
import sys, robustness
sys.modules["torch"] = None  # a trained head adds nothing here but seconds
sys.path.append({str(ROOT / "tests")!r})
from support.toy_data import ENCODER_OF
from kakehashi.encoders import as_encoder
robustness.encoder = lambda name: as_encoder(ENCODER_OF[name], name=name)
sys.argv = ["robustness.py", {str(data / "few_ja_en.jsonl")!r}, "--out", {str(out)!r},
            "--encoders", "source:target", "source:source", "--rows", "30"]
robustness.main()
"""
    run("robustness.py", code)
    two_spaces, one_space = json.loads(out.read_text(encoding="utf-8"))["runs"]
    for found in (two_spaces, one_space):
        rows = found["perturbations"]
        assert found["n_train"] == 30
        assert list(rows) == [*PERTURBATIONS]
        for row in (found, *rows.values()):
            assert (row["base"] is None) is (found is two_spaces)
        for row in rows.values():
            for metric, clean in found["aligned"]["means"].items():
                perturbed = row["aligned"]["scores"]["means"][metric]
                assert row["aligned"]["change"][metric] == pytest.approx(perturbed - clean)
    assert any(row["aligned"]["change"]["mrr@10"] for row in two_spaces["perturbations"].values())


@pytest.fixture(scope="module")
def trilingual(tmp_path_factory) -> Path:
    """Paragraphs in three "languages" of one alphabet."""
    folder = tmp_path_factory.mktemp("mixed")
    parts, things = ("reset", "check", "drain", "fit", "oil"), ("pump", "valve", "tank", "seal")
    rows = [
        {"en": f"{p} the {t} {n}", "group": f"{t} {n}"}
        for n in range(12)
        for p in parts
        for t in things
    ]
    for row in rows:
        row |= {"ja": row["en"].upper() + ".", "fr": row["en"].title() + "!"}
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "pydocs_en_ja_fr.jsonl").write_text(text, encoding="utf-8")
    return folder


def test_the_mixed_benchmark_fills_every_table_and_agrees_with_the_retriever(trilingual, tmp_path):
    pytest.importorskip("langchain_chroma")
    out = tmp_path / "result.json"
    code = f"""
import sys, mixed, datasets
sys.modules["torch"] = None  # a trained head adds nothing here but seconds
sys.path.append({str(ROOT / "tests")!r})
from support.toy_data import ENCODER_OF
named = lambda name: datasets.as_encoder(ENCODER_OF[name], name=name)
datasets.encoder = named
datasets.judge = lambda: named("target")
sys.argv = ["mixed.py", {str(trilingual)!r}, "--out", {str(out)!r}, "--check", "4",
            "--cache", {str(tmp_path / "v.sqlite")!r}, "--fits", {str(tmp_path / "fits")!r},
            "--encoders", "source:target", "--latency", "--sizes", "60"]
mixed.main()
"""
    run("mixed.py", code)
    found = json.loads(out.read_text(encoding="utf-8"))
    rows = found["rows"]
    assert list(rows) == ["parallel", "disjoint, 50% Japanese", "disjoint, 20% Japanese", "French"]
    for index, by_name in rows.items():
        # two untouched encoders in two ways; two aligners in four ways, and the perfect list
        if index != "French":
            assert len(by_name) == 1 + 4 + 2 * 4
    bridges = [row for row in rows["French"] if "->" in row]
    # in six ways; of half the rows, too few for a calibration, in three
    assert len(bridges) == 6 + 3
    assert len(rows["French"]) == 4 + len(bridges)
    assert set(found["routed"]) == {"en", "ja", "fr"}
    perfect = rows["parallel"].pop("a perfect list")
    assert perfect["ndcg"]["mean"] == pytest.approx(1)
    for row in rows["parallel"].values():
        low, high = row["ndcg"]["interval"]
        assert 0 <= low <= row["ndcg"]["mean"] <= high <= 1
        assert row["worst pair"] == pytest.approx(
            min(c["mean"] for m, c in row.items() if m.startswith("within ")),
            nan_ok=True,
        )
    same = found["same_as_retriever"]
    assert len(same) == 2 * 3
    # Texts this alike may be equally near, and fall in any order.
    assert all(int(s.removesuffix(" of 8")) >= 6 for s in same.values())
    arms = found["latency"]["arms"]
    assert [r["store"] for r in arms] == ["in memory"] * 4 + ["Chroma"] * 4
    assert all(r["wrapper_ms"] >= 0 for r in arms)


def test_the_metrics_of_the_mixed_benchmark_are_those_of_ir_measures():
    code = """
import ir_measures, numpy as np
from ir_measures import R, nDCG
from mixed_search import ndcg, recall, within
rng = np.random.default_rng(0)
gains = rng.choice([0, 0, 0, 1, 2], size=(40, 30)).astype(float)
gains[:3] = 0
order = np.argsort(rng.random((40, 30)), axis=1)[:, :10]
order[5:9, 6:] = -1  # fewer than ten found
qrels = [ir_measures.Qrel(str(q), str(d), int(gains[q, d])) for q, d in np.ndindex(40, 30)]
docs = [ir_measures.ScoredDoc(str(q), str(d), 10.0 - place)
        for q, row in enumerate(order) for place, d in enumerate(row) if d >= 0]
for measure, ours in ((nDCG @ 10, ndcg(order, gains)), (R @ 10, recall(order, gains))):
    expected = {m.query_id: m.value for m in ir_measures.iter_calc([measure], qrels, docs)}
    assert np.isnan(ours[:3]).all()
    for q in range(3, 40):
        assert abs(ours[q] - expected[str(q)]) < 1e-12, (str(measure), q)
# Of the ten, the documents of one language alone, as if the others had never been there.
kept = np.arange(30) < 12
ours = within(order, gains, kept)
own = [qrel for qrel in qrels if kept[int(qrel.doc_id)]]
docs = [doc for doc in docs if kept[int(doc.doc_id)]]
expected = {m.query_id: m.value for m in ir_measures.iter_calc([nDCG @ 10], own, docs)}
for q in range(3, 40):
    if (gains[q] * kept).any():
        assert abs(ours[q] - expected[str(q)]) < 1e-12, q
    else:
        assert np.isnan(ours[q])
"""
    pytest.importorskip("ir_measures")
    run("mixed.py", code)


def test_without_a_judge_the_twin_alone_answers():
    code = """
import numpy as np
from mixed_search import Index, measured, perfect, questions
from mixed_corpus import Corpus, Encoded, neighbours
texts = {"en": ["a", "b", "c"], "ja": ["A", "B", "C"]}
corpus = Corpus(texts, ["x", "y", "z"])
asked = questions(texts, neighbours(corpus, [0, 1, 2], Encoded({}, None)))
assert (asked[0].gains == 2 * np.eye(3, 6, 3)).all()
assert (asked[1].gains == 2 * np.eye(3, 6)).all()
index = Index(texts["en"] + texts["ja"], np.ones(6, bool))
found = measured(asked, {q.language: perfect(q, index, 0) for q in asked}, index)
assert (found["ndcg en"] == 1).all()
assert (found["ndcg en-ja"] == 1).all()
assert np.isnan(found["ndcg en-en"]).all()
"""
    run("mixed.py", code)


def test_the_data_are_built_from_checkouts(tmp_path):
    checkouts, out = tmp_path / "checkouts", tmp_path / "out"
    files = {
        "python-docs-fr/library/heapq.po": """
#: library/heapq.rst:7
msgid "The :mod:`!heapq` module has a ``push`` "
"and a :meth:`~list.pop`::"
msgstr "Le module :mod:`!heapq` a un ``push`` et un :meth:`~list.pop` ::"

#, fuzzy
msgid "A heap."
msgstr "Un tas."

#~ msgid "A queue."
#~ msgstr "Une file."
""",
        "kicad-doc/src/pcbnew/po/fr.po": """
#. type: Title
#: pcbnew_layers.adoc:3
#, no-wrap
msgid "Layers\\n"
msgstr "Couches\\n"
""",
        "tldr/pages/common/tar.md": """# tar

> Archiving utility.
> More information: <https://example.org>.

- [c]reate an archive:

`tar {{[-c|--create]}} {{path/to/file}}`
""",
        "tldr/pages.fr/common/tar.md": """# tar

> Outil d'archivage.

- Crée une archive :

`tar {{[-c|--create]}} {{chemin/fichier}}`
""",
        "ase15-django-dataset/django/all.anno": "  import module os.\n  import module os.\n",
        "ase15-django-dataset/django/all.code": " import os\n import sys\n",
    }
    for name, text in files.items():
        (checkouts / name).parent.mkdir(parents=True, exist_ok=True)
        (checkouts / name).write_text(text, encoding="utf-8")
    code = f"""
import sys, build_data, numpy as np
from pathlib import Path
build_data.ROWS = Path({str(tmp_path / "rows.npz")!r})
numbers = [build_data.number_of(row) for row in build_data.tldr_commands(Path({str(checkouts)!r}))]
np.savez(build_data.ROWS, tldr_en_command=np.array([7, *numbers], np.uint32))
sys.argv = ["build_data.py", {str(checkouts)!r}, {str(out)!r}]
try:
    build_data.main()
except SystemExit as done:
    assert done.code == 1
"""
    shown = run("build_data.py", code)
    assert "git clone" in shown
    assert "python-docs-ja" in shown
    assert "tldr_en_command: 1 rows, 50.0% of those listed" in shown

    def built(name: str) -> list[tuple[str, str, str]]:
        lines = (out / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        return [(r["source"], r["target"], r["group"]) for r in map(json.loads, lines)]

    french = "Le module heapq a un push et un list.pop :"
    assert built("pydocs_fr_en") == [
        (french, "The heapq module has a push and a list.pop:", "library/heapq.po")
    ]
    assert built("kicad_fr_en") == [("Couches", "Layers", "pcbnew/pcbnew_layers.adoc")]
    page = "common/tar.md"
    assert built("tldr_en_command") == [("create an archive", "tar --create path/to/file", page)]
    assert set(built("tldr_fr_en")) == {
        ("Outil d'archivage.", "Archiving utility.", page),
        ("Crée une archive", "create an archive", page),
    }
    assert [pair[0] for pair in built("django_pseudocode_code")] == ["import module os."]
    assert len(built("kicad_ja_en")) == 1446
    provenance = json.loads((out / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["tldr_fr_en"]["tldr"]["licence"] == "CC BY 4.0"
    assert not (out / "pydocs_ja_en.jsonl").exists()


def test_every_script_can_be_imported_and_says_what_it_takes():
    names = sorted(path.stem for path in BENCHMARKS.glob("*.py"))
    assert {"accuracy", "million", "tables"} < set(names)
    code = f"""
import importlib, sys
for name in {names}:
    script = importlib.import_module(name)
    if hasattr(script, "main"):
        sys.argv = [name, "--help"]
        try:
            script.main()
        except SystemExit as done:
            assert done.code == 0, name
        else:
            raise AssertionError(f"{{name}} runs where help was asked for")
"""
    run("all scripts", code)


def test_the_benchmark_of_a_second_model_ends_where_all_is_embedded_again(data, tmp_path):
    out = tmp_path / "result.json"
    code = f"""
import sys, second_model
sys.modules["torch"] = None  # a trained head adds nothing here but seconds
sys.path.append({str(ROOT / "tests")!r})
from support.toy_data import hashed_letters, letters_apart
from kakehashi.encoders import as_encoder
of = {{"letters": hashed_letters, "new": letters_apart}}
second_model.encoder = lambda name: as_encoder(of[name], name=name)
second_model.EMBEDDED = (0, 20, 40)
sys.argv = ["second_model.py", {str(data)!r}, "--sets", {SET + ":new"!r}, "--pairs", "30",
            "--hits", "2", "5", "--cache", {str(tmp_path / "v.sqlite")!r}, "--out", {str(out)!r},
            "--time"]
depths, ordered = set(), second_model.first_order
def first_order(*args):
    depths.add(args[-1])
    return ordered(*args)
second_model.first_order = first_order
second_model.main()
print("ordered again:", *sorted(depths))
"""
    shown = run("second_model.py", code)
    depths = re.findall(r"^ordered again: (.*)$", shown, re.MULTILINE)[0].split()
    assert {"2", "5"} <= set(depths)
    assert "60" not in depths  # a store's first hits, and not the whole index
    [found] = json.loads(out.read_text(encoding="utf-8"))["sets"].values()
    rows = {row["way"]: row for row in found["rows"]}
    again = rows["embedded again"]["recall@1"]
    for name in ("second model, 5 hits, 60 searched", "no map, second model, 5 hits, 60 searched"):
        assert rows[name]["recall@1"] == again
    assert rows["second model, 5 hits"]["recall@10"] >= rows["second model, 2 hits"]["recall@1"]
    assert found["milliseconds"]["bytes a document"] > 0
