"""Strings and numbers of a forged record, at every exit: `info`, messages, warnings, the card."""

import json
import warnings

import pytest
from support.command_line import run

import kakehashi
from kakehashi.bundle.layout import record_hash
from kakehashi.errors import BundleTamperedError
from kakehashi.integrations._aligner_field import warn_unless_advised

EVIL = "\x1b]52;c;aGk=\x07\nfingerprint  0000\u202e<img src=x onerror=alert(1)>|[a](javascript:b)"
STRINGS = [
    ("report", "reason"),
    ("report", "describes"),
    ("report", "notes"),
    ("data", "name"),
    ("data", "licence"),
    ("data", "content_hash"),
]


def forge(folder, change):
    record = json.loads((folder / "aligner.json").read_text())
    change(record)
    record["sha256"] = record_hash(record)
    (folder / "aligner.json").write_text(json.dumps(record))
    return folder


@pytest.fixture
def forged(text_aligner, tmp_path):
    """An aligner with an evil string wherever a record holds one."""

    def change(record):
        for part, field in STRINGS:
            record[part][field] = [EVIL] if field == "notes" else EVIL
        report = record["report"]
        report["candidates"][EVIL] = report["candidates"].pop(report["chosen"])
        report["chosen"], report["verdict"] = EVIL, "do not use"

    return forge(text_aligner.save(tmp_path / "aligner"), change)


@pytest.mark.parametrize("options", [[], ["--all-candidates"], ["--json"]])
def test_info_shows_escapes_of_what_a_record_hides(forged, options):
    done = run("info", str(forged), *options)
    assert done.returncode == 0, done.stderr
    assert all(line.isprintable() for line in done.stdout.split("\n"))
    assert sum(line.startswith("fingerprint ") for line in done.stdout.split("\n")) <= 1


def test_every_text_about_a_forged_aligner_is_printable(forged, tmp_path):
    loaded = kakehashi.load(forged)
    assert repr(loaded).isprintable()
    assert all(line.isprintable() for line in str(loaded.report).split("\n"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_unless_advised(loaded)
    assert str(caught[0].message).isprintable()


def test_the_card_of_a_forged_aligner_shows_its_strings_as_they_stand(forged, tmp_path):
    markdown_it = pytest.importorskip("markdown_it")
    card = (kakehashi.load(forged).save(tmp_path / "again") / "README.md").read_text()
    assert all(line.isprintable() for line in card.split("\n"))
    page = markdown_it.MarkdownIt("commonmark", {"html": True}).enable("table").render(card)
    assert "<img" not in page
    assert "<a " not in page


def test_the_card_says_what_the_aligner_holds(text_aligner, tmp_path):
    card = (text_aligner.save(tmp_path / "aligner") / "README.md").read_text()
    assert "no text, and no vector of a text of the data" in card
    assert "probe texts" in card


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.update(mode="both"),
        lambda r: r["data"].update(name=["a"]),
        lambda r: r["data"].update(n_pairs="many"),
        lambda r: r["data"].update(unknown="\x1b"),
        lambda r: r["report"].update(reason=None),
        lambda r: r["report"].update(verdict="\x1b"),
        lambda r: r["report"].update(seconds="1"),
        lambda r: r["report"].update(p_value=[1]),
        lambda r: r["report"].update(sizes={}),
        lambda r: r["report"].update(metric="jaccard"),
        lambda r: r["report"].update(notes=[1]),
        lambda r: r["report"].update(beside={"a": {}}),
        lambda r: r["report"].update({"\x1b[2J": 1}),
        lambda r: chosen(r).update(mode=7),
        lambda r: chosen(r).update(validation=None),
        lambda r: chosen(r)["scores"].update(pool="x"),
        lambda r: chosen(r)["scores"].update(means={}),
        lambda r: chosen(r)["scores"]["means"].update({"recall@1": 7}),
        lambda r: chosen(r)["scores"]["intervals"].update({"recall@1": ["a", "b"]}),
        lambda r: r["encoders"]["source"].update(name=["x"]),
        lambda r: r["encoders"]["source"].update(model=5),
        lambda r: r["encoders"]["source"].update(dimension="\x1b"),
    ],
)
def test_a_value_of_another_type_is_named_at_the_load(text_aligner, tmp_path, change):
    folder = forge(text_aligner.save(tmp_path / "aligner"), change)
    with pytest.raises(BundleTamperedError) as caught:
        kakehashi.load(folder)
    assert str(caught.value).isprintable()


def chosen(record):
    return record["report"]["candidates"][record["report"]["chosen"]]
