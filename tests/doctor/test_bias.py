"""The language bias of an index in Chroma, with documents and with real questions."""

from pathlib import Path

from support.indices import chroma_index
from support.toy_data import hashed_letters, machine_pairs, reversed_letters

from kakehashi import read_pairs
from kakehashi.doctor import examine
from kakehashi.doctor.modalities import script_named

HASHED = "support.toy_data:hashed_letters"


def bilingual(folder):
    """Eighty English texts and their Japanese translations, by one encoder of letters."""
    from importlib.resources import files

    path = Path(str(files("kakehashi") / "demo" / "kicad_ja_en.jsonl"))
    pairs = read_pairs(str(path), on_invalid="drop").select(range(0, 1350, 9)).select(range(80))
    texts = [*pairs.target_texts, *pairs.source_texts]
    language = [{"language": "en"}] * 80 + [{"language": "ja"}] * 80
    return chroma_index(folder, hashed_letters(texts), texts, metadata=language), pairs


def test_the_bias_is_measured_by_a_field_or_by_the_script(tmp_path):
    address, _ = bilingual(tmp_path)
    by_field = examine(address, encoders=[HASHED]).about("languages")
    assert set(by_field.evidence["shares"]) == {"en", "ja"}
    assert "modality by field language" in by_field.says[0]
    by_script = examine(address, encoders=[HASHED], field="no such field").about("languages")
    assert set(by_script.evidence["shares"]) == {"Latin", "kana or Han"}
    rows = by_script.evidence["places"]
    assert list(rows) == ["as it is", "less a mean vector for each"]
    assert all(sum(of.values()) == 10 for of in rows["as it is"].values())
    assert by_script.says[1].startswith("Latin: ")


def test_real_questions_are_embedded_by_the_encoder_that_was_found(tmp_path):
    address, pairs = bilingual(tmp_path)
    asked = [*pairs.source_texts[:30], *pairs.target_texts[:30]]
    found = examine(address, encoders=[HASHED], questions=asked).about("languages")
    assert found.says[0] == "60 questions, 160 documents searched, modality by field language"
    assert set(found.evidence["places"]["as it is"]) == {"en", "ja"}


def test_questions_without_an_encoder_cannot_be_told(tmp_path):
    address, pairs = bilingual(tmp_path)
    asked = list(pairs.source_texts)
    found = examine(address, encoders=["no:Encoder"], questions=asked)
    assert found.about("languages").level == "cannot tell"


def test_an_aligner_shows_the_places_after_alignment(tmp_path, keeping_aligner):
    pairs = machine_pairs()
    notes = keeping_aligner.embed_documents(list(pairs.source_texts), modality="source")
    vectors = [*reversed_letters(list(pairs.target_texts)), *notes]
    texts = [*pairs.target_texts, *pairs.source_texts]
    metadata = [None] * 80 + [{"modality": "source"}] * 80
    address = chroma_index(tmp_path, vectors, texts, metadata=metadata)
    rows = examine(address, aligners={"a": keeping_aligner}).about("languages").evidence["places"]
    assert list(rows)[2:] == ["through the aligner"]  # it has no calibration
    assert set(rows["through the aligner"]) == {"source", "target"}


def test_one_language_has_no_bias(tmp_path):
    texts = list(machine_pairs().source_texts)
    found = examine(chroma_index(tmp_path, hashed_letters(texts), texts), encoders=[HASHED])
    assert found.about("languages") is None


def test_japanese_between_latin_names_is_japanese():
    assert script_named("KiCad の PCB を Gerber で出力") == "kana or Han"
    assert script_named("Plot the PCB as Gerber") == "Latin"
    assert script_named("74-595") == ""
